//! Live states: IAM is found in a state, and the controller has to do the right thing with it. Nothing enters, a
//! tally leaves. No IO but threads.

mod case;
mod furnish;
mod table;

use std::sync::OnceLock;
use std::time::Duration;

use api_emulator::Resource;
use iam_emulator::Snapshot;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use smr_api::SessionManagerRole;

use self::case::{Case, History, Wish, cases, never_met};
use self::furnish::Furnisher;
use self::table::{Scene, all_wrong, unsaid};
use super::{Failure, Tally, each};
use crate::asked::{Asked, PARTITIONS, Subject, UID};
use crate::oracle::Setting;
use crate::people::RECOVERY;
use crate::script::Act;
use crate::story::{Told, alone, pass_time, rests, told};
use crate::world::{NAMESPACE, World};

pub use self::case::CASES;

/// The object.
const NAME: &str = "web";
/// While nobody is there, what is known of recent writes and losses is forgotten.
const AWAY: Duration = Duration::from_mins(3);
/// A process takes absence for lag for so long, and does no more than a pass after it.
const FIRST: Duration = Duration::from_secs(75);
/// What has come to rest stays so: several sweeps.
const QUIET: Duration = Duration::from_mins(2);

/// Plays one of so many cases.
pub fn run(one_of: usize) -> Tally {
    let cases = cases();
    let mut failures = Vec::new();
    let missing = never_met(&cases);
    if cases.len() != CASES || !missing.is_empty() {
        failures.push(Failure {
            case: format!("{} cases, and {CASES} are written down", cases.len()),
            broken: missing,
        });
    }
    let model = model();
    let cases: Vec<Case> = cases.into_iter().step_by(one_of.max(1)).collect();
    let mut tally = each(&cases, ToString::to_string, |case| {
        play(*case, model, false)
    });
    tally.failures.extend(failures);
    tally
}

/// Plays the case of this name, and keeps its story.
pub fn one(name: &str) -> Option<Told> {
    let case = cases().into_iter().find(|case| case.to_string() == name)?;
    Some(play(case, model(), true))
}

/// The account after a controller has made the three objects.
fn model() -> &'static Snapshot {
    static MODEL: OnceLock<Snapshot> = OnceLock::new();
    MODEL.get_or_init(|| {
        let made = alone(0, || async {
            let mut world = World::new(Setting::shipped(PARTITIONS[0]), false).await;
            apply(&world, json!({})).await;
            world.start();
            rests(&world, RECOVERY).await;
            world.iam.snapshot()
        });
        made.unwrap()
    })
}

fn play(case: Case, model: &'static Snapshot, keeps: bool) -> Told {
    Told::of(alone(
        0,
        move || async move { plays(case, model, keeps).await },
    ))
}

async fn plays(case: Case, model: &Snapshot, keeps: bool) -> Told {
    let mut world = World::new(Setting::shipped(PARTITIONS[0]), keeps).await;
    if case.history != History::Never {
        world.start();
        pass_time(&world, Duration::from_secs(5)).await;
    }
    apply(&world, spec(&case)).await;
    if case.history != History::Never {
        rests(&world, Duration::from_mins(2)).await;
        world.act(&Act::Kill(0, AWAY), 1).await;
    }
    let Some(asked) = world.asked(0) else {
        world.witness.broken("there is no object".to_owned());
        return told(&world);
    };
    if world.witness.is_over() {
        return told(&world);
    }
    let furnisher = Furnisher {
        case: &case,
        asked: &asked,
        world: &world,
        model,
    };
    furnisher.furnish().await;
    if case.history == History::Lost {
        lose_status(&world).await;
    }
    match case.wish {
        Wish::Observe if case.history != History::Never => {
            world.act(&Act::Observe(0, true), 1).await;
        }
        Wish::Deleting => {
            let (object, retain) = (0, false);
            world.act(&Act::Delete { object, retain }, 1).await;
        }
        Wish::Enforce | Wish::Observe => {}
    }
    world.witness.line(&format!("IAM is furnished: {case}"));
    let before = world.iam.snapshot();
    pass_time(&world, AWAY).await;
    if case.history == History::Never {
        world.start();
    }
    ends(&world, &case, &before).await;
    told(&world)
}

/// The spec of all cases; what no controller has seen is in its mode from the beginning.
fn spec(case: &Case) -> serde_json::Value {
    let mut spec = json!({});
    if case.details.adopts {
        spec["adoptionPolicy"] = json!("WithConsent");
    }
    if case.history == History::Never && case.wish == Wish::Observe {
        spec["mode"] = json!("Observe");
    }
    spec
}

async fn apply(world: &World, spec: serde_json::Value) {
    let asked = Asked {
        partition: PARTITIONS[0],
        subject: Subject::new(NAMESPACE, NAME, UID),
        spec: serde_json::from_value(spec).unwrap(),
    };
    if let Err(why) = world.applied(0, asked).await {
        world
            .witness
            .broken(format!("the object is refused: {why}"));
    }
    world.witness.look();
}

/// Somebody restores the object from where its status is not kept.
async fn lose_status(world: &World) {
    let objects: Api<SessionManagerRole> = Api::namespaced(world.people.clone(), NAMESPACE);
    let without = Patch::Merge(json!({"status": null}));
    let params = PatchParams::default();
    let patched = objects.patch_status(NAME, &params, &without).await;
    if let Err(why) = patched {
        world.witness.broken(format!("the status stays: {why}"));
    }
    world.witness.line("the status is lost");
    world.witness.look();
}

/// The controller comes back, and all comes to rest as the table says.
async fn ends(world: &World, case: &Case, before: &Snapshot) {
    pass_time(world, FIRST).await;
    let until = world.clock.elapsed() + RECOVERY;
    while !scene(world, case, before, unsaid).is_empty() {
        if world.witness.is_over() || world.clock.elapsed() > until {
            break;
        }
        pass_time(world, Duration::from_secs(5)).await;
    }
    let (calls, requests) = (world.iam.last_call(), world.api.last_request());
    pass_time(world, QUIET).await;
    for what in crate::oracle::ending::noises(world, calls, requests) {
        world.witness.broken(format!("not quiet: {what}"));
    }
    for what in scene(world, case, before, all_wrong) {
        world.witness.broken(what);
    }
}

fn scene<T>(world: &World, case: &Case, before: &Snapshot, ask: impl FnOnce(&Scene<'_>) -> T) -> T {
    let events: Vec<String> = (world.api.list(Resource::Events).iter())
        .filter(|event| event["regarding"]["name"] == NAME)
        .filter_map(|event| event["reason"].as_str().map(str::to_owned))
        .collect();
    let after = world.iam.snapshot();
    world.witness.oracle(|oracle| {
        // An object keeps its uid as long as it is there: there is only one.
        let object = oracle.objects().next();
        let asked = object.and_then(|known| known.asked()).unwrap();
        ask(&Scene {
            case,
            asked,
            before,
            after: &after,
            known: object.filter(|known| known.is_there),
            events: &events,
        })
    })
}
