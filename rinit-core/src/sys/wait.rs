//! `waitid(2)` with the pid: rustix's own keeps it to itself.

use super::check;
use super::siginfo::zeroed;
use crate::Pid;
use std::io;
use std::ptr;

/// What looking for ended children without taking one can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peeked {
    /// This child has ended and can be waited for.
    Ended(Pid),
    /// There are children, and none has ended.
    Running,
    /// There are no children at all, and so no descendants: the topmost living one would be a child.
    NoChildren,
}

/// `waitid(P_ALL, WEXITED | WNOWAIT)`: looks and takes nothing. Does not block.
pub(crate) fn peek() -> io::Result<Peeked> {
    let mut info = zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    let no_usage = ptr::null_mut::<libc::rusage>();
    // SAFETY: `info` is a live siginfo_t to be filled; the usage pointer may be null.
    let result = unsafe { libc::syscall(libc::SYS_waitid, libc::P_ALL, 0, &raw mut info, options, no_usage) };
    match check(result) {
        Ok(_) => {
            // SAFETY: zeroed, then filled by waitid, which sets si_pid, to 0 where nobody has ended.
            let pid = unsafe { info.si_pid() };
            Ok(Pid::new(pid).map_or(Peeked::Running, Peeked::Ended))
        }
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(Peeked::NoChildren),
        Err(error) => Err(error),
    }
}
