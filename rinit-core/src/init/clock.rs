//! A clock that counts only the time in which this container could run.

use crate::sys::retry::read_text;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How often the clock is read while a deadline is pending. A freeze is measured to that precision.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(500);
/// A timer that comes later than this was not delayed by another process's work alone.
const MUCH_TOO_LATE: Duration = Duration::from_secs(1);

/// CLOCK_MONOTONIC without the time for which the container was frozen (`docker pause`): no process could act on its TERM
/// in that time.
///
/// No file says how long a cgroup was frozen, in either version. But a timer that comes late, or work that takes long, without this
/// process having run or waited for the processor (`/proc/self/schedstat`), does so because it was not allowed to run. If the kernel
/// does not account that, no time is subtracted: an init that starves in a fork bomb must not get more time for it.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    frozen: Cell<Duration>,
    /// The wait that has begun, if a deadline is pending.
    wait_began: Option<Instant>,
    /// When the clock was last read, if that was after the last wait without a deadline. The race: a freeze may begin between the
    /// signal that main gets and the wait that follows.
    last_read: Cell<Option<Instant>>,
    /// A freeze that was noticed between two waits.
    noticed: Cell<Option<Duration>>,
    /// How long this process had run or waited for the processor, and when that was read.
    accounted: Cell<Option<(Instant, Duration)>>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            frozen: Cell::default(),
            wait_began: None,
            last_read: Cell::default(),
            noticed: Cell::default(),
            accounted: Cell::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        let now = Instant::now();
        if let Some(last) = self.last_read.replace(Some(now)) {
            if let Some(time) = self.add_freeze(now, now.duration_since(last)) {
                self.noticed.set(Some(time));
            }
        }
        now.duration_since(self.started).saturating_sub(self.frozen.get())
    }

    /// Begins a stop. What this process has run before is no part of it.
    pub(super) fn stop_begins(&self) {
        if self.accounted.get().is_none() {
            self.accounted.set(accounted().map(|time| (Instant::now(), time)));
        }
    }

    /// Begins a wait of at most [`HEARTBEAT`].
    pub(super) fn before_wait(&mut self) {
        self.now();
        self.wait_began = self.last_read.get();
    }

    /// Begins a wait without a deadline.
    pub(super) fn before_long_wait(&mut self) {
        self.last_read.set(None);
    }

    /// Ends the wait. Returns for how long this process was frozen in it or before it, if it was.
    pub(super) fn after_wait(&mut self) -> Option<Duration> {
        let before = self.noticed.take();
        let Some(since) = self.wait_began.take() else { return before };
        let now = Instant::now();
        self.last_read.set(Some(now));
        let took = now.duration_since(since);
        // At most once in a heartbeat, because many signals mean many waits; a stop that is over at once never does it.
        let is_stale = self.accounted.get().is_none_or(|(at, _)| now.duration_since(at) >= HEARTBEAT);
        if took < HEARTBEAT + MUCH_TOO_LATE && took >= HEARTBEAT / 2 && is_stale {
            self.accounted.set(accounted().map(|time| (now, time)));
        }
        self.add_freeze(now, took.saturating_sub(HEARTBEAT)).or(before)
    }

    /// Takes the time off, as far as this process did not run and did not wait for the processor in it.
    fn add_freeze(&self, now: Instant, time: Duration) -> Option<Duration> {
        if time < MUCH_TOO_LATE {
            return None;
        }
        let before = self.accounted.get().map_or(Duration::ZERO, |(_, time)| time);
        let accounted = accounted()?;
        self.accounted.set(Some((now, accounted)));
        let frozen = time.checked_sub(accounted.saturating_sub(before))?;
        (frozen >= MUCH_TOO_LATE).then(|| {
            self.frozen.set(self.frozen.get() + frozen);
            frozen
        })
    }
}

/// Returns how long this process has run, and was ready to run and did not: the first two fields, in nanoseconds
/// (`Documentation/scheduler/sched-stats.rst`).
fn accounted() -> Option<Duration> {
    let text = read_text("/proc/self/schedstat", 256).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let mut next = || fields.next()?.parse().ok().map(Duration::from_nanos);
    Some(next()? + next()?)
}
