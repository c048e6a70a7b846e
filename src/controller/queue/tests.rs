use std::future::Future;

use tokio::time::{advance, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// `tenant/web` is of the namespace `tenant`; all keys without a slash are of one.
impl Namespaced for &str {
    fn namespace(&self) -> &str {
        self.split_once('/').map_or("", |(namespace, _)| namespace)
    }
}

struct Bench {
    order: Order<&'static str>,
    start: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            order: Order::new(),
            start: Instant::now(),
        }
    }

    fn entry(&self, at: u64, priority: Priority) -> Entry {
        Entry {
            at: self.start + Duration::from_secs(at),
            priority,
        }
    }

    fn add(&mut self, key: &'static str, at: u64, priority: Priority) {
        let entry = self.entry(at, priority);
        self.order.raise(key, entry);
    }

    /// The key taken at this second, or "".
    fn take(&mut self, at: u64) -> &'static str {
        self.take_up_to(at, Priority::Resync)
    }

    fn take_up_to(&mut self, at: u64, least: Priority) -> &'static str {
        match self.order.take(self.start + Duration::from_secs(at), least) {
            Next::Ready { item, .. } => item,
            Next::At(_) | Next::Empty => "",
        }
    }
}

#[test]
fn urgent_first_then_first_come() {
    let mut bench = Bench::new();
    bench.add("resync", 0, Priority::Resync);
    bench.add("repair", 1, Priority::Repair);
    bench.add("edit 2", 2, Priority::Edit);
    bench.add("edit 1", 1, Priority::Edit);
    bench.add("edit 3", 2, Priority::Edit);
    let taken = [(); 6].map(|()| bench.take(5));
    assert_eq!(
        taken,
        ["edit 1", "edit 2", "edit 3", "repair", "resync", ""]
    );
}

#[test]
fn namespaces_have_turns_within_a_priority() {
    let mut bench = Bench::new();
    for key in ["loop/a", "loop/b", "loop/c"] {
        bench.add(key, 0, Priority::Edit);
    }
    bench.add("other/a", 1, Priority::Edit);
    bench.add("later/a", 50, Priority::Edit);
    let order = [(); 4].map(|()| bench.take(1));
    assert_eq!(order, ["loop/a", "other/a", "loop/b", "loop/c"]);
    assert_eq!(bench.take(50), "later/a");
    // Its turn was the last before: one that was idle is not ahead of one that waited.
    bench.add("later/b", 60, Priority::Edit);
    bench.add("loop/d", 61, Priority::Edit);
    assert_eq!([(); 2].map(|()| bench.take(61)), ["later/b", "loop/d"]);
}

#[test]
fn nothing_before_its_time_and_the_next_time_is_told() {
    let mut bench = Bench::new();
    bench.add("later", 60, Priority::Edit);
    bench.add("sooner", 30, Priority::Resync);
    let at = bench.start + 30 * SECOND;
    assert_eq!(
        bench.order.take(bench.start, Priority::Resync),
        Next::At(at)
    );
    let at = bench.start + 60 * SECOND;
    assert_eq!(bench.order.take(bench.start, Priority::Edit), Next::At(at));
    assert_eq!(bench.take(30), "sooner");
}

#[test]
fn a_key_waits_once_and_is_only_raised() {
    let mut bench = Bench::new();
    bench.add("key", 10, Priority::Repair);
    bench.add("key", 20, Priority::Edit);
    bench.add("other", 0, Priority::Repair);
    let Entry { at, priority } = bench.entry(10, Priority::Edit);
    assert_eq!(bench.take(5), "other");
    let next = bench
        .order
        .take(bench.start + 10 * SECOND, Priority::Resync);
    let item = "key";
    assert_eq!(next, Next::Ready { item, at, priority });
    assert_eq!(bench.take(100), "");
}

#[test]
fn replacing_a_schedule_may_also_defer() {
    let mut bench = Bench::new();
    bench.add("key", 0, Priority::Edit);
    let entry = bench.entry(300, Priority::Resync);
    bench.order.replace("key", entry);
    assert_eq!((bench.take(299), bench.take(300)), ("", "key"));
}

#[test]
fn one_worker_per_key_and_again_right_after() {
    let mut bench = Bench::new();
    bench.add("key", 0, Priority::Edit);
    assert_eq!(bench.take(0), "key");
    bench.add("key", 1, Priority::Edit);
    // The worker decides on its next run: the change seen meanwhile is not lost.
    let entry = bench.entry(300, Priority::Resync);
    bench.order.replace("key", entry);
    assert_eq!(bench.take(2), "");
    bench.order.done(&"key");
    assert_eq!(bench.take(2), "key");
    bench.order.done(&"key");
    bench.order.done(&"key");
    assert_eq!(bench.take(1000), "");
}

#[test]
fn nothing_starves_and_old_repairs_do_not_bury_edits() {
    const EDITS: [&str; 8] = ["e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"];
    let mut bench = Bench::new();
    bench.add("resync", 0, Priority::Resync);
    for repair in ["r1", "r2", "r3"] {
        bench.add(repair, 1, Priority::Repair);
    }
    for edit in EDITS {
        bench.add(edit, 29, Priority::Edit);
    }
    assert_eq!(bench.take(29), "e1");
    let taken = [(); 11].map(|()| bench.take(40));
    let expected = [
        "resync", "e2", "e3", "e4", "r1", "e5", "e6", "e7", "r2", "e8", "r3",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn kept_free_workers_take_edits_only() {
    let mut bench = Bench::new();
    bench.add("repair", 0, Priority::Repair);
    assert_eq!(bench.take_up_to(100, Priority::Edit), "");
    bench.add("edit", 100, Priority::Edit);
    assert_eq!(bench.take_up_to(100, Priority::Edit), "edit");
    assert_eq!(bench.take_up_to(100, Priority::Repair), "repair");
}

#[test]
fn what_waits_for_its_time_and_what_is_worked_on_is_not_ready() {
    let mut bench = Bench::new();
    for (key, at) in [("active", 0), ("old", 1), ("fresh", 9), ("later", 60)] {
        bench.add(key, at, Priority::Edit);
    }
    assert_eq!(bench.take(0), "active");
    assert_eq!(bench.order.ready(bench.start + 10 * SECOND), 2);
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(3600 * SECOND, future).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn waiting_workers_wake_for_additions_times_and_shutdown() {
    let queue = Queue::new();
    let adder = queue.clone();
    tokio::spawn(async move {
        advance(SECOND).await;
        adder.add_after("later", 10 * SECOND, Priority::Edit);
        adder.add("now", Priority::Resync);
    });
    let start = Instant::now();
    let work = soon(queue.next_up_to(Priority::Resync)).await.unwrap();
    assert_eq!((*work.key(), work.priority()), ("now", Priority::Resync));
    assert_eq!(start.elapsed(), SECOND);
    let later = soon(queue.next_up_to(Priority::Resync)).await.unwrap();
    assert_eq!((*later.key(), start.elapsed().as_secs()), ("later", 11));
    work.again_after(5 * SECOND, Priority::Resync);
    later.done();
    let again = soon(queue.next_up_to(Priority::Resync)).await.unwrap();
    assert_eq!((*again.key(), start.elapsed().as_secs()), ("now", 16));
    let idle = tokio::spawn({
        let queue = queue.clone();
        async move { queue.next_up_to(Priority::Edit).await.is_none() }
    });
    queue.add("left", Priority::Resync);
    queue.shutdown();
    assert!(soon(idle).await.unwrap());
    assert!(soon(queue.next_up_to(Priority::Resync)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_panicking_worker_gives_its_key_back() {
    let queue = Queue::new();
    queue.add("key", Priority::Edit);
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move {
            let work = queue.next_up_to(Priority::Resync).await;
            queue.add("key", Priority::Repair);
            assert!(work.is_none(), "the worker's own failure");
        }
    });
    assert!(worker.await.is_err());
    let work = soon(queue.next_up_to(Priority::Resync)).await.unwrap();
    assert_eq!((*work.key(), work.priority()), ("key", Priority::Repair));
    assert!(!queue.add_new(&"key", Priority::Edit), "it is worked on");
    drop(work);
    assert_eq!(queue.ready(), 0);
    assert!(queue.add_new(&"key", Priority::Edit));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_loses_nothing() {
    let queue = Queue::new();
    queue.add_after("key", 2 * SECOND, Priority::Edit);
    assert!(
        timeout(SECOND, queue.next_up_to(Priority::Resync))
            .await
            .is_err()
    );
    let work = soon(queue.next_up_to(Priority::Resync)).await.unwrap();
    assert_eq!(work.waited(), Duration::ZERO);
}
