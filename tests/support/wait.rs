//! Waiting for conditions. No test sleeps for a fixed time and hopes.

use std::time::{Duration, Instant};

/// When waiting is given up. Long, so that a busy machine is not taken for a failure: a test that passes never waits so.
/// `RINIT_TEST_DEADLINE`, in seconds, shortens it for work on a failing test.
pub fn deadline() -> Duration {
    let seconds = std::env::var("RINIT_TEST_DEADLINE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(90))
}

/// Waits until the condition holds; panics with `what` at the deadline.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until there is something, and returns it; panics with `what` at the deadline.
#[track_caller]
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline();
    let mut pause = Duration::from_millis(1);
    loop {
        // Read before the check: a check that began in time counts, however long this process then had to wait for its turn.
        let last = Instant::now() >= end;
        if let Some(found) = find() {
            return found;
        }
        assert!(!last, "waited in vain for {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
