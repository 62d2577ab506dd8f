//! Taking ended children, one at a time, for whoever is the only one in the process to wait.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::sys::retry::retry_transient;
use rustix::io::Errno;
use rustix::process::WaitOptions;
use std::io;

/// What one look for changed children found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// A child has ended; its status is here and its pid is free again.
    Ended(Pid, ExitStatus),
    /// A child was stopped by a signal. It lives.
    Stopped(Pid, Signal),
    /// There are children, and nothing new about them.
    Nothing,
    /// There are no children, and so no descendants: the topmost living one would be a child.
    NoChildren,
}

/// Takes one ended child, whoever forked it. Does not block.
///
/// Call it until it has nothing more: SIGCHLD is a standard signal, so that thousands of deaths may raise it once
/// (`signal(7)`, "Queueing and delivery semantics").
pub(crate) fn reap_one() -> io::Result<Reaped> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    match retry_transient(|| Ok(rustix::process::wait(options)?)) {
        Ok(Some((pid, status))) => {
            let pid = Pid::from(pid);
            if let Some(ended) = ExitStatus::from_wait(status.as_raw()) {
                return Ok(Reaped::Ended(pid, ended));
            }
            let stopping = status.stopping_signal().and_then(Signal::new);
            Ok(Reaped::Stopped(pid, stopping.unwrap_or(Signal::STOP)))
        }
        Ok(None) => Ok(Reaped::Nothing),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::CHILD) => Ok(Reaped::NoChildren),
        Err(error) => Err(error),
    }
}
