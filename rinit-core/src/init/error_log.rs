//! Reports failures of the loop itself.

use super::event::Event;
use super::observer::Observers;
use crate::sys::retry;
use std::io;
use std::time::Duration;

/// Pause after a wait that the kernel refused, so that a loop that cannot work does not use up the processor.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Reports each kind of failure once: one that lasts would fill the log.
#[derive(Debug, Default)]
pub(super) struct ErrorLog {
    /// The operation that failed, and the error number.
    reported: Vec<(&'static str, Option<i32>)>,
}

impl ErrorLog {
    /// Reports the failure if it is a new one, then pauses.
    pub(super) fn failed(&mut self, doing: &'static str, error: &io::Error, observers: &mut Observers) {
        let kind = (doing, error.raw_os_error());
        if !self.reported.contains(&kind) {
            self.reported.push(kind);
            observers.emit(Event::Error { what: format!("{doing}: {error}") });
        }
        retry::sleep(PAUSE_AFTER_ERROR);
    }
}
