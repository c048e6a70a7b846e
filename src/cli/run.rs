//! `smr run`: flags in, the controller's settings out, then the controller's life.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args as ClapArgs;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::limits::LimitsArgs;
use super::{CliError, flag};
use crate::controller::sweep::SweepMode;
use crate::controller::{self, Settings, lease::LeaseConfig};
use crate::telemetry::logs::{self, LogFormat};

/// Flags of `smr run`. AWS settings are the SDK's own (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL,
/// IRSA, Pod Identity), Kubernetes ones kube's own (KUBECONFIG, in-cluster).
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Name of this cluster, unique among all that share the AWS account: it stands in the
    /// ownership tags of everything in IAM. At most 63 characters
    #[arg(long, env = "SMR_CLUSTER_NAME")]
    cluster_name: String,
    #[command(flatten)]
    limits: LimitsArgs,
    /// A namespace to watch (repeatable; default: all)
    #[arg(long, env = "SMR_WATCH_NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Labels of the objects to watch, such as account=production
    #[arg(long, env = "SMR_SELECTOR")]
    selector: Option<String>,
    /// How often IAM is looked at where nothing has changed in the cluster
    #[arg(long, env = "SMR_RESYNC_INTERVAL", default_value = "60s", value_parser = duration)]
    resync_interval: Duration,
    /// How many objects are worked on at once
    #[arg(long, env = "SMR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Ceiling of the IAM requests a second: IAM's own limits are shared by the whole account
    #[arg(long, env = "SMR_IAM_REQUESTS_PER_SECOND", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    iam_requests_per_second: u32,
    /// How IAM is looked at as a whole: by what costs least, by the account's details, or by
    /// lists of our paths (where the account's details are denied, lists are used anyway)
    #[arg(long, env = "SMR_SWEEP", value_enum, default_value_t)]
    sweep: SweepMode,
    /// Where /metrics, /livez and /readyz are served
    #[arg(long, env = "SMR_METRICS_ADDR", default_value = "0.0.0.0:8080")]
    metrics_addr: SocketAddr,
    /// Work only while holding the Lease session-manager-role: needed with several replicas
    #[arg(long, env = "SMR_LEADER_ELECT")]
    leader_elect: bool,
    /// Namespace of the Lease; default: the pod's own
    #[arg(long, env = "SMR_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// How long a replica that went silent keeps the Lease
    #[arg(long, env = "SMR_LEASE_DURATION", default_value = "15s", value_parser = duration)]
    lease_duration: Duration,
    /// Form of the logs, which go to standard error
    #[arg(long, env = "SMR_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

pub(super) fn run(args: Args) -> Result<(), CliError> {
    logs::init(args.log_format)?;
    let settings = settings(args)?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster = settings.limits.cluster_name,
        "session-manager-role"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(controller::run(settings, shutdown).await?)
    })
}

fn settings(args: Args) -> Result<Settings, CliError> {
    let lease = lease(&args)?;
    let Args {
        cluster_name,
        limits,
        watch_namespace,
        selector,
        resync_interval,
        concurrency,
        iam_requests_per_second,
        sweep,
        metrics_addr,
        leader_elect: _,
        lease_namespace: _,
        lease_duration: _,
        log_format: _,
    } = args;
    Ok(Settings {
        limits: limits.limits(Some(cluster_name))?,
        namespaces: watch_namespace,
        selector,
        resync_interval,
        concurrency: usize::from(concurrency),
        requests_per_second: iam_requests_per_second,
        sweep,
        metrics_addr,
        lease,
    })
}

fn lease(args: &Args) -> Result<Option<LeaseConfig>, CliError> {
    const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    if !args.leader_elect {
        return Ok(None);
    }
    let namespace = match &args.lease_namespace {
        Some(namespace) => namespace.clone(),
        None => std::fs::read_to_string(OWN_NAMESPACE)
            .map(|text| text.trim().to_owned())
            .map_err(|_| {
                flag(
                    "--lease-namespace",
                    "is needed with --leader-elect outside a cluster",
                )
            })?,
    };
    if args.lease_duration < Duration::from_secs(10) {
        // A write may take 5 s, and the lease must outlive it.
        return Err(flag("--lease-duration", "must be at least 10s"));
    }
    Ok(Some(LeaseConfig::new(
        namespace,
        "session-manager-role".to_owned(),
        args.lease_duration,
    )))
}

/// A number and s, m, h or ms; a bare number is not taken, as nobody knows its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("'{text}' is not a duration such as 60s, 5m or 1h"))?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err(format!("'{text}' needs a unit: ms, s, m or h, such as 60s")),
    };
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn flags_are_checked_with_words() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert!(duration("90").unwrap_err().contains("unit"));
    }

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory as _;
        super::super::Cli::command().debug_assert();
        assert!(super::super::Cli::try_parse_from(["smr", "run"]).is_err());
    }
}
