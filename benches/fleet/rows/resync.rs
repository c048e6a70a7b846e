//! Objects in sync: what a sweep over them, a restart and their mere presence cost.

use aws_sdk_iam::Client;
use futures::{StreamExt, stream};

use super::{at_most, told};
use crate::fleet::{Fleet, Seen};
use crate::report::{Figure, Point};
use crate::support::iam::LAMBDA_TRUST;

/// Sweeps over which calls and CPU time are counted.
const SWEEPS: usize = 5;
/// Sweeps after which memory is read.
const SWEEPS_BEFORE_MEMORY: usize = 3;
/// Others in the account.
const FOREIGN_ROLES: usize = 4000;
const FOREIGN_POLICIES: usize = 1500;
const VERSIONS: usize = 5;

/// Fleets of several sizes, of which the last two have bars of their own.
pub async fn fleets(points: &mut Vec<Point>) -> Vec<Figure> {
    let mut figures = vec![idle().await];
    for size in [100, 1000, 5000] {
        let mut fleet = converged(size).await;
        let memory = fleet.memory();
        let seen = fleet.over(SWEEPS).await;
        let point = Point {
            objects: size,
            calls: per_sweep(&seen),
            cpu: seen.cpu.as_secs_f64() / SWEEPS as f64,
            memory: memory.now,
        };
        points.push(point);
        let at_peak = format!("peak {:.1} MiB", memory.peak);
        match size {
            1000 => {
                figures.push(at_most(
                    "resident memory, 1,000 objects",
                    32.0,
                    " MiB",
                    memory.now,
                    at_peak,
                ));
                figures.extend(thousand(&mut fleet, &seen, point).await);
            }
            5000 => {
                figures.push(at_most(
                    "resident memory, 5,000 objects",
                    64.0,
                    " MiB",
                    memory.now,
                    at_peak,
                ));
                figures.push(super::reaction::edit_in_sweep(&mut fleet).await);
            }
            _ => {}
        }
        fleet.world.kill().await;
    }
    let line = |value: &dyn Fn(&Point) -> String| {
        let all: Vec<String> = points.iter().map(value).collect();
        all.join(" / ")
    };
    let calls = line(&|p| format!("{:.4}", p.calls / p.objects as f64));
    let cpu = line(&|p| format!("{:.0} µs", 1e6 * p.cpu / p.objects as f64));
    // Flat: a tenth more may be chance.
    let falls = |of: &dyn Fn(&Point) -> f64| {
        (points.windows(2)).all(|pair| {
            of(&pair[1]) / pair[1].objects as f64 <= 1.1 * of(&pair[0]) / pair[0].objects as f64
        })
    };
    for (what, seen, holds) in [
        (
            "calls per object and sweep at 100 / 1,000 / 5,000 objects",
            calls,
            falls(&|p| p.calls),
        ),
        (
            "CPU time per object and sweep at 100 / 1,000 / 5,000 objects",
            cpu,
            falls(&|p| p.cpu),
        ),
    ] {
        figures.push(Figure {
            what: what.to_owned(),
            bar: "falling or flat".to_owned(),
            seen,
            holds: Some(holds),
        });
    }
    figures
}

/// Without any object.
async fn idle() -> Figure {
    let mut fleet = Fleet::new("idle").await;
    fleet.lead(&[]).await;
    fleet.create(0..1).await;
    fleet.ready(1).await;
    fleet.world.delete(&crate::fleet::name(0)).await;
    fleet.world.gone(&crate::fleet::name(0)).await;
    let memory = fleet.memory();
    let at_peak = format!("peak {:.1} MiB", memory.peak);
    at_most(
        "resident memory, idle, after one object came and went",
        20.0,
        " MiB",
        memory.now,
        at_peak,
    )
}

/// A fleet that this very process has created, three sweeps later and with what IAM may not show
/// yet forgotten: sweeps every 30 s, so that three are longer than that.
async fn converged(size: usize) -> Fleet {
    let mut fleet = Fleet::new("fleet").await;
    fleet
        .lead(&["--iam-requests-per-second=1000", "--resync-interval=30s"])
        .await;
    fleet.create(0..size).await;
    fleet.ready(size).await;
    let mut last = fleet.world.iam.last_call();
    for _ in 0..=SWEEPS_BEFORE_MEMORY {
        last = fleet.next_sweep(last).await;
    }
    fleet.quiet().await;
    fleet
}

fn per_sweep(seen: &Seen) -> f64 {
    seen.total() as f64 / SWEEPS as f64
}

/// What has a bar at a thousand objects.
async fn thousand(fleet: &mut Fleet, seen: &Seen, point: Point) -> Vec<Figure> {
    fleet.world.iam.set_page_size(100);
    let short = fleet.over(2).await.total() as f64 / 2.0;
    fleet.world.iam.set_page_size(1000);
    let mut figures = vec![
        at_most(
            "IAM calls for a resync of 1,000 objects in sync, reads of tags and STS included",
            12.0,
            "",
            point.calls,
            format!("{short:.1} at 100 a page; ACK: 14,000"),
        ),
        at_most("writes of it to IAM", 0, "", seen.writes, ""),
        at_most(
            "writes of it to the API server, the Lease's aside",
            0,
            "",
            seen.api_writes,
            "ACK: 3,000",
        ),
        at_most("CPU time of it", 0.2, " s", point.cpu, ""),
    ];
    // A restart, by a process that has seen nothing.
    fleet.world.kill().await;
    let mark = fleet.world.iam.last_call();
    fleet.lead(&["--resync-interval=30s"]).await;
    let first = fleet.next_sweep(mark).await;
    let second = fleet.next_sweep(first).await;
    let mut calls = fleet.calls_since(mark);
    calls.retain(|call| call.seq < second);
    let restart = Seen::of(&calls);
    figures.push(at_most(
        "IAM calls of a restart with 1,000 objects in sync",
        12,
        "",
        restart.total(),
        "ACK: 14 an object",
    ));
    figures.push(at_most("writes of it to IAM", 0, "", restart.writes, ""));
    foreign(&fleet.world.someone()).await;
    let crowded = fleet.over(SWEEPS).await;
    fleet.world.iam.set_page_size(100);
    let short = fleet.over(1).await.total();
    fleet.world.iam.set_page_size(1000);
    let memory = fleet.memory();
    figures.push(at_most(
        "IAM calls for the resync beside 4,000 foreign roles and 1,500 foreign policies of 5 versions of 4 KB",
        24.0,
        "",
        per_sweep(&crowded),
        format!("{short} at 100 a page"),
    ));
    figures.push(told(
        "CPU time and memory of that",
        format!(
            "{:.2} s, {:.1} MiB (peak {:.1} MiB)",
            crowded.cpu.as_secs_f64() / SWEEPS as f64,
            memory.now,
            memory.peak
        ),
    ));
    figures
}

/// Fills the account with what others own.
async fn foreign(client: &Client) {
    let roles = (0..FOREIGN_ROLES).map(|number| async move {
        let role = client.create_role().role_name(format!("foreign-{number}"));
        let role = role.assume_role_policy_document(LAMBDA_TRUST);
        role.send().await.expect("a foreign role");
    });
    stream::iter(roles)
        .for_each_concurrent(16, |role| role)
        .await;
    let document = four_kilobytes();
    let document = document.as_str();
    let policies = (0..FOREIGN_POLICIES).map(|number| async move {
        let policy = client
            .create_policy()
            .policy_name(format!("foreign-{number}"));
        let created = policy.policy_document(document).send().await;
        let created = created.expect("a foreign policy");
        let arn = created.policy().and_then(|p| p.arn()).unwrap_or_default();
        for _ in 1..VERSIONS {
            let version = client.create_policy_version().policy_arn(arn);
            let version = version.policy_document(document).set_as_default(true);
            version.send().await.expect("a version");
        }
    });
    stream::iter(policies)
        .for_each_concurrent(16, |policy| policy)
        .await;
}

fn four_kilobytes() -> String {
    let resources: Vec<String> = (0..80)
        .map(|number| format!(r#""arn:aws:s3:::a-bucket-of-others-{number:04}/prefix/*""#))
        .collect();
    let resources = resources.join(",");
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":[{resources}]}}]}}"#
    )
}
