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
        let played = alone(seed, move || async move { one(&script, hours).await });
        played.unwrap_or_else(|why| Told {
            broken: vec![why],
            ..Told::default()
        })
    })
}

/// A life in which nothing happens once the objects are made, on one thread.
pub fn in_sync(objects: usize, hours: u64) -> Tally {
    let mut script = Script::long(1, objects, 1);
    script.acts.truncate(objects);
    each(
        &[script],
        |_| "in sync".to_owned(),
        |script| {
            let script = script.clone();
            let played = alone(1, move || async move {
                let mut world = World::new(Setting::shipped(script.partition), false).await;
                world.start();
                for (at, act) in &script.acts {
                    pass_time(&world, at.saturating_sub(world.clock.elapsed())).await;
                    world.act(act, script.objects).await;
                }
                for hour in 1..=hours {
                    let ends = HOUR * u32::try_from(hour).unwrap_or(u32::MAX);
                    pass_time(&world, ends.saturating_sub(world.clock.elapsed())).await;
                    world.iam.clear_calls();
                    world.api.clear_requests();
                }
                told(&world)
            });
            played.unwrap_or_default()
        },
    )
}

async fn one(script: &Script, hours: u64) -> Told {
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
            return told(&world);
        }
        if is_quiet {
            quiet.push(QuietHour {
                tasks: tokio::runtime::Handle::current()
                    .metrics()
                    .num_alive_tasks(),
                calls: world.iam.last_call() - before,
            });
        }
        world.iam.clear_calls();
        world.api.clear_requests();
    }
    for what in growth(&quiet) {
        world.witness.broken(what);
    }
    end(&world).await;
    told(&world)
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
