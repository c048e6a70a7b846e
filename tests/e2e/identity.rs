//! Which cluster an IAM object belongs to, where two have the same name: the first to stamp it with its UID owns it.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam_emulator::{Call, Server};
use serde_json::json;
use smr_api::SessionManagerRole;
use smr_core::ownership::CLUSTER_UID;

use crate::support::iam::StandIn;
use crate::support::{KEY, SECOND_KEY, Start, World, condition, emulator, new_plane, rights};

/// One account that several clusters use.
struct Shared(Arc<Server>);

impl StandIn for Shared {
    fn endpoint(&self) -> String {
        self.0.endpoint()
    }

    fn hold_to(&self, start: &Start) {
        let partition = &self.0.config().partition;
        self.0.set_enforced(rights::in_force(start, partition));
    }
}

/// A cluster of its own, whose controller is called as those of all others are.
async fn cluster(iam: &Arc<Server>) -> World<Shared> {
    let plane = Arc::new(new_plane().await);
    World::on(plane, "default".to_owned(), Shared(iam.clone())).await
}

fn second() -> Start {
    Start {
        access_key: SECOND_KEY.to_owned(),
        ..Start::default()
    }
}

/// Writes that took effect on what another caller had made, in the order of the log.
fn writes_to_others(calls: &[Call]) -> Vec<String> {
    let mut makers: BTreeMap<(&str, String), &str> = BTreeMap::new();
    let mut found = Vec::new();
    let by_a_controller = |call: &&Call| [KEY, SECOND_KEY].contains(&call.access_key_id.as_str());
    let took_effect = |call: &&Call| call.write && call.outcome == "ok";
    for call in calls.iter().filter(by_a_controller).filter(took_effect) {
        let param = |name: &str| call.params.get(name).map(String::as_str);
        let named = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
        let kind = match () {
            () if param("InstanceProfileName").is_some() => "profile",
            () if param("RoleName").is_some() => "role",
            () => "policy",
        };
        let name = ["InstanceProfileName", "RoleName", "PolicyArn", "PolicyName"]
            .into_iter()
            .find_map(param);
        let key = (kind, named(name.unwrap_or_default()));
        let caller = call.access_key_id.as_str();
        if call.action.starts_with("Create") && !call.action.ends_with("Version") {
            makers.insert(key, caller);
        } else if makers.get(&key).is_some_and(|maker| *maker != caller) {
            found.push(format!("{} by {caller} on {key:?}", call.action));
        } else if call.action.starts_with("Delete") && !call.action.ends_with("Version") {
            let deletes_it = matches!(
                call.action.as_str(),
                "DeleteRole" | "DeletePolicy" | "DeleteInstanceProfile"
            );
            if deletes_it {
                makers.remove(&key);
            }
        }
    }
    found
}

async fn refused(cluster: &World<Shared>, name: &str, others_uid: &str) {
    let message = cluster.reason(name, "NotOwned").await;
    for part in ["the same --cluster-name", "--take-over-cluster-uid"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains(others_uid), "{message}");
}

/// What one has, and the other is refused, whoever came first, and whatever happens to either of them.
#[tokio::test]
async fn two_clusters_of_one_name_never_write_to_each_others_objects() {
    let iam = Arc::new(emulator(None).await);
    let (mut one, mut two) = tokio::join!(cluster(&iam), cluster(&iam));
    let (uid_one, uid_two) = (one.cluster_uid().await, two.cluster_uid().await);
    assert_ne!(uid_one, uid_two);
    one.run(&Start::default());
    two.run(&second());

    // The first makes it, the second asks for the same.
    one.apply("web", "{}").await;
    let theirs = one.ready("web").await;
    let made = iam.snapshot();
    assert_eq!(made.roles["default.web"].tags[CLUSTER_UID], uid_one);
    two.apply("web", "{tags: {from: two}}").await;
    refused(&two, "web", &uid_one).await;

    // Edits, requests, a restart, a lost status, and the status of the other one, as of a backup.
    two.apply("web", "{tags: {from: again}, policy: {type: Inline}}")
        .await;
    refused(&two, "web", &uid_one).await;
    two.looked_at("web").await;
    two.kill().await;
    two.run(&second());
    two.looked_at("web").await;
    for status in [
        json!(null),
        serde_json::to_value(&theirs).unwrap()["status"].clone(),
    ] {
        let patch = json!({ "status": status }).to_string();
        let arguments = [
            "patch",
            "smr",
            "web",
            "--subresource=status",
            "--type=merge",
            "-p",
        ];
        two.kubectl(&[&arguments[..], &[&patch]].concat()).await;
        two.looked_at("web").await;
        refused(&two, "web", &uid_one).await;
    }
    assert_eq!(iam.snapshot(), made, "the second cluster changed something");

    // What others change, the first repairs; the second's deletion leaves it alone.
    let change = one.someone().update_role().role_name("default.web");
    change.description("changed").send().await.unwrap();
    let repaired = async || {
        let role = &iam.snapshot().roles["default.web"];
        role.description == made.roles["default.web"].description
    };
    one.eventually("the first repairs its role", repaired).await;
    two.delete("web").await;
    two.gone("web").await;
    assert!(two.event("web", "Released").await.contains("default.web"));
    assert_eq!(iam.snapshot(), made);

    // The name is free once the first has deleted its object: then it is the second's.
    one.delete("web").await;
    one.gone("web").await;
    two.apply("web", "{}").await;
    two.ready("web").await;
    assert_eq!(
        iam.snapshot().roles["default.web"].tags[CLUSTER_UID],
        uid_two
    );
    one.apply("web", "{}").await;
    refused(&one, "web", &uid_two).await;

    // Both ask at the same moment. One gets the role, and the other is NotOwned.
    tokio::join!(one.apply("api", "{}"), two.apply("api", "{}"));
    let reason = |object: &SessionManagerRole| {
        let status = object.status.as_ref()?;
        Some(condition(status, "Ready")?.reason.clone())
    };
    let mut reasons = Vec::new();
    for cluster in [&one, &two] {
        let decided = |s: &smr_api::SessionManagerRoleStatus| {
            condition(s, "Ready")
                .is_some_and(|c| ["Converged", "NotOwned"].contains(&c.reason.as_str()))
        };
        let object = cluster.status_of("api", "decided upon", decided).await;
        reasons.extend(reason(&object));
    }
    reasons.sort();
    // Each may have made a part before it saw the other's: then neither has it all, and nothing is lost.
    assert!(
        reasons == ["Converged", "NotOwned"] || reasons == ["NotOwned", "NotOwned"],
        "{reasons:?}"
    );
    for cluster in [&one, &two] {
        for name in ["web", "api"] {
            cluster.delete(name).await;
            cluster.gone(name).await;
        }
    }
    let left = iam.snapshot();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(writes_to_others(&iam.calls()), [] as [&str; 0]);
}

/// A cluster that is built anew takes its predecessor's objects over where its operator says so, and makes none anew.
#[tokio::test]
async fn a_cluster_takes_over_what_belongs_to_the_one_that_it_replaces() {
    let iam = Arc::new(emulator(None).await);
    let (mut old, mut new) = tokio::join!(cluster(&iam), cluster(&iam));
    let (uid_old, uid_new) = (old.cluster_uid().await, new.cluster_uid().await);
    old.run(&Start::default());
    old.apply("web", "{}").await;
    old.ready("web").await;
    old.kill().await;
    let before = iam.snapshot();

    new.run(&second());
    new.apply("web", "{}").await;
    refused(&new, "web", &uid_old).await;
    new.kill().await;
    let taking = second().flag(&format!("--take-over-cluster-uid={uid_old}"));
    new.run(&taking);
    new.ready("web").await;
    let after = iam.snapshot();
    for (was, is) in [
        (
            &before.roles["default.web"].id,
            &after.roles["default.web"].id,
        ),
        (
            &before.policies["default.web"].id,
            &after.policies["default.web"].id,
        ),
    ] {
        assert_eq!(was, is);
    }
    let tags = [
        &after.roles["default.web"].tags,
        &after.policies["default.web"].tags,
        &after.instance_profiles["default.web"].tags,
    ];
    for tags in tags {
        assert_eq!(tags[CLUSTER_UID], uid_new);
    }
    // Without the flag, too, from now on.
    new.kill().await;
    new.run(&second());
    new.looked_at("web").await;
    new.ready("web").await;
}

/// What was made before there was such a tag gets it on the way of the sweeps, without an event, a drift or a write of
/// status.
#[tokio::test]
async fn what_lacks_the_clusters_uid_gets_it_without_a_word() {
    for sweep in ["auto", "account-details"] {
        let mut world = World::unrecorded("unstamped").await;
        let start = Start::default().flag(&format!("--sweep={sweep}"));
        world.run(&start);
        let specs = [
            ("managed", "{}"),
            ("inline", "{policy: {type: Inline}}"),
            ("hybrid", "{principal: HybridActivation}"),
            (
                "alone",
                "{principal: HybridActivation, policy: {type: Inline}}",
            ),
        ];
        for (name, spec) in specs {
            world.apply(name, spec).await;
            world.ready(name).await;
        }
        let stamped = world.account();
        let someone = world.someone();
        for (name, role) in &stamped.roles {
            let untag = someone.untag_role().role_name(name);
            untag.tag_keys(CLUSTER_UID).send().await.unwrap();
            assert!(role.tags.contains_key(CLUSTER_UID));
        }
        for policy in stamped.policies.values() {
            let untag = someone.untag_policy().policy_arn(&policy.arn);
            untag.tag_keys(CLUSTER_UID).send().await.unwrap();
        }
        for name in stamped.instance_profiles.keys() {
            let untag = someone.untag_instance_profile().instance_profile_name(name);
            untag.tag_keys(CLUSTER_UID).send().await.unwrap();
        }
        let mut before = Vec::new();
        for (name, _) in specs {
            before.push((world.get(name).await.unwrap(), world.events(name).await));
        }
        world.iam.clear_calls();
        let all = async || world.account() == stamped;
        world.eventually("all of them are stamped", all).await;
        let mut writes: Vec<_> = world.writes().into_iter().map(|c| c.action).collect();
        writes.sort();
        writes.dedup();
        assert_eq!(writes, ["TagInstanceProfile", "TagPolicy", "TagRole"]);
        for ((name, _), (object, events)) in specs.into_iter().zip(before) {
            let now = world.get(name).await.unwrap();
            let version = |o: &SessionManagerRole| o.metadata.resource_version.clone();
            assert_eq!(version(&now), version(&object), "{name}: {now:?}");
            assert_eq!(world.events(name).await, events, "{name}");
        }
    }
}

/// With neither the right to read the UID nor the flag, the controller does not start, and says what is missing.
#[tokio::test]
async fn without_a_way_to_the_uid_it_does_not_start() {
    let mut world = World::unrecorded("nouid").await;
    let create = ["create", "serviceaccount", "rightless"];
    world.kubectl(&create).await;
    let rightless = world
        .plane
        .service_account_kubeconfig(&world.namespace, "rightless")
        .await
        .unwrap();
    let start = Start {
        kubeconfig: Some(rightless),
        ..Start::default()
    };
    world.run(&start);
    let status = world.ended().await;
    assert!(!status.success());
    let log = world.log();
    for part in ["namespace kube-system", "forbidden", "--cluster-uid"] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
}

#[test]
fn a_write_to_what_another_made_is_seen() {
    let call = |caller: &str, action: &str| Call {
        seq: 0,
        service: "iam".into(),
        action: action.into(),
        params: [("RoleName".to_owned(), "Web".to_owned())].into(),
        access_key_id: caller.into(),
        user_agent: String::new(),
        started_ms: 0,
        ended_ms: None,
        unix_ms: 0,
        write: true,
        outcome: "ok".into(),
    };
    let own = [call(KEY, "CreateRole"), call(KEY, "DeleteRole")];
    assert_eq!(writes_to_others(&own), [] as [&str; 0]);
    let others = [call(KEY, "CreateRole"), call(SECOND_KEY, "TagRole")];
    assert_eq!(writes_to_others(&others).len(), 1);
}
