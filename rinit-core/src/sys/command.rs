//! A step between fork and exec, added to std's `Command`.

use crate::signal::set::SignalSet;
use crate::sys::signal::mask::{set_mask, unblock};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the child unblock these signals before it becomes its program.
pub(crate) fn unblock_before_exec(command: &mut Command, signals: SignalSet) {
    // SAFETY: the closure makes one system call, which is async-signal-safe, and touches no memory but its own copy of the set.
    unsafe { command.pre_exec(move || Ok(unblock(signals).map(drop)?)) };
}

/// Gives the child this signal mask before it becomes its program.
pub(crate) fn set_mask_before_exec(command: &mut Command, mask: SignalSet) {
    // SAFETY: as above.
    unsafe { command.pre_exec(move || Ok(set_mask(mask).map(drop)?)) };
}
