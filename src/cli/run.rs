//! `smr run`: flags in, the controller's settings out, then the controller's life.

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use kube::client::ClientBuilder;
use smr_api::forms;
use tracing::{info, warn};

use super::limits::{LimitsArgs, text, texts};
use super::{CliError, flag, selector};
use crate::clock::SystemClock;
use crate::controller::sweep::SweepMode;
use crate::controller::{self, Edges, RunError, Settings, watch};
use crate::telemetry::health::Server;
use crate::telemetry::logs::{self, LogFormat};
use crate::telemetry::metrics::Metrics;
use smr_lease::LeaseConfig;

/// Heading of the flags that say how the program runs, not what it does.
const OPERATION: &str = "Replicas, metrics and logs";

/// Flags of `smr run`. AWS settings are the SDK's own (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL,
/// IRSA, Pod Identity), Kubernetes ones kube's own (KUBECONFIG, in-cluster).
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Name of this cluster, unique among all that share the AWS account: it stands in the
    /// ownership tags of everything in IAM. At most 63 characters
    #[arg(long, env = "SMR_CLUSTER_NAME")]
    cluster_name: String,
    /// A namespace to watch (repeatable; default: all)
    #[arg(long, env = "SMR_WATCH_NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Labels of the objects to watch, such as account=production
    #[arg(long, env = "SMR_SELECTOR")]
    selector: Option<String>,
    /// Treat every object as in mode Observe: report what would change, and write nothing to AWS. For
    /// a first roll-out
    #[arg(long, env = "SMR_OBSERVE")]
    observe: bool,
    /// How often IAM is read where nothing has changed in the cluster, from 5s to 24h
    #[arg(long, env = "SMR_RESYNC_INTERVAL", default_value = "60s", value_parser = resync_interval)]
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
    sweep: Sweep,
    /// Where /metrics, /livez and /readyz are served. [::] is IPv4 and IPv6; where IPv6 is off, it
    /// becomes 0.0.0.0. A port alone, such as :8080, is [::]:8080
    #[arg(long, env = "SMR_METRICS_ADDR", default_value = "[::]:8080", value_parser = address, value_name = "ADDRESS:PORT", help_heading = OPERATION)]
    metrics_addr: SocketAddr,
    /// Work only while holding the Lease session-manager-role: needed with several replicas
    #[arg(long, env = "SMR_LEADER_ELECT", help_heading = OPERATION)]
    leader_elect: bool,
    /// Namespace of the Lease; default: the pod's own
    #[arg(long, env = "SMR_LEASE_NAMESPACE", help_heading = OPERATION)]
    lease_namespace: Option<String>,
    /// How long a replica that went silent keeps the Lease, from 10s to 10m
    #[arg(long, env = "SMR_LEASE_DURATION", default_value = "15s", value_parser = lease_duration, help_heading = OPERATION)]
    lease_duration: Duration,
    /// What is logged: error, warn, info, debug or trace, or a filter such as
    /// info,session_manager_role=debug. Where this is not set, SMR_LOG and then RUST_LOG count
    /// [default: info]
    #[arg(long, env = "SMR_LOG_LEVEL", value_name = "LEVEL|FILTER", help_heading = OPERATION)]
    log_level: Option<String>,
    /// Form of the logs, which go to standard error
    #[arg(long, env = "SMR_LOG_FORMAT", value_enum, default_value_t, help_heading = OPERATION)]
    log_format: LogForm,
    // Last: its heading would be that of every flag after it.
    #[command(flatten)]
    limits: LimitsArgs,
}

/// `--sweep`
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Sweep {
    /// What costs least; lists where the account's details are denied.
    #[default]
    Auto,
    /// `GetAccountAuthorizationDetails`, whatever it costs.
    AccountDetails,
    /// Lists of our paths, and each object on its own in rotation.
    Lists,
}

impl From<Sweep> for SweepMode {
    fn from(flag: Sweep) -> Self {
        match flag {
            Sweep::Auto => Self::Auto,
            Sweep::AccountDetails => Self::AccountDetails,
            Sweep::Lists => Self::Lists,
        }
    }
}

/// `--log-format`
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LogForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogForm> for LogFormat {
    fn from(flag: LogForm) -> Self {
        match flag {
            LogForm::Text => Self::Text,
            LogForm::Json => Self::Json,
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), CliError> {
    logs::init(args.log_format.into(), args.log_level.as_deref())?;
    let metrics_addr = args.metrics_addr;
    let settings = settings(args)?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        cluster = settings.limits.cluster.name,
        "session-manager-role"
    );
    if settings.observe {
        info!("--observe: every object is in mode Observe, and nothing is written to AWS");
    }
    if std::env::var_os("AWS_CA_BUNDLE").is_some_and(|file| !file.is_empty()) {
        warn!(
            "AWS_CA_BUNDLE is not read: set SSL_CERT_FILE or SSL_CERT_DIR to the certificates to trust"
        );
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads(cores))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let edges = edges(metrics_addr).await?;
        Ok(Box::pin(controller::run(settings, edges, asked_to_stop()?)).await?)
    })
}

/// The real ones: sockets, files, the system's clock.
async fn edges(metrics_addr: SocketAddr) -> Result<Edges, RunError> {
    let server = Server::bind(metrics_addr).await?;
    info!(address = %server.address(), "serving /metrics, /livez and /readyz");
    let config = crate::kubernetes::config().await;
    let config = config.map_err(|error| Box::new(kube::Error::InferConfig(error)))?;
    let metrics = Arc::new(Metrics::new()?);
    let requests = metrics.api_requests().clone();
    let client = ClientBuilder::try_from(config.clone()).map_err(Box::new)?;
    Ok(Edges {
        kube: client.with_layer(&requests).build(),
        watch: Box::new(move |heartbeat| watch::client(config.clone(), heartbeat, &requests)),
        aws: Box::pin(smr_iam::from_environment()),
        server: Some(server),
        clock: Arc::new(SystemClock::new()),
        metrics,
    })
}

/// Everything that flags decide.
pub(super) fn settings(args: Args) -> Result<Settings, CliError> {
    let lease = lease(&args)?;
    let Args {
        cluster_name,
        limits,
        watch_namespace,
        selector,
        observe,
        resync_interval,
        concurrency,
        iam_requests_per_second,
        sweep,
        metrics_addr: _,
        leader_elect: _,
        lease_namespace: _,
        lease_duration: _,
        log_level: _,
        log_format: _,
    } = args;
    Ok(Settings {
        limits: limits.limits(Some(cluster_name))?,
        namespaces: texts("--watch-namespace", &forms::NAMESPACE, watch_namespace)?,
        selector: selector.map(checked_selector).transpose()?,
        observe,
        resync_interval,
        concurrency: usize::from(concurrency),
        requests_per_second: iam_requests_per_second,
        sweep: sweep.into(),
        lease,
    })
}

fn checked_selector(selector: String) -> Result<String, CliError> {
    match selector::check(&selector) {
        Ok(()) => Ok(selector),
        Err(problem) => {
            let problem = format!("'{}' {problem}", selector.escape_debug());
            Err(flag("--selector", problem))
        }
    }
}

fn lease(args: &Args) -> Result<Option<LeaseConfig>, CliError> {
    const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    if !args.leader_elect {
        return Ok(None);
    }
    let namespace = match &args.lease_namespace {
        Some(namespace) => text("--lease-namespace", &forms::NAMESPACE, namespace.clone())?,
        None => std::fs::read_to_string(OWN_NAMESPACE)
            .map(|text| text.trim().to_owned())
            .map_err(|_| {
                flag(
                    "--lease-namespace",
                    "is needed with --leader-elect outside a cluster",
                )
            })?,
    };
    Ok(Some(LeaseConfig::new(
        namespace,
        "session-manager-role".to_owned(),
        args.lease_duration,
    )))
}

/// More threads cost memory on a large node and win nothing: the work waits for the network.
fn worker_threads(cores: usize) -> usize {
    cores.clamp(1, 4)
}

/// Resolves once the system asks the program to stop.
#[cfg(unix)]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The same where there are no Unix signals.
#[cfg(not(unix))]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler Ctrl-C ends the process at once.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// A duration such as 60s, 5m or 1h30m, from `least` to `most`. A bare number is refused, as nobody
/// knows its unit.
fn duration(text: &str, least: &str, most: &str) -> Result<Duration, String> {
    let parse = |text: &str| {
        let parsed: jiff::SignedDuration = text.parse().ok()?;
        Duration::try_from(parsed).ok()
    };
    let Some(duration) = parse(text) else {
        return Err(format!(
            "'{text}' is not a duration: give a number and its unit, such as {least}, 5m or 1h"
        ));
    };
    let within = parse(least).is_none_or(|least| duration >= least)
        && parse(most).is_none_or(|most| duration <= most);
    if !within {
        return Err(format!("'{text}' is not from {least} to {most}"));
    }
    Ok(duration)
}

/// Where to listen; a port alone is one of every address, as it is in Go.
fn address(text: &str) -> Result<SocketAddr, String> {
    let full = match text.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => text.to_owned(),
    };
    full.parse()
        .map_err(|_| "give ADDRESS:PORT, such as [::]:8080".to_owned())
}

/// Shorter ones would read IAM without a pause; longer ones would find drift a day late.
fn resync_interval(text: &str) -> Result<Duration, String> {
    duration(text, "5s", "24h")
}

/// A write may take 5 s and the Lease must outlive it; nobody writes until a silent replica's ends.
fn lease_duration(text: &str) -> Result<Duration, String> {
    duration(text, "10s", "10m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn flags_are_checked_with_words() {
        for (text, seconds) in [
            ("5s", 5),
            ("90s", 90),
            ("5000ms", 5),
            ("1m", 60),
            ("1h30m", 5400),
            ("24h", 86_400),
        ] {
            assert_eq!(
                resync_interval(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["0s", "4999ms", "24h1s", "25h", "1000000000h"] {
            let error = resync_interval(text).unwrap_err();
            assert_eq!(error, format!("'{text}' is not from 5s to 24h"));
        }
        for text in [
            "",
            "90",
            "s",
            "-1m",
            "1d",
            "99999999999999999999h",
            "5 apples",
        ] {
            let error = resync_interval(text).unwrap_err();
            assert!(error.ends_with("such as 5s, 5m or 1h"), "{text}: {error}");
        }
        for (text, fits) in [
            ("10s", true),
            ("15s", true),
            ("10m", true),
            ("9s", false),
            ("11m", false),
        ] {
            assert_eq!(lease_duration(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_port_alone_is_one_of_every_address() {
        for (text, means) in [
            (":8080", "[::]:8080"),
            ("[::]:8080", "[::]:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(address(text), Ok(means.parse().unwrap()), "{text}");
        }
        for text in ["", "8080", ":", ":99999", "localhost:8080", "::1:8080x"] {
            let error = address(text).unwrap_err();
            assert_eq!(error, "give ADDRESS:PORT, such as [::]:8080", "{text}");
        }
    }

    #[test]
    fn a_large_node_gets_no_more_than_four_worker_threads() {
        for (cores, threads) in [(0, 1), (1, 1), (2, 2), (4, 4), (5, 4), (96, 4)] {
            assert_eq!(worker_threads(cores), threads, "{cores} cores");
        }
    }

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory as _;
        super::super::Cli::command().debug_assert();
        assert!(super::super::Cli::try_parse_from(["smr", "run"]).is_err());
    }
}
