//! Scenes of what people ask for besides a role: only to look, to pause, to be told of more than is
//! listed, to have more attached, to have other tags. Any stand-in for IAM can play them.

use smr_api::{FINALIZER, SessionManagerRoleStatus};

use super::drift::{self, Row, rows, same};
use super::hand::{Change, Hand};
use super::iam::StandIn;
use super::scenarios::AGENT;
use super::{World, condition, is};

/// AWS's most powerful policy.
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const PAUSED: &str = "sessionmanager.dev/paused";

/// Someone changes what belongs to an object.
pub async fn change<I: StandIn>(world: &World<I>, object: &str, changes: &[Change]) {
    let (iam, account) = (world.someone(), world.account_id().await);
    let name = format!("{}.{object}", world.namespace);
    let hand = Hand {
        iam: &iam,
        account: &account,
        name: &name,
    };
    for change in changes {
        hand.make(change).await;
    }
}

/// The message of a condition that must be there and True.
fn said(status: &SessionManagerRoleStatus, type_: &str) -> String {
    assert!(is(status, type_, "True"), "{type_}: {status:?}");
    condition(status, type_).unwrap().message.clone()
}

fn playable<I: StandIn>(world: &World<I>, rows: &[Row]) -> Vec<Row> {
    let plays = |row: &&Row| world.iam.plays(row.name);
    rows.iter().filter(plays).copied().collect()
}

/// Each row of the table of drift is told, put right, and then left in peace.
pub async fn every_drift<I: StandIn>(world: &World<I>) {
    drift::play(world, &playable(world, rows::ROWS), || (), || ()).await;
}

/// What means the same stays as it is, and nothing is told.
pub async fn what_means_the_same<I: StandIn>(world: &World<I>) {
    for told in drift::play(world, &playable(world, same::ROWS), || (), || ()).await {
        assert!(told.drift.is_empty(), "{}: {:?}", told.row, told.drift);
    }
}

/// Told, never written: nothing is created, nothing put right, nothing deleted.
pub async fn observe_tells_and_writes_nothing<I: StandIn>(world: &World<I>) {
    world.apply("new", "{mode: Observe}").await;
    let message = world.reason("new", "Drifted").await;
    assert!(message.contains("was missing"), "{message}");
    let object = world.looked_at("new").await;
    assert_eq!(object.metadata.finalizers, None);
    assert!(world.seen().await.is_empty(), "Observe has created");

    world.apply("web", "{}").await;
    world.ready("web").await;
    world.patch("web", r#"{"mode":"Observe"}"#).await;
    world.ready("web").await;
    change(
        world,
        "web",
        &[Change::Session(7200), Change::Description("x")],
    )
    .await;
    let changed = world.seen().await;
    let object = world.looked_at("web").await;
    let status = object.status.unwrap();
    assert_eq!(condition(&status, "Ready").unwrap().reason, "Drifted");
    let message = said(&status, "Stalled");
    let told: Vec<&str> = status.drift.iter().map(|d| d.field.as_str()).collect();
    assert_eq!(told, ["description", "maxSessionDurationSeconds"]);
    for drift in &status.drift {
        assert!(message.contains(&drift.message), "{message}");
    }
    assert!(!status.last_drift.unwrap().repaired);
    assert_eq!(world.seen().await, changed, "Observe has put right");
    let row = world.kubectl(&["get", "smr", "web", "--no-headers"]).await;
    assert!(row.contains("False") && row.contains("Drifted"), "{row}");

    // Back to Enforce: put right, and told.
    world.patch("web", r#"{"mode":"Enforce"}"#).await;
    let status = world.ready("web").await.status.unwrap();
    assert!(status.drift.is_empty() && status.last_drift.unwrap().repaired);

    world.patch("web", r#"{"mode":"Observe"}"#).await;
    world.ready("web").await;
    let before = world.seen().await;
    assert_ne!(before, changed);
    for name in ["new", "web"] {
        world
            .kubectl(&["delete", "smr", name, "--timeout=180s"])
            .await;
    }
    assert_eq!(world.seen().await, before, "Observe has deleted");
}

/// While paused nothing in IAM is touched: changes wait, requests wait, deletion waits.
pub async fn a_pause_holds_everything<I: StandIn>(world: &World<I>) {
    world.apply("web", "{}").await;
    world.ready("web").await;
    let paused = format!("{PAUSED}=true");
    world.kubectl(&["annotate", "smr", "web", &paused]).await;
    let paused = |s: &SessionManagerRoleStatus| is(s, "Paused", "True") && is(s, "Ready", "True");
    world.status_of("web", "paused", paused).await;
    let before = world.seen().await;
    world.apply("web", "{role: {description: later}}").await;
    let asked = world.ask("web").await;
    // Others go on meanwhile.
    world.apply("other", "{principal: HybridActivation}").await;
    world.ready("other").await;
    world.delete("other").await;
    world.gone("other").await;
    let waiting = world.get("web").await.unwrap();
    let status = waiting.status.as_ref().unwrap();
    assert_ne!(
        Some(status.observed_generation),
        waiting.metadata.generation
    );
    assert_ne!(status.last_handled_reconcile_at, Some(asked));
    assert_eq!(world.seen().await, before, "written while paused");

    world
        .kubectl(&["annotate", "smr", "web", &format!("{PAUSED}-")])
        .await;
    let object = world.ready("web").await;
    assert!(condition(object.status.as_ref().unwrap(), "Paused").is_none());
    let name = format!("{}.web", world.namespace);
    let description = world.seen().await.roles[&name].description.clone();
    assert_eq!(description.as_deref(), Some("later"));

    world.annotate("web", PAUSED, Some("true")).await;
    world.status_of("web", "paused again", paused).await;
    let before = world.seen().await;
    world
        .kubectl(&["delete", "smr", "web", "--wait=false"])
        .await;
    world.apply("other", "{principal: HybridActivation}").await;
    world.ready("other").await;
    world.delete("other").await;
    world.gone("other").await;
    let waiting = world.get("web").await.expect("deleted while paused");
    assert_eq!(
        waiting.metadata.finalizers,
        Some(vec![FINALIZER.to_owned()])
    );
    assert_eq!(world.seen().await, before, "deleted while paused");
    world.annotate("web", PAUSED, None).await;
    world.gone("web").await;
    assert!(world.seen().await.is_empty());
}

/// Others' policies on the role: told, or removed, as the object says.
pub async fn unlisted_policies_are_told_or_removed<I: StandIn>(world: &World<I>) {
    world.apply("web", "{}").await;
    world.ready("web").await;
    change(
        world,
        "web",
        &[Change::Attach(ADMIN), Change::PutInline("extra")],
    )
    .await;
    let before = world.seen().await;
    let status = world.looked_at("web").await.status.unwrap();
    assert_eq!(status.unlisted_policies, [ADMIN, "inline/extra"]);
    let message = said(&status, "UnlistedAccess");
    for part in [ADMIN, "inline/extra", "spec.unlistedPolicyAction"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(is(&status, "Ready", "True") && status.drift.is_empty());
    assert_eq!(world.event("web", "UnlistedAccess").await, message);
    assert_eq!(world.seen().await, before, "Report has removed");

    world
        .patch("web", r#"{"unlistedPolicyAction":"Remove"}"#)
        .await;
    let status = world.ready("web").await.status.unwrap();
    assert!(condition(&status, "UnlistedAccess").is_none());
    assert!(status.unlisted_policies.is_empty());
    let seen = world.seen().await;
    let role = &seen.roles[&format!("{}.web", world.namespace)];
    assert!(
        role.inline.is_empty() && role.attached.len() == 1,
        "{role:?}"
    );
}

/// More policies come and go with spec, within what the operator allows; those of others stay.
pub async fn additional_policies_come_and_go<I: StandIn>(world: &World<I>) {
    let name = format!("{}.web", world.namespace);
    let attached = async || world.seen().await.roles[&name].attached.clone();
    let list = |arns: &[&str]| serde_json::json!({ "additionalPolicyArns": arns }).to_string();
    world.apply("web", "{}").await;
    world.ready("web").await;
    let own = attached().await;
    change(world, "web", &[Change::Attach(ADMIN)]).await;
    world.patch("web", &list(&[AGENT])).await;
    world.ready("web").await;
    let all = attached().await;
    assert!(
        all.contains(AGENT) && all.contains(ADMIN) && all.is_superset(&own),
        "{all:?}"
    );
    let refused = format!("arn:aws:iam::{}:policy/mine", world.account_id().await);
    world.patch("web", &list(&[AGENT, &refused])).await;
    let message = world.reason("web", "InvalidSpec").await;
    let flag = format!("--allow-additional-policy {refused}");
    assert!(
        message.contains("spec.additionalPolicyArns[1]"),
        "{message}"
    );
    assert!(message.contains(&flag), "{message}");
    assert_eq!(attached().await, all);
    // A request is answered at once, also while the object is stalled.
    let status = world.looked_at("web").await.status.unwrap();
    said(&status, "Stalled");
    world.patch("web", r#"{"additionalPolicyArns":null}"#).await;
    world.ready("web").await;
    let left = attached().await;
    assert!(
        !left.contains(AGENT) && left.contains(ADMIN) && left.is_superset(&own),
        "{left:?}"
    );
}

/// Regions of a hybrid activation come and go.
pub async fn hybrid_regions_narrow_the_trust<I: StandIn>(world: &World<I>) {
    let name = format!("{}.web", world.namespace);
    let account = world.account_id().await;
    let arn = |region: &str| format!("arn:aws:ssm:{region}:{account}:*");
    for (regions, wanted) in [
        ("", vec![arn("*")]),
        (
            ", hybrid: {regions: [eu-central-1, us-east-1]}",
            vec![arn("eu-central-1"), arn("us-east-1")],
        ),
        (", hybrid: {regions: [us-east-1]}", vec![arn("us-east-1")]),
        ("", vec![arn("*")]),
    ] {
        world
            .apply("web", &format!("{{principal: HybridActivation{regions}}}"))
            .await;
        let status = world.ready("web").await.status.unwrap();
        let activation = status.role.unwrap().activation_role;
        assert_eq!(activation, Some(format!("session-manager/{name}")));
        let trust = world.seen().await.roles[&name].trust.clone();
        let trust: serde_json::Value = serde_json::from_str(&trust).unwrap();
        let found = &trust["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"];
        let found: Vec<String> = match found {
            serde_json::Value::String(one) => vec![one.clone()],
            list => serde_json::from_value(list.clone()).unwrap(),
        };
        assert_eq!(found, wanted);
    }
}
