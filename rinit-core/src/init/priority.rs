//! This process's share of the processor during a stop.

use crate::sys;
use rustix::process::{getpriority_process, setpriority_process};

/// The highest priority (`setpriority(2)`).
const HIGHEST: i32 = -20;

/// Raises the priority of this process for a stop, and gives it back on drop.
///
/// Among a thousand busy processes an init of equal priority gets a thousandth of the processor: a deadline that it must
/// keep is then missed by tens of seconds. Without CAP_SYS_NICE nothing changes. Under SCHED_IDLE, which a container may have or a
/// process of it may set, one busy process is enough for that, and the priority does not count.
#[derive(Debug, Default)]
pub(super) struct Priority {
    before: Option<i32>,
    /// The policy was SCHED_IDLE.
    was_idle: bool,
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
        self.was_idle = sys::leave_idle_policy();
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if self.was_idle {
            sys::enter_idle_policy();
        }
        if let Some(before) = self.before {
            let _ = setpriority_process(None, before);
        }
    }
}
