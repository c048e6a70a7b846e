//! The emulator's own ceiling: what it answers when nobody but a bare client asks, so that it is
//! known not to be what the other figures measure.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::told;
use crate::fleet::Fleet;
use crate::report::Figures;

/// Connections that ask at once.
const CLIENTS: usize = 16;
/// How long they ask.
const FOR: Duration = Duration::from_secs(5);

/// InSyncCache a second, reads and writes.
pub async fn ceiling(figures: &mut Figures) {
    let fleet = Fleet::new("ceiling").await;
    let client = fleet.world.someone();
    for number in 0..CLIENTS {
        let role = client.create_role().role_name(format!("role-{number}"));
        let role = role.assume_role_policy_document(crate::support::iam::LAMBDA_TRUST);
        role.send().await.expect("a role");
    }
    let reads = rate(async |number| {
        let read = client.get_role().role_name(format!("role-{number}"));
        read.send().await.expect("a role");
    });
    let reads = reads.await;
    let writes = rate(async |number| {
        let write = client.update_role().role_name(format!("role-{number}"));
        write.description("changed").send().await.expect("a change");
    });
    let writes = writes.await;
    figures.push(told(
        "the emulator's own ceiling, asked by the SDK in the same process",
        format!("{reads:.0} reads/s, {writes:.0} writes/s"),
    ));
}

async fn rate(ask: impl AsyncFn(usize)) -> f64 {
    let begun = Instant::now();
    let client = async |number| {
        let mut answers = 0_u32;
        while begun.elapsed() < FOR {
            ask(number).await;
            answers += 1;
        }
        answers
    };
    let answers: u32 = join_all((0..CLIENTS).map(client)).await.into_iter().sum();
    f64::from(answers) / begun.elapsed().as_secs_f64()
}
