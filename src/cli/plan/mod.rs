//! `smr plan`: manifests in, what the controller would do with them out. Reads files, and where it
//! is asked to, the cluster and IAM; never writes anywhere.

mod clash;
mod compare;
mod entry;
mod iam;
mod json;
mod live;
mod rename;
mod text;
mod words;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use smr_core::account::Account;
use smr_core::limits::Limits;

use super::CliError;
use super::account::{AccountArgs, UNKNOWN_ACCOUNT};
use super::limits::{LimitsArgs, UNKNOWN_CLUSTER};
use super::load::{self, LoadError, Namespace};
use super::manifests::{self, Given, Manifests};
use entry::{Action, Entry};
use rename::Rename;

pub use live::PlanError;

const CLUSTER_NEEDED: &str = "is needed to see whose an IAM object is: give the name that the controller has, or plan without AWS with --offline or --from OLD";

const EXAMPLES: &str = "\
Examples:
  What would the controller do with these manifests, given what is in AWS and in the cluster?
    smr plan -f roles/ --cluster-name production

  The same for a file, without a cluster:
    smr plan -f web.yaml --no-cluster --cluster-name production

  What does a pull request change? Needs neither AWS nor a cluster:
    smr plan --from base/roles -f head/roles

  What Helm or kustomize make, as if the account were empty; exit status 2 where there is a change:
    kubectl kustomize overlays/prod | smr plan -f - --offline --detailed-exitcode

Exit status: 0, or 1 where something is wrong (a manifest is not valid, or the controller would
refuse). With --detailed-exitcode: 0 no change, 2 changes, 1 something is wrong.";

/// Flags of `smr plan`.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Manifests: a file, a directory (recursively), or - for standard input (repeatable)
    #[arg(
        short = 'f',
        long = "filename",
        required_unless_present = "files",
        value_name = "FILE|DIR|-"
    )]
    filename: Vec<PathBuf>,
    /// The same, as hooks pass them: here it is no error that none holds a SessionManagerRole
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Namespace of manifests that give none [default: the kubeconfig's, or default]
    #[arg(short = 'n', long)]
    namespace: Option<String>,
    /// Name of the cluster, as the controller has it; needed for a live plan, as it shows whose an
    /// IAM object is
    #[arg(long, env = "SMR_CLUSTER_NAME")]
    cluster_name: Option<String>,
    /// Compare with these manifests, a file or directory; neither AWS nor the cluster is asked
    #[arg(long, value_name = "OLD", conflicts_with_all = ["offline", "no_cluster"])]
    from: Option<PathBuf>,
    /// Assume an empty account; neither AWS nor the cluster is asked
    #[arg(long)]
    offline: bool,
    /// Don't ask the cluster for the objects' UIDs and status
    #[arg(long)]
    no_cluster: bool,
    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t)]
    output: Output,
    /// Exit status: 0 no change, 2 changes, 1 something is wrong
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    limits: LimitsArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: see docs/plan-json.md
    Json,
}

/// Where the plan comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Live,
    Offline,
    From,
}

/// What became of all manifests.
struct Report {
    mode: Mode,
    account: Option<Account>,
    cluster: String,
    entries: Vec<Entry>,
    /// Objects that go, and new ones with the same names in IAM.
    renames: Vec<Rename>,
    skipped: usize,
    /// What can't be known, once for all.
    notes: Vec<String>,
}

impl Report {
    fn count(&self, action: Action) -> usize {
        self.entries.iter().filter(|e| e.action() == action).count()
    }

    fn has_changes(&self) -> bool {
        self.entries.iter().any(Entry::has_changes)
    }

    /// That the cluster's name is not known.
    fn cluster_note(&self) -> Option<String> {
        (self.cluster == UNKNOWN_CLUSTER).then(|| {
            format!("the cluster's name is not known, {UNKNOWN_CLUSTER} stands for it: give --cluster-name")
        })
    }

    fn is_wrong(&self) -> bool {
        self.entries.iter().any(|e| e.action().is_wrong())
    }
}

/// What all ways to a plan need.
struct Task {
    manifests: Manifests,
    namespace: Option<String>,
    limits: Limits,
    account: AccountArgs,
}

pub(super) fn run(args: Args) -> Result<ExitCode, CliError> {
    let Args {
        mut filename,
        files,
        namespace,
        cluster_name,
        from,
        offline,
        no_cluster,
        output,
        detailed_exitcode,
        account,
        limits,
    } = args;
    let is_hook = filename.is_empty();
    filename.extend(files);
    let given = if is_hook {
        Given::ByHook
    } else {
        Given::AsApplied
    };
    let manifests = manifests::read(&filename, given).map_err(LoadError::from)?;
    if is_hook && manifests.documents.is_empty() {
        println!("No SessionManagerRole in the given files.");
        return Ok(ExitCode::SUCCESS);
    }
    account.partition()?;
    let is_live = from.is_none() && !offline;
    if is_live && cluster_name.is_none() {
        return Err(super::flag("--cluster-name", CLUSTER_NEEDED));
    }
    let task = Task {
        manifests,
        namespace,
        limits: limits.limits(cluster_name)?,
        account,
    };
    let report = match from {
        Some(old) => compare::plan(task, old)?,
        None if offline => offline_plan(task)?,
        None => live::plan(task, !no_cluster)?,
    };
    let mut stdout = std::io::stdout().lock();
    match output {
        Output::Text => {
            let text = text::render(&report, text::Paint::for_terminal(stdout.is_terminal()));
            stdout.write_all(text.as_bytes())?;
        }
        Output::Json => {
            serde_json::to_writer_pretty(&mut stdout, &json::report(&report))
                .map_err(std::io::Error::from)?;
            writeln!(stdout)?;
        }
    }
    drop(stdout);
    eprint!("{}", text::problems(&report));
    Ok(
        match (report.is_wrong(), detailed_exitcode && report.has_changes()) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::from(2),
            (false, false) => ExitCode::SUCCESS,
        },
    )
}

/// On an empty account.
fn offline_plan(task: Task) -> Result<Report, CliError> {
    let account = task.account.given_or_any()?;
    let manifests = task.manifests.or_none().map_err(LoadError::from)?;
    let namespace = Namespace::of_flag(task.namespace.as_deref())?;
    let loaded = load::check(manifests.documents, namespace, |_| None)?;
    let entries = loaded
        .into_iter()
        .map(|l| entry::on_empty_account(l, &account, &task.limits))
        .collect();
    Ok(Report {
        mode: Mode::Offline,
        notes: account_note(&account),
        account: Some(account),
        cluster: task.limits.cluster.name,
        entries: clash::refused(entries),
        renames: Vec::new(),
        skipped: manifests.skipped,
    })
}

fn account_note(account: &Account) -> Vec<String> {
    let unknown = account.id == UNKNOWN_ACCOUNT;
    let note =
        format!("the account is not known, {UNKNOWN_ACCOUNT} stands for it: give --account-id");
    unknown.then_some(note).into_iter().collect()
}
