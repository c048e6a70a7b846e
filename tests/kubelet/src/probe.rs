//! Probes: a Pod's probe and the container's socket in, whether it answers well out. Network IO through the socket.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Probe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Kubernetes' own defaults.
pub struct Schedule {
    pub period: Duration,
    pub timeout: Duration,
    pub failures: u32,
}

impl Schedule {
    pub fn of(probe: &Probe) -> Self {
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(value.and_then(|v| u64::try_from(v).ok()).unwrap_or(default))
        };
        Self {
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            failures: probe
                .failure_threshold
                .and_then(|v| u32::try_from(v).ok())
                .unwrap_or(3),
        }
    }
}

/// One try of an HTTP GET: any status from 200 to 399 within the time-out.
pub async fn succeeds(probe: &Probe, socket: &Path) -> bool {
    let path = probe
        .http_get
        .as_ref()
        .and_then(|get| get.path.clone())
        .unwrap_or_else(|| "/".to_owned());
    let get = async {
        let mut stream = UnixStream::connect(socket).await.ok()?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: pod\r\nUser-Agent: kube-probe/test\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.split(' ').nth(1)?.parse::<u16>().ok()
    };
    let status = tokio::time::timeout(Schedule::of(probe).timeout, get).await;
    matches!(status, Ok(Some(200..400)))
}
