//! Every crash point: at each call to IAM and each write to the API server of each operation, each mishap.
//! Nothing enters, a tally leaves. No IO but threads.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Failure, Tally, each};
use crate::asked::{Asked, PARTITIONS, Subject, UID};
use crate::deeds::{Deed, Edit, Kind, Target};
use crate::link::Mishap;
use crate::oracle::Setting;
use crate::people::RECOVERY;
use crate::story::{Told, alone, ends_well, pass_time, rests, told};
use crate::world::World;

/// What is done while the mishap waits.
#[derive(Clone, Debug)]
enum Done {
    /// The object is applied with this spec.
    Apply(Value),
    /// Others do this in IAM.
    Deed(Deed),
    /// The object is deleted.
    Delete,
}

/// An operation of the controller, and what there is before it.
#[derive(Clone, Debug)]
struct Operation {
    name: &'static str,
    /// The object that is there and at rest, if any.
    before: Option<Value>,
    done: Done,
}

/// One point.
#[derive(Clone, Debug)]
struct Point {
    operation: Operation,
    /// The call that goes wrong, counted from the beginning of the operation.
    at: usize,
    mishap: Mishap,
}

fn full() -> Value {
    json!({
        "role": {"description": "mine", "maxSessionDurationSeconds": 7200, "tags": {"a": "1"}},
        "tags": {"b": "2"},
        "sessionEncryption": {"kmsKeyArn": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
        "sessionLogs": {"s3": {"bucket": "my-logs", "keyPrefix": "x"}, "cloudWatch": {"logGroupName": "/ssm/sessions"}},
        "additionalPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    })
}

/// Everything that a controller does to an object.
fn operations() -> Vec<Operation> {
    let minimal = || json!({});
    let inline = || json!({"policy": {"type": "Inline"}});
    let hybrid =
        || json!({"principal": "HybridActivation", "hybrid": {"regions": ["eu-central-1"]}});
    let of = |name, before, done| Operation { name, before, done };
    let create = |name, spec| of(name, None, Done::Apply(spec));
    let update = |name, before, after| of(name, Some(before), Done::Apply(after));
    let repair = |name, deed| of(name, Some(full()), Done::Deed(deed));
    let mut all = vec![
        create("creation, minimal", minimal()),
        create("creation, inline", inline()),
        create("creation, hybrid", hybrid()),
        create("creation, with everything", full()),
        update("update to everything", minimal(), full()),
        update("update from everything", full(), minimal()),
        update(
            "update of the trust policy",
            hybrid(),
            json!({"principal": "HybridActivation"}),
        ),
        update(
            "update of a boundary",
            minimal(),
            json!({"role": {"permissionsBoundaryArn": "arn:aws:iam::111122223333:policy/cap"}}),
        ),
        update(
            "update of tags",
            json!({"tags": {"a": "1", "b": "2"}}),
            json!({"tags": {"b": "3"}}),
        ),
        update("type switch to inline", full(), {
            let mut spec = full();
            spec["policy"] = json!({"type": "Inline"});
            spec
        }),
        update("type switch to managed", inline(), minimal()),
        of("deletion", Some(full()), Done::Delete),
        of("deletion, inline", Some(inline()), Done::Delete),
        of(
            "deletion, retained",
            Some({
                let mut spec = full();
                spec["deletionPolicy"] = json!("Retain");
                spec
            }),
            Done::Delete,
        ),
    ];
    let deeds = [
        ("repair of the document", Deed::Document(Edit::AddStatement)),
        ("repair of a full policy", Deed::SpareVersions(4)),
        ("repair of the trust policy", Deed::Trust(Edit::Replace)),
        ("repair of a description", Deed::Description("theirs")),
        ("repair of a tag", Deed::Untag(Kind::Role, "b")),
        ("repair of a detached policy", Deed::Detach(0)),
        ("repair of the instance profile", Deed::ProfileRole(true)),
        ("repair of a missing role", Deed::Gone(Kind::Role)),
        ("repair of a missing policy", Deed::Gone(Kind::Policy)),
        ("repair of a missing profile", Deed::Gone(Kind::Profile)),
    ];
    all.extend(deeds.map(|(name, deed)| repair(name, deed)));
    all
}

/// Plays one of so many points.
pub fn run(one_of: usize) -> Tally {
    let operations = operations();
    let mut failures = Vec::new();
    let mut points = Vec::new();
    for operation in operations {
        // Without a mishap first: which calls there are.
        match counted(&operation) {
            Ok(calls) => points.extend((0..calls).flat_map(|at| {
                Mishap::ALL.map(|mishap| Point {
                    operation: operation.clone(),
                    at,
                    mishap,
                })
            })),
            Err(broken) => failures.push(Failure {
                case: format!("{} without a mishap", operation.name),
                broken,
            }),
        }
    }
    let points: Vec<Point> = points.into_iter().step_by(one_of.max(1)).collect();
    let name = |point: &Point| {
        format!(
            "{}, {:?} at call {}",
            point.operation.name, point.mishap, point.at
        )
    };
    let mut tally = each(&points, name, |point| {
        let (operation, order) = (point.operation.clone(), Some((point.at, point.mishap)));
        let played = alone(0, move || async move { one(&operation, order).await.0 });
        played.unwrap_or_else(|why| Told {
            broken: vec![why],
            ..Told::default()
        })
    });
    tally.failures.extend(failures);
    tally
}

/// How many calls the operation takes until all is at rest.
fn counted(operation: &Operation) -> Result<usize, Vec<String>> {
    let operation = operation.clone();
    let (told, calls) =
        alone(0, move || async move { one(&operation, None).await }).map_err(|why| vec![why])?;
    if told.broken.is_empty() {
        Ok(calls)
    } else {
        Err(told.broken)
    }
}

async fn one(operation: &Operation, mishap: Option<(usize, Mishap)>) -> (Told, usize) {
    let mut world = World::new(Setting::shipped(PARTITIONS[0]), false).await;
    world.start();
    pass_time(&world, Duration::from_secs(5)).await;
    if let Some(spec) = &operation.before {
        apply(&world, spec).await;
        rests(&world, Duration::from_mins(2)).await;
        // What was written is no reason for anything any more.
        pass_time(&world, Duration::from_secs(75)).await;
    }
    let Some(link) = world.replica(0).link() else {
        world.witness.broken("the replica is not there".to_owned());
        return (told(&world), 0);
    };
    let before = link.counted();
    if let Some((at, mishap)) = mishap {
        link.order(at, mishap);
        world.disturbed(Duration::from_mins(1));
    }
    match &operation.done {
        Done::Apply(spec) => apply(&world, spec).await,
        Done::Deed(deed) => deed_done(&world, deed).await,
        Done::Delete => {
            if let Err(why) = world.delete(0, false).await {
                world
                    .witness
                    .broken(format!("the deletion is refused: {why}"));
            }
            world.witness.look();
        }
    }
    rests(&world, RECOVERY).await;
    let calls = link.counted() - before;
    ends_well(&world).await;
    (told(&world), calls)
}

async fn apply(world: &World, spec: &Value) {
    let spec = serde_json::from_value(spec.clone()).unwrap();
    let asked = Asked {
        partition: PARTITIONS[0],
        subject: Subject::new("team", "web", UID),
        spec,
    };
    if let Err(why) = world.applied(0, asked).await {
        world
            .witness
            .broken(format!("the object is refused: {why}"));
    }
    world.witness.look();
}

async fn deed_done(world: &World, deed: &Deed) {
    let Some(asked) = world.asked(0) else {
        world.witness.broken("there is no object".to_owned());
        return;
    };
    let created = world.iam.snapshot();
    let target = Target {
        asked: &asked,
        someone: &world.someone,
        emulator: &world.iam,
        created: &created,
    };
    if !deed.is_done(target).await {
        world.witness.broken(format!("IAM did not take {deed:?}"));
    }
    world.witness.look();
}
