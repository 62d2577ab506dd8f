//! This process's share of the processor during a stop.

use rustix::process::{getpriority_process, setpriority_process};

/// The highest priority (`setpriority(2)`).
const HIGHEST: i32 = -20;

/// Raises the priority of this process for a stop, and gives it back on drop.
///
/// Among a thousand busy processes an init of equal priority gets a thousandth of the processor: a deadline that it must
/// keep is then missed by tens of seconds. Without CAP_SYS_NICE nothing changes.
#[derive(Debug, Default)]
pub(super) struct Priority {
    before: Option<i32>,
    tried: bool,
}

impl Priority {
    pub(super) fn raise(&mut self) {
        if std::mem::replace(&mut self.tried, true) {
            return;
        }
        if let Ok(before) = getpriority_process(None) {
            self.before = setpriority_process(None, HIGHEST).is_ok().then_some(before);
        }
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            let _ = setpriority_process(None, before);
        }
    }
}
