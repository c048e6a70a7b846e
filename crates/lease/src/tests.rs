use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use kube::core::Status;
use smr_core::ports::MayWrite as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

use super::config::unique_identity;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An API server's Lease, shared by candidates that can be cut off one by one.
#[derive(Default)]
struct Store {
    lease: Option<Lease>,
    version: u64,
    writes: usize,
}

/// A time of day that has nothing to do with how long anything takes: another one each time.
#[derive(Debug, Default)]
struct Days(AtomicI64);

impl Clock for Days {
    fn now(&self) -> Timestamp {
        at(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn steady(&self) -> Timestamp {
        at(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    /// Calls hang for ever.
    Cut,
    /// The next write takes effect, its reply never comes.
    ReplyLost,
    Refused,
}

#[derive(Clone)]
struct Client {
    store: Arc<Mutex<Store>>,
    link: Arc<Mutex<Link>>,
}

fn refusal(code: u16) -> kube::Error {
    kube::Error::Api(Box::new(Status::failure("refused", "").with_code(code)))
}

impl Client {
    fn new(store: &Arc<Mutex<Store>>) -> Client {
        Client {
            store: Arc::clone(store),
            link: Arc::new(Mutex::new(Link::Up)),
        }
    }

    fn set(&self, link: Link) {
        *self.link.lock().unwrap() = link;
    }

    async fn pass(&self) -> kube::Result<()> {
        sleep(Duration::from_millis(10)).await;
        let link = *self.link.lock().unwrap();
        match link {
            Link::Up | Link::ReplyLost => Ok(()),
            Link::Cut => pending().await,
            Link::Refused => Err(refusal(403)),
        }
    }

    async fn write(&self, lease: &Lease, create: bool) -> kube::Result<Lease> {
        self.pass().await?;
        let written = {
            let mut store = self.store.lock().unwrap();
            let current = store
                .lease
                .as_ref()
                .map(|lease| lease.metadata.resource_version.clone());
            match (create, current) {
                (true, Some(_)) => return Err(refusal(409)),
                (false, None) => return Err(refusal(404)),
                (false, Some(version)) if version != lease.metadata.resource_version => {
                    return Err(refusal(409));
                }
                (true, None) | (false, Some(_)) => {}
            }
            store.version += 1;
            store.writes += 1;
            let mut lease = lease.clone();
            lease.metadata.resource_version = Some(store.version.to_string());
            store.lease = Some(lease.clone());
            lease
        };
        if *self.link.lock().unwrap() == Link::ReplyLost {
            self.set(Link::Up);
            pending::<()>().await;
        }
        Ok(written)
    }
}

impl Leases for Client {
    async fn get(&self) -> kube::Result<Option<Lease>> {
        self.pass().await?;
        Ok(self.store.lock().unwrap().lease.clone())
    }
    async fn create(&self, lease: &Lease) -> kube::Result<Lease> {
        self.write(lease, true).await
    }
    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.write(lease, false).await
    }
}

fn config(identity: &str) -> LeaseConfig {
    LeaseConfig {
        identity: identity.to_owned(),
        ..LeaseConfig::new("ns".to_owned(), "lease".to_owned(), 15 * SECOND)
    }
}

struct Running {
    client: Client,
    fence: Fence,
    stop: oneshot::Sender<AtShutdown>,
    task: JoinHandle<Result<Outcome, LeaseError>>,
}

fn start(store: &Arc<Mutex<Store>>, identity: &str) -> Running {
    let (standing, receiver) = watch::channel(Standing::Standby);
    let config = config(identity);
    let fence = Fence::elected(config.terms(), receiver);
    let client = Client::new(store);
    let election = Election::new(client.clone(), config, Arc::<Days>::default(), standing).unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        match stopped.await {
            Ok(at_shutdown) => at_shutdown,
            Err(_) => pending().await,
        }
    };
    let task = tokio::spawn(election.run(shutdown));
    Running {
        client,
        fence,
        stop,
        task,
    }
}

fn record(store: &Arc<Mutex<Store>>) -> Record {
    let store = store.lock().unwrap();
    Record::read(store.lease.as_ref().unwrap().spec.as_ref())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn held(holder: &str, renewed: i64) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: 15 * SECOND,
        acquired: Some(at(0)),
        renewed: Some(at(renewed)),
        transitions: 3,
    }
}

#[tokio::test(start_paused = true)]
async fn another_lease_is_judged_from_its_last_change_on_our_clock() {
    let mut view = View::new("me".to_owned(), 15 * SECOND);
    let start = Instant::now();
    // The wall clock says 1970, or 2100: no matter.
    let held_until = |seconds| Decision::Held {
        holder: "other".to_owned(),
        until: start + SECOND * seconds,
    };
    assert_eq!(
        view.judge(Some(held("other", 0)), start, at(1_000_000)),
        held_until(15)
    );
    let later = start + 14 * SECOND;
    assert_eq!(
        view.judge(Some(held("other", 0)), later, at(0)),
        held_until(15)
    );
    assert_eq!(
        view.judge(Some(held("other", 2)), later, at(0)),
        held_until(29)
    );
    // Deleted under its holder, who may have renewed it just before.
    assert_eq!(view.judge(None, start + 28 * SECOND, at(0)), held_until(43));
    assert_eq!(view.judge(None, start + 42 * SECOND, at(0)), held_until(43));
    let created = view.judge(None, start + 43 * SECOND, at(0));
    assert!(matches!(created, Decision::Create(_)), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_is_taken_over_and_counted() {
    let mut view = View::new("me".to_owned(), 15 * SECOND);
    let start = Instant::now();
    view.judge(Some(held("other", 2)), start, at(0));
    match view.judge(Some(held("other", 2)), start + 15 * SECOND, at(7)) {
        Decision::Replace(record) => {
            assert_eq!((record.holder.as_str(), record.transitions), ("me", 4));
            assert_eq!(
                (record.acquired, record.renewed),
                (Some(at(7)), Some(at(7)))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_released_lease_is_taken_at_once_and_our_own_renewed() {
    let now = Instant::now();
    let mut view = View::new("me".to_owned(), 15 * SECOND);
    let Decision::Create(created) = view.judge(None, now, at(1)) else {
        panic!()
    };
    assert_eq!(created.transitions, 0);
    let Decision::Replace(renewed) = view.judge(Some(created), now, at(9)) else {
        panic!()
    };
    assert_eq!(
        (renewed.acquired, renewed.renewed),
        (Some(at(1)), Some(at(9)))
    );
    assert_eq!(renewed.transitions, 0);
    let free = Record {
        holder: String::new(),
        ..held("", 0)
    };
    let Decision::Replace(taken) = view.judge(Some(free), now, at(9)) else {
        panic!()
    };
    assert_eq!(taken.transitions, 4);
}

#[tokio::test(start_paused = true)]
async fn the_record_survives_the_wire_and_rounds_up() {
    let mut spec = LeaseSpec {
        preferred_holder: Some("p".to_owned()),
        ..LeaseSpec::default()
    };
    let record = Record {
        duration: Duration::from_millis(1500),
        ..held("me", 2)
    };
    record.clone().write(&mut spec);
    assert_eq!(spec.preferred_holder.as_deref(), Some("p"));
    assert_eq!(
        Record::read(Some(&spec)),
        Record {
            duration: 2 * SECOND,
            ..record
        }
    );
}

#[test]
fn client_gos_proportions_and_what_cannot_work() {
    let config = config("me");
    assert_eq!(
        (config.renew_deadline, config.retry_period),
        (10 * SECOND, 2 * SECOND)
    );
    assert!(config.check().is_ok());
    let none = Duration::ZERO;
    for bad in [
        LeaseConfig {
            identity: String::new(),
            ..config.clone()
        },
        LeaseConfig {
            lease_duration: none,
            ..config.clone()
        },
        LeaseConfig {
            renew_deadline: 15 * SECOND,
            ..config.clone()
        },
        LeaseConfig {
            retry_period: none,
            ..config.clone()
        },
        LeaseConfig {
            retry_period: 10 * SECOND,
            ..config.clone()
        },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
    assert_ne!(unique_identity(), unique_identity());
}

#[tokio::test(start_paused = true)]
async fn an_open_fence_and_one_whose_process_was_stopped() {
    assert!(Fence::always().permit(SECOND).is_ok());
    Fence::always().acquired().await;
    let (standing, receiver) = watch::channel(Standing::Standby);
    let fence = Fence::elected(config("me").terms(), receiver);
    assert_eq!(fence.permit(SECOND), Err(NotLeader::NotHeld));
    standing.send_replace(Standing::Leading(Instant::now()));
    fence.acquired().await;
    advance(Duration::from_millis(9_999)).await;
    assert!(fence.permit(5 * SECOND).is_ok() && fence.may_write(Duration::ZERO));
    assert_eq!(
        fence.permit(6 * SECOND),
        Err(NotLeader::EndsTooSoon {
            attempt: 6 * SECOND
        })
    );
    advance(Duration::from_millis(1)).await;
    // Nobody told the fence anything: the clock alone says no.
    assert!(fence.permit(5 * SECOND).is_err() && fence.permit(SECOND).is_err());
    assert!(!fence.may_write(Duration::ZERO));
    fence.lost().await;
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_after_its_death_the_other_within_lease_and_one_retry() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.fence.acquired().await;
    let second = start(&store, "second");
    sleep(60 * SECOND).await;
    assert!(first.fence.may_write(Duration::ZERO) && !second.fence.may_write(Duration::ZERO));
    first.task.abort();
    let died = Instant::now();
    second.fence.acquired().await;
    let took = died.elapsed();
    assert!(
        took >= 13 * SECOND && took <= Duration::from_millis(17_100),
        "{took:?}"
    );
    assert_eq!(
        (record(&store).holder.as_str(), record(&store).transitions),
        ("second", 1)
    );
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_by_itself_before_another_starts() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.fence.acquired().await;
    let second = start(&store, "second");
    sleep(31 * SECOND).await;
    first.client.set(Link::Cut);
    first.fence.lost().await;
    assert!(!first.fence.may_write(Duration::ZERO) && !second.fence.may_write(Duration::ZERO));
    let lost = Instant::now();
    assert_eq!(first.task.await.unwrap().unwrap(), Outcome::Lost);
    second.fence.acquired().await;
    let gap = lost.elapsed();
    assert!(gap >= 5 * SECOND && gap <= 8 * SECOND, "{gap:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_survives_a_lost_reply_refusals_and_a_deleted_lease() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.fence.acquired().await;
    let second = start(&store, "second");
    first.client.set(Link::ReplyLost);
    sleep(30 * SECOND).await;
    first.client.set(Link::Refused);
    sleep(7 * SECOND).await;
    first.client.set(Link::Up);
    sleep(30 * SECOND).await;
    store.lock().unwrap().lease = None;
    sleep(30 * SECOND).await;
    assert!(first.fence.may_write(Duration::ZERO) && !second.fence.may_write(Duration::ZERO));
    assert_eq!(record(&store).transitions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_sees_another_holder_stops_at_once() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.fence.acquired().await;
    {
        let mut store = store.lock().unwrap();
        store.version += 1;
        let version = store.version.to_string();
        let lease = store.lease.as_mut().unwrap();
        lease.metadata.resource_version = Some(version);
        held("thief", 0).write(lease.spec.as_mut().unwrap());
    }
    let before = Instant::now();
    assert_eq!(first.task.await.unwrap().unwrap(), Outcome::Lost);
    assert!(before.elapsed() <= Duration::from_millis(2_100));
    assert_eq!(record(&store).holder, "thief");
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_within_one_retry_an_unreleased_one_expires() {
    for (at_shutdown, least, most) in [
        (
            AtShutdown::Release,
            Duration::ZERO,
            Duration::from_millis(2_100),
        ),
        (
            AtShutdown::LetExpire,
            13 * SECOND,
            Duration::from_millis(17_100),
        ),
    ] {
        let store = Arc::new(Mutex::new(Store::default()));
        let first = start(&store, "first");
        first.fence.acquired().await;
        let second = start(&store, "second");
        sleep(21 * SECOND).await;
        first.stop.send(at_shutdown).unwrap();
        assert_eq!(first.task.await.unwrap().unwrap(), Outcome::Stopped);
        assert!(!first.fence.may_write(Duration::ZERO));
        first.fence.lost().await;
        let stopped = Instant::now();
        second.fence.acquired().await;
        let took = stopped.elapsed();
        assert!(took >= least && took <= most, "{at_shutdown:?}: {took:?}");
        assert!(second.fence.permit(5 * SECOND).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_is_right_also_when_a_renewal_was_under_way() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.fence.acquired().await;
    first.client.set(Link::ReplyLost);
    // The renewal is sent after two seconds, takes effect, and waits for its reply.
    sleep(3 * SECOND).await;
    assert_eq!(store.lock().unwrap().writes, 2);
    first.stop.send(AtShutdown::Release).unwrap();
    assert_eq!(first.task.await.unwrap().unwrap(), Outcome::Stopped);
    assert_eq!(record(&store).holder, "");
}

#[tokio::test(start_paused = true)]
async fn a_standby_stops_without_a_write_and_unreachable_servers_are_no_end() {
    let store = Arc::new(Mutex::new(Store::default()));
    let first = start(&store, "first");
    first.client.set(Link::Cut);
    sleep(600 * SECOND).await;
    assert!(!first.task.is_finished());
    first.stop.send(AtShutdown::Release).unwrap();
    assert_eq!(first.task.await.unwrap().unwrap(), Outcome::Stopped);
    assert_eq!(store.lock().unwrap().writes, 0);
}
