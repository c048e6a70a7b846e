//! Random life: seeds enter, a tally leaves; a script that broke a rule is made short. No IO but threads.

use std::time::Duration;

use super::{Tally, each};
use crate::script::{Act, Script};
use crate::story::play;

/// Plays the stories of these seeds.
pub fn run(seeds: std::ops::Range<u64>) -> Tally {
    let scripts: Vec<Script> = seeds.map(Script::life).collect();
    each(
        &scripts,
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
