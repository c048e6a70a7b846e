use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{advance, sleep, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn drained(rate: f64, now: Instant) -> Bucket<&'static str> {
    let mut bucket = Bucket::new(rate, now);
    let places = [(); 64].map(|()| bucket.join(Priority::Edit, "", now, ""));
    while bucket.grant(now).is_some() {}
    let left = places.iter().filter(|place| bucket.leave("", place));
    assert!(left.count() > 0);
    assert!(bucket.is_idle());
    bucket
}

/// Who gets the tokens of this second, in order.
fn granted(bucket: &mut Bucket<&'static str>, now: Instant) -> Vec<&'static str> {
    std::iter::from_fn(|| bucket.grant(now)).collect()
}

#[test]
fn the_burst_is_a_second_or_eight_and_then_the_rate_holds() {
    let now = Instant::now();
    for (rate, burst) in [(1.0, 8), (10.0, 10), (50.0, 50)] {
        let mut bucket = Bucket::new(rate, now);
        for _ in 0..100 {
            bucket.join(Priority::Edit, "ns", now, "x");
        }
        assert_eq!(granted(&mut bucket, now).len(), burst);
        let next = bucket.next_token(now).unwrap() - now;
        assert!((next.as_secs_f64() - 1.0 / rate).abs() < 1e-5, "{next:?}");
        assert_eq!(granted(&mut bucket, now + next).len(), 1);
    }
}

#[test]
fn urgent_first_and_within_by_turns_of_the_namespaces() {
    let now = Instant::now();
    let mut bucket = drained(8.0, now);
    for (priority, namespace, who) in [
        (Priority::Resync, "", "sweep"),
        (Priority::Repair, "a", "repair"),
        (Priority::Edit, "loop", "l1"),
        (Priority::Edit, "loop", "l2"),
        (Priority::Edit, "loop", "l3"),
        (Priority::Edit, "other", "o1"),
        (Priority::Edit, "third", "t1"),
        (Priority::Edit, "other", "o2"),
    ] {
        bucket.join(priority, namespace, now, who);
    }
    let order = granted(&mut bucket, now + SECOND);
    assert_eq!(
        order,
        ["l1", "o1", "t1", "l2", "o2", "l3", "repair", "sweep"]
    );
    assert_eq!(bucket.next_token(now), None);
}

#[test]
fn a_patient_sweep_gets_every_fourth_token_of_a_flood_of_edits() {
    let now = Instant::now();
    let mut bucket = drained(8.0, now);
    for _ in 0..3 {
        bucket.join(Priority::Resync, "", now, "sweep");
    }
    let later = now + PATIENCE_AND_MORE;
    for _ in 0..8 {
        bucket.join(Priority::Edit, "ns", later, "edit");
    }
    let order = granted(&mut bucket, later);
    let expected = [
        "sweep", "edit", "edit", "edit", "sweep", "edit", "edit", "edit",
    ];
    assert_eq!(order, expected);
}

const PATIENCE_AND_MORE: Duration = Duration::from_secs(6);

#[test]
fn the_rate_falls_once_a_second_rises_with_use_and_keeps_its_bounds() {
    let now = Instant::now();
    let mut bucket: Bucket<()> = Bucket::new(50.0, now);
    bucket.throttled(now);
    bucket.throttled(now + 999 * MILLI);
    assert!((bucket.rate() - 35.0).abs() < 1e-9);
    bucket.throttled(now + SECOND);
    assert!((bucket.rate() - 24.5).abs() < 1e-9);
    // An idle minute counts as a second.
    bucket.succeeded(now + 61 * SECOND);
    assert!((bucket.rate() - 24.5 * 1.03).abs() < 1e-9);
    for second in 62..1000 {
        bucket.succeeded(now + second * SECOND);
    }
    assert!((bucket.rate() - 50.0).abs() < 1e-9);
    for second in 1000..1100 {
        bucket.throttled(now + second * SECOND);
    }
    assert!((bucket.rate() - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn dropped_waiters_lose_their_place_and_no_token_is_lost() {
    let budget = Budget::new(1);
    for _ in 0..8 {
        let start = Instant::now();
        let _ = budget.acquire(Priority::Edit, "ns").await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
    assert!(
        timeout(500 * MILLI, budget.acquire(Priority::Edit, "ns"))
            .await
            .is_err()
    );
    assert!(budget.lock().is_idle());
    // Granted, but dropped before it heard of it.
    let mut granted = Box::pin(budget.acquire(Priority::Edit, "ns"));
    assert!(futures_poll(granted.as_mut()).await);
    advance(600 * MILLI).await;
    grant(&mut budget.lock(), Instant::now());
    assert!(budget.lock().is_idle());
    drop(granted);
    let start = Instant::now();
    let _ = budget.acquire(Priority::Edit, "ns").await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Polls once; whether it is still pending.
async fn futures_poll<F: Future + Unpin>(mut future: F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(context).is_pending())
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_clock_is_watched_also_after_its_watcher_was_dropped() {
    let budget = Budget::new(10);
    for _ in 0..10 {
        let _ = budget.acquire(Priority::Edit, "ns").await;
    }
    let watcher = tokio::spawn({
        let budget = budget.clone();
        async move { budget.acquire(Priority::Edit, "ns").await }
    });
    let mut others = JoinSet::new();
    for _ in 0..20 {
        let budget = budget.clone();
        others.spawn(async move { budget.acquire(Priority::Repair, "ns").await });
    }
    sleep(10 * MILLI).await;
    watcher.abort();
    let start = Instant::now();
    assert_eq!(others.join_all().await.len(), 20);
    let took = start.elapsed();
    assert!(took > 1900 * MILLI && took < 2100 * MILLI, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_wait_behind_a_thousand_repairs() {
    let budget = Budget::new(10);
    let mut repairs = JoinSet::new();
    for _ in 0..1000 {
        let budget = budget.clone();
        repairs.spawn(async move { budget.acquire(Priority::Repair, "busy").await });
    }
    sleep(20 * SECOND).await;
    let start = Instant::now();
    for _ in 0..6 {
        let _ = budget.acquire(Priority::Edit, "ns").await;
        sleep(20 * MILLI).await;
    }
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
}

/// An account that allows `rate` requests a second, with a burst.
struct Account {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
    answered: u32,
    throttled: u32,
}

impl Account {
    fn request(&mut self) -> bool {
        let now = Instant::now();
        let passed = (now - self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = now;
        let ok = self.tokens >= 1.0;
        if ok {
            self.tokens -= 1.0;
            self.answered += 1;
        } else {
            self.throttled += 1;
        }
        ok
    }
}

/// 5,000 calls of 48 workers, told `ceiling`, on an account that allows 10 a second; the seconds
/// it took and the part that was throttled.
async fn converge(ceiling: u32, burst: f64, latency: Duration) -> (f64, f64) {
    const CALLS: u32 = 5_000;
    let start = Instant::now();
    let budget = Budget::new(ceiling);
    let account = Arc::new(Mutex::new(Account {
        rate: 10.0,
        burst,
        tokens: burst,
        filled: start,
        answered: 0,
        throttled: 0,
    }));
    let mut workers = JoinSet::new();
    for worker in 0..48 {
        let (budget, account) = (budget.clone(), Arc::clone(&account));
        workers.spawn(async move {
            let namespace = format!("ns-{}", worker % 5);
            while account.lock().unwrap().answered < CALLS {
                let _ = budget.acquire(Priority::Edit, &namespace).await;
                sleep(latency).await;
                let ok = account.lock().unwrap().request();
                sleep(latency).await;
                if ok {
                    budget.succeeded();
                } else {
                    budget.throttled();
                    sleep(SECOND).await;
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
    let account = account.lock().unwrap();
    let throttled = f64::from(account.throttled);
    let took = start.elapsed().as_secs_f64();
    (took, throttled / (throttled + f64::from(account.answered)))
}

#[tokio::test(start_paused = true)]
async fn told_fifty_on_an_account_of_ten_it_converges() {
    for (ceiling, burst, latency) in [
        (50, 10.0, 10),
        (50, 20.0, 25),
        (50, 1.0, 100),
        (20, 10.0, 50),
    ] {
        let (took, throttled) = converge(ceiling, burst, latency * MILLI).await;
        println!(
            "{ceiling}/s, burst {burst}, {latency} ms: {took:.0} s, {:.1} %",
            throttled * 100.0
        );
        assert!(took <= 1.3 * 500.0, "{took} s");
        assert!(throttled <= 0.05, "{throttled}");
    }
}

/// A thousand creations of five calls, by sixteen workers, on an account that gives 10 a second
/// (and 20 at once) while we are told 50: what is refused is sent again.
#[test]
fn an_account_that_throttles_is_used_to_nearly_all_it_allows() {
    const NEEDED: u32 = 5000;
    let start = Instant::now();
    let (mut now, latency) = (start, 20 * MILLI);
    let mut bucket: Bucket<()> = Bucket::new(50.0, now);
    let (mut account, mut filled) = (20.0_f64, now);
    let mut under_way: std::collections::VecDeque<(Instant, bool)> =
        std::collections::VecDeque::new();
    let (mut served, mut refused, mut idle) = (0_u32, 0_u32, 16);
    while served < NEEDED {
        for _ in 0..std::mem::take(&mut idle) {
            bucket.join(Priority::Edit, "ns", now, ());
        }
        let token = bucket.next_token(now);
        let answer = under_way.front().map(|(at, _)| *at);
        now = token.into_iter().chain(answer).min().unwrap();
        while under_way.front().is_some_and(|(at, _)| *at <= now) {
            let (_, is_served) = under_way.pop_front().unwrap();
            idle += 1;
            if is_served {
                served += 1;
                bucket.succeeded(now);
            } else {
                refused += 1;
                bucket.throttled(now);
            }
        }
        while bucket.grant(now).is_some() {
            account = (account + (now - filled).as_secs_f64() * 10.0).min(20.0);
            filled = now;
            let is_served = account >= 1.0;
            account -= f64::from(u8::from(is_served));
            under_way.push_back((now + latency, is_served));
        }
    }
    let (took, part) = (
        (now - start).as_secs_f64(),
        f64::from(refused) / f64::from(served + refused),
    );
    assert!(took <= 1.1 * f64::from(NEEDED) / 10.0, "{took} s");
    assert!(part <= 0.03, "{part} refused");
}
