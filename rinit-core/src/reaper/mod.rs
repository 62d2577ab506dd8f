//! Reaping every child of a process that starts its children through rinit alone.

pub mod cooperative;
mod mode;
pub(crate) mod subreaper;
pub(crate) mod wait;

pub use subreaper::Subreaper;

use crate::child::Child;
use crate::child::registry;
use crate::child::spec::ChildSpec;
use crate::error::{Error, from_errno};
use crate::exit_status::{ExitStatus, has_exited};
use crate::pid::Pid;
use crate::reaper::mode::{Mode, ModeGuard};
use crate::reaper::wait::{Reaped, Waiter};
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::{Disposition, SignalFd};
use rustix::process::WaitId;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Reaps every child: those that it spawned, and orphans that this process adopted as PID 1 or subreaper.
///
/// **Exclusive** means that it waits for any child (`waitpid(-1)`). Nothing else in the process may wait:
/// `std::process::Command`, tokio and C's `system(3)` would lose their statuses to it. Spawn with [`Reaper::spawn`], which
/// keeps each status for its [`Child`]. This concerns the whole process: several exclusive reapers, and waits for single
/// children in other threads, do not take each other's statuses, and a cooperative reaper beside it is an error. The status of
/// a child whose handle was dropped is not kept.
///
/// Its descriptor ([`AsFd`]: a signalfd for SIGCHLD) becomes readable when children have exited: then call
/// [`Reaper::try_next`] until it returns `None`. SIGCHLD is blocked in the calling thread and given its default action; a drop
/// in the same thread restores the mask. Start no threads before, or block SIGCHLD in them too: a thread that has it unblocked
/// takes it away from the descriptor (`signalfd(2)`).
///
/// ```
/// use rinit_core::{ChildSpec, Reaper};
/// use std::os::fd::AsFd;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reaper = Reaper::exclusive()?;
/// let child = reaper.spawn(&ChildSpec::new("true"))?;
/// loop {
///     // poll(2) on reaper.as_fd() belongs here; any event loop will do.
///     if let Some(ended) = reaper.try_next()? {
///         assert_eq!(ended.pid, child.pid());
///         assert!(ended.status.success());
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it unblocks SIGCHLD, and the children stay zombies"]
pub struct Reaper {
    fd: SignalFd,
    /// Signals that this value has blocked and that were not blocked before. Only these are unblocked on drop, so that several
    /// such values may be dropped in any order.
    blocked: SignalSet,
    /// The thread that has this mask.
    thread: ThreadId,
    waiter: Mutex<Waiter>,
    _mode: ModeGuard,
}

/// A child that has exited and was reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReapedChild {
    /// Its pid, which is free again and may be another process's by now.
    pub pid: Pid,
    /// How it exited.
    pub status: ExitStatus,
    /// True if its [`Child`] handle lives; false for an adopted orphan, and for a child whose handle was dropped.
    pub spawned_here: bool,
}

impl Reaper {
    /// A reaper for a process in which nothing else waits for children.
    ///
    /// # Errors
    ///
    /// [`Error::OtherReaper`] while a cooperative reaper lives in this process. [`Error::SignalMask`], [`Error::Disposition`]
    /// or [`Error::SignalFd`].
    pub fn exclusive() -> Result<Self, Error> {
        let mode = ModeGuard::enter(Mode::Exclusive)?;
        let child = SignalSet::only(Signal::CHLD);
        let before = sys::block(child).map_err(from_errno(Error::SignalMask))?;
        let blocked = child.difference(before);
        // Ignored, the kernel would reap by itself and keep no status (`wait(2)`, NOTES).
        sys::set_disposition(Signal::CHLD, Disposition::Default).map_err(from_errno(Error::Disposition))?;
        let fd = SignalFd::new(child).map_err(|error| {
            let _ = sys::unblock(blocked);
            Error::SignalFd(error.into())
        })?;
        signal_earlier_exits();
        // It waits only for exits: reports that a child was stopped are left for `Child::wait_change`.
        let waiter = Mutex::new(Waiter::of_exits());
        Ok(Self { fd, blocked, thread: thread::current().id(), waiter, _mode: mode })
    }

    /// A reaper of orphans for a process whose other code waits for its own children: see
    /// [`CooperativeReaper`](crate::cooperative::CooperativeReaper).
    ///
    /// The process must be PID 1 of its namespace, or have called [`become_subreaper`](crate::become_subreaper); else
    /// there are no orphans.
    ///
    /// # Errors
    ///
    /// [`Error::OtherReaper`] while an exclusive reaper lives in this process. [`Error::Proc`] without `/proc`, with that of
    /// another PID namespace, or on a kernel without `CONFIG_PROC_CHILDREN`: orphans could then not be told from children.
    /// [`Error::Timer`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let _subreaper = rinit_core::become_subreaper()?;
    /// let _reaper = rinit_core::Reaper::cooperative()?.start()?;
    /// // From here on, anywhere in the process:
    /// let mut child = rinit_core::claim(|| std::process::Command::new("true").spawn())?;
    /// assert!(child.wait()?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cooperative() -> Result<crate::reaper::cooperative::CooperativeReaper, Error> {
        crate::reaper::cooperative::CooperativeReaper::new()
    }

    /// Starts a child and keeps its status for the handle.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::NotExecutable`], [`Error::Fork`] and the other variants that name a step of the
    /// start; no process is left then.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("true"))?;
    /// child.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(&self, spec: &ChildSpec) -> Result<Child, Error> {
        Child::start(spec)
    }

    /// Reaps one child that has exited; `None` when there is none. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] or [`Error::SignalWait`], where a seccomp filter refuses the calls.
    pub fn try_next(&self) -> Result<Option<ReapedChild>, Error> {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        // SIGCHLD is read before the children are waited for: a child that exits in between raises it again, which costs at
        // most one check too many.
        while let Some(received) = self.fd.read().map_err(from_errno(Error::SignalWait))? {
            waiter.child_changed(received.child);
        }
        // Even without a signal: a thread that does not block SIGCHLD may have received it.
        waiter.child_changed(None);
        let mut children = registry::lock();
        loop {
            // No walk is put off: the descriptor could not become readable when it is due.
            match waiter.next(None).map_err(from_errno(Error::Wait))? {
                Reaped::Exited(pid, status) => {
                    let spawned_here = children.reaped(pid, status);
                    return Ok(Some(ReapedChild { pid, status, spawned_here }));
                }
                Reaped::Stopped(..) => {}
                Reaped::Nothing | Reaped::NoChildren => return Ok(None),
            }
        }
    }
}

/// A child that exited before SIGCHLD was blocked has left no signal that the descriptor could show: one is sent now.
fn signal_earlier_exits() {
    if has_exited(WaitId::All) == Ok(true) {
        let _ = sys::kill(rustix::process::getpid().into(), Signal::CHLD);
    }
}

impl AsFd for Reaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// For event loops that want a number, such as tokio's `AsyncFd`.
impl AsRawFd for Reaper {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // This value has never changed the mask of another thread.
        if thread::current().id() == self.thread {
            let _ = sys::unblock(self.blocked);
        }
    }
}
