//! Panics in tasks of a story, which its runtime would swallow: a hook notes them by the story's thread. No IO.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once};

static NOTED: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

/// From now on each panic is noted.
pub fn heed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            if let (Some(name), Ok(mut noted)) = (thread.name(), NOTED.lock()) {
                let all = noted.entry(name.to_owned()).or_default();
                all.push(format!("a panic: {panic}"));
            }
            before(panic);
        }));
    });
}

/// Those of a story, once.
pub fn of_story(seed: u64) -> Vec<String> {
    let name = format!("story {seed}");
    let noted = NOTED.lock().map(|mut noted| noted.remove(&name));
    noted.ok().flatten().unwrap_or_default()
}
