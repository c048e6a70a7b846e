//! What a scrape shows.

use super::*;

/// In seconds since 1970.
const NOW: i64 = 1_790_000_000;

fn ready(status: ConditionStatus, reason: Reason) -> Ready {
    Ready::Is(Some(status), Some(reason))
}

/// So many, the first of them for so many seconds.
fn since(objects: usize, seconds: i64) -> Counted {
    Counted {
        objects,
        since: NOW - seconds,
    }
}

fn one(status: ConditionStatus, reason: Reason) -> ObjectCounts {
    ObjectCounts::from([(ready(status, reason), since(1, 5))])
}

pub(in crate::telemetry) fn used() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics.call_ended("CreateRole", CallOutcome::Ok, Duration::from_millis(40));
    metrics.reconcile(ReconcileResult::Success, Duration::from_millis(90));
    metrics.reconcile(ReconcileResult::Error, Duration::from_secs(2));
    metrics.drift(Kind::Role, DriftField::TrustPolicy);
    metrics.budget_waited(Duration::from_secs(70));
    metrics.budget(7.5, [1, 2, 0]);
    metrics.settings(Duration::from_mins(1), 16);
    metrics.objects(
        &ObjectCounts::from([
            (
                ready(ConditionStatus::True, Reason::Converged),
                since(3, 9000),
            ),
            (
                ready(ConditionStatus::False, Reason::NotOwned),
                since(1, 100),
            ),
            (
                ready(ConditionStatus::Unknown, Reason::NotOwned),
                since(1, 600),
            ),
            (Ready::Unknown, since(2, 30)),
        ]),
        NOW,
    );
    metrics.queue_added();
    metrics.queue_depth(7);
    metrics.queue_taken(Duration::from_millis(1));
    metrics.leader(true);
    metrics.orphans(2);
    metrics.swept(NOW, Duration::from_millis(2500));
    metrics
}

/// Names that existing dashboards know, and those that the project promises.
const PROMISED: [(&str, &str); 32] = [
    ("controller_runtime_reconcile_total", "counter"),
    ("controller_runtime_reconcile_errors_total", "counter"),
    ("controller_runtime_reconcile_time_seconds", "histogram"),
    ("controller_runtime_active_workers", "gauge"),
    ("controller_runtime_max_concurrent_reconciles", "gauge"),
    ("workqueue_depth", "gauge"),
    ("workqueue_adds_total", "counter"),
    ("workqueue_retries_total", "counter"),
    ("workqueue_queue_duration_seconds", "histogram"),
    ("workqueue_work_duration_seconds", "histogram"),
    ("workqueue_unfinished_work_seconds", "gauge"),
    ("workqueue_longest_running_processor_seconds", "gauge"),
    ("leader_election_master_status", "gauge"),
    ("rest_client_requests_total", "counter"),
    ("smr_build_info", "gauge"),
    ("smr_iam_requests_total", "counter"),
    ("smr_iam_request_duration_seconds", "histogram"),
    ("smr_iam_budget_rate", "gauge"),
    ("smr_iam_budget_waiting", "gauge"),
    ("smr_iam_budget_wait_seconds", "histogram"),
    ("smr_drift_total", "counter"),
    ("smr_objects", "gauge"),
    ("smr_oldest_not_ready_seconds", "gauge"),
    ("smr_orphans", "gauge"),
    ("smr_resync_interval_seconds", "gauge"),
    ("smr_sweep_timestamp_seconds", "gauge"),
    ("smr_sweep_duration_seconds", "gauge"),
    ("smr_sweep_degraded", "gauge"),
    ("process_resident_memory_bytes", "gauge"),
    ("process_start_time_seconds", "gauge"),
    ("process_open_fds", "gauge"),
    ("process_cpu_seconds_total", "counter"),
];

#[tokio::test]
async fn every_promised_name_is_listed_and_scraped_with_help_and_type() {
    let metrics = used();
    metrics.sweep_degraded(false);
    let requests = metrics.api_requests().clone();
    let mut client = tower::Layer::layer(
        &requests,
        tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(()))
        }),
    );
    let sent = tower::Service::call(&mut client, http::Request::new(()));
    sent.await.unwrap();
    let text = metrics.encode().unwrap();
    for (name, kind) in PROMISED {
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name}\n{text}"
        );
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    let scraped = text.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    let listed = metrics.list();
    let listed = listed.iter().map(|m| format!("{} {}", m.name, m.kind));
    assert_eq!(
        scraped.map(str::to_owned).collect::<Vec<_>>(),
        listed.collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn requests_to_the_api_server_are_counted_by_code_and_method() {
    let metrics = Metrics::new().unwrap();
    let layer = metrics.api_requests();
    let send = |method: http::Method, answer: Result<u16, &'static str>| {
        let service = tower::service_fn(move |_: http::Request<()>| async move {
            let code = answer?;
            Ok::<_, &'static str>(http::Response::builder().status(code).body(()).unwrap())
        });
        let request = http::Request::builder().method(method).body(()).unwrap();
        tower::Service::call(&mut tower::Layer::layer(layer, service), request)
    };
    for _ in 0..2 {
        send(http::Method::PATCH, Ok(409)).await.unwrap();
    }
    let unanswered = send(http::Method::GET, Err("no connection")).await;
    assert_eq!(unanswered.unwrap_err(), "no connection");
    let text = metrics.encode().unwrap();
    for line in [
        r#"rest_client_requests_total{code="409",method="PATCH"} 2"#,
        r#"rest_client_requests_total{code="<error>",method="GET"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_is_not_finished_shows_and_is_measured_once_it_is() {
    let metrics = Metrics::new().unwrap();
    let value = |name: &str| {
        let text = metrics.encode().unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let first = metrics.active_worker();
    tokio::time::advance(Duration::from_secs(20)).await;
    let second = metrics.active_worker();
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!((value("workqueue_unfinished_work_seconds") - 40.0).abs() < 0.1);
    assert!((value("workqueue_longest_running_processor_seconds") - 30.0).abs() < 0.1);
    drop(first);
    assert!((value("workqueue_unfinished_work_seconds") - 10.0).abs() < 0.1);
    assert!((value("workqueue_work_duration_seconds_sum") - 30.0).abs() < 0.1);
    drop(second);
    assert!(value("workqueue_unfinished_work_seconds") < 0.1);
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
        r#"smr_oldest_not_ready_seconds{reason="NotOwned"} 600"#,
        r#"smr_oldest_not_ready_seconds{reason="Unknown"} 30"#,
        "smr_iam_budget_rate 7.5",
        r#"smr_iam_budget_waiting{priority="repair"} 2"#,
        r#"smr_iam_budget_wait_seconds_bucket{le="60"} 0"#,
        r#"smr_iam_budget_wait_seconds_bucket{le="300"} 1"#,
        r#"workqueue_retries_total{controller="sessionmanagerrole",name="sessionmanagerrole"} 1"#,
        r#"controller_runtime_max_concurrent_reconciles{controller="sessionmanagerrole"} 16"#,
        "smr_resync_interval_seconds 60",
        "smr_sweep_duration_seconds 2.5",
        "smr_orphans 2",
        "smr_sweep_timestamp_seconds 1790000000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains(r#"seconds{reason="Converged"}"#), "{text}");
    assert_eq!(
        Metrics::content_type(),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[test]
fn states_without_objects_have_no_series_and_idle_workers_none() {
    let metrics = used();
    metrics.objects(&one(ConditionStatus::True, Reason::Converged), NOW);
    let worker = metrics.active_worker();
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"smr_objects{ready="True",reason="Converged"} 1"#));
    assert!(!text.contains("NotOwned"), "{text}");
    let line = r#"controller_runtime_active_workers{controller="sessionmanagerrole"}"#;
    assert!(text.contains(&format!("{line} 1\n")));
    drop(worker);
    assert!(metrics.encode().unwrap().contains(&format!("{line} 0\n")));
}

#[test]
fn only_a_leader_has_series_of_what_a_leader_knows() {
    let metrics = Metrics::new().unwrap();
    let list = metrics.list();
    let leaders: Vec<&str> = (list.iter().filter(|listed| listed.of_leader))
        .map(|listed| listed.name.as_str())
        .collect();
    assert_eq!(leaders.len(), 8, "{leaders:?}");
    let has = |metrics: &Metrics| {
        let text = metrics.encode().unwrap();
        let shown = leaders.iter().filter(|name| text.contains(**name));
        shown.count()
    };
    metrics.leader(false);
    assert_eq!(has(&metrics), 0, "a standby");
    metrics.leader(true);
    assert_eq!(has(&metrics), 0, "nothing is known yet");
    metrics.objects(&one(ConditionStatus::False, Reason::NotOwned), NOW);
    metrics.budget(10.0, [0; 3]);
    metrics.orphans(0);
    metrics.swept(NOW, Duration::from_millis(2500));
    metrics.sweep_degraded(false);
    assert_eq!(has(&metrics), 8, "a leader");
    metrics.leader(false);
    assert_eq!(has(&metrics), 0, "no leader any more");
    let text = metrics.encode().unwrap();
    assert!(text.contains("leader_election_master_status"), "{text}");
}
