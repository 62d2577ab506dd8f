//! Process groups and sessions. The number of one outside this PID namespace reads as 0, which rustix's `Pid` cannot hold.

use crate::pid::Pid;

/// Returns the process group of this process; `None` if it lies outside its PID namespace.
pub(crate) fn own_group() -> Option<Pid> {
    // SAFETY: takes no argument, touches no memory and cannot fail.
    Pid::new(unsafe { libc::getpgrp() })
}

/// Returns the process group of a process; `None` if there is no process of that number, or the group lies outside this PID
/// namespace.
pub(crate) fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: plain integers; touches no memory.
    Pid::new(unsafe { libc::getpgid(pid.get()) })
}

/// Returns true if this process is a session leader.
pub(crate) fn leads_session() -> bool {
    // SAFETY: plain integers; touches no memory.
    let session = unsafe { libc::getsid(0) };
    Pid::new(session) == Some(rustix::process::getpid().into())
}
