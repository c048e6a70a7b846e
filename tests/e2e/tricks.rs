//! A hostile tenant: who may create, edit and delete objects in one namespace and write their status tries what
//! `tests/data/tricks.yaml` has. Nothing that is not that namespace's changes in IAM, and nothing of others is learned.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use iam_emulator::{Fault, FaultKind, Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};
use crate::support::pods::file_of;
use crate::support::{ACCOUNT, KEY, Start, World, condition};

/// Who tries.
const TENANT: &str = "tenant";
/// What others have, and must be read nowhere in the tenant's namespace.
const PLANTED: [&str; 6] = [
    "planted-team",
    "planted-object",
    "planted-cluster",
    "o-planted0rg",
    "p-planted0",
    "999988887777",
];
const OF_ORGANIZATION: &str = "User: arn:aws:sts::111122223333:assumed-role/session-manager-role/planted-team is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::111122223333:role/session-manager/x with an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-planted0rg/service_control_policy/p-planted0";
const OF_POLICY: &str = "User: arn:aws:sts::111122223333:assumed-role/session-manager-role/planted-team is not authorized to perform: iam:CreatePolicy on resource: arn:aws:iam::111122223333:policy/session-manager/x with an explicit deny in an identity-based policy: arn:aws:iam::999988887777:policy/planted-object";

#[derive(Deserialize)]
struct Trick {
    why: String,
    /// The object's name, where it matters.
    object: Option<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Apply(Value),
    Replace(Value),
    Status(Value),
    Annotate(BTreeMap<String, String>),
    Decided,
    Ready,
    Unfinalize,
    Delete,
}

/// What the tenant does to one object, with kubectl.
struct Tenant<'a> {
    world: &'a World,
    object: String,
}

impl Tenant<'_> {
    /// What the API server says of a refusal.
    async fn kubectl(&self, arguments: &[&str]) -> Result<(), String> {
        let who = ["--as", TENANT, "-n", &self.world.namespace];
        let all = [arguments, &who].concat();
        let output = self.world.plane.kubectl_output(&all).await.unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    async fn patch(&self, subresource: &[&str], patch: &Value) -> Result<(), String> {
        let patch = patch.to_string();
        let arguments = ["patch", "smr", &self.object, "--type=merge", "-p", &patch];
        self.kubectl(&[&arguments, subresource].concat()).await
    }

    async fn apply(&self, verb: &[&str], spec: &Value) -> Result<(), String> {
        let object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": self.object }, "spec": spec,
        });
        let file = file_of(&object);
        let path = file.path().to_str().unwrap();
        self.kubectl(&[verb, &["-f", path]].concat()).await
    }

    /// What is asked of the controller now is answered, or the object waits, paused or refused.
    async fn decided(&self) {
        let asked = self.world.ask(&self.object).await;
        let answered = async || {
            let Some(object) = self.world.get(&self.object).await else {
                return true;
            };
            let Some(status) = object.status else {
                return false;
            };
            let is = |kind: &str| condition(&status, kind).is_some_and(|c| c.status == "True");
            is("Paused")
                || (status.last_handled_reconcile_at.as_ref() == Some(&asked) && !is("Reconciling"))
        };
        let what = format!("{} is decided upon", self.object);
        self.world.eventually(&what, answered).await;
    }

    /// Whether it goes on: what the API server refuses is over.
    async fn takes(&self, step: &Step) -> bool {
        let exists = self.world.get(&self.object).await.is_some();
        match step {
            Step::Apply(spec) => {
                let verb = ["apply", "--server-side", "--force-conflicts"];
                return self.apply(&verb, spec).await.is_ok();
            }
            Step::Replace(spec) => return self.apply(&["replace"], spec).await.is_ok(),
            _ if !exists => return false,
            Step::Status(status) => {
                let patch = json!({ "status": status });
                self.patch(&["--subresource=status"], &patch).await.unwrap();
            }
            Step::Annotate(annotations) => {
                let patch = json!({ "metadata": { "annotations": annotations } });
                self.patch(&[], &patch).await.unwrap();
            }
            Step::Decided => self.decided().await,
            Step::Ready => {
                self.world.ready(&self.object).await;
            }
            Step::Unfinalize => {
                let patch = json!({ "metadata": { "finalizers": null } });
                self.patch(&[], &patch).await.unwrap();
            }
            Step::Delete => {
                let gone = ["delete", "smr", &self.object, "--timeout=170s"];
                self.kubectl(&gone).await.unwrap();
            }
        }
        true
    }
}

/// All that the tenant has nothing to do with.
struct Others {
    blue: String,
    before: Snapshot,
}

impl Others {
    /// Another team with two roles, an administrator's things, another cluster's role, one that consents to others.
    async fn settle(world: &World, blue: &str) -> Self {
        let someone = world.someone();
        for (name, path, tags) in [
            ("terraform-admin", "/", vec![tag("kept", "as it is")]),
            ("session-manager-role", "/", vec![]),
            (
                "of-another-cluster",
                "/session-manager/",
                vec![
                    tag("sessionmanager.dev/cluster", "planted-cluster"),
                    tag("sessionmanager.dev/owner", "planted-team/planted-object"),
                ],
            ),
            (
                "consents-to-blue",
                "/session-manager/",
                vec![tag(
                    "sessionmanager.dev/adoptable-by",
                    &format!("test/{blue}/OBJECT"),
                )],
            ),
        ] {
            let role = someone.create_role().role_name(name).path(path);
            let role = role.assume_role_policy_document(LAMBDA_TRUST);
            role.set_tags(Some(tags)).send().await.unwrap();
        }
        let profile = someone.create_instance_profile();
        let profile = profile.instance_profile_name("terraform-admin");
        profile.send().await.unwrap();
        for name in ["terraform-state", "session-manager-boundary"] {
            let policy = someone.create_policy().policy_name(name);
            policy.policy_document(READ_S3).send().await.unwrap();
        }
        let attach = someone.attach_role_policy().role_name("terraform-admin");
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/terraform-state");
        attach.policy_arn(arn).send().await.unwrap();
        Self {
            blue: blue.to_owned(),
            before: Snapshot::default(),
        }
    }

    /// That nothing of it has changed, and that all else is the tenant's own.
    fn are_as_they_were(&self, now: &Snapshot, red: &str) {
        let own = format!("{red}/");
        let from = format!("test/{red}/");
        let is_red = |tags: &BTreeMap<String, String>| {
            let starts = |key: &str, with: &str| tags.get(key).is_some_and(|v| v.starts_with(with));
            starts("sessionmanager.dev/owner", &own)
                || starts("sessionmanager.dev/retained-from", &from)
        };
        for (name, role) in &self.before.roles {
            assert_eq!(now.roles.get(name), Some(role));
        }
        for (name, policy) in &self.before.policies {
            assert_eq!(now.policies.get(name), Some(policy));
        }
        for (name, profile) in &self.before.instance_profiles {
            assert_eq!(now.instance_profiles.get(name), Some(profile));
        }
        let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/session-manager-boundary");
        let new = |name: &String, arn: &str, tags: &BTreeMap<String, String>| {
            assert!(is_red(tags), "{name} is not the tenant's: {tags:?}");
            assert!(arn.contains("/session-manager/"), "{arn}");
            let lower = name.to_lowercase();
            let of_another = [format!("{}.", self.blue), "payments.".to_owned()];
            assert!(
                !of_another.iter().any(|begin| lower.starts_with(begin)),
                "{name}"
            );
            assert_ne!(lower, "made-as-a-repair");
            let keys = tags
                .keys()
                .filter(|key| !key.starts_with("sessionmanager.dev/"));
            assert_eq!(keys.collect::<Vec<_>>(), ["team"], "{name}");
            assert_eq!(tags["team"], red, "{name}");
        };
        for (name, role) in &now.roles {
            if !self.before.roles.contains_key(name) {
                new(name, &role.arn, &role.tags);
                assert_eq!(role.boundary.as_ref(), Some(&boundary), "{name}");
            }
        }
        for (name, policy) in &now.policies {
            if !self.before.policies.contains_key(name) {
                new(name, &policy.arn, &policy.tags);
            }
        }
        for (name, profile) in &now.instance_profiles {
            if !self.before.instance_profiles.contains_key(name) {
                new(name, &profile.arn, &profile.tags);
            }
        }
    }
}

/// What the tenant may do in its namespace.
async fn rights(world: &World) {
    let resources = "--resource=sessionmanagerroles,sessionmanagerroles/status,events";
    let verbs = "--verb=get,list,watch,create,update,patch,delete";
    world
        .kubectl(&["create", "role", TENANT, verbs, resources])
        .await;
    let binding = [
        "create",
        "rolebinding",
        TENANT,
        "--role",
        TENANT,
        "--user",
        TENANT,
    ];
    world.kubectl(&binding).await;
}

fn refusal(name: &str, action: &str, message: &str) -> Fault {
    Fault {
        name: Some(name.to_owned()),
        access_key_id: Some(KEY.to_owned()),
        ..Fault::new(
            action,
            100_000,
            FaultKind::Error {
                status: 403,
                code: "AccessDenied".to_owned(),
                message: message.to_owned(),
            },
        )
    }
}

#[tokio::test]
async fn a_hostile_tenant_changes_and_learns_nothing_of_others() {
    let mut world = World::unrecorded("red").await;
    let red = world.namespace.clone();
    let blue = format!("{red}-blue");
    world
        .plane
        .kubectl(&["create", "namespace", &blue])
        .await
        .unwrap();
    rights(&world).await;
    let mut others = Others::settle(&world, &blue).await;
    for (object, action, message) in [
        ("refused-by-organization", "CreateRole", OF_ORGANIZATION),
        ("refused-by-policy", "CreatePolicy", OF_POLICY),
    ] {
        world
            .iam
            .inject(refusal(&format!("{red}.{object}"), action, message));
    }
    let start = Start::default()
        .flag(&format!("--watch-namespace={blue}"))
        .flag(&format!(
            "--permissions-boundary-arn=arn:aws:iam::{ACCOUNT}:policy/session-manager-boundary"
        ))
        .flag("--allow-additional-policy=arn:aws:iam::aws:policy/CloudWatch*")
        .flag("--allow-tag-key=color-*")
        .flag("--tag=team={namespace}")
        .flag("--iam-requests-per-second=100");
    world.run(&start);

    // The other team's.
    for (name, spec) in [
        ("web", json!({})),
        ("own", json!({ "role": { "name": "blues-own" } })),
    ] {
        let object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": name, "namespace": blue }, "spec": spec,
        });
        let file = file_of(&object);
        let apply = [
            "apply",
            "--server-side",
            "-f",
            file.path().to_str().unwrap(),
        ];
        world.plane.kubectl(&apply).await.unwrap();
    }
    let ready = [
        "wait",
        "smr/web",
        "smr/own",
        "-n",
        &blue,
        "--for=condition=Ready",
        "--timeout=170s",
    ];
    world.plane.kubectl(&ready).await.unwrap();
    others.before = world.account();
    let id = others.before.roles[&format!("{blue}.web")].id.clone();

    let tricks = std::fs::read_to_string("tests/data/tricks.yaml").unwrap();
    let tricks = tricks
        .replace("BLUE_ROLE_ID", &id)
        .replace("BLUE", &blue)
        .replace("RED", &red);
    let tricks: Vec<Trick> = serde_saphyr::from_str(&tricks).unwrap();
    assert!(tricks.len() >= 40);
    let world = &world;
    let tried = tricks.iter().enumerate().map(async |(number, trick)| {
        let object = trick
            .object
            .clone()
            .unwrap_or_else(|| format!("trick-{number}"));
        let tenant = Tenant { world, object };
        for step in &trick.steps {
            if !tenant.takes(step).await {
                break;
            }
        }
        println!("{}: {}", tenant.object, trick.why);
    });
    let all: Vec<()> = futures::stream::iter(tried)
        .buffer_unordered(8)
        .collect()
        .await;
    assert_eq!(all.len(), tricks.len());
    world.another_look().await;
    world.another_look().await;
    others.are_as_they_were(&world.account(), &red);

    let shown = world
        .kubectl(&["get", "smr,events.v1.events.k8s.io", "-o", "json"])
        .await;
    for planted in PLANTED {
        let at = shown.find(planted);
        let around = at.map(|at| &shown[at.saturating_sub(300)..(at + 100).min(shown.len())]);
        assert_eq!(around, None, "{planted} is read by the tenant");
    }
    // The log has what people with rights to it need.
    let log = world.log();
    for told in [
        "planted-team/planted-object of cluster planted-cluster",
        "p-planted0",
    ] {
        assert!(log.contains(told), "the log does not say {told}");
    }

    // What pretends to have the other team's role hides nothing that happens to it.
    let role = format!("{blue}.web");
    let change = world.someone().update_role().role_name(&role);
    change.description("changed").send().await.unwrap();
    let repaired = async || world.account().roles[&role] == others.before.roles[&role];
    world
        .eventually("the other team's role is repaired", repaired)
        .await;

    // All of it goes, and leaves the others as they were.
    world
        .kubectl(&["annotate", "smr", "--all", "sessionmanager.dev/paused-"])
        .await;
    let status = json!({ "status": { "accountId": ACCOUNT } }).to_string();
    let names = ["get", "smr", "-o", "jsonpath={.items[*].metadata.name}"];
    for object in world.kubectl(&names).await.split_whitespace() {
        let patch = [
            "patch",
            "smr",
            object,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status,
        ];
        world.kubectl(&patch).await;
    }
    world
        .kubectl(&["delete", "smr", "--all", "--timeout=170s"])
        .await;
    let left = world.account();
    others.are_as_they_were(&left, &red);
    let forged = format!("{red}.forged-path");
    assert!(!left.policies.contains_key(&forged) && !left.roles.contains_key(&forged));
}
