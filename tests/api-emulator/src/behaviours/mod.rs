//! What an API server does, one sentence each, with what shows it: a client and a namespace of its
//! own enter, whether the sentence holds leaves. The IO is the client's. Nothing here knows the
//! emulator, so that the real kube-apiserver can be asked the same.

mod apply;
mod creation;
mod deletion;
mod lab;
mod lists;
mod others;
mod ownership;
mod patches;
mod status;
mod updates;
mod watches;

use futures::future::BoxFuture;
use kube::Client;

use lab::Lab;

/// Whether a sentence holds, or what was found instead.
pub type Verdict = Result<(), String>;

/// One sentence about an API server.
pub struct Behaviour {
    /// The sentence.
    pub name: &'static str,
    shows: fn(Lab) -> BoxFuture<'static, Verdict>,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Behaviour {
    /// Whether it holds, shown in a namespace that exists and that nobody else uses. The client may
    /// do everything.
    pub async fn holds(&self, client: Client, namespace: &str) -> Verdict {
        (self.shows)(Lab::new(client, namespace)).await
    }
}

/// A list of sentences with what shows them.
macro_rules! sentences {
    ($($name:literal, $lab:ident => $body:block)*) => {
        pub(super) fn all() -> Vec<crate::behaviours::Behaviour> {
            vec![$(crate::behaviours::Behaviour {
                name: $name,
                shows: |$lab: crate::behaviours::lab::Lab| Box::pin(async move { $body }),
            }),*]
        }
    };
}
use sentences;

/// All sentences.
pub fn behaviours() -> Vec<Behaviour> {
    let lists = [
        creation::all(),
        updates::all(),
        deletion::all(),
        patches::all(),
        status::all(),
        apply::all(),
        ownership::all(),
        lists::all(),
        watches::all(),
        others::all(),
    ];
    lists.into_iter().flatten().collect()
}
