//! Names and what holds them together with their objects: derived, prefixed, taken by others, and
//! found again after a status or an object was lost.

use std::fmt::Write as _;

use crate::support::iam::{LAMBDA_TRUST, tag};
use crate::support::{Start, World};
use iam_emulator::Snapshot;
use sha2::{Digest, Sha256};

const UID: &str = "sessionmanager.dev/uid";

/// Writes of the controller that have had an effect, after a number of the log.
fn written(world: &World, after: u64) -> Vec<String> {
    let writes = world.writes().into_iter();
    let writes = writes.filter(|call| call.seq > after && call.outcome == "ok");
    writes.map(|call| call.action).collect()
}

fn mark(world: &World) -> u64 {
    world.iam.calls().last().map_or(0, |call| call.seq)
}

fn names(account: &Snapshot) -> [Vec<&String>; 3] {
    [
        account.roles.keys().collect(),
        account.policies.keys().collect(),
        account.instance_profiles.keys().collect(),
    ]
}

/// As it stands in the design: what is longer than fits is cut, with 8 digits of a hash.
fn derived(full: &str) -> String {
    if full.len() <= 64 {
        return full.to_owned();
    }
    let mut hash = String::new();
    for byte in &Sha256::digest(full.as_bytes())[..4] {
        write!(hash, "{byte:02x}").unwrap();
    }
    format!("{}-{hash}", &full[..55])
}

#[tokio::test]
async fn long_and_odd_names_become_names_that_fit_and_differ() {
    let world = World::start_unrecorded(&"n".repeat(58)).await;
    let long = "x".repeat(62);
    let objects = [
        "a".to_owned(),
        "123".to_owned(),
        "web.eu-central-1.example.com".to_owned(),
        "y".repeat(63),
        format!("{long}.1"),
        format!("{long}.2"),
        // As long as a name may be.
        format!("{long}.{long}.x"),
    ];
    let mut expected: Vec<String> = Vec::new();
    for object in &objects {
        world.apply(object, "{}").await;
        let status = world.ready(object).await.status.unwrap();
        let name = derived(&format!("{}.{object}", world.namespace));
        assert!(name.len() <= 64);
        assert_eq!(status.role.unwrap().name, name);
        expected.push(name);
    }
    expected.sort();
    expected.dedup();
    assert_eq!(expected.len(), objects.len());
    for found in names(&world.account()) {
        assert_eq!(found, expected.iter().collect::<Vec<_>>());
    }
    let row = world.kubectl(&["get", "smr", "a", "--no-headers"]).await;
    let name = derived(&format!("{}.a", world.namespace));
    assert!(row.contains(&name), "{row}");
    world
        .kubectl(&["delete", "smr", "--all", "--timeout=180s"])
        .await;
    assert!(world.account().is_empty());
}

#[tokio::test]
async fn existing_objects_keep_their_names_when_the_flags_change() {
    let mut world = World::unrecorded("flags").await;
    let flags = |prefix, path| {
        let start = Start::default().flag(&format!("--name-prefix={prefix}"));
        start.flag(&format!("--default-path={path}"))
    };
    world.run(&flags("eu.", "/first/"));
    world.apply("old", "{}").await;
    let before = world.ready("old").await.status.unwrap();
    world.terminate().await;
    world.run(&flags("us.", "/second/").formerly_under("/first/"));
    world.apply("new", "{}").await;
    let new = world.ready("new").await.status.unwrap();
    let since = mark(&world);
    let old = world.looked_at("old").await.status.unwrap();
    assert_eq!((&old.role, &old.policy), (&before.role, &before.policy));
    assert_eq!(written(&world, since), Vec::<String>::new());
    let namespace = &world.namespace;
    let arn = |status: smr_api::SessionManagerRoleStatus| status.role.unwrap().arn;
    assert!(arn(old).ends_with(&format!(":role/first/eu.{namespace}.old")));
    assert!(arn(new).ends_with(&format!(":role/second/us.{namespace}.new")));
    // A change of spec reaches the old one where it is, and so does its deletion.
    world.patch("old", r#"{"tags":{"a":"b"}}"#).await;
    world.ready("old").await;
    assert_eq!(
        world.account().roles[&format!("eu.{namespace}.old")].tags["a"],
        "b"
    );
    world
        .kubectl(&["delete", "smr", "--all", "--timeout=180s"])
        .await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

#[tokio::test]
async fn another_clusters_role_is_named_with_the_way_out() {
    let world = World::start_unrecorded("cluster").await;
    let name = format!("{}.web", world.namespace);
    let create = world.someone().create_role().role_name(&name);
    let create = create.assume_role_policy_document(LAMBDA_TRUST);
    let create = create.tags(tag("sessionmanager.dev/cluster", "another"));
    let create = create.tags(tag("sessionmanager.dev/owner", "payments/web"));
    create.send().await.unwrap();
    world.apply("web", "{}").await;
    let message = world.reason("web", "NotOwned").await;
    for part in [&name, "another cluster", "--name-prefix"] {
        assert!(message.contains(part), "{message}");
    }
    // Who reads the object is not told whose it is; who reads the log is.
    assert!(!message.contains("payments"), "{message}");
    let log = world.log();
    assert!(
        log.contains("SessionManagerRole payments/web of cluster another"),
        "{log}"
    );
    let row = world.kubectl(&["get", "smr", "web", "-o", "wide"]).await;
    assert!(
        row.contains("NotOwned") && row.contains("--name-prefix"),
        "{row}"
    );
}

/// Empties the status, as a restored backup does.
async fn lose_status(world: &World, name: &str) {
    let patch = r#"{"status":null}"#;
    let arguments = [
        "patch",
        "smr",
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ];
    world.kubectl(&arguments).await;
    let status = world.get(name).await.unwrap().status.unwrap();
    assert!(
        status.role.is_none() && status.conditions.is_empty(),
        "{status:?}"
    );
}

const OTHER_PATH: &str = "--default-path=/other/";

#[tokio::test]
async fn a_lost_status_is_found_again_in_iam() {
    let mut world = World::unrecorded("lost").await;
    for (name, spec, flag) in [
        ("web", "{tags: {a: b}}", None),
        ("inline", "{policy: {type: Inline}}", None),
        ("hybrid", "{principal: HybridActivation}", None),
        ("path", "{}", Some(OTHER_PATH)),
        ("inlinepath", "{policy: {type: Inline}}", Some(OTHER_PATH)),
    ] {
        world.run(&Start::default());
        world.apply(name, spec).await;
        let before = world.ready(name).await.status.unwrap();
        let account = world.account();
        world.kill().await;
        lose_status(&world, name).await;
        let since = mark(&world);
        let mut start = Start::default();
        start.flags.extend(flag.map(str::to_owned));
        world.run(&start);
        let after = world.ready(name).await.status.unwrap();
        assert_eq!(after.role, before.role, "{name}");
        assert_eq!(after.policy, before.policy, "{name}");
        assert_eq!(after.instance_profile, before.instance_profile, "{name}");
        assert_eq!(written(&world, since), Vec::<String>::new(), "{name}");
        assert_eq!(world.account(), account, "{name}");
        world.delete(name).await;
        world.gone(name).await;
        assert!(world.account().is_empty(), "{name}: {:?}", world.account());
        world.kill().await;
    }
}

#[tokio::test]
async fn a_lost_status_does_not_keep_anything_from_being_deleted() {
    let mut world = World::unrecorded("lostdelete").await;
    for (name, spec, flag) in [
        ("web", "{}", None),
        ("path", "{}", Some(OTHER_PATH)),
        (
            "hybridpath",
            "{principal: HybridActivation}",
            Some(OTHER_PATH),
        ),
    ] {
        world.run(&Start::default());
        world.apply(name, spec).await;
        world.ready(name).await;
        world.kill().await;
        world.delete(name).await;
        lose_status(&world, name).await;
        let mut start = Start::default();
        start.flags.extend(flag.map(str::to_owned));
        world.run(&start);
        world.gone(name).await;
        assert!(world.account().is_empty(), "{name}: {:?}", world.account());
        world.kill().await;
    }
}

/// Something is missing, too: it is made anew where the rest is.
#[tokio::test]
async fn a_lost_status_and_a_lost_policy_under_another_path() {
    let mut world = World::unrecorded("lostpolicy").await;
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.kill().await;
    let name = format!("{}.web", world.namespace);
    let arn = world.account().policies[&name].arn.clone();
    crate::support::modes::change(&world, "web", &[crate::support::hand::Change::DeletePolicy])
        .await;
    lose_status(&world, "web").await;
    world.run(&Start::default().flag(OTHER_PATH));
    world.ready("web").await;
    world.another_look().await;
    let account = world.account();
    assert_eq!(account.policies[&name].arn, arn);
    assert!(account.roles[&name].attached.contains(&arn));
    world.delete("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty(), "{:?}", world.account());
}

#[tokio::test]
async fn an_object_that_was_lost_and_restored_takes_its_role_over() {
    let mut world = World::start_unrecorded("restored").await;
    let name = format!("{}.web", world.namespace);
    let spec = "{tags: {team: a}, sessionLogs: {cloudWatch: {}}}";
    let first = world.apply("web", spec).await;
    world.ready("web").await;
    let mut expected = world.account();
    world.event("web", "Created").await;
    // Lost with all that Kubernetes held of it, while no controller runs.
    world.kill().await;
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    world
        .kubectl(&["patch", "smr", "web", "--type=merge", "-p", patch])
        .await;
    world
        .kubectl(&["delete", "smr", "web", "--timeout=180s"])
        .await;
    assert_eq!(world.account(), expected);
    let since = mark(&world);
    world.run(&Start::default());
    let second = world.apply("web", spec).await;
    assert_ne!(first.metadata.uid, second.metadata.uid);
    let status = world.ready("web").await.status.unwrap();
    let uid = second.metadata.uid.unwrap();
    let role = expected.roles.get_mut(&name).unwrap();
    assert_eq!(status.role.unwrap().id, role.id);
    role.tags.insert(UID.to_owned(), uid.clone());
    let policy = expected.policies.get_mut(&name).unwrap();
    policy.tags.insert(UID.to_owned(), uid.clone());
    let profile = expected.instance_profiles.get_mut(&name).unwrap();
    profile.tags.insert(UID.to_owned(), uid);
    assert_eq!(world.account(), expected);
    let mut writes = written(&world, since);
    writes.sort();
    assert_eq!(writes, ["TagInstanceProfile", "TagPolicy", "TagRole"]);
    // The first object's event says Created, the second's what it is.
    let note = world.event("web", "Updated").await;
    assert!(
        note.contains("which was restored or created again"),
        "{note}"
    );
    let events = world.events("web").await;
    assert_eq!(
        events.iter().filter(|(r, _)| r == "Created").count(),
        1,
        "{events:?}"
    );
    world.delete("web").await;
    world.gone("web").await;
    assert!(world.account().is_empty());
}
