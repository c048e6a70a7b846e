//! Objects in sync: what a sweep over them, a restart and their mere presence cost.

use aws_sdk_iam::Client;
use futures::{StreamExt, stream};

use super::{at_most, told};
use crate::fleet::{Fleet, Seen, name};
use crate::report::{Figure, Figures, Point};
use crate::support::iam::LAMBDA_TRUST;

/// Sweeps over which calls and CPU time are counted.
const SWEEPS: usize = 5;
/// Sweeps after which memory is read.
const SWEEPS_BEFORE_MEMORY: usize = 3;
/// Others in the account.
const FOREIGN_ROLES: usize = 4000;
const FOREIGN_POLICIES: usize = 1500;
const VERSIONS: usize = 5;

/// A fleet of one size; two of them have bars of their own.
pub async fn fleet(size: usize, figures: &mut Figures, points: &mut Vec<Point>) {
    let mut fleet = converged(size).await;
    let memory = fleet.memory();
    let at_peak = format!("peak {:.1} MiB", memory.peak);
    let what = format!("resident memory, {size} objects");
    match size {
        1000 => figures.push(at_most(what, 32.0, " MiB", memory.now, at_peak)),
        5000 => figures.push(at_most(what, 64.0, " MiB", memory.now, at_peak)),
        _ => figures.push(told(what, format!("{:.1} MiB ({at_peak})", memory.now))),
    }
    let restart = restarted(&mut fleet).await;
    let seen = fleet.over(SWEEPS).await;
    let point = Point {
        objects: size,
        calls: per_sweep(&seen),
        cpu: seen.cpu.as_secs_f64() / SWEEPS as f64,
        memory: memory.now,
    };
    points.push(point);
    if size == 1000 {
        thousand(figures, &mut fleet, &restart, &seen, point).await;
    }
    if size == 5000 {
        super::reaction::edit_in_sweep(figures, &mut fleet).await;
    }
    fleet.world.kill().await;
}

/// What an object costs in fleets of growing size.
pub fn per_object(figures: &mut Figures, points: &[Point]) {
    let sizes: Vec<String> = points.iter().map(|p| p.objects.to_string()).collect();
    let sizes = sizes.join(" / ");
    let line = |value: &dyn Fn(&Point) -> String| {
        let all: Vec<String> = points.iter().map(value).collect();
        all.join(" / ")
    };
    let calls = line(&|p| format!("{:.4}", p.calls / p.objects as f64));
    let cpu = line(&|p| format!("{:.0} µs", 1e6 * p.cpu / p.objects as f64));
    // Flat: a tenth more may be chance.
    let falls = |of: &dyn Fn(&Point) -> f64| {
        let each = |point: &Point| of(point) / point.objects as f64;
        (points.windows(2)).all(|pair| each(&pair[1]) <= 1.1 * each(&pair[0]))
    };
    for (what, seen, holds) in [
        ("calls", calls, falls(&|p| p.calls)),
        ("CPU time", cpu, falls(&|p| p.cpu)),
    ] {
        figures.push(Figure {
            what: format!("{what} per object and resync at {sizes} objects"),
            bar: "falling or flat".to_owned(),
            seen,
            holds: Some(holds),
        });
    }
}

/// Without any object.
pub async fn idle(figures: &mut Figures) {
    let mut fleet = Fleet::new("idle").await;
    fleet.lead(&[]).await;
    fleet.create(0..1).await;
    fleet.ready(1).await;
    fleet.world.delete(&name(0)).await;
    fleet.world.gone(&name(0)).await;
    let memory = fleet.memory();
    figures.push(at_most(
        "resident memory, idle, after one object came and went",
        20.0,
        " MiB",
        memory.now,
        format!("peak {:.1} MiB", memory.peak),
    ));
    fleet.world.kill().await;
}

/// A fleet that this very process has created, three sweeps later and with what IAM may not show
/// yet forgotten: sweeps every 25 s, so that three are longer than that.
async fn converged(size: usize) -> Fleet {
    let mut fleet = Fleet::new("fleet").await;
    fleet
        .lead(&["--iam-requests-per-second=1000", "--resync-interval=25s"])
        .await;
    fleet.create(0..size).await;
    fleet.ready(size).await;
    let mut last = fleet.world.iam.last_call();
    for _ in 0..SWEEPS_BEFORE_MEMORY {
        last = fleet.next_sweep(last).await;
    }
    fleet.quiet().await;
    fleet
}

/// What a restart costs: until the second sweep begins, by a process that has seen nothing.
async fn restarted(fleet: &mut Fleet) -> Seen {
    fleet.world.kill().await;
    let mark = fleet.world.iam.last_call();
    fleet.lead(&["--resync-interval=10s"]).await;
    let first = fleet.next_sweep(mark).await;
    let second = fleet.next_sweep(first).await;
    let mut calls = fleet.calls_since(mark);
    calls.retain(|call| call.seq < second);
    Seen::of(&calls)
}

fn per_sweep(seen: &Seen) -> f64 {
    seen.total() as f64 / SWEEPS as f64
}

/// What has a bar at a thousand objects.
async fn thousand(
    figures: &mut Figures,
    fleet: &mut Fleet,
    restart: &Seen,
    seen: &Seen,
    point: Point,
) {
    fleet.world.iam.set_page_size(100);
    let short_restart = restarted(fleet).await.total();
    let short = fleet.over(2).await.total() as f64 / 2.0;
    fleet.world.iam.set_page_size(1000);
    figures.push(at_most(
        "IAM calls for a resync of 1,000 objects in sync, reads of tags and STS included",
        12.0,
        "",
        point.calls,
        format!("{short:.1} at 100 a page; ACK: 14,000"),
    ));
    figures.push(at_most(
        "writes to IAM in that resync",
        0,
        "",
        seen.writes,
        "",
    ));
    let api_writes = "writes to the API server in that resync, the Lease's aside";
    figures.push(at_most(api_writes, 0, "", seen.api_writes, "ACK: 3,000"));
    figures.push(at_most("CPU time of that resync", 0.2, " s", point.cpu, ""));
    figures.push(at_most(
        "IAM calls of a restart with 1,000 objects in sync",
        12,
        "",
        restart.total(),
        format!("{short_restart} at 100 a page; ACK: 14 an object"),
    ));
    figures.push(at_most(
        "writes to IAM after that restart",
        0,
        "",
        restart.writes,
        "",
    ));

    foreign(&fleet.world.someone()).await;
    let crowded = fleet.over(SWEEPS).await;
    let memory = fleet.memory();
    fleet.world.iam.set_page_size(100);
    let short = fleet.over(1).await.total();
    fleet.world.iam.set_page_size(1000);
    figures.push(at_most(
        "IAM calls for the resync beside 4,000 foreign roles and 1,500 foreign policies of 5 versions of 4 KB",
        24.0,
        "",
        per_sweep(&crowded),
        format!("{short} at 100 a page"),
    ));
    figures.push(told(
        "CPU time of that resync, and memory",
        format!(
            "{:.2} s, {:.1} MiB (peak {:.1} MiB)",
            crowded.cpu.as_secs_f64() / SWEEPS as f64,
            memory.now,
            memory.peak
        ),
    ));
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
