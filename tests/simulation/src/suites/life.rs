//! Scripts that are played to their end: random life, and leadership. Seeds enter, a tally leaves; a script that
//! broke a rule is made short. No IO but threads.

use std::ops::Range;
use std::time::Duration;

use super::{Tally, each};
use crate::script::{Act, Script};
use crate::story::play;

/// Random life of these seeds.
pub fn life(seeds: Range<u64>) -> Tally {
    all(&seeds.map(Script::life).collect::<Vec<_>>())
}

/// Several replicas, of these seeds.
pub fn leadership(seeds: Range<u64>) -> Tally {
    all(&seeds.map(Script::leadership).collect::<Vec<_>>())
}

fn all(scripts: &[Script]) -> Tally {
    each(
        scripts,
        |script| format!("seed {}", script.seed),
        |script| play(script, false),
    )
}

/// The shortest script found that still breaks a rule: acts are left out as long as one is broken.
pub fn shortest(script: &Script) -> Script {
    let breaks = |acts: &[(Duration, Act)]| {
        let script = Script {
            acts: acts.to_vec(),
            ..script.clone()
        };
        !play(&script, false).broken.is_empty()
    };
    let mut acts = script.acts.clone();
    let mut size = acts.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < acts.len() {
            let mut fewer = acts.clone();
            fewer.drain(from..(from + size).min(acts.len()));
            if breaks(&fewer) {
                acts = fewer;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    Script {
        acts,
        ..script.clone()
    }
}
