//! `smr render`: manifests in, the IAM documents that they come to out, as JSON or YAML. Reads
//! files; asks AWS for the account only where no flag gives it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;
use smr_api::Pause;
use smr_core::account::Account;
use smr_core::limits::Limits;
use smr_core::names::ObjectRef;
use smr_core::resolve::desired::PolicyHome;
use smr_core::resolve::validate::Invalid;
use smr_core::resolve::{Resolved, resolve, unclear_pause};
use smr_manifest::{Ordered, to_yaml};

use super::account::{self, AccountArgs};
use super::clashes::{WayOut, clashes};
use super::limits::LimitsArgs;
use super::load::{self, LoadError, Loaded, Namespace, Placed, pause};
use super::{CliError, plan::PlanError};
use smr_api::Key;

const EXAMPLES: &str = "\
Examples:
  Everything that a manifest comes to, without asking AWS:
    smr render -f web.yaml --account-id 111122223333

  The role's policy alone, for AWS's own linter:
    smr render -f web.yaml --account-id 111122223333 --only policy > policy.json
    aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document file://policy.json

  What the owners of the log bucket and the keys have to allow:
    smr render -f web.yaml --account-id 111122223333 --only counterparts";

/// Flags of `smr render`.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Manifests: a file, a directory (recursively), or - for standard input (repeatable)
    #[arg(
        short = 'f',
        long = "filename",
        required = true,
        value_name = "FILE|DIR|-"
    )]
    filename: Vec<PathBuf>,
    /// Namespace of manifests that give none [default: default]
    #[arg(short = 'n', long)]
    namespace: Option<String>,
    /// Only this document; with several manifests, one after the other
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    limits: LimitsArgs,
}

/// One document of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The role's policy
    Policy,
    /// The role's trust policy
    Trust,
    /// What has to be allowed outside IAM
    Counterparts,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Json,
    Yaml,
}

/// What one manifest comes to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rendered {
    namespace: String,
    name: String,
    account_id: String,
    partition: String,
    role: Role,
    policy: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_profile: Option<Named>,
    policy_document: Ordered,
    trust_policy: Ordered,
    /// Empty where nothing is needed.
    counterparts: Counterparts,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    #[serde(flatten)]
    named: Named,
    /// What an activation takes; only with HybridActivation.
    #[serde(skip_serializing_if = "Option::is_none")]
    activation_role: Option<String>,
}

#[derive(Serialize)]
struct Named {
    name: String,
    arn: String,
}

#[derive(Serialize)]
struct Policy {
    #[serde(rename = "type")]
    type_: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
}

/// Statements for policies outside IAM, as documents.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counterparts {
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_policy: Option<Ordered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_key_policy: Option<Ordered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_key_policy: Option<Ordered>,
}

pub(super) fn run(args: Args) -> Result<(), CliError> {
    let Args {
        filename,
        namespace,
        only,
        output,
        account,
        limits,
    } = args;
    // No document depends on the cluster's name.
    let limits = limits.limits(None)?;
    let namespace = Namespace::of_flag(namespace.as_deref())?;
    let loaded = load::check(load::read(&filename)?.documents, namespace, |_| None)?;
    account.partition()?;
    let account = match account.given()? {
        Some(given) => given,
        None => ask(&account)?,
    };
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for mut loaded in loaded {
        match come_to(&mut loaded, &account, &limits) {
            Ok(wanted) => all.push((loaded, wanted)),
            Err(mut found) => problems.append(&mut found),
        }
    }
    problems.append(&mut shared_names(&all));
    if !problems.is_empty() {
        return Err(LoadError::Invalid(problems).into());
    }
    let rendered =
        |(loaded, wanted): &(Loaded, Resolved)| part(&Rendered::of(&loaded.key, wanted), only);
    let parts: Vec<Ordered> = all.iter().map(rendered).collect();
    Ok(std::io::stdout().write_all(laid_out(&parts, output).as_bytes())?)
}

fn ask(expected: &AccountArgs) -> Result<Account, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let aws = account::reading().await;
        let account = account::caller(&aws).await.map_err(PlanError::from)?;
        expected.expect(&account)?;
        Ok(account)
    })
}

fn come_to(
    loaded: &mut Loaded,
    account: &Account,
    limits: &Limits,
) -> Result<Resolved, Vec<Placed>> {
    let checked = std::mem::replace(&mut loaded.object, Err(Vec::new()))?;
    if let Pause::Unclear(value) = pause(&checked) {
        let Invalid { field, problem } = unclear_pause(&value);
        return Err(vec![loaded.placed(&field, &problem)]);
    }
    let subject = ObjectRef {
        namespace: loaded.key.namespace.clone(),
        name: loaded.key.name.clone(),
        uid: String::new(),
    };
    resolve(&checked.spec, &subject, None, account, limits, None).map_err(|problems| {
        problems
            .iter()
            .map(|p| loaded.placed(&p.field, &p.problem))
            .collect()
    })
}

/// Names in IAM that several manifests ask for.
fn shared_names(all: &[(Loaded, Resolved)]) -> Vec<Placed> {
    let other = |index: usize| {
        let loaded = &all[index].0;
        (loaded.key.clone(), loaded.document.place_of(""))
    };
    let mut problems = BTreeMap::<usize, Vec<Placed>>::new();
    for clash in clashes(all.iter().map(|(_, wanted)| wanted).enumerate()) {
        for holder in clash.holders() {
            let problem = clash.problem(holder, other, WayOut::Rename);
            let placed = all[holder.index].0.placed(clash.field(), &problem);
            problems.entry(holder.index).or_default().push(placed);
        }
    }
    problems.into_values().flatten().collect()
}

impl Rendered {
    fn of(key: &Key, wanted: &Resolved) -> Self {
        let desired = &wanted.desired;
        let (names, account) = (&desired.names, &desired.account);
        let managed = matches!(desired.policy.home, PolicyHome::Managed { .. });
        let counterparts = wanted.counterparts.clone().unwrap_or_default();
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            account_id: account.id.clone(),
            partition: account.partition.to_string(),
            role: Role {
                named: Named {
                    name: names.role.clone(),
                    arn: names.role_arn(account),
                },
                activation_role: desired.activation_role(),
            },
            policy: Policy {
                type_: if managed { "Managed" } else { "Inline" },
                name: names.policy.clone(),
                arn: managed.then(|| names.policy_arn(account)),
            },
            instance_profile: desired.instance_profile.as_ref().map(|_| Named {
                name: names.instance_profile.clone(),
                arn: names.instance_profile_arn(account),
            }),
            policy_document: json(&desired.policy.document),
            trust_policy: json(&desired.role.trust),
            counterparts: Counterparts {
                bucket_policy: counterparts.bucket_policy.as_deref().map(json),
                bucket_key_policy: counterparts.bucket_key_policy.as_deref().map(json),
                session_key_policy: counterparts.session_key_policy.as_deref().map(json),
            },
        }
    }
}

/// A document of ours, in the order of AWS's page.
fn json(text: &str) -> Ordered {
    serde_json::from_str(text).unwrap_or_default()
}

fn part(rendered: &Rendered, only: Option<Only>) -> Ordered {
    match only {
        None => Ordered::of(rendered).unwrap_or_default(),
        Some(Only::Policy) => rendered.policy_document.clone(),
        Some(Only::Trust) => rendered.trust_policy.clone(),
        Some(Only::Counterparts) => Ordered::of(&rendered.counterparts).unwrap_or_default(),
    }
}

/// JSON documents one after the other, as jq reads them; YAML documents with their separator.
fn laid_out(parts: &[Ordered], output: Output) -> String {
    let one = |part: &Ordered| match output {
        Output::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(part).unwrap_or_default()
        ),
        Output::Yaml => to_yaml(part).unwrap_or_default(),
    };
    let separator = match output {
        Output::Json => "",
        Output::Yaml => "---\n",
    };
    parts.iter().map(one).collect::<Vec<_>>().join(separator)
}
