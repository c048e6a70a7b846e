//! The server of `--metrics-addr`: metrics and health enter, `/metrics`, `/livez` and `/readyz`
//! leave. IO: one listening TCP socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use smr_core::ports::Progress;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::metrics::Metrics;

/// How long open connections may take to end at a shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address can't be listened on.
    #[error("--metrics-addr {address}: {reason}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The socket failed later.
    #[error("the metrics server stopped: {0}")]
    Serve(io::Error),
}

/// Whether the process is ready and alive; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Why not.
    not_ready: Mutex<Option<String>>,
    loops: Mutex<Vec<Loop>>,
}

/// A loop that is judged. Several may share a name, as workers do.
#[derive(Debug)]
struct Loop {
    name: &'static str,
    deadline: Duration,
    due_since: Arc<Mutex<Due>>,
}

/// What a loop owes.
#[derive(Debug, Default)]
struct Due {
    /// Since when it owes the end of an attempt; `None` while it waits for work.
    since: Option<Instant>,
    /// How many of its calls wait for a permit, which may take any time.
    waiting: usize,
}

impl Health {
    /// Not ready, and alive.
    pub fn new() -> Health {
        let health = Health::default();
        health.set_not_ready("it has just started");
        health
    }

    /// The process can do its part; a standby can.
    pub fn set_ready(&self) {
        *self.not_ready() = None;
    }

    /// The process can't do its part: `/readyz` says why.
    pub fn set_not_ready(&self, why: impl Into<String>) {
        *self.not_ready() = Some(why.into());
    }

    /// Why the process can't do its part; `None` where it can.
    pub fn why_not_ready(&self) -> Option<String> {
        self.not_ready().clone()
    }

    fn not_ready(&self) -> MutexGuard<'_, Option<String>> {
        let why = self.0.not_ready.lock();
        why.unwrap_or_else(PoisonError::into_inner)
    }

    /// A heartbeat for one loop. From now on the loop must end an attempt, good or bad, at least
    /// every `deadline`, twice its longest time-out, unless it rests. A loop that ends without
    /// resting first is stuck for good.
    pub fn heartbeat(&self, name: &'static str, deadline: Duration) -> Heartbeat {
        let due = Due {
            since: Some(Instant::now()),
            waiting: 0,
        };
        let due_since = Arc::new(Mutex::new(due));
        let mut loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.push(Loop {
            name,
            deadline,
            due_since: Arc::clone(&due_since),
        });
        Heartbeat(due_since)
    }

    /// The names of the loops that are stuck, each once; empty if the process is alive.
    pub fn stuck(&self) -> Vec<&'static str> {
        let loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = loops
            .iter()
            .filter(|looping| looping.is_stuck())
            .map(|looping| looping.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Loop {
    fn is_stuck(&self) -> bool {
        let due = (self.due_since.lock()).unwrap_or_else(PoisonError::into_inner);
        due.waiting == 0 && due.since.is_some_and(|at| at.elapsed() > self.deadline)
    }
}

/// Held by one loop, or by what it calls; clones share it.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<Mutex<Due>>);

impl Heartbeat {
    /// An attempt has ended, good or bad, or the loop begins one after a rest: the deadline starts
    /// again.
    pub fn beat(&self) {
        self.due().since = Some(Instant::now());
    }

    /// The loop waits for work or for its next turn, which may take any time: it is not judged until
    /// the next [`Heartbeat::beat`].
    pub fn rest(&self) {
        self.due().since = None;
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Heartbeat {
    fn attempt_ended(&self) {
        self.beat();
    }

    /// The loop is not judged meanwhile, whatever others of its calls do.
    fn wait_began(&self) {
        self.due().waiting += 1;
    }

    fn wait_ended(&self) {
        let mut due = self.due();
        due.waiting -= 1;
        due.since = Some(Instant::now());
    }
}

/// A socket that listens already, and is not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on the address; port 0 takes any free one. `[::]` takes IPv4 too, and becomes `0.0.0.0`
    /// where the system has no IPv6.
    pub async fn bind(address: SocketAddr) -> Result<Server, HealthError> {
        let bound = match TcpListener::bind(address).await {
            Err(error) if lacks_ipv6(address, &error) => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
            }
            bound => bound,
        };
        let listening = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            listening.map_err(|reason| HealthError::Bind { address, reason })?;
        Ok(Server { listener, address })
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` resolves, and at most a second longer for open connections.
    pub async fn run(
        self,
        metrics: Arc<Metrics>,
        health: Health,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), HealthError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let serving =
            axum::serve(self.listener, router(metrics, health)).with_graceful_shutdown(async {
                // A dropped sender stops the server too.
                let _ = stopped.await;
            });
        let limit = async {
            shutdown.await;
            drop(stop);
            sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            served = serving.into_future() => served.map_err(HealthError::Serve),
            () = limit => Ok(()),
        }
    }
}

/// Whether `[::]` can't be listened on because there is no IPv6, and not because of the port.
fn lacks_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
        && !matches!(
            error.kind(),
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
        )
}

fn router(metrics: Arc<Metrics>, health: Health) -> Router {
    let metrics = Router::new()
        .route("/metrics", get(serve_metrics))
        .with_state(metrics);
    Router::new()
        .route("/livez", get(serve_live))
        .route("/readyz", get(serve_ready))
        .with_state(health)
        .merge(metrics)
}

async fn serve_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, Metrics::content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn serve_live(State(health): State<Health>) -> (StatusCode, String) {
    let stuck = health.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("stuck: {}\n", stuck.join(", ")),
        )
    }
}

async fn serve_ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.why_not_ready() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {why}\n"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::advance;

    use super::*;
    use crate::telemetry::metrics::tests::used;

    async fn get_text(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: smr\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_serves_the_three_paths_and_stops() {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address();
        assert_ne!(address.port(), 0);
        let health = Health::new();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(Arc::new(used()), health.clone(), async {
            let _ = stopped.await;
        }));
        let metrics = get_text(address, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8"));
        assert!(metrics.contains("\nsmr_orphans 2\n"));
        let starting = get_text(address, "/readyz").await;
        assert!(starting.starts_with("HTTP/1.1 503"), "{starting}");
        assert!(
            starting.ends_with("not ready: it has just started\n"),
            "{starting}"
        );
        health.set_ready();
        assert!(
            get_text(address, "/readyz")
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert!(get_text(address, "/livez").await.ends_with("ok\n"));
        health.heartbeat("watch", Duration::ZERO);
        let dead = get_text(address, "/livez").await;
        assert!(
            dead.starts_with("HTTP/1.1 503") && dead.ends_with("stuck: watch\n"),
            "{dead}"
        );
        assert!(get_text(address, "/").await.starts_with("HTTP/1.1 404"));
        // A connection that says nothing does not hold the shutdown up.
        let _silent = TcpStream::connect(address).await.unwrap();
        stop.send(()).unwrap();
        task.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_in_use_names_the_flag() {
        let first = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = Server::bind(first.address()).await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("--metrics-addr {}: ", first.address())),
            "{error}"
        );
        assert!(error.contains("in use"), "{error}");
    }

    #[tokio::test]
    async fn all_addresses_are_those_of_ipv4_and_of_ipv6() {
        let server = Server::bind("[::]:0".parse().unwrap()).await.unwrap();
        let port = server.address().port();
        let (_stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(Arc::new(used()), Health::new(), async {
            let _ = stopped.await;
        }));
        for loopback in ["127.0.0.1", "::1"] {
            let address = SocketAddr::new(loopback.parse().unwrap(), port);
            let answer = get_text(address, "/livez").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{loopback}: {answer}");
        }
        task.abort();
    }

    #[test]
    fn only_a_missing_ipv6_makes_it_fall_back() {
        let falls_back =
            |address: &str, error: &io::Error| lacks_ipv6(address.parse().unwrap(), error);
        // EAFNOSUPPORT, as where the kernel was started with ipv6.disable=1.
        let unsupported = io::Error::from_raw_os_error(97);
        assert!(falls_back("[::]:8080", &unsupported));
        assert!(falls_back(
            "[::]:8080",
            &io::ErrorKind::AddrNotAvailable.into()
        ));
        assert!(!falls_back("[::]:8080", &io::ErrorKind::AddrInUse.into()));
        assert!(!falls_back(
            "[::]:80",
            &io::ErrorKind::PermissionDenied.into()
        ));
        assert!(
            !falls_back("[::1]:8080", &unsupported),
            "what was asked for counts"
        );
        assert!(!falls_back("0.0.0.0:8080", &unsupported));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_tick_is_stuck_until_it_does() {
        let health = Health::new();
        let watch = health.heartbeat("watch", Duration::from_secs(30));
        let sweep = health.heartbeat("sweep", Duration::from_mins(1));
        advance(Duration::from_secs(40)).await;
        assert_eq!(health.stuck(), ["watch"]);
        advance(Duration::from_secs(40)).await;
        watch.beat();
        assert_eq!(health.stuck(), ["sweep"]);
        sweep.beat();
        assert!(health.stuck().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_rests_is_not_judged_until_it_works_again() {
        let health = Health::new();
        let worker = health.heartbeat("worker", Duration::from_secs(10));
        let inside_a_pass = worker.clone();
        worker.rest();
        advance(Duration::from_hours(24)).await;
        assert!(health.stuck().is_empty());
        inside_a_pass.beat();
        advance(Duration::from_secs(10)).await;
        assert!(health.stuck().is_empty());
        advance(Duration::from_secs(1)).await;
        assert_eq!(health.stuck(), ["worker"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_stuck_worker_of_several_is_enough_and_is_named_once() {
        let health = Health::new();
        let workers: Vec<_> = (0..3)
            .map(|_| health.heartbeat("worker", Duration::from_secs(10)))
            .collect();
        advance(Duration::from_secs(11)).await;
        assert_eq!(health.stuck(), ["worker"]);
        workers[0].beat();
        workers[1].rest();
        assert_eq!(health.stuck(), ["worker"]);
        workers[2].beat();
        assert!(health.stuck().is_empty());
    }

    /// Calls that are made side by side share a heart: one that waits is not judged by another's beat.
    #[tokio::test(start_paused = true)]
    async fn a_loop_is_not_judged_while_one_of_its_calls_waits_for_a_permit() {
        let health = Health::new();
        let worker = health.heartbeat("worker", Duration::from_secs(10));
        worker.wait_began();
        worker.beat();
        advance(Duration::from_mins(5)).await;
        assert!(health.stuck().is_empty());
        worker.wait_ended();
        assert!(health.stuck().is_empty());
        advance(Duration::from_secs(11)).await;
        assert_eq!(health.stuck(), ["worker"]);
    }

    /// A task that panicked, or that returned where it should not, never beats again.
    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_is_stuck() {
        let health = Health::new();
        drop(health.heartbeat("sweep", Duration::from_secs(10)));
        advance(Duration::from_secs(11)).await;
        assert_eq!(health.stuck(), ["sweep"]);
    }
}
