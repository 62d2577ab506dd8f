//! A clock that counts only the time in which this container could run.

use crate::sys::retry::read_text;
use std::time::{Duration, Instant};

/// How often the clock is read while a deadline is pending. A freeze is measured to that precision.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// A timer that comes later than this was not delayed by another process's work alone.
const MUCH_TOO_LATE: Duration = Duration::from_secs(1);

/// CLOCK_MONOTONIC without the time for which the container was frozen (`docker pause`): no process could act on its TERM
/// in that time.
///
/// No file says how long a cgroup was frozen, in either version. But a timer that comes late without this process having
/// waited for the processor (`/proc/self/schedstat`) comes late because it was not allowed to run. If the kernel does not
/// account that wait, no time is subtracted: an init that starves in a fork bomb must not get more time for it.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    frozen: Duration,
    /// The wait that has begun, if a deadline is pending.
    wait_began: Option<Instant>,
    /// How long this process had waited for the processor, and when that was read.
    waited: Option<(Instant, Duration)>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), frozen: Duration::ZERO, wait_began: None, waited: None }
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.frozen)
    }

    /// Begins a wait of at most [`HEARTBEAT`].
    pub(super) fn before_wait(&mut self) {
        self.wait_began = Some(Instant::now());
    }

    /// Ends the wait. Returns for how long this process was frozen in it, if it was.
    pub(super) fn after_wait(&mut self) -> Option<Duration> {
        let since = self.wait_began.take()?;
        let now = Instant::now();
        let late = now.duration_since(since).saturating_sub(HEARTBEAT);
        if late < MUCH_TOO_LATE {
            // At most once in a heartbeat, because many signals mean many waits; a stop that is over at once never does it.
            let is_long = now.duration_since(since) >= HEARTBEAT / 2;
            if is_long && self.waited.is_none_or(|(at, _)| now.duration_since(at) >= HEARTBEAT) {
                self.waited = waited_for_processor().map(|waited| (now, waited));
            }
            return None;
        }
        let before = self.waited.map_or(Duration::ZERO, |(_, waited)| waited);
        let waited = waited_for_processor()?;
        self.waited = Some((now, waited));
        let frozen = late.checked_sub(waited.saturating_sub(before))?;
        (frozen >= MUCH_TOO_LATE).then(|| {
            self.frozen += frozen;
            frozen
        })
    }
}

/// Returns how long this process was ready to run and did not: the second field, in nanoseconds
/// (`Documentation/scheduler/sched-stats.rst`).
fn waited_for_processor() -> Option<Duration> {
    let text = read_text("/proc/self/schedstat", 256).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}
