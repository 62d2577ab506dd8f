//! Process groups and sessions. One that lies outside this PID namespace reads as 0, a number that rustix's `Pid` cannot
//! hold.

use crate::pid::Pid;

/// The process group of this process; `None` if it lies outside its PID namespace.
pub(crate) fn own_group() -> Option<Pid> {
    // SAFETY: takes no argument, touches no memory and cannot fail.
    Pid::new(unsafe { libc::getpgrp() })
}

/// The process group of a process; `None` if there is none of that number, or the group lies outside this PID namespace.
pub(crate) fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: plain integers; touches no memory.
    Pid::new(unsafe { libc::getpgid(pid.get()) })
}

/// Whether the process is in the process group of this one.
pub(crate) fn is_in_own_group(pid: Pid) -> bool {
    // SAFETY: plain integers; touches no memory.
    let group = unsafe { libc::getpgid(pid.get()) };
    // SAFETY: as in `own_group`.
    group == unsafe { libc::getpgrp() }
}

/// Whether this process is a session leader.
pub(crate) fn leads_session() -> bool {
    // SAFETY: plain integers; touches no memory.
    let session = unsafe { libc::getsid(0) };
    Pid::new(session) == Some(rustix::process::getpid().into())
}
