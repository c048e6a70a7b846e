//! What lies between one replica and the world: the calls that it sends enter, and what becomes of each
//! leaves. No IO.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Who is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// AWS.
    Iam,
    /// The API server.
    Api,
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The process is killed before the call leaves.
    KilledBefore,
    /// The call takes effect, and the process is killed before the answer comes.
    KilledAfter,
    /// 500, with no effect.
    Refused,
    /// The call takes effect, and the connection breaks before the answer comes.
    AnswerLost,
    /// No effect, and no answer until the caller gives up.
    Hangs,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Refused,
        Self::AnswerLost,
        Self::Hangs,
    ];
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after a time, and its answer takes as long.
    Passes(Duration),
    /// The connection can't be made.
    Unreachable,
    /// There is nobody any more who could send it.
    Never,
    /// An ordered mishap.
    Meets(Mishap),
}

/// A mishap that waits for its call.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    /// Calls that pass first.
    skip: usize,
    mishap: Mishap,
}

#[derive(Debug, Default)]
struct State {
    dead: bool,
    /// Until when the sides can't be reached.
    cut: [Option<Instant>; 2],
    /// How long calls take each way, and until when.
    slow: [Option<(Duration, Instant)>; 2],
    ordered: Option<Ordered>,
    /// Calls that counted so far.
    counted: usize,
}

/// The connections of one process.
#[derive(Clone, Debug, Default)]
pub struct Link {
    state: Arc<Mutex<State>>,
    died: Arc<Notify>,
}

impl Link {
    /// What becomes of a call that is about to be sent. `counts`: whether it is one that a mishap may meet.
    pub fn fate(&self, side: Side, counts: bool) -> Fate {
        let now = Instant::now();
        let mut state = self.state();
        if state.dead {
            return Fate::Never;
        }
        if state.cut[side as usize].is_some_and(|until| now < until) {
            return Fate::Unreachable;
        }
        if counts {
            state.counted += 1;
            if let Some(ordered) = &mut state.ordered {
                if ordered.skip == 0 {
                    let mishap = ordered.mishap;
                    state.ordered = None;
                    return Fate::Meets(mishap);
                }
                ordered.skip -= 1;
            }
        }
        let slow = state.slow[side as usize].filter(|(_, until)| now < *until);
        Fate::Passes(slow.map(|(time, _)| time).unwrap_or_default())
    }

    /// Lets a mishap meet the call after the next `skip` ones.
    pub fn order(&self, skip: usize, mishap: Mishap) {
        self.state().ordered = Some(Ordered { skip, mishap });
    }

    /// How many calls there were that a mishap could have met.
    pub fn counted(&self) -> usize {
        self.state().counted
    }

    /// One side can't be reached for a time.
    pub fn cut(&self, side: Side, time: Duration) {
        self.state().cut[side as usize] = Some(Instant::now() + time);
    }

    /// Every call takes so long each way, for a time.
    pub fn slow(&self, side: Side, each_way: Duration, time: Duration) {
        self.state().slow[side as usize] = Some((each_way, Instant::now() + time));
    }

    /// The process is no more: nothing that it still sends arrives anywhere.
    pub fn die(&self) {
        self.state().dead = true;
        self.died.notify_one();
    }

    /// Resolves when the process is killed.
    pub async fn killed(&self) {
        self.died.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
