//! A long life: many objects, outages and edits for days. A seed and a size enter, a tally leaves. No IO but
//! threads.

use std::time::Duration;

use super::{Tally, each};
use crate::oracle::Setting;
use crate::script::Script;
use crate::story::{Told, alone, end, pass_time, told};
use crate::world::World;

const HOUR: Duration = Duration::from_hours(1);
/// Tasks that may come and go: retries of watches and late requests.
const FEW: usize = 12;

/// What an hour without any act was like.
#[derive(Clone, Copy, Debug)]
struct QuietHour {
    tasks: usize,
    calls: u64,
}

/// Plays one long life of each seed.
pub fn run(seeds: &[u64], objects: usize, hours: u64) -> Tally {
    let scripts: Vec<Script> = seeds
        .iter()
        .map(|seed| Script::long(*seed, objects, hours))
        .collect();
    let name = |script: &Script| format!("a long life of seed {}", script.seed);
    each(&scripts, name, |script| {
        let (seed, script) = (script.seed, script.clone());
        Told::of(alone(seed, move || async move {
            let (world, quiet) = lives(&script, hours).await;
            if !world.witness.is_over() {
                for what in growth(&quiet) {
                    world.witness.broken(what);
                }
                end(&world).await;
            }
            told(&world)
        }))
    })
}

/// A life in which nothing happens once the objects are made, on one thread.
pub fn in_sync(objects: usize, hours: u64) -> Tally {
    // Its first hour makes the objects, and has no other acts.
    let script = Script::long(1, objects, 1);
    each(
        &[script],
        |_| "in sync".to_owned(),
        |script| {
            let script = script.clone();
            Told::of(alone(1, move || async move {
                told(&lives(&script, hours).await.0)
            }))
        },
    )
}

/// So many hours of a script, with one replica, and what the quiet ones were like.
async fn lives(script: &Script, hours: u64) -> (World, Vec<QuietHour>) {
    let mut world = World::new(Setting::shipped(script.partition), false).await;
    world.start();
    let mut acts = script.acts.iter().peekable();
    let mut quiet = Vec::new();
    for hour in 0..hours {
        let ends = HOUR * u32::try_from(hour + 1).unwrap_or(u32::MAX);
        let before = world.iam.last_call();
        let mut is_quiet = true;
        while let Some((at, act)) = acts.next_if(|(at, _)| *at < ends) {
            is_quiet = false;
            pass_time(&world, at.saturating_sub(world.clock.elapsed())).await;
            world.act(act, script.objects).await;
        }
        pass_time(&world, ends.saturating_sub(world.clock.elapsed())).await;
        if world.witness.is_over() {
            break;
        }
        if is_quiet {
            let tasks = tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks();
            let calls = world.iam.last_call() - before;
            quiet.push(QuietHour { tasks, calls });
        }
        world.iam.clear_calls();
        world.api.clear_requests();
    }
    (world, quiet)
}

/// A quiet hour late in life is like one of the first.
fn growth(quiet: &[QuietHour]) -> Vec<String> {
    let mut broken = Vec::new();
    let (Some(first), Some(last)) = (quiet.get(1), quiet.last()) else {
        return vec!["there are no two quiet hours".to_owned()];
    };
    if last.tasks > first.tasks + FEW {
        broken.push(format!(
            "{} tasks were alive, and {} are",
            first.tasks, last.tasks
        ));
    }
    if last.calls > first.calls + first.calls / 4 + 20 {
        broken.push(format!(
            "{} calls in a quiet hour, and {} later",
            first.calls, last.calls
        ));
    }
    broken
}
