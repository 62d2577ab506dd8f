//! Signals one process of the tree, never another one.

use super::Process;
use crate::error::Error;
use crate::pid::Pid;
use crate::procfs;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::sys;
use crate::sys::retry::retry_transient;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// The result of sending a signal.
///
/// ```
/// assert_ne!(rinit_core::process::Delivery::Delivered, rinit_core::process::Delivery::Gone);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The kernel accepted it for the process.
    Delivered,
    /// The process has exited, whether it was reaped or not; no process got the signal.
    Gone,
}

/// Set once pidfds turn out to be missing (Linux before 5.3) or refused (seccomp), so that each of thousands of processes
/// need not find out again.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Sends a signal to the process that was seen, never to one that got its pid since.
///
/// By `pidfd_open(2)` and `pidfd_send_signal(2)`. Where the kernel lacks them or a seccomp filter refuses them (EPERM
/// counts as ENOSYS) by `kill(2)`, right after a check that it is still the same process. A race of microseconds
/// remains: to hit another one, the process would have to exit, be reaped, and all other pids be used up in that time.
///
/// # Errors
///
/// [`Error::SendSignal`] with EPERM where the process belongs to another user and this one has no CAP_KILL;
/// [`Error::Proc`] where `/proc` cannot be read, so that the process cannot be told from another one with its pid.
///
/// ```
/// use rinit_core::{Pid, Signal};
/// use rinit_core::process::{Process, Delivery, signal_process};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
/// let process = Process::read(Pid::new(child.id() as i32).expect("a pid"))?.expect("it lives");
/// assert_eq!(signal_process(&process, Signal::TERM)?, Delivery::Delivered);
/// child.wait().expect("wait");
/// assert_eq!(signal_process(&process, Signal::TERM)?, Delivery::Gone);
/// # Ok(())
/// # }
/// ```
pub fn signal_process(process: &Process, signal: Signal) -> Result<Delivery, Error> {
    if !REFUSED.load(Ordering::Relaxed) {
        if let Some(sent) = through_pidfd(process, signal)? {
            return Ok(sent);
        }
    }
    by_number(process, signal)
}

/// Returns `None` if it must be done without a pidfd.
fn through_pidfd(process: &Process, signal: Signal) -> Result<Option<Delivery>, Error> {
    // The order makes pid reuse harmless: pidfd first, then the check of /proc by number, then the signal. A number is
    // given to another process only after its owner was reaped, and a pidfd whose process was reaped sends to
    // none (ESRCH). So if the signal is sent, the pidfd's process kept its number from the first step to the last, and the
    // check in between read no other process. Since it matched, it is the process that was meant.
    let pidfd = match pidfd_open(process.pid.rustix(), PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(Some(Delivery::Gone)),
        // EINVAL: the number now belongs to a thread, not to a process.
        Err(Errno::INVAL) => return Ok(Some(Delivery::Gone)),
        Err(Errno::NOSYS | Errno::PERM) => {
            REFUSED.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        // Descriptors or memory are used up: this time it is done without a pidfd.
        Err(_) => return Ok(None),
    };
    if !still_lives(process)? {
        return Ok(Some(Delivery::Gone));
    }
    match sys::pidfd_send_signal(pidfd.as_fd(), signal) {
        Ok(()) => Ok(Some(Delivery::Delivered)),
        Err(Errno::SRCH) => Ok(Some(Delivery::Gone)),
        Err(Errno::NOSYS) => {
            REFUSED.store(true, Ordering::Relaxed);
            Ok(None)
        }
        // A filter has refused it, a permission is missing, or another error: kill(2) finds out. It is not remembered, because
        // the next process may belong to another user.
        Err(_) => Ok(None),
    }
}

fn by_number(process: &Process, signal: Signal) -> Result<Delivery, Error> {
    if !still_lives(process)? {
        return Ok(Delivery::Gone);
    }
    signal_child(process.pid, signal)
}

/// Sends a signal to an unreaped child of this process: no other process has its number. It takes one call, where
/// [`signal_process`] takes seven.
pub(crate) fn signal_child(pid: Pid, signal: Signal) -> Result<Delivery, Error> {
    match retry_transient(|| sys::kill(pid, signal)) {
        Ok(()) => Ok(Delivery::Delivered),
        Err(Errno::SRCH) => Ok(Delivery::Gone),
        Err(errno) => Err(Error::SendSignal { signal, pid, source: errno.into() }),
    }
}

/// Returns true if the process that was seen still has the number, and has not exited.
fn still_lives(process: &Process) -> Result<bool, Error> {
    let mut reader = Reader::new();
    match reader.stat(process.pid)? {
        Some(stat) => Ok(stat.start_ticks == process.start_ticks && !stat.has_ended()),
        None => {
            // Without /proc every process would seem to be gone.
            procfs::verify(&mut reader)?;
            Ok(false)
        }
    }
}

/// Sends a signal to one process as it was received: with its value, if it has one.
///
/// If the kernel refuses to queue the value (a full queue, `RLIMIT_SIGPENDING`), the signal is sent without it: that is better
/// than no signal.
pub(crate) fn send(pid: Pid, signal: Signal, value: Option<usize>) -> rustix::io::Result<()> {
    match value.map(|value| sys::queue(pid, signal, value)) {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => retry_transient(|| sys::kill(pid, signal)),
    }
}

/// What [`send_to_group`] did.
#[derive(Debug)]
pub(crate) enum ToGroup {
    /// The process is in the group, and got the signal with it unless the kernel refused.
    WithLeader(rustix::io::Result<()>),
    /// The process has left the group, or no group has its number: it did not get the signal. This is the group that it is in,
    /// if that has a number here.
    WithoutLeader(Option<Pid>),
}

/// Sends a signal to the process group that has the number of a process. The process must be an unreaped child: until it is
/// reaped, no other group gets the number.
pub(crate) fn send_to_group(leader: Pid, signal: Signal) -> ToGroup {
    // Read first: a process that exits by the signal is in no group.
    let present = sys::group_of(leader);
    let sent = retry_transient(|| sys::kill_group(leader, signal));
    if present == Some(leader) && !sent.is_err_and(is_gone) {
        ToGroup::WithLeader(sent)
    } else {
        ToGroup::WithoutLeader(present)
    }
}

/// Returns true for ESRCH: the target has exited, which is not an error.
pub(crate) fn is_gone(error: Errno) -> bool {
    error == Errno::SRCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};

    fn sleeper() -> (Child, Process) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::new(child.id().try_into().unwrap()).unwrap();
        (child, Process::read(pid).unwrap().unwrap())
    }

    type Way = fn(&Process, Signal) -> Result<Delivery, Error>;
    const WAYS: [Way; 2] = [signal_process, by_number];

    #[test]
    fn the_process_that_was_seen_gets_it() {
        for way in WAYS {
            let (mut child, process) = sleeper();
            assert_eq!(way(&process, Signal::TERM).unwrap(), Delivery::Delivered);
            assert_eq!(child.wait().unwrap().signal(), Some(15));
            assert_eq!(way(&process, Signal::TERM).unwrap(), Delivery::Gone);
        }
    }

    #[test]
    fn an_unrelated_process_with_the_same_pid_gets_nothing() {
        for way in WAYS {
            let (mut child, mut process) = sleeper();
            process.start_ticks += 1;
            assert_eq!(way(&process, Signal::KILL).unwrap(), Delivery::Gone);
            assert_eq!(child.try_wait().unwrap(), None);
            process.start_ticks -= 1;
            // Not HUP: under nohup(1) it is ignored.
            assert_eq!(way(&process, Signal::TERM).unwrap(), Delivery::Delivered);
            assert_eq!(child.wait().unwrap().signal(), Some(15));
        }
    }
}
