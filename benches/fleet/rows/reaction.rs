//! How soon the controller reacts: to drift, and to people while it has much else to do.

use std::time::Duration;

use aws_sdk_iam::Client;
use futures::{StreamExt, stream};
use iam_emulator::Call;
use jiff::Timestamp;

use super::at_most;
use crate::fleet::{Fleet, begins_sweep};
use crate::report::Figures;
use crate::support::ACCOUNT;
use crate::support::iam::{LAMBDA_TRUST, READ_S3, shape};

const DRIFTS: usize = 200;
const FLEET: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(10);
/// On average between two drifts: at the default rate a sweep then finds no more than it can put
/// right before the next.
const BETWEEN: Duration = Duration::from_secs(2);
/// Edits of which the slowest counts.
const EDITS: usize = 10;

/// 200 drifts at random times, one object each.
pub async fn drift(figures: &mut Figures) {
    let mut fleet = Fleet::new("drift").await;
    fleet.run(&["--iam-requests-per-second=1000", "--resync-interval=1h"]);
    fleet.create(0..FLEET).await;
    fleet.ready(FLEET).await;
    fleet.world.kill().await;
    // With the default rate. What a process has written less than a minute ago it reads twice;
    // here it is what an earlier one has written, longer ago than that.
    fleet.run(&["--resync-interval=10s"]);
    let mut last = fleet.world.iam.last_call();
    for _ in 0..7 {
        last = fleet.next_sweep(last).await;
    }
    let before = shape(&fleet.world.account());
    let someone = fleet.world.someone();
    let mark = fleet.world.iam.last_call();
    let mut drifts = Vec::new();
    for number in 0..DRIFTS {
        tokio::time::sleep(BETWEEN.mul_f64(2.0 * fastrand::f64())).await;
        let kind = KINDS[number % KINDS.len()];
        let role = fleet.iam_name(number * (FLEET / DRIFTS));
        kind.make(&someone, &role).await;
        drifts.push((
            role,
            kind,
            Timestamp::now().as_millisecond(),
            fleet.world.iam.last_call(),
        ));
    }
    let mut last = fleet.world.iam.last_call();
    for _ in 0..2 {
        last = fleet.next_sweep(last).await;
    }
    fleet.quiet().await;
    assert_eq!(
        shape(&fleet.world.account()),
        before,
        "every drift is put right"
    );
    let calls = fleet.calls_since(mark);
    let sweeps = calls.iter().filter(|call| begins_sweep(call)).count();
    let mut took: Vec<f64> = (drifts.iter())
        .map(|(role, kind, at, after)| {
            let repairs = |call: &&Call| {
                let names = |value: &String| value == role || value.ends_with(&format!("/{role}"));
                call.seq > *after
                    && kind.repairs().contains(&call.action.as_str())
                    && call.params.values().any(names)
            };
            let repair = calls.iter().find(repairs).expect("a repair");
            let ended = i64::try_from(repair.unix_ms).expect("a time");
            (ended - at) as f64 / 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    figures.push(at_most(
        format!(
            "drift among 1,000 objects until it is put right, {DRIFTS} at random times, resync interval 10 s, default rate: p99"
        ),
        (INTERVAL + Duration::from_secs(5)).as_secs_f64(),
        " s",
        at(99),
        format!(
            "median {:.1} s, slowest {:.1} s, {sweeps} sweeps",
            at(50),
            at(100)
        ),
    ));
}

/// A person's edits of a fleet of 5,000, each as a sweep begins, at the default rate.
pub async fn edit_in_sweep(figures: &mut Figures, fleet: &mut Fleet) {
    fleet.world.kill().await;
    fleet.world.iam.set_latency(Duration::from_millis(20));
    fleet.lead(&["--resync-interval=10s"]).await;
    let mut last = fleet.next_sweep(fleet.world.iam.last_call()).await;
    let mut slowest = Duration::ZERO;
    for number in 0..EDITS {
        last = fleet.next_sweep(last).await;
        slowest = slowest.max(fleet.edit(number).await);
    }
    figures.push(at_most(
        "a person's edit while a sweep of 5,000 runs, 20 ms a call, default rate: until Ready, slowest of 10",
        2.0,
        " s",
        slowest.as_secs_f64(),
        "",
    ));
}

/// A person's edits while a thousand repairs wait for the default rate.
pub async fn edit_in_repairs(figures: &mut Figures) {
    let mut fleet = Fleet::new("repairs").await;
    fleet.run(&["--iam-requests-per-second=1000", "--resync-interval=1h"]);
    fleet.create(0..FLEET + EDITS).await;
    fleet.ready(FLEET + EDITS).await;
    fleet.world.kill().await;
    let (someone, names) = (fleet.world.someone(), &fleet);
    let someone = &someone;
    stream::iter(EDITS..EDITS + FLEET)
        .for_each_concurrent(16, |number| async move {
            Kind::Trust.make(someone, &names.iam_name(number)).await;
        })
        .await;
    fleet.world.iam.set_latency(Duration::from_millis(20));
    let mark = fleet.world.iam.last_call();
    // What was written less than a minute ago is not called drift yet.
    fleet.run(&[]);
    fleet
        .until("repairs are under way", async || {
            fleet.calls_since(mark).iter().any(|call| call.write)
        })
        .await;
    let mut slowest = Duration::ZERO;
    for number in 0..EDITS {
        slowest = slowest.max(fleet.edit(number).await);
    }
    let repaired = fleet
        .calls_since(mark)
        .iter()
        .filter(|call| call.action == "UpdateAssumeRolePolicy")
        .count();
    figures.push(at_most(
        "a person's edit while 1,000 repairs wait at 10 requests/s, 20 ms a call: until Ready, slowest of 10",
        2.0,
        " s",
        slowest.as_secs_f64(),
        format!("{} repairs still waited after the last", FLEET - repaired),
    ));
}

/// What someone does in AWS, and the call that puts it right.
#[derive(Clone, Copy)]
enum Kind {
    Trust,
    Description,
    Detached,
    OutOfProfile,
    OtherVersion,
}

const KINDS: [Kind; 5] = [
    Kind::Trust,
    Kind::Description,
    Kind::Detached,
    Kind::OutOfProfile,
    Kind::OtherVersion,
];

impl Kind {
    fn repairs(self) -> &'static [&'static str] {
        match self {
            Self::Trust => &["UpdateAssumeRolePolicy"],
            Self::Description => &["UpdateRole"],
            Self::Detached => &["AttachRolePolicy"],
            Self::OutOfProfile => &["AddRoleToInstanceProfile"],
            Self::OtherVersion => &["SetDefaultPolicyVersion", "CreatePolicyVersion"],
        }
    }

    async fn make(self, someone: &Client, role: &str) {
        let arn = || format!("arn:aws:iam::{ACCOUNT}:policy/session-manager/{role}");
        match self {
            Self::Trust => {
                let trust = someone.update_assume_role_policy().role_name(role);
                trust
                    .policy_document(LAMBDA_TRUST)
                    .send()
                    .await
                    .map(drop)
                    .expect("a change");
            }
            Self::Description => {
                let description = someone.update_role().role_name(role);
                description
                    .description("changed by hand")
                    .send()
                    .await
                    .map(drop)
                    .expect("a change");
            }
            Self::Detached => {
                let detach = someone.detach_role_policy().role_name(role);
                detach
                    .policy_arn(arn())
                    .send()
                    .await
                    .map(drop)
                    .expect("a change");
            }
            Self::OutOfProfile => {
                let remove = someone.remove_role_from_instance_profile();
                let remove = remove.instance_profile_name(role).role_name(role);
                remove.send().await.map(drop).expect("a change");
            }
            Self::OtherVersion => {
                let version = someone.create_policy_version().policy_arn(arn());
                let version = version.policy_document(READ_S3);
                version
                    .set_as_default(true)
                    .send()
                    .await
                    .map(drop)
                    .expect("a change");
            }
        }
    }
}
