//! Policies in force over the wire: callers that are held to the policies of this repository, with the
//! real SDK. Does IO.
//!
//! A lag is an hour here and ends by being set to zero, so no verdict depends on how long a test
//! takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use std::fmt::Debug;
use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::Tag;
use iam_emulator::{Config, Emulator, Enforced, PolicyDocument, Server, Settings};

const POLICY: &str = include_str!("../../../deploy/iam/policy.json");
const BOUNDARY: &str = include_str!("../../../deploy/iam/boundary.json");
const SCP: &str = include_str!("../../../deploy/iam/scp.json");
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const FULL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

const CONTROLLER: &str = "AKIACONTROLLER";
const ROLE: &str = "arn:aws:iam::111122223333:role/session-manager-role";
const BOUND: &str = "arn:aws:iam::111122223333:policy/session-manager-boundary";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const CLUSTER: &str = "sessionmanager.dev/cluster";
const PATH: &str = "/session-manager/";
const HOUR: Duration = Duration::from_hours(1);

fn document(text: &str) -> PolicyDocument {
    text.parse().unwrap()
}

fn held_to(policy: &str) -> Enforced {
    Enforced {
        access_key_id: CONTROLLER.to_owned(),
        principal_arn: ROLE.parse().unwrap(),
        policy: document(policy),
        boundary: None,
        scps: Vec::new(),
    }
}

/// The service control policy beside AWS's own that allows everything.
fn scp() -> PolicyDocument {
    let mut both: serde_json::Value = serde_json::from_str(SCP).unwrap();
    let full: serde_json::Value = serde_json::from_str(FULL).unwrap();
    let statements = both["Statement"].as_array_mut().unwrap();
    statements.push(full["Statement"][0].clone());
    document(&both.to_string())
}

/// An emulator, an administrator's client and that of the caller that is held to policies.
struct World {
    server: Server,
    admin: Client,
    controller: Client,
}

impl World {
    async fn new(enforce: Vec<Enforced>) -> Self {
        let config = Config {
            enforce,
            ..Config::default()
        };
        let server = Emulator::start(config).await.unwrap();
        let admin = client(&server.endpoint(), "AKIAADMIN").await;
        let controller = client(&server.endpoint(), CONTROLLER).await;
        admin
            .create_policy()
            .policy_name("session-manager-boundary")
            .policy_document(BOUNDARY)
            .send()
            .await
            .unwrap();
        Self {
            server,
            admin,
            controller,
        }
    }

    /// A role that an administrator made, with the tags of a cluster if any.
    async fn role(&self, path: &str, name: &str, cluster: Option<&str>) {
        self.admin
            .create_role()
            .path(path)
            .role_name(name)
            .assume_role_policy_document(TRUST)
            .permissions_boundary(BOUND)
            .set_tags(cluster.map(|cluster| vec![tag(CLUSTER, cluster)]))
            .send()
            .await
            .unwrap();
    }
}

async fn client(endpoint: &str, key: &str) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(key, "s", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .load()
        .await;
    Client::new(&config)
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// The words of a refusal, from the action on; they have to be AWS's up to there.
fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(
    outcome: Result<T, SdkError<E>>,
    case: &str,
) -> String {
    let error = outcome.expect_err(case);
    assert_eq!(error.code(), Some("AccessDenied"), "{case}: {error:?}");
    let status = error.raw_response().unwrap().status().as_u16();
    assert_eq!(status, 403, "{case}");
    let begin = "User: arn:aws:sts::111122223333:assumed-role/session-manager-role/session is not \
                 authorized to perform: ";
    let message = error.message().unwrap();
    message
        .strip_prefix(begin)
        .unwrap_or_else(|| panic!("{case}: {message}"))
        .to_owned()
}

fn on(action: &str, resource: &str) -> String {
    format!("iam:{action} on resource: arn:aws:iam::111122223333:{resource}")
}

/// What is said where the identity-based policy denies.
fn denied(action: &str, resource: &str) -> String {
    on(action, resource) + " with an explicit deny in an identity-based policy"
}

/// What is said where no identity-based policy allows.
fn not_allowed(action: &str, resource: &str) -> String {
    let why = format!("because no identity-based policy allows the iam:{action} action");
    format!("{} {why}", on(action, resource))
}

#[tokio::test]
async fn a_role_is_created_with_our_tag_and_the_boundary_or_not_at_all() {
    let world = World::new(vec![held_to(POLICY)]).await;
    let create = |path: &str, cluster: Option<&str>, boundary: Option<&str>| {
        let tags = cluster.map(|cluster| vec![tag(CLUSTER, cluster), tag("team", "web")]);
        (world.controller.create_role())
            .path(path)
            .role_name("r")
            .assume_role_policy_document(TRUST)
            .set_tags(tags)
            .set_permissions_boundary(boundary.map(str::to_owned))
            .send()
    };
    let ours = Some("production");
    for (path, cluster, boundary) in [
        (PATH, None, Some(BOUND)),
        (PATH, Some("staging"), Some(BOUND)),
        (PATH, ours, None),
        (PATH, ours, Some(ADMINISTRATOR)),
        ("/", ours, Some(BOUND)),
    ] {
        let case = format!("{path} {cluster:?} {boundary:?}");
        let said = refusal(create(path, cluster, boundary).await, &case);
        let expected = not_allowed("CreateRole", &format!("role{path}r"));
        assert_eq!(said, expected, "{case}");
        assert!(world.server.snapshot().roles.is_empty(), "{case}");
    }
    create(PATH, ours, Some(BOUND)).await.unwrap();
    assert_eq!(world.server.snapshot().roles.len(), 1);
}

#[tokio::test]
async fn tags_at_creation_need_the_right_to_tag() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:CreateRole","iam:CreatePolicy","iam:CreateInstanceProfile"],"Resource":"*"}]}"#;
    let world = World::new(vec![held_to(policy)]).await;
    let iam = &world.controller;
    let tagged = || Some(vec![tag("team", "web")]);
    let role = |tags| {
        let role = iam.create_role().role_name("r").set_tags(tags);
        role.assume_role_policy_document(TRUST).send()
    };
    let policy = |tags| {
        let policy = iam.create_policy().policy_name("p").set_tags(tags);
        policy.policy_document(DOCUMENT).send()
    };
    let profile = |tags| {
        let profile = iam.create_instance_profile().instance_profile_name("i");
        profile.set_tags(tags).send()
    };
    let said = refusal(role(tagged()).await, "role");
    assert_eq!(said, not_allowed("TagRole", "role/r"));
    let said = refusal(policy(tagged()).await, "policy");
    assert_eq!(said, not_allowed("TagPolicy", "policy/p"));
    let said = refusal(profile(tagged()).await, "profile");
    assert_eq!(
        said,
        not_allowed("TagInstanceProfile", "instance-profile/i")
    );
    role(None).await.unwrap();
    policy(None).await.unwrap();
    profile(None).await.unwrap();
}

#[tokio::test]
async fn only_roles_of_our_cluster_are_touched() {
    let world = World::new(vec![held_to(POLICY)]).await;
    let iam = &world.controller;
    world.role(PATH, "ours", Some("production")).await;
    world.role(PATH, "theirs", Some("staging")).await;
    world.role(PATH, "untagged", None).await;
    world.role("/", "outside", Some("production")).await;
    let inline = |name: &str| {
        iam.put_role_policy()
            .role_name(name)
            .policy_name("x")
            .policy_document(DOCUMENT)
            .send()
    };
    let tagging = |name: &str, key: &str, value: &str| {
        iam.tag_role().role_name(name).tags(tag(key, value)).send()
    };
    let before = world.server.snapshot();
    for (name, resource) in [
        ("theirs", "role/session-manager/theirs"),
        ("untagged", "role/session-manager/untagged"),
        ("outside", "role/outside"),
        // No role of that name has a path, so it can't be below ours.
        ("absent", "role/absent"),
    ] {
        let said = refusal(inline(name).await, name);
        assert_eq!(said, not_allowed("PutRolePolicy", resource));
        let said = refusal(iam.delete_role().role_name(name).send().await, name);
        assert_eq!(said, not_allowed("DeleteRole", resource));
        let said = refusal(tagging(name, "team", "web").await, name);
        assert_eq!(said, not_allowed("TagRole", resource));
    }
    let said = refusal(tagging("theirs", CLUSTER, "production").await, "theirs");
    let theirs = "role/session-manager/theirs";
    assert_eq!(said, not_allowed("TagRole", theirs), "taken over");
    let said = refusal(tagging("ours", CLUSTER, "staging").await, "ours");
    let ours = "role/session-manager/ours";
    assert_eq!(said, not_allowed("TagRole", ours), "given away");
    assert_eq!(world.server.snapshot(), before, "nothing has changed");

    inline("ours").await.unwrap();
    tagging("ours", "team", "web").await.unwrap();
    tagging("untagged", CLUSTER, "production").await.unwrap();
    inline("untagged").await.unwrap();
}

#[tokio::test]
async fn the_boundary_stays_on_roles() {
    let world = World::new(vec![held_to(POLICY)]).await;
    world.role(PATH, "ours", Some("production")).await;
    let iam = &world.controller;
    let outcome = iam.delete_role_permissions_boundary().role_name("ours");
    let ours = "role/session-manager/ours";
    assert_eq!(
        refusal(outcome.send().await, "boundary"),
        denied("DeleteRolePermissionsBoundary", ours)
    );
    // What a condition on the boundary sees is what the role has, unless the call says another.
    let put = |arn: &str| {
        let put = iam.put_role_permissions_boundary().role_name("ours");
        put.permissions_boundary(arn).send()
    };
    put(BOUND).await.unwrap();
    let other = put(ADMINISTRATOR).await;
    assert_eq!(
        refusal(other, "another boundary"),
        denied("PutRolePermissionsBoundary", ours)
    );
    let attach = |arn: &str| {
        let attach = iam.attach_role_policy().role_name("ours");
        attach.policy_arn(arn).send()
    };
    let foreign = attach("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore").await;
    assert_eq!(
        refusal(foreign, "a foreign policy"),
        denied("AttachRolePolicy", ours)
    );
}

#[tokio::test]
async fn a_role_is_passed_to_a_profile_only_from_our_path() {
    let world = World::new(vec![held_to(POLICY)]).await;
    world.role(PATH, "ours", Some("production")).await;
    world.role("/", "outside", Some("production")).await;
    let iam = &world.controller;
    for name in ["i", "j"] {
        iam.create_instance_profile()
            .path(PATH)
            .instance_profile_name(name)
            .tags(tag(CLUSTER, "production"))
            .send()
            .await
            .unwrap();
    }
    let add = |profile: &str, role: &str| {
        iam.add_role_to_instance_profile()
            .instance_profile_name(profile)
            .role_name(role)
            .send()
    };
    let said = refusal(add("i", "outside").await, "outside");
    assert_eq!(said, not_allowed("PassRole", "role/outside"));
    add("i", "ours").await.unwrap();

    // To another service than EC2 it says nothing.
    let policy = POLICY.replace(r#""ec2.amazonaws.com""#, r#""ssm.amazonaws.com""#);
    world.server.set_enforced(vec![held_to(&policy)]);
    let said = refusal(add("j", "ours").await, "another service");
    assert_eq!(said, not_allowed("PassRole", "role/session-manager/ours"));
    world.server.set_enforced(Vec::new());
    add("j", "ours").await.unwrap();
}

#[tokio::test]
async fn the_callers_boundary_and_the_organization_have_a_say() {
    let world = World::new(Vec::new()).await;
    world.role(PATH, "ours", Some("production")).await;
    let read_only = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}]}"#;
    let no_tags = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:Tag*","Resource":"*"}]}"#;
    let tagging = |key: &str| {
        (world.controller.tag_role())
            .role_name("ours")
            .tags(tag(key, "production"))
            .send()
    };
    let begin =
        "iam:TagRole on resource: arn:aws:iam::111122223333:role/session-manager/ours ".to_owned();
    let other = "arn:aws:iam::111122223333:role/another";
    for (boundary, scps, principal, why) in [
        (
            Some(document(read_only)),
            vec![],
            ROLE,
            "because no permissions boundary allows the iam:TagRole action",
        ),
        (
            Some(document(no_tags)),
            vec![],
            ROLE,
            "with an explicit deny in a permissions boundary",
        ),
        (
            None,
            vec![document(FULL), document(read_only)],
            ROLE,
            "because no service control policy allows the iam:TagRole action",
        ),
        (
            None,
            vec![scp()],
            other,
            "with an explicit deny in a service control policy: \
             arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/\
             p-examplepolicy",
        ),
    ] {
        let enforced = Enforced {
            boundary,
            scps,
            principal_arn: principal.parse().unwrap(),
            ..held_to(POLICY)
        };
        world.server.set_enforced(vec![enforced]);
        let error = tagging(CLUSTER).await.expect_err(why);
        let message = error.message().unwrap();
        let (_, said) = message.split_once("to perform: ").unwrap();
        assert_eq!(said, format!("{begin}{why}"));
    }
    // The SCP excepts the controller's own role, and minds only the tags of ownership.
    for (principal, key) in [(ROLE, CLUSTER), (other, "team")] {
        world.server.set_enforced(vec![Enforced {
            scps: vec![scp()],
            principal_arn: principal.parse().unwrap(),
            ..held_to(POLICY)
        }]);
        tagging(key).await.unwrap();
    }
}

#[tokio::test]
async fn a_tag_counts_once_it_is_seen() {
    for (lag, write_lag) in [(HOUR, Duration::ZERO), (Duration::ZERO, HOUR)] {
        let world = World::new(vec![held_to(POLICY)]).await;
        world.role(PATH, "r", None).await;
        world.server.set_lag(lag);
        world.server.set_write_lag(write_lag);
        let iam = &world.controller;
        let claim = iam.tag_role().role_name("r");
        claim.tags(tag(CLUSTER, "production")).send().await.unwrap();
        let inline = || {
            iam.put_role_policy()
                .role_name("r")
                .policy_name("x")
                .policy_document(DOCUMENT)
                .send()
        };
        let said = refusal(inline().await, "too early");
        let resource = "role/session-manager/r";
        assert_eq!(said, not_allowed("PutRolePolicy", resource));
        world.server.set_lag(Duration::ZERO);
        world.server.set_write_lag(Duration::ZERO);
        inline().await.unwrap();
    }
}

#[tokio::test]
async fn reads_are_judged_and_other_callers_are_not() {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::*:role/a*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:role/session-manager-role"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}]}"#;
    let world = World::new(vec![held_to(policy)]).await;
    world.role("/", "a", None).await;
    world.role("/", "b", None).await;
    let get = |iam: &Client, name: &str| iam.get_role().role_name(name).send();
    get(&world.controller, "a").await.unwrap();
    let said = refusal(get(&world.controller, "b").await, "b");
    assert_eq!(said, not_allowed("GetRole", "role/b"));
    get(&world.admin, "b").await.unwrap();
    let said = refusal(world.controller.list_roles().send().await, "list");
    assert_eq!(
        said,
        "iam:ListRoles on resource: * because no identity-based policy allows the iam:ListRoles action"
    );
    let outcomes: Vec<String> = (world.server.calls().iter())
        .filter(|call| call.access_key_id == CONTROLLER)
        .map(|call| call.outcome.clone())
        .collect();
    assert_eq!(outcomes, ["ok", "AccessDenied", "AccessDenied"]);
}

#[tokio::test]
async fn who_am_i_needs_no_permission_and_says_who() {
    let deny = FULL.replace("Allow", "Deny");
    let world = World::new(vec![held_to(&deny)]).await;
    for (key, expected) in [
        (
            CONTROLLER,
            "arn:aws:sts::111122223333:assumed-role/session-manager-role/session",
        ),
        (
            "AKIAADMIN",
            "arn:aws:sts::111122223333:assumed-role/emulated/AKIAADMIN",
        ),
    ] {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(world.server.endpoint())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(key, "s", None, None, "test"))
            .load()
            .await;
        let sts = aws_sdk_sts::Client::new(&config);
        let identity = sts.get_caller_identity().send().await.unwrap();
        assert_eq!(identity.arn(), Some(expected));
    }
}

#[tokio::test]
async fn the_settings_put_policies_in_force() {
    let world = World::new(Vec::new()).await;
    let set = |json: &str| serde_json::from_str(json).map(|s: Settings| world.server.set(s));
    let list = || world.controller.list_roles().send();
    let enforced = |policy: &str, more: &str| {
        let policy = serde_json::to_string(policy).unwrap();
        format!(
            r#"{{"enforce":[{{"access_key_id":"{CONTROLLER}","principal_arn":"{ROLE}","policy":{policy}{more}}}]}}"#
        )
    };
    list().await.unwrap();
    let nothing = FULL.replace("Allow", "Deny");
    set(&enforced(&nothing, "")).unwrap();
    refusal(list().await, "held");
    set(r#"{"lag_ms":0}"#).unwrap();
    refusal(list().await, "what is left out stays");
    set(&enforced(POLICY, r#","boundary":null,"scps":[]"#)).unwrap();
    list().await.unwrap();

    for (json, word) in [
        (enforced(POLICY, r#","scp":[]"#), "scp"),
        (
            enforced(&FULL.replace("Resource", "Resources"), ""),
            "Resources",
        ),
        (enforced(POLICY, r#","boundary":"{}""#), "Statement"),
        (enforced(POLICY, "").replace(":role/", ":group/"), "group"),
    ] {
        let error = set(&json).unwrap_err().to_string();
        assert!(error.contains(word), "{json}: {error}");
    }
    list().await.unwrap();
    set(r#"{"enforce":[]}"#).unwrap();
    list().await.unwrap();
}
