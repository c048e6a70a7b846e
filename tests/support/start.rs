//! How a test starts the program: with the flags that are shipped, and with what [`CHANGED`] lists.
//! Values only; no IO.

use std::path::PathBuf;

use super::KEY;

/// Every flag that a test sets, and why: any other stays as it is shipped.
const CHANGED: [(&str, &str); 20] = [
    // In every world.
    (
        "--cluster-name",
        "it is required; the tests' tags and plans say 'test'",
    ),
    (
        "--watch-namespace",
        "each test has a namespace of its own in one cluster, and a controller for it",
    ),
    (
        "--metrics-addr",
        "127.0.0.1:0: nothing listens beyond loopback, and each controller has a free port",
    ),
    (
        "--resync-interval",
        "5s, the shortest there is, so that a test of drift waits for seconds and not for a minute; \
         1h where a test counts calls or asks for each pass with the annotation",
    ),
    // Where many objects are needed and the test is not about the budget.
    (
        "--iam-requests-per-second",
        "the tables of drift have some sixty objects, the test of two hundred roles has those: at the \
         shipped 10 they would wait minutes for the budget. The test of fair shares sets it to make \
         its objects, and then runs with the shipped 10",
    ),
    // What the test is about.
    ("--allow-additional-policy", "spec.additionalPolicyArns"),
    ("--allow-path", "spec.path"),
    ("--default-path", "names and a status that was lost"),
    ("--name-prefix", "names"),
    ("--permissions-boundary-arn", "the operator's boundary"),
    ("--tag", "the operator's tags"),
    ("--allow-tag-key", "the tag keys that spec may set"),
    ("--cluster-uid", "two clusters of one name"),
    ("--take-over-cluster-uid", "a cluster that replaces another"),
    ("--ec2-principal", "the operator's name for EC2"),
    ("--selector", "objects whose labels change"),
    ("--observe", "a first roll-out"),
    ("--sweep", "what each way of reading IAM finds"),
    ("--leader-elect", "two replicas"),
    (
        "--lease-namespace",
        "two replicas: outside a cluster it is needed",
    ),
];

/// How the program is started.
#[derive(Clone)]
pub struct Start {
    pub flags: Vec<String>,
    pub access_key: String,
    /// Paths that its policy is for besides those of its flags: where a flag was changed, what was made before is
    /// under the former one.
    pub former_paths: Vec<String>,
    pub kubeconfig: Option<PathBuf>,
    /// The program: this one, or another version of it.
    pub program: PathBuf,
    /// What is logged: `RUST_LOG`.
    pub rust_log: String,
    /// More of the environment; what is empty is removed from it.
    pub env: Vec<(String, String)>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            flags: vec!["--resync-interval=5s".to_owned()],
            access_key: KEY.to_owned(),
            former_paths: vec!["/session-manager/".to_owned()],
            kubeconfig: None,
            program: env!("CARGO_BIN_EXE_smr").into(),
            rust_log: "info,session_manager_role=debug".to_owned(),
            env: Vec::new(),
        }
    }
}

impl Start {
    /// The default, and AWS's own policies may be added.
    pub fn permissive() -> Self {
        Self::default().flag("--allow-additional-policy=arn:aws:iam::aws:policy/*")
    }

    /// The same, and IAM is read when a test asks for it, and not before.
    pub fn when_asked() -> Self {
        Self::permissive().flag("--resync-interval=1h")
    }

    /// The same for the many objects of a table.
    pub fn for_a_table() -> Self {
        Self::when_asked().flag("--iam-requests-per-second=100")
    }

    /// With a policy that is for a path, too, that a flag had before.
    pub fn formerly_under(mut self, path: &str) -> Self {
        self.former_paths.push(path.to_owned());
        self
    }

    /// With this in the environment; empty: without it.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without keys: credentials come from elsewhere.
    pub fn without_keys(self) -> Self {
        self.env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
    }

    /// The default and this flag, which takes the place of a default of its name.
    pub fn flag(mut self, flag: &str) -> Self {
        let name = flag.split('=').next().unwrap_or_default();
        assert!(
            CHANGED.iter().any(|(listed, _)| *listed == name),
            "{name} is not in the table of flags that tests change"
        );
        let defaults = Self::default().flags;
        (self.flags).retain(|f| !(defaults.contains(f) && f.split('=').next() == Some(name)));
        self.flags.push(flag.to_owned());
        self
    }
}
