//! The clock by which zombies settle: it runs only while this process runs. Pure.

use std::time::Duration;

/// A check that comes this late was held up: the process was stopped, frozen, or had no processor. A busy machine delays a
/// thread that sleeps most of the time by far less.
const MUCH_TOO_LATE: Duration = Duration::from_millis(500);

/// Adds up the time between checks.
///
/// A stop (`SIGSTOP`), a frozen cgroup or a suspended machine stops the owners of children too. Time that passes meanwhile
/// must not count as time in which they could have waited.
#[derive(Debug, Default)]
pub(super) struct RunningClock {
    now: Duration,
    planned: Duration,
}

impl RunningClock {
    pub(super) const fn now(&self) -> Duration {
        self.now
    }

    /// Notes when the next check should come.
    pub(super) const fn plan(&mut self, next: Duration) {
        self.planned = next;
    }

    /// Adds the time since the last check; true if the check came much too late.
    pub(super) fn advance(&mut self, elapsed: Duration) -> bool {
        let late = elapsed > self.planned.saturating_add(MUCH_TOO_LATE);
        if !late {
            self.now += elapsed;
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_does_not_count() {
        let ms = Duration::from_millis;
        let mut clock = RunningClock::default();
        assert!(!clock.advance(Duration::ZERO));
        clock.plan(ms(250));
        assert!(!clock.advance(ms(251)));
        assert!(clock.advance(ms(3000)), "stopped for three seconds");
        assert_eq!(clock.now(), ms(251));
        clock.plan(ms(1000));
        assert!(!clock.advance(ms(1400)));
        assert_eq!(clock.now(), ms(1651));
    }
}
