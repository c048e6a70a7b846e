//! What the tests of the command line share: the real program as a child process, manifests in a
//! directory of their own, the IAM emulator, and the core to bring an account into a state.
#![allow(clippy::unwrap_used, clippy::panic)] // A test's helpers are a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::config::Credentials;
use iam_emulator::{Config, Emulator, Server};
use session_manager_role::clock::SystemClock;
use smr_core::account::{Account, Partition};
use smr_core::fair::Priority;
use smr_core::limits::Limits;
use smr_core::names::ObjectRef;
use smr_core::observed::Observed;
use smr_core::plan::{Recorded, plan};
use smr_core::ports::Uncounted;
use smr_core::resolve::resolve;
use smr_iam::{Aws, Budget, Gate, Recent};
use smr_lease::Fence;
use tokio_util::sync::CancellationToken;

pub const ACCOUNT: &str = "111122223333";
const KEY: &str = "AKIAPLANNER";

/// A directory with manifests, and the program run in it.
pub struct Bench {
    pub directory: PathBuf,
    iam: Option<Server>,
}

/// What the program answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|_| panic!("{}{}", self.stdout, self.stderr))
    }

    /// All of it, for a snapshot.
    pub fn told(&self) -> String {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        format!(
            "{stdout}{}{stderr}exit status {code}\n",
            if stderr.is_empty() {
                ""
            } else {
                "--- stderr\n"
            }
        )
    }
}

impl Bench {
    pub fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "smr-cli-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let bench = Self {
            directory: std::env::temp_dir().join(name),
            iam: None,
        };
        for (file, text) in files {
            bench.write(file, text);
        }
        bench
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.directory.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// With an IAM of its own.
    pub async fn with_iam(mut self) -> Self {
        self.iam = Some(Emulator::start(Config::default()).await.unwrap());
        self
    }

    pub fn iam(&self) -> &Server {
        self.iam.as_ref().unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smr"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .env("HOME", &self.directory)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SMR_CLUSTER_NAME", "test")
            .stdin(Stdio::null());
        if let Some(iam) = &self.iam {
            command
                .env("AWS_ENDPOINT_URL", iam.endpoint())
                .env("AWS_ACCESS_KEY_ID", KEY)
                .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
                .env("AWS_REGION", "us-east-1");
        }
        command
    }

    pub async fn smr(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments)).await
    }

    /// The same, and the processor time that it took in seconds: what else runs on the machine does not
    /// count.
    pub async fn timed(&self, arguments: &[&str]) -> (Answer, f64) {
        let program = self.command(arguments);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#""$0" "$@"; code=$?; times >&2; exit $code"#])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(&self.directory)
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(key, value)| Some((key, value?))),
            );
        let answer = answer(shell).await;
        // Of the shell's children, in user and in system mode: 0m1.25s 0m0.50s
        let seconds = |text: &str| {
            let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
        };
        let spent = answer.stderr.lines().last().unwrap();
        let spent = spent.split_whitespace().map(seconds).sum();
        (answer, spent)
    }

    /// The program's calls to IAM: actions of writes, and of reads.
    pub fn calls(&self) -> (Vec<String>, Vec<String>) {
        let calls = self.iam().calls();
        let of = |write: bool| {
            let calls = calls
                .iter()
                .filter(|c| c.access_key_id == KEY && c.service == "iam" && c.write == write);
            calls.map(|c| c.action.clone()).collect()
        };
        (of(true), of(false))
    }

    /// IAM as the controller would leave it after it has seen `spec` as `default/<name>`.
    pub async fn converge(&self, name: &str, spec: &str) {
        let subject = ObjectRef {
            namespace: "default".into(),
            name: name.into(),
            uid: format!("uid-of-{name}"),
        };
        let account = Account {
            id: ACCOUNT.into(),
            partition: Partition::Aws,
        };
        let wanted = resolve(
            &serde_saphyr::from_str(spec).unwrap(),
            &subject,
            None,
            &account,
            &limits(),
            None,
        )
        .unwrap();
        let planned = plan(
            &wanted.desired,
            &Observed::default(),
            &Recorded::default(),
            None,
        )
        .unwrap();
        let aws = aws(&self.iam().endpoint()).await;
        let iam = aws.on_behalf_of(&account, "default", Priority::Edit);
        let (mut state, recent) = (
            Observed::default(),
            Recent::new(Arc::new(SystemClock::new())),
        );
        let names = &wanted.desired.names;
        iam.apply(&account, names, &planned.plan, &mut state, &recent)
            .await
            .unwrap();
    }

    /// IAM as someone else uses it.
    pub fn someone(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.iam().endpoint())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(
                "AKIASOMEONE",
                "not-a-secret",
                None,
                None,
                "test",
            ))
            .build();
        aws_sdk_iam::Client::from_conf(config)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs a command without holding up the emulator in this process.
pub async fn answer(mut command: Command) -> Answer {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn limits() -> Limits {
    Limits {
        allowed_additional_policies: vec!["arn:aws:iam::aws:policy/*".into()],
        ..Limits::new("test")
    }
}

async fn aws(endpoint: &str) -> Aws {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new(
            "AKIACONTROLLER",
            "not-a-secret",
            None,
            None,
            "test",
        ))
        .load()
        .await;
    let metrics = Arc::new(Uncounted);
    Aws::new(
        &config,
        Gate::new(
            Budget::new(5000),
            Arc::new(Fence::always()),
            CancellationToken::default(),
            metrics,
        ),
    )
}

/// A manifest of ours.
pub fn manifest(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata:\n  name: {name}\nspec: {spec}\n"
    )
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
