//! Process groups and sessions, which may lie outside of this PID namespace: they read as 0 there, a number that rustix's
//! `Pid` cannot hold.

use crate::pid::Pid;

/// The group of this process; `None` if it lies outside of its PID namespace.
pub(crate) fn own_group() -> Option<Pid> {
    // SAFETY: takes no argument, touches no memory and cannot fail.
    Pid::new(unsafe { libc::getpgrp() })
}

/// True if the process is in the group of this one.
pub(crate) fn is_in_own_group(pid: Pid) -> bool {
    // SAFETY: plain integers; touches no memory.
    let group = unsafe { libc::getpgid(pid.get()) };
    // SAFETY: as in `own_group`.
    group == unsafe { libc::getpgrp() }
}

/// True if this process leads its session.
pub(crate) fn leads_session() -> bool {
    // SAFETY: plain integers; touches no memory.
    let session = unsafe { libc::getsid(0) };
    Pid::new(session) == Some(rustix::process::getpid().into())
}
