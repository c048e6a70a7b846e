//! One story from its first moment to its last: a script enters, what came of it leaves. Each story has a
//! thread and a runtime of its own. No IO but that thread.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::time::sleep;

use crate::oracle::{Setting, ending};
use crate::people::RECOVERY;
use crate::script::Script;
use crate::world::World;

/// A story that takes longer in real time stands still: something works without end at one moment.
const REAL_TIME: Duration = Duration::from_mins(5);
/// The SDK's futures are large where they are not optimized.
const STACK: usize = 16 << 20;
/// How often the witness looks where nothing happens.
const LOOKS: Duration = Duration::from_secs(30);
/// How long nothing may happen once all is well.
const QUIET: Duration = Duration::from_mins(5);
/// `--resync-interval` as it is shipped.
const INTERVAL: Duration = Setting::shipped("").interval;

/// What came of a story.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Its lines, where they were kept.
    pub lines: Vec<String>,
    /// A number that stands for all lines: the same story has the same.
    pub hash: u64,
    /// The rules that were broken.
    pub broken: Vec<String>,
    /// How long it was, in virtual time.
    pub lasted: Duration,
    /// How many calls to IAM there were.
    pub calls: u64,
}

impl Told {
    /// A story that came to no end of its own has broken a rule, too.
    pub fn of(played: Result<Self, String>) -> Self {
        played.unwrap_or_else(|why| Self {
            broken: vec![why],
            ..Self::default()
        })
    }
}

/// Plays a future in a world of its own thread, time and seed.
pub fn alone<T, F, Fut>(seed: u64, play: F) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let (tell, told) = sync_channel(1);
    // A fresh thread: the standard library's and the SDK's generators are per thread.
    let thread = std::thread::Builder::new()
        .name(format!("story {seed}"))
        .stack_size(STACK);
    let thread = thread.spawn(move || {
        fastrand::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let result = runtime.block_on(play());
        // Whoever waits no more has given the story up.
        let _ = tell.send(result);
    });
    let thread = thread.map_err(|error| format!("no thread: {error}"))?;
    match told.recv_timeout(REAL_TIME) {
        Ok(result) => {
            let _ = thread.join();
            Ok(result)
        }
        Err(RecvTimeoutError::Disconnected) => {
            let panic = thread.join().err();
            let text = panic.as_ref().and_then(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            });
            Err(format!("a panic: {}", text.unwrap_or_default()))
        }
        Err(RecvTimeoutError::Timeout) => Err(format!(
            "the story stands still: it is not over after {} s of real time",
            REAL_TIME.as_secs()
        )),
    }
}

/// Plays a script from its first act to a quiet end.
pub fn play(script: &Script, keeps: bool) -> Told {
    let (seed, script) = (script.seed, script.clone());
    Told::of(alone(
        seed,
        move || async move { acts(&script, keeps).await },
    ))
}

async fn acts(script: &Script, keeps: bool) -> Told {
    let mut world = World::new(Setting::shipped(script.partition), keeps).await;
    for _ in 0..script.replicas {
        world.start();
    }
    for (at, act) in &script.acts {
        pass_time(&world, at.saturating_sub(world.clock.elapsed())).await;
        if world.witness.is_over() {
            return told(&world);
        }
        world.act(act, script.objects).await;
    }
    end(&world).await;
    told(&world)
}

/// Troubles cease; all comes to rest in a bounded time, and stays there.
pub async fn end(world: &World) {
    // Those that were ordered for a time have ended by then.
    pass_time(world, Duration::from_mins(4)).await;
    world.calm();
    ends_well(world).await;
}

/// All comes to rest in a bounded time, and stays there.
pub async fn ends_well(world: &World) {
    if !rests(world, RECOVERY + 2 * INTERVAL).await {
        for what in ending::restless(world) {
            world.witness.broken(format!("not at rest in time: {what}"));
        }
        return;
    }
    // Three sweeps, in which orphans are found.
    pass_time(world, 3 * INTERVAL).await;
    let (calls, requests) = (world.iam.last_call(), world.api.last_request());
    pass_time(world, QUIET).await;
    for what in ending::noises(world, calls, requests) {
        world.witness.broken(format!("not quiet: {what}"));
    }
    for what in ending::remains(world) {
        world.witness.broken(what);
    }
}

/// Whether all comes to rest within a time.
pub async fn rests(world: &World, within: Duration) -> bool {
    let until = world.clock.elapsed() + within;
    while world.clock.elapsed() < until && !world.witness.is_over() {
        world.witness.look();
        if ending::restless(world).is_empty() {
            return true;
        }
        sleep(Duration::from_secs(5)).await;
    }
    world.witness.is_over()
}

/// Lets time pass, and the witness look now and then.
pub async fn pass_time(world: &World, time: Duration) {
    let until = world.clock.elapsed() + time;
    loop {
        let left = until.saturating_sub(world.clock.elapsed());
        if left.is_zero() || world.witness.is_over() {
            return;
        }
        sleep(left.min(LOOKS)).await;
        world.witness.look();
    }
}

/// What came of it.
pub fn told(world: &World) -> Told {
    let (lines, hash, broken) = world.witness.told();
    Told {
        lines,
        hash,
        broken,
        lasted: world.clock.elapsed(),
        calls: world.iam.last_call(),
    }
}
