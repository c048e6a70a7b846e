//! `smr run`: flags in, the controller's settings out, then the controller's life.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args as ClapArgs;
use smr_core::Tags;
use smr_core::account::Arn;
use smr_core::limits::Limits;
use smr_core::ownership;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::CliError;
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
    /// Goes before names of IAM objects that spec does not give
    #[arg(long, env = "SMR_NAME_PREFIX", default_value = "")]
    name_prefix: String,
    /// IAM path where spec gives none
    #[arg(long, env = "SMR_DEFAULT_PATH", default_value = "/session-manager/")]
    default_path: String,
    /// A further IAM path that spec may ask for (repeatable)
    #[arg(long, env = "SMR_ALLOW_PATH", value_delimiter = ',')]
    allow_path: Vec<String>,
    /// Permissions boundary of every role
    #[arg(long, env = "SMR_PERMISSIONS_BOUNDARY_ARN")]
    permissions_boundary_arn: Option<String>,
    /// A managed policy that spec.additionalPolicyArns may list, * stands for any characters
    /// (repeatable; default: none)
    #[arg(
        long,
        env = "SMR_ALLOW_ADDITIONAL_POLICY",
        value_delimiter = ',',
        value_name = "ARN"
    )]
    allow_additional_policy: Vec<String>,
    /// A tag on everything in IAM, which spec can't override (repeatable)
    #[arg(
        long = "tag",
        env = "SMR_TAG",
        value_delimiter = ',',
        value_name = "KEY=VALUE"
    )]
    tags: Vec<String>,
    /// EC2's service principal in trust policies; default: that of the account's partition
    #[arg(long, env = "SMR_EC2_PRINCIPAL")]
    ec2_principal: Option<String>,
    /// A namespace to watch (repeatable; default: all)
    #[arg(long, env = "SMR_WATCH_NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Labels of the objects to watch, such as account=production
    #[arg(long, env = "SMR_SELECTOR")]
    selector: Option<String>,
    /// How often IAM is looked at where nothing has changed in the cluster
    #[arg(long, env = "SMR_RESYNC_INTERVAL", default_value = "60s", value_parser = duration)]
    resync_interval: Duration,
    /// For how long after a write of ours IAM may still show what was there before
    #[arg(long, env = "SMR_IAM_SETTLING_TIME", default_value = "60s", value_parser = duration, hide = true)]
    iam_settling_time: Duration,
    /// How many objects are worked on at once
    #[arg(long, env = "SMR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Ceiling of the IAM requests a second: IAM's own limits are shared by the whole account
    #[arg(long, env = "SMR_IAM_REQUESTS_PER_SECOND", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    iam_requests_per_second: u32,
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
        name_prefix,
        default_path,
        allow_path,
        permissions_boundary_arn,
        allow_additional_policy,
        tags,
        ec2_principal,
        watch_namespace,
        selector,
        resync_interval,
        iam_settling_time,
        concurrency,
        iam_requests_per_second,
        metrics_addr,
        leader_elect: _,
        lease_namespace: _,
        lease_duration: _,
        log_format: _,
    } = args;
    let limits = Limits {
        cluster_name: cluster(cluster_name)?,
        name_prefix: prefix(name_prefix)?,
        default_path: path("--default-path", default_path)?,
        allowed_paths: allow_path
            .into_iter()
            .map(|p| path("--allow-path", p))
            .collect::<Result<_, _>>()?,
        permissions_boundary_arn: permissions_boundary_arn.map(boundary).transpose()?,
        allowed_additional_policies: allow_additional_policy,
        tags: tags
            .iter()
            .map(|pair| tag(pair))
            .collect::<Result<Tags, _>>()?,
        ec2_principal,
    };
    Ok(Settings {
        limits,
        namespaces: watch_namespace,
        selector,
        resync_interval,
        settling_time: iam_settling_time,
        concurrency: usize::from(concurrency),
        requests_per_second: iam_requests_per_second,
        metrics_addr,
        lease,
    })
}

fn flag(flag: &'static str, problem: impl Into<String>) -> CliError {
    CliError::Flag {
        flag,
        problem: problem.into(),
    }
}

/// It stands in a tag's value and in consent tags before a slash.
fn cluster(name: String) -> Result<String, CliError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
        return Err(flag(
            "--cluster-name",
            format!("'{name}' must be 1 to 63 letters, digits and ._-"),
        ));
    }
    Ok(name)
}

fn is_iam_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn prefix(prefix: String) -> Result<String, CliError> {
    if prefix.len() > 32 || !prefix.chars().all(is_iam_name) {
        return Err(flag(
            "--name-prefix",
            format!("'{prefix}' must be at most 32 letters, digits and _+=,.@-"),
        ));
    }
    Ok(prefix)
}

/// The strictest of IAM's path forms, that of policies.
fn path(name: &'static str, path: String) -> Result<String, CliError> {
    let parts = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
        .map(|inner| inner.split('/'));
    let fits = path == "/"
        || parts.is_some_and(|mut parts| {
            parts.all(|part| !part.is_empty() && part.chars().all(is_iam_name))
        });
    if !fits || path.len() > 512 {
        return Err(flag(
            name,
            format!(
                "'{path}' must begin and end with / and have letters, digits and .,+@=_- between, such as /session-manager/"
            ),
        ));
    }
    Ok(path)
}

fn boundary(arn: String) -> Result<String, CliError> {
    match Arn::parse(&arn) {
        Some(parsed) if parsed.kind == "policy" => Ok(arn),
        Some(_) | None => Err(flag(
            "--permissions-boundary-arn",
            format!("'{arn}' is not the ARN of a managed policy"),
        )),
    }
}

fn tag(pair: &str) -> Result<(String, String), CliError> {
    let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(flag(
            "--tag",
            format!("'{pair}' must have the form KEY=VALUE"),
        ));
    };
    let lower = key.to_ascii_lowercase();
    if lower.starts_with(ownership::PREFIX) || lower.starts_with("aws:") {
        return Err(flag(
            "--tag",
            format!(
                "the key '{key}' can't start with {} or aws:",
                ownership::PREFIX
            ),
        ));
    }
    if key.len() > 128 || value.len() > 256 {
        return Err(flag(
            "--tag",
            format!("'{pair}': a key has at most 128, a value at most 256 characters"),
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
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
        assert!(path("--default-path", "/a/b/".into()).is_ok());
        assert!(path("--default-path", "/".into()).is_ok());
        for bad in ["", "a/", "/a", "//", "/a b/"] {
            assert!(
                path("--default-path", bad.into())
                    .unwrap_err()
                    .to_string()
                    .starts_with("--default-path: "),
                "{bad}"
            );
        }
        assert!(cluster("x".repeat(64)).is_err());
        assert!(tag("a=b=c").is_ok());
        assert!(tag("aws:a=b").is_err());
        assert!(tag("ab").is_err());
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
