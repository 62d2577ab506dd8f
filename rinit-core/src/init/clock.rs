//! The time in which this container could run.

use std::fs;
use std::time::{Duration, Instant};

/// How often the clock is read while a deadline is pending. A freeze is measured to that precision.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// A timer that comes later than this was not delayed by another process's work alone.
const MUCH_TOO_LATE: Duration = Duration::from_secs(1);

/// CLOCK_MONOTONIC less the time for which the container was frozen (`docker pause`): no process could act on its TERM
/// then.
///
/// No file says how long a cgroup was frozen, in either version. But a timer that comes late without this process having
/// waited for the processor (`/proc/self/schedstat`) comes late because it was not allowed to run. If the kernel does not
/// account that wait, no time is taken off: an init that starves in a fork bomb must not get more time for it.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    frozen: Duration,
    /// The last reading while a deadline was pending: the time, and how long this process had waited for the processor.
    last: Option<(Instant, Option<Duration>)>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), frozen: Duration::ZERO, last: None }
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.frozen)
    }

    /// Nothing is pending: what happens until the next deadline is set does not matter.
    pub(super) fn rest(&mut self) {
        self.last = None;
    }

    /// Before a wait of at most [`HEARTBEAT`].
    pub(super) fn before_wait(&mut self) {
        if self.last.is_none() {
            self.last = Some((Instant::now(), None));
        }
    }

    /// After a wait of at most [`HEARTBEAT`]: for how long this process was frozen, if it was.
    pub(super) fn after_wait(&mut self) -> Option<Duration> {
        let (since, waited_before) = self.last.take()?;
        let now = Instant::now();
        let late = now.duration_since(since).saturating_sub(HEARTBEAT);
        if late < MUCH_TOO_LATE {
            // Read at a heartbeat at most: many signals are many wake-ups.
            let is_old = now.duration_since(since) >= HEARTBEAT / 2;
            self.last = if is_old { Some((now, waited_for_processor())) } else { Some((since, waited_before)) };
            return None;
        }
        let waited = waited_for_processor();
        self.last = Some((now, waited));
        let frozen = late.checked_sub(waited?.saturating_sub(waited_before.unwrap_or_default()))?;
        (frozen >= MUCH_TOO_LATE).then(|| {
            self.frozen += frozen;
            frozen
        })
    }
}

/// How long this process was ready to run and did not: the second field, in nanoseconds
/// (`Documentation/scheduler/sched-stats.rst`).
fn waited_for_processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}
