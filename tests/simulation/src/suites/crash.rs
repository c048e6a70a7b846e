//! Every crash point: at each call to IAM and each write to the API server of each operation, each mishap; and each
//! operation where IAM is late.
//! Nothing enters, a tally leaves. No IO but threads.

use std::time::Duration;

use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};

use super::{Failure, Tally, each};
use crate::asked::{Asked, CLUSTER, PARTITIONS, PATH, Subject, UID};
use crate::deeds::{Deed, Edit, Kind, LAMBDA, READ_S3, Target};
use crate::link::Mishap;
use crate::oracle::Setting;
use crate::people::RECOVERY;
use crate::script::Act;
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

/// What there is before an operation.
#[derive(Clone, Debug)]
enum Before {
    /// Nothing.
    Nothing,
    /// An object with this spec, at rest.
    Object(Value),
    /// Nothing but what others have made, and offer to the object.
    Offers,
}

/// An operation of the controller.
#[derive(Clone, Debug)]
struct Operation {
    name: &'static str,
    before: Before,
    done: Done,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// One call, counted from the beginning of the operation.
    Call(usize, Mishap),
    /// IAM shows what is written so late, and somebody asks for one pass after the other.
    Reads(Duration),
    /// The same, where IAM's own checks are as late.
    Writes(Duration),
}

impl Wrong {
    /// IAM's delays.
    const LATE: [Self; 4] = [
        Self::Reads(Duration::from_secs(5)),
        Self::Reads(Duration::from_secs(20)),
        Self::Writes(Duration::from_secs(5)),
        Self::Writes(Duration::from_secs(10)),
    ];
}

/// One point.
#[derive(Clone, Debug)]
struct Point {
    operation: Operation,
    wrong: Wrong,
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
    let create = |name, spec| of(name, Before::Nothing, Done::Apply(spec));
    let update = |name, before, after| of(name, Before::Object(before), Done::Apply(after));
    let repair = |name, deed| of(name, Before::Object(full()), Done::Deed(deed));
    let delete = |name, before| of(name, Before::Object(before), Done::Delete);
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
        of(
            "adoption",
            Before::Offers,
            Done::Apply(json!({"adoptionPolicy": "WithConsent", "tags": {"a": "1"}})),
        ),
        delete("deletion", full()),
        delete("deletion, inline", inline()),
        delete("deletion, retained", {
            let mut spec = full();
            spec["deletionPolicy"] = json!("Retain");
            spec
        }),
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
    let (mut points, mut late) = (Vec::new(), Vec::new());
    for operation in operations {
        // Without a mishap first: which calls there are.
        match counted(&operation) {
            Ok(calls) => {
                let mishaps = (0..calls).flat_map(|at| Mishap::ALL.map(|m| Wrong::Call(at, m)));
                points.extend(mishaps.map(|wrong| Point {
                    operation: operation.clone(),
                    wrong,
                }));
                late.extend(Wrong::LATE.map(|wrong| Point {
                    operation: operation.clone(),
                    wrong,
                }));
            }
            Err(broken) => failures.push(Failure {
                case: format!("{} without a mishap", operation.name),
                broken,
            }),
        }
    }
    let points = points.into_iter().step_by(one_of.max(1));
    let points: Vec<Point> = points.chain(late).collect();
    let name = |point: &Point| format!("{}, {:?}", point.operation.name, point.wrong);
    let mut tally = each(&points, name, |point| {
        let Point { operation, wrong } = point.clone();
        Told::of(alone(0, move || async move {
            one(&operation, Some(wrong)).await.0
        }))
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

async fn one(operation: &Operation, wrong: Option<Wrong>) -> (Told, usize) {
    let mut world = World::new(Setting::shipped(PARTITIONS[0]), false).await;
    world.start();
    pass_time(&world, Duration::from_secs(5)).await;
    match &operation.before {
        Before::Nothing => {}
        Before::Object(spec) => {
            apply(&world, spec).await;
            rests(&world, Duration::from_mins(2)).await;
            // What was written is no reason for anything any more.
            pass_time(&world, Duration::from_secs(75)).await;
        }
        Before::Offers => offer(&world).await,
    }
    let Some(link) = world.replica(0).link() else {
        world.witness.broken("the replica is not there".to_owned());
        return (told(&world), 0);
    };
    let before = link.counted();
    // Others' deeds are done before IAM is late: it would refuse some.
    if let Done::Deed(deed) = &operation.done {
        deed_done(&world, deed).await;
    }
    match wrong {
        None => {}
        Some(Wrong::Call(at, mishap)) => {
            link.order(at, mishap);
            world.disturbed(Duration::from_mins(1));
        }
        Some(Wrong::Reads(lag)) => world.reads_lag(lag),
        Some(Wrong::Writes(lag)) => world.writes_lag(lag),
    }
    match &operation.done {
        Done::Deed(_) => {}
        Done::Apply(spec) => apply(&world, spec).await,
        Done::Delete => delete(&world).await,
    }
    if let Some(Wrong::Reads(lag) | Wrong::Writes(lag)) = wrong {
        impatient(&world, lag).await;
    }
    rests(&world, RECOVERY).await;
    let calls = link.counted() - before;
    ends_well(&world).await;
    (told(&world), calls)
}

/// Somebody asks for a pass every few seconds, for as long as IAM is late after what was done at the next sweep.
async fn impatient(world: &World, lag: Duration) {
    world.disturbed(lag);
    for _ in 0..24 {
        pass_time(world, Duration::from_secs(5)).await;
        if !world.roles().is_empty() {
            world.act(&Act::Ask(0), 1).await;
        }
    }
    world.calm();
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

async fn delete(world: &World) {
    if let Err(why) = world.delete(0, false).await {
        let why = format!("the deletion is refused: {why}");
        world.witness.broken(why);
    }
    world.witness.look();
}

/// Others have all three, and let the object have them.
async fn offer(world: &World) {
    let (iam, name) = (&world.someone, "team.web");
    let tag = Tag::builder()
        .key("sessionmanager.dev/adoptable-by")
        .value(format!("{CLUSTER}/team/web"))
        .build()
        .unwrap();
    let role = iam.create_role().role_name(name).path(PATH);
    let role = role.assume_role_policy_document(LAMBDA).tags(tag.clone());
    role.send().await.unwrap();
    let policy = iam.create_policy().policy_name(name).path(PATH);
    let policy = policy.policy_document(READ_S3).tags(tag.clone());
    policy.send().await.unwrap();
    let profile = iam.create_instance_profile().instance_profile_name(name);
    profile.path(PATH).tags(tag).send().await.unwrap();
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
