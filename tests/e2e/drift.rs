//! Every drift, on the real control plane and the emulator: told in words that snapshots keep, put
//! right by the writes that are needed, and then left in peace.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::drift::{self, Row, rows, same};
use crate::support::{KEY, Start, World};
use iam_emulator::Call;

/// The writes to an object's three, in words; those of one stage have no order.
fn writes<'a>(world: &World, calls: impl Iterator<Item = &'a Call>, object: &str) -> Vec<String> {
    let name = format!("{}.{object}", world.namespace);
    let mut all: Vec<String> = calls
        .filter(|c| c.write && c.access_key_id == KEY)
        .filter(|c| (c.params.values()).any(|v| *v == name || v.ends_with(&format!("/{name}"))))
        .map(|call| {
            let says = |(key, value): (&String, &String)| {
                let tells = ["VersionId", "MaxSessionDuration", "PermissionsBoundary"];
                let tag = key.contains(".Key") || key.starts_with("TagKeys");
                let arn = key == "PolicyArn" && call.action.contains("RolePolicy");
                (tells.contains(&key.as_str()) || tag || arn).then(|| value.clone())
            };
            let mut words = vec![call.action.clone()];
            words.extend(call.params.iter().filter_map(says));
            assert_eq!(call.outcome, "ok", "{call:?}");
            words.join(" ")
        })
        .collect();
    all.sort();
    all
}

/// Plays the rows; the report, and what the metrics should say.
async fn report(world: &World, rows: &'static [Row]) -> (String, BTreeMap<(String, String), u64>) {
    let mark = || world.iam.calls().last().map_or(0, |call| call.seq);
    let repaired = std::cell::Cell::new(0);
    let perturbed = std::cell::Cell::new(0);
    let told = drift::play(
        world,
        rows,
        || perturbed.set(mark()),
        || repaired.set(mark()),
    )
    .await;
    let calls = world.iam.calls_since(perturbed.get());
    let (repair, after): (Vec<&Call>, Vec<&Call>) =
        calls.iter().partition(|call| call.seq <= repaired.get());
    let mut text = String::new();
    let mut counted = BTreeMap::new();
    for told in &told {
        text += &told.report(world);
        for write in writes(world, repair.iter().copied(), &told.object) {
            let write = drift::plain(world, &told.object, &write);
            writeln!(text, "  → {write}").unwrap();
        }
        text.push('\n');
        for drift in &told.drift {
            let labels = (drift.object.clone(), drift.field.clone());
            *counted.entry(labels).or_default() += 1;
        }
    }
    let second: Vec<&&Call> = (after.iter())
        .filter(|call| call.write && call.access_key_id == KEY)
        .collect();
    assert!(second.is_empty(), "the second pass writes: {second:?}");
    assert!(!after.is_empty(), "there was no second pass");
    (text, counted)
}

/// `smr_drift_total` by object and field.
async fn metric(world: &World) -> BTreeMap<(String, String), u64> {
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let metrics = world.metrics().await;
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("smr_drift_total{"));
    lines
        .map(|line| {
            let count = line.rsplit(' ').next().unwrap().parse().unwrap();
            ((label(line, "object"), label(line, "field")), count)
        })
        .collect()
}

/// The snapshot without the code that made it.
macro_rules! reads {
    ($name:literal, $report:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($name, $report);
        })
    };
}

#[tokio::test]
async fn every_drift_is_told_and_put_right_by_the_writes_that_are_needed() {
    let mut world = World::quiet("drift").await;
    world.run(&Start::for_a_table());
    let (text, counted) = report(&world, rows::ROWS).await;
    reads!("every_drift", text);
    assert_eq!(metric(&world).await, counted);
}

#[tokio::test]
async fn the_operators_boundary_is_put_back() {
    let mut world = World::quiet("boundary").await;
    world.run(
        &Start::for_a_table()
            .flag("--permissions-boundary-arn=arn:aws:iam::111122223333:policy/cap"),
    );
    let (text, counted) = report(&world, rows::BOUNDARY_OF_THE_OPERATOR).await;
    reads!("the_operators_boundary", text);
    assert_eq!(metric(&world).await, counted);
}

#[tokio::test]
async fn what_means_the_same_is_no_drift() {
    let mut world = World::quiet("same").await;
    world.run(&Start::for_a_table());
    let (text, counted) = report(&world, same::ROWS).await;
    let mut expected = String::new();
    for row in same::ROWS {
        write!(expected, "# {}\n\n", row.name).unwrap();
    }
    assert_eq!(text, expected);
    assert!(counted.is_empty() && metric(&world).await.is_empty());
}

/// An event is counted up where the same is told again, and only then.
#[tokio::test]
async fn each_repair_is_told_in_its_own_words() {
    let world = World::start("words").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let (someone, name) = (world.someone(), format!("{}.web", world.namespace));
    let describe = async || {
        let changed = someone
            .update_role()
            .role_name(&name)
            .description("by hand");
        changed.max_session_duration(3600).send().await.unwrap();
    };
    let repairs = async |words: &str| {
        let events = world
            .kubectl(&["get", "events.events.k8s.io", "-o", "json"])
            .await;
        let events: serde_json::Value = serde_json::from_str(&events).unwrap();
        let mut told = events["items"].as_array().unwrap().iter();
        let repair = told.find(|event| {
            event["reason"] == "Repaired" && event["note"].as_str().unwrap().contains(words)
        });
        repair.map_or(0, |event| event["series"]["count"].as_u64().unwrap_or(1))
    };
    describe().await;
    world
        .eventually("the first repair is told", async || {
            repairs("description").await == 1
        })
        .await;
    // The same once more, and then something else.
    describe().await;
    world
        .eventually("the second repair is counted", async || {
            repairs("description").await == 2
        })
        .await;
    let trust = someone.update_assume_role_policy().role_name(&name);
    let trust = trust.policy_document(crate::support::iam::LAMBDA_TRUST);
    trust.send().await.unwrap();
    world
        .eventually("the third repair is told", async || {
            repairs("trust policy").await == 1
        })
        .await;
    assert_eq!(repairs("description").await, 2);
}
