//! One reading of the account for all objects: what it costs, what it sees, and what it does where
//! it is denied.

use std::collections::BTreeMap;

use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};
use crate::support::{KEY, SOMEONE, Start, World};
use iam_emulator::{Call, Fault, FaultKind};

/// Reads of tags in one sweep, at most (`smr_core::sweep::TAG_READS`).
const TAG_READS: usize = 4;

/// Many objects in sync, and no controller that runs.
async fn many(name: &str, count: usize, start: &Start) -> World {
    let mut world = World::unrecorded(name).await;
    world.run(start);
    let names: Vec<String> = (0..count).map(|number| format!("web-{number}")).collect();
    for name in &names {
        world.apply(name, "{tags: {team: a}}").await;
    }
    for name in &names {
        world.ready(name).await;
    }
    world
}

/// How often each action was called.
fn counts(calls: &[Call]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.action.as_str()).or_default() += 1;
    }
    counts
}

/// The controller's calls of one action.
fn calls_of(world: &World, action: &str) -> Vec<Call> {
    let calls = world.iam.calls().into_iter();
    let own = calls.filter(|call| call.access_key_id == KEY && call.action == action);
    own.collect()
}

/// A value of a metric that has no labels.
async fn metric(world: &World, name: &str) -> String {
    let text = world.metrics().await;
    let line = text.lines().find(|l| l.starts_with(&format!("{name} ")));
    line.and_then(|l| l.split(' ').nth(1))
        .unwrap_or_default()
        .to_owned()
}

/// The manifests of [`many`].
fn manifests(world: &World, count: usize) -> String {
    let manifest = |number| {
        format!(
            "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\nmetadata: {{name: web-{number}, namespace: {}}}\nspec: {{tags: {{team: a}}}}\n---\n",
            world.namespace
        )
    };
    (0..count).map(manifest).collect()
}

#[tokio::test]
async fn objects_in_sync_cost_one_reading_however_many_they_are() {
    let mut world = many("cost", 40, &Start::default()).await;
    for sweep in world.sweeps(3).await {
        let mut seen = counts(&sweep);
        let mut take = |action: &str| seen.remove(action).unwrap_or_default();
        for action in [
            "ListInstanceProfiles",
            "ListRoles",
            "GetAccountAuthorizationDetails",
        ] {
            assert_eq!(take(action), 1, "{action}");
        }
        assert!(take("GetCallerIdentity") <= 1);
        let tags = take("ListPolicyTags") + take("ListInstanceProfileTags");
        assert!((1..=TAG_READS).contains(&tags), "{tags}");
        // Nothing else: no look at one object, and no write.
        assert_eq!(seen, BTreeMap::new());
    }

    // To plan them all takes one reading too.
    world.iam.clear_calls();
    let report = world.plan(&manifests(&world, 40), &[]).await;
    assert_eq!(report["summary"], serde_json::json!({ "none": 40 }));
    let calls = world.iam.calls();
    let mut reads: Vec<_> = (calls.iter())
        .filter(|call| call.access_key_id == SOMEONE && call.service == "iam")
        .map(|call| call.action.as_str())
        .collect();
    reads.sort_unstable();
    let bulk = [
        "GetAccountAuthorizationDetails",
        "ListInstanceProfiles",
        "ListRoles",
    ];
    assert_eq!(reads, bulk);

    // A restart is one more sweep.
    world.kill().await;
    world.iam.clear_calls();
    world.run(&Start::when_asked());
    world
        .eventually("the first sweep has ended", async || {
            let begun = world.log().matches("serving /metrics").count();
            begun == 2
                && !metric(&world, "smr_sweep_timestamp_seconds")
                    .await
                    .is_empty()
        })
        .await;
    let calls = world.iam.calls();
    let seen = counts(&calls);
    assert!(calls.len() <= 4 + TAG_READS, "{seen:?}");
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn tags_that_no_list_gives_have_their_turn() {
    let world = many("turns", 6, &Start::default()).await;
    let name = format!("{}.web-4", world.namespace);
    let arn = world.account().policies[&name].arn.clone();
    let someone = world.someone();
    let policy = someone.tag_policy().policy_arn(&arn);
    policy.tags(tag("team", "b")).send().await.unwrap();
    let profile = someone.untag_instance_profile();
    let profile = profile.instance_profile_name(&name).tag_keys("team");
    profile.send().await.unwrap();
    world
        .eventually("both are put right", async || {
            let account = world.account();
            let is_right =
                |tags: &BTreeMap<String, String>| tags.get("team").map(String::as_str) == Some("a");
            is_right(&account.policies[&name].tags)
                && is_right(&account.instance_profiles[&name].tags)
        })
        .await;
    let told = world.event("web-4", "Repaired").await;
    assert!(told.contains("tag team"), "{told}");
}

/// Some organisations deny the bulk call: a warning and a metric, and drift is still seen.
#[tokio::test]
async fn without_the_accounts_details_lists_and_turns_see_it_all() {
    let mut world = World::unrecorded("lists").await;
    let denied = Fault::new(
        "GetAccountAuthorizationDetails",
        1000,
        FaultKind::AccessDenied,
    );
    world.iam.inject(denied);
    world.run(&Start::default());
    for name in ["a", "b", "c"] {
        world.apply(name, "{}").await;
        world.ready(name).await;
    }
    let role = |name: &str| format!("{}.{name}", world.namespace);
    let someone = world.someone();
    // Seen in the lists.
    let update = someone.update_role().role_name(role("a"));
    update
        .description("changed")
        .max_session_duration(3600)
        .send()
        .await
        .unwrap();
    let note = world.event("a", "Repaired").await;
    assert!(note.contains("description"), "{note}");
    // Seen in turns only.
    let put = someone
        .put_role_policy()
        .role_name(role("b"))
        .policy_name("extra");
    put.policy_document(READ_S3).send().await.unwrap();
    let told = world.event("b", "UnlistedAccess").await;
    assert!(told.contains("inline/extra"), "{told}");
    world.ready("b").await;
    assert_eq!(metric(&world, "smr_sweep_degraded").await, "1");
    let asked = calls_of(&world, "GetAccountAuthorizationDetails");
    assert_eq!(asked.len(), 1, "denied once, and asked again");
}

/// The details of a large account take longer than a call that is bound to the Lease may.
#[tokio::test]
async fn the_accounts_details_may_take_their_time() {
    let mut world = World::unrecorded("slow").await;
    world.run(&Start::default());
    world.apply("a", "{}").await;
    world.ready("a").await;
    let slow = FaultKind::Slow { ms: 8_000 };
    let details = "GetAccountAuthorizationDetails";
    world.iam.inject(Fault::new(details, 1000, slow));
    let role = format!("{}.a", world.namespace);
    let update = world.someone().update_role().role_name(role);
    let update = update.description("changed").max_session_duration(3600);
    update.send().await.unwrap();
    world.event("a", "Repaired").await;
    assert_ne!(metric(&world, "smr_sweep_degraded").await, "1");
    assert_eq!(
        calls_of(&world, "ListPolicies").len(),
        0,
        "no lists in their place"
    );
}

/// Where they never come, lists take their place.
#[tokio::test]
async fn details_that_never_come_are_read_by_lists() {
    let mut world = World::unrecorded("never").await;
    let details = "GetAccountAuthorizationDetails";
    world.iam.inject(Fault::new(details, 1000, FaultKind::Hang));
    world.run(&Start::default());
    world.apply("a", "{}").await;
    world.ready("a").await;
    let role = format!("{}.a", world.namespace);
    let update = world.someone().update_role().role_name(role);
    let update = update.description("changed").max_session_duration(3600);
    update.send().await.unwrap();
    let note = world.event("a", "Repaired").await;
    assert!(note.contains("description"), "{note}");
    assert_eq!(metric(&world, "smr_sweep_degraded").await, "1");
}

/// One object of ours in an account where everything at once takes many calls.
#[tokio::test]
async fn few_among_many_are_looked_at_one_by_one() {
    let mut world = World::unrecorded("few").await;
    world.iam.set_page_size(1);
    let someone = world.someone();
    for number in 0..8 {
        let role = someone.create_role().role_name(format!("foreign-{number}"));
        let role = role.assume_role_policy_document(LAMBDA_TRUST);
        role.send().await.unwrap();
    }
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    let looks = |world: &World| calls_of(world, "GetRole").len();
    world
        .eventually("it is looked at on its own", async || looks(&world) >= 3)
        .await;
    world.iam.clear_calls();
    world
        .eventually("and again", async || looks(&world) >= 3)
        .await;
    let details = calls_of(&world, "GetAccountAuthorizationDetails");
    assert_eq!(details, []);
}

#[tokio::test]
async fn what_is_ours_and_belongs_to_no_object_is_counted_and_left() {
    let world = many("orphans", 2, &Start::default()).await;
    let owner = format!("{}/gone", world.namespace);
    let ours = [
        tag("sessionmanager.dev/cluster", "test"),
        tag("sessionmanager.dev/owner", &owner),
        tag("sessionmanager.dev/uid", "u"),
    ];
    let someone = world.someone();
    let role = someone
        .create_role()
        .role_name("left-behind")
        .path("/session-manager/");
    let role = role
        .assume_role_policy_document(LAMBDA_TRUST)
        .set_tags(Some(ours.to_vec()));
    role.send().await.unwrap();
    let policy = someone
        .create_policy()
        .policy_name("left-behind")
        .path("/session-manager/");
    let policy = policy
        .policy_document(READ_S3)
        .set_tags(Some(ours.to_vec()));
    policy.send().await.unwrap();
    // Another cluster's, and one of another namespace than this controller sees.
    for (name, key, value) in [
        ("theirs", "sessionmanager.dev/cluster", "another"),
        ("unseen", "sessionmanager.dev/owner", "elsewhere/web"),
    ] {
        let mut tags: BTreeMap<String, String> = [
            ("sessionmanager.dev/cluster".to_owned(), "test".to_owned()),
            ("sessionmanager.dev/owner".to_owned(), owner.clone()),
        ]
        .into();
        tags.insert(key.to_owned(), value.to_owned());
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let role = someone.create_role().role_name(name).set_tags(Some(tags));
        let role = role.assume_role_policy_document(LAMBDA_TRUST);
        role.send().await.unwrap();
    }
    let before = world.account();
    world
        .eventually("both are counted", async || {
            metric(&world, "smr_orphans").await == "2"
        })
        .await;
    assert!(world.log().contains("role/session-manager/left-behind"));
    world.another_look().await;
    assert_eq!(world.account(), before);
    someone
        .delete_role()
        .role_name("left-behind")
        .send()
        .await
        .unwrap();
    world
        .eventually("one is left", async || {
            metric(&world, "smr_orphans").await == "1"
        })
        .await;
}

/// What an object of its own would see within an interval, the sweep sees too.
#[tokio::test]
async fn drift_of_one_among_many_is_put_right_with_few_calls() {
    let world = many("among", 30, &Start::default()).await;
    world.settled().await;
    let name = format!("{}.web-17", world.namespace);
    world.iam.clear_calls();
    let someone = world.someone();
    let arn = &world.account().policies[&name].arn;
    let detach = someone
        .detach_role_policy()
        .role_name(&name)
        .policy_arn(arn);
    detach.send().await.unwrap();
    let note = world.event("web-17", "Repaired").await;
    assert!(note.contains("was not attached"), "{note}");
    world.another_look().await;
    // A look before the write; where the next sweep sees the difference before it is repaired, one
    // more. Nobody else is looked at.
    let looks = calls_of(&world, "GetRole");
    assert!(!looks.is_empty());
    for look in &looks {
        assert_eq!(look.params.get("RoleName"), Some(&name), "{look:?}");
    }
    let sweeps = calls_of(&world, "GetAccountAuthorizationDetails");
    assert!(looks.len() <= sweeps.len(), "{looks:?}");
    let writes: Vec<_> = world.writes().into_iter().map(|c| c.action).collect();
    assert_eq!(writes, ["AttachRolePolicy"]);
}

/// Neither wakes the object, and it is in sync no more: the next sweep gives it a turn.
#[tokio::test]
async fn what_someone_takes_from_an_object_comes_back() {
    let world = World::start_unrecorded("taken-back").await;
    world.apply("web", "{}").await;
    let finalizers = world.ready("web").await.metadata.finalizers;
    assert!(finalizers.is_some());
    let none = r#"{"metadata":{"finalizers":null}}"#;
    let patch = ["patch", "smr", "web", "--type=merge"];
    world.kubectl(&[&patch[..], &["-p", none]].concat()).await;
    world
        .eventually("the finalizer is there again", async || {
            world.get("web").await.unwrap().metadata.finalizers == finalizers
        })
        .await;

    let lost = r#"{"status":{"observedGeneration":-1,"conditions":null,"role":null}}"#;
    let status = ["--subresource=status", "-p", lost];
    world.kubectl(&[&patch[..], &status].concat()).await;
    let object = world.ready("web").await;
    assert!(object.status.unwrap().role.is_some());
}

#[tokio::test]
async fn in_mode_observe_what_someone_puts_right_is_told() {
    let world = World::start_unrecorded("put-right").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.patch("web", r#"{"mode":"Observe"}"#).await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let describe = async |text: &str| {
        let role = world.someone().update_role().role_name(&name);
        role.description(text).send().await.unwrap();
    };
    let was = world.account().roles[&name].description.clone();
    describe("mine").await;
    world.reason("web", "Drifted").await;
    describe(was.as_deref().unwrap()).await;
    let status = world.ready("web").await.status.unwrap();
    assert!(status.drift.is_empty(), "{:?}", status.drift);
}

/// Of the role alone it can't be told, nor of the policy alone.
#[tokio::test]
async fn a_managed_policy_beside_the_inline_one_is_told() {
    let world = World::start_unrecorded("beside").await;
    world.apply("web", "{policy: {type: Inline}}").await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let someone = world.someone();
    let policy = someone.create_policy().policy_name(&name);
    let policy = policy.path("/session-manager/").policy_document(READ_S3);
    let arn = policy.send().await.unwrap().policy.unwrap().arn.unwrap();
    let attach = someone.attach_role_policy().role_name(&name);
    attach.policy_arn(&arn).send().await.unwrap();
    let message = world.reason("web", "NotOwned").await;
    assert!(message.contains(&arn), "{message}");
}

/// An inline policy takes no name from a managed one.
#[tokio::test]
async fn two_that_share_a_name_are_both_in_sync() {
    let world = World::start_unrecorded("shared").await;
    world.apply("managed", "{policy: {name: agent}}").await;
    world.ready("managed").await;
    let inline = "{policy: {name: agent, type: Inline}}";
    world.apply("web", inline).await;
    world.ready("web").await;
    world.another_look().await;
    let sweeps = world.sweeps(1).await;
    let seen = counts(&sweeps[0]);
    assert!(
        seen.contains_key("GetAccountAuthorizationDetails"),
        "{seen:?}"
    );
    assert!(!seen.contains_key("GetRole"), "{seen:?}");
}
