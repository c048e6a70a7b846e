//! What a scrape shows.

use super::*;

fn ready(status: ConditionStatus, reason: Reason) -> Ready {
    Ready::Is(Some(status), Some(reason))
}

pub(in crate::telemetry) fn used() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics.call_ended("CreateRole", CallOutcome::Ok, Duration::from_millis(40));
    metrics.reconcile(ReconcileResult::Success, Duration::from_millis(90));
    metrics.reconcile(ReconcileResult::Error, Duration::from_secs(2));
    metrics.drift(Kind::Role, DriftField::TrustPolicy);
    metrics.objects(ObjectCounts::from([
        (ready(ConditionStatus::True, Reason::Converged), 3),
        (ready(ConditionStatus::False, Reason::NotOwned), 1),
    ]));
    metrics.queue_added();
    metrics.queue_depth(7);
    metrics.queue_taken(Duration::from_millis(1));
    metrics.leader(true);
    metrics.orphans(2);
    metrics.swept(1_790_000_000);
    metrics
}

#[test]
fn every_promised_name_is_there_with_help_and_type() {
    let text = used().encode().unwrap();
    for (name, kind) in [
        ("controller_runtime_reconcile_total", "counter"),
        ("controller_runtime_reconcile_errors_total", "counter"),
        ("controller_runtime_reconcile_time_seconds", "histogram"),
        ("controller_runtime_active_workers", "gauge"),
        ("workqueue_depth", "gauge"),
        ("workqueue_adds_total", "counter"),
        ("workqueue_queue_duration_seconds", "histogram"),
        ("leader_election_master_status", "gauge"),
        ("smr_iam_requests_total", "counter"),
        ("smr_iam_request_duration_seconds", "histogram"),
        ("smr_drift_total", "counter"),
        ("smr_objects", "gauge"),
        ("smr_orphans", "gauge"),
        ("smr_sweep_timestamp_seconds", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_cpu_seconds_total", "counter"),
    ] {
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name}\n{text}"
        );
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

#[test]
fn values_and_labels() {
    let text = used().encode().unwrap();
    for line in [
        r#"controller_runtime_reconcile_total{controller="sessionmanagerrole",result="error"} 1"#,
        r#"controller_runtime_reconcile_total{controller="sessionmanagerrole",result="requeue"} 0"#,
        r#"controller_runtime_reconcile_errors_total{controller="sessionmanagerrole"} 1"#,
        r#"smr_iam_requests_total{action="CreateRole",outcome="ok"} 1"#,
        r#"smr_iam_request_duration_seconds_bucket{action="CreateRole",le="0.05"} 1"#,
        r#"smr_drift_total{field="trustPolicy",object="Role"} 1"#,
        r#"smr_objects{ready="True",reason="Converged"} 3"#,
        r#"workqueue_depth{controller="sessionmanagerrole",name="sessionmanagerrole"} 7"#,
        r#"leader_election_master_status{name="session-manager-role"} 1"#,
        "smr_orphans 2",
        "smr_sweep_timestamp_seconds 1790000000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(
        Metrics::content_type(),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[test]
fn states_without_objects_have_no_series_and_idle_workers_none() {
    let metrics = used();
    metrics.objects(ObjectCounts::from([(
        ready(ConditionStatus::True, Reason::Converged),
        4,
    )]));
    let worker = metrics.active_worker();
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"smr_objects{ready="True",reason="Converged"} 4"#));
    assert!(!text.contains("NotOwned"), "{text}");
    let line = r#"controller_runtime_active_workers{controller="sessionmanagerrole"}"#;
    assert!(text.contains(&format!("{line} 1\n")));
    drop(worker);
    assert!(metrics.encode().unwrap().contains(&format!("{line} 0\n")));
}

#[test]
fn only_a_leader_has_series_of_what_a_leader_knows() {
    const LEADERS: [&str; 4] = [
        "smr_objects",
        "smr_orphans",
        "smr_sweep_timestamp_seconds",
        "smr_sweep_degraded",
    ];
    let has = |metrics: &Metrics| {
        let text = metrics.encode().unwrap();
        LEADERS.map(|name| text.contains(name))
    };
    let metrics = Metrics::new().unwrap();
    metrics.leader(false);
    assert_eq!(has(&metrics), [false; 4], "a standby");
    metrics.leader(true);
    assert_eq!(has(&metrics), [false; 4], "nothing is known yet");
    metrics.objects(ObjectCounts::from([(
        ready(ConditionStatus::True, Reason::Converged),
        3,
    )]));
    metrics.orphans(0);
    metrics.swept(1_790_000_000);
    metrics.sweep_degraded(false);
    assert_eq!(has(&metrics), [true; 4], "a leader");
    metrics.leader(false);
    assert_eq!(has(&metrics), [false; 4], "no leader any more");
    let text = metrics.encode().unwrap();
    assert!(text.contains("leader_election_master_status"), "{text}");
}
