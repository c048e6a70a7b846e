//! An account in process, the program's edge to it, and someone else with rights in it.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator, Snapshot};
use session_manager_role::clock::SystemClock;
use smr_core::account::Account;
use smr_core::fair::Priority;
use smr_core::limits::Limits;
use smr_core::names::{Names, ObjectRef};
use smr_core::observed::Observed;
use smr_core::plan::{Planned, Recorded, plan};
use smr_core::ports::Uncounted;
use smr_core::resolve::desired::{Desired, desired};
use smr_core::resolve::validate::validate;
use smr_core::summary::{Facts, Object, Outcome, summarize};
use smr_iam::{Aws, Budget, Gate, Iam, Recent};
use smr_lease::Fence;

use simulation::asked::{ACCOUNT, Asked};
use simulation::deeds::{LAMBDA, READ_S3, Target};

/// The program's credentials.
const CONTROLLER: &str = "AKIACONTROLLER";

pub struct World {
    pub asked: Asked,
    pub emulator: Emulator,
    pub someone: aws_sdk_iam::Client,
    account: Account,
    desired: Desired,
    iam: Iam,
    created: Snapshot,
}

impl World {
    /// An account with what others have in it, and nothing of ours.
    pub async fn new(asked: &Asked) -> Self {
        let emulator = Emulator::new(Config {
            account_id: ACCOUNT.to_owned(),
            partition: asked.partition.to_owned(),
            ..Config::default()
        });
        let someone = aws_sdk_iam::Client::new(&config(&emulator, "AKIASOMEONE"));
        for name in ["cap", "theirs"] {
            let create = someone
                .create_policy()
                .policy_name(name)
                .policy_document(READ_S3);
            create.send().await.unwrap();
        }
        let admin = someone
            .create_role()
            .role_name("admin")
            .assume_role_policy_document(LAMBDA);
        admin.send().await.unwrap();

        let gate = Gate::new(
            Budget::new(100_000),
            Arc::new(Fence::always()),
            tokio_util::sync::CancellationToken::new(),
            Arc::new(Uncounted),
        );
        let aws = Aws::new(&config(&emulator, CONTROLLER), gate);
        // The account and its partition come from the caller's own ARN.
        let account = aws.account().await.unwrap();
        let mut limits = Limits::new("test");
        limits.allowed_additional_policies = vec!["*".to_owned()];
        limits.tags.insert("cost-center".to_owned(), "7".to_owned());
        let subject = ObjectRef {
            namespace: asked.subject.namespace.clone(),
            name: asked.subject.name.clone(),
            uid: asked.subject.uid.clone(),
        };
        let names = Names::resolve(&subject, Some(&asked.spec), None, &limits, None);
        let valid = validate(&asked.spec, &subject, &names, &account, &limits).unwrap();
        Self {
            asked: asked.clone(),
            someone,
            desired: desired(&valid),
            iam: aws.on_behalf_of(&account, "team", Priority::Edit),
            account,
            emulator,
            created: Snapshot::default(),
        }
    }

    /// Observe and plan; `policy.type` was as it is long enough.
    pub async fn look(&self, recorded: &Recorded) -> Planned {
        let none = std::collections::BTreeSet::new();
        let observe = self.iam.observe(&self.account, &self.desired.names, &none);
        let observed = observe.await.unwrap();
        let long_ago = Some(std::time::Duration::from_mins(1));
        plan(&self.desired, &observed, recorded, long_ago).unwrap()
    }

    /// Observe, plan, apply: every step of a plan is one that IAM takes.
    pub async fn pass(&self, recorded: &Recorded) -> Planned {
        let planned = self.look(recorded).await;
        let names = &self.desired.names;
        let (mut state, recent) = (
            Observed::default(),
            Recent::new(Arc::new(SystemClock::new())),
        );
        let apply = self
            .iam
            .apply(&self.account, names, &planned.plan, &mut state, &recent);
        apply
            .await
            .unwrap_or_else(|failed| panic!("{failed:?} of {planned:?}"));
        planned
    }

    /// The objects come into being; what status then remembers of them.
    pub async fn create(&mut self) -> Recorded {
        self.pass(&Recorded::default()).await;
        self.created = self.emulator.snapshot();
        let none = std::collections::BTreeSet::new();
        let observe = self.iam.observe(&self.account, &self.desired.names, &none);
        let believed = observe.await.unwrap();
        let facts = Facts {
            desired: &self.desired,
            observed: &believed,
            counterparts: None,
            mode: smr_api::Mode::Enforce,
        };
        let converged = Outcome::Converged {
            facts,
            done: None,
            unlisted: &[],
        };
        let object = Object {
            generation: 1,
            status: None,
            reconcile_request: None,
        };
        let summary = summarize(object, jiff::Timestamp::UNIX_EPOCH, &converged);
        Recorded::of(Some(&summary.status))
    }

    /// How many writes the program has sent.
    pub fn writes(&self) -> usize {
        let calls = self.emulator.calls();
        let ours = calls.iter().filter(|c| c.access_key_id == CONTROLLER);
        ours.filter(|c| c.write).count()
    }

    /// What others lay hands on.
    pub fn target(&self) -> Target<'_> {
        Target {
            asked: &self.asked,
            someone: &self.someone,
            emulator: &self.emulator,
            created: &self.created,
        }
    }
}

/// The emulator as an account that this key has rights in.
fn config(emulator: &Emulator, key: &str) -> SdkConfig {
    let credentials = Credentials::new(key, "not-a-secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Connector::new(emulator))
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}
