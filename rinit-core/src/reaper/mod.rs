//! Reaping every child of a process that starts its children through rinit alone.

pub mod cooperative;
pub(crate) mod subreaper;
pub(crate) mod wait;

pub use subreaper::Subreaper;

use crate::child::Child;
use crate::child::registry;
use crate::child::spec::ChildSpec;
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::reaper::wait::{Reaped, Waiter};
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::{Disposition, SignalFd};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Reaps every child: those that it spawned, and orphans that this process adopted as PID 1 or subreaper.
///
/// **Exclusive** means that it waits for any child whatever (`waitpid(-1)`). Nothing else in the process may wait:
/// `std::process::Command`, tokio and C's `system(3)` would lose their statuses to it. Spawn with [`Reaper::spawn`], which
/// keeps each status for its [`Child`]. That is a matter of the process: several reapers, and waits for single children in other
/// threads, do not take each other's statuses. A status that nobody can ask for any more is kept nowhere.
///
/// As a descriptor ([`AsFd`]: a signalfd for SIGCHLD) it becomes readable when children have ended: then call
/// [`Reaper::try_next`] until it returns `None`. SIGCHLD is blocked in the calling thread, given its default action, and the
/// mask restored on drop, where that happens in the same thread; start no threads before, or block SIGCHLD in them too, because a thread that has it unblocked
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
#[must_use = "dropping it unblocks SIGCHLD, and nothing reaps the children any more"]
pub struct Reaper {
    fd: SignalFd,
    /// What this value has blocked and nobody had before; only that is unblocked on drop, so that several such
    /// values may be dropped in any order.
    blocked: SignalSet,
    /// Whose mask that is.
    thread: ThreadId,
    waiter: Mutex<Waiter>,
}

/// A child that has ended and was reaped.
///
/// ```
/// use rinit_core::{ExitStatus, Pid};
/// use rinit_core::reaper::ReapedChild;
/// let ended = Ended { pid: Pid::INIT, status: ExitStatus::Code(0), spawned_here: false };
/// assert!(!ended.spawned_here);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReapedChild {
    /// Its pid, which is free again and may be a stranger's by now.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
    /// True if its [`Child`] handle lives; false for an adopted orphan, and for a child whose handle was dropped.
    pub spawned_here: bool,
}

impl Reaper {
    /// A reaper for a process in which nothing else waits for children.
    ///
    /// # Errors
    ///
    /// [`Error::SignalMask`], [`Error::Disposition`] or [`Error::SignalFd`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::exclusive()?;
    /// # let _ = reaper;
    /// # Ok(())
    /// # }
    /// ```
    pub fn exclusive() -> Result<Self, Error> {
        let child = SignalSet::only(Signal::CHLD);
        let before = sys::block(child).map_err(Error::SignalMask)?;
        let blocked = child.difference(before);
        // Ignored, the kernel would reap by itself and keep no status (`wait(2)`, NOTES).
        sys::set_disposition(Signal::CHLD, Disposition::Default).map_err(Error::Disposition)?;
        let fd = SignalFd::new(child).map_err(|error| {
            let _ = sys::unblock(blocked);
            Error::SignalFd(error)
        })?;
        note_who_has_ended();
        Ok(Self { fd, blocked, thread: thread::current().id(), waiter: Mutex::new(Waiter::new()) })
    }

    /// A reaper of orphans for a process in which others wait for their own children: see
    /// [`CooperativeReaper`](crate::cooperative::CooperativeReaper).
    ///
    /// The process must be PID 1 of its namespace, or have called [`become_subreaper`](crate::become_subreaper); else
    /// there are no orphans.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] without `/proc`, with that of another PID namespace, or on a kernel without
    /// `CONFIG_PROC_CHILDREN`: orphans could then not be told from children. [`Error::Timer`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let _subreaper = rinit_core::become_subreaper()?;
    /// let reaper = rinit_core::Reaper::cooperative()?.start()?;
    /// // From here on, anywhere in the process:
    /// let mut child = reaper.claims().claim(|| std::process::Command::new("true").spawn())?;
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

    /// Takes one ended child; `None` when there is none. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] or [`Error::SignalWait`], where a seccomp filter refuses the calls.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::Reaper::exclusive()?.try_next()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&self) -> Result<Option<ReapedChild>, Error> {
        let mut waiter = self.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        // SIGCHLD is read before the children are waited for: a child that exits in between raises it again, which costs at
        // most one check too many.
        while let Some(received) = self.fd.read().map_err(Error::SignalWait)? {
            waiter.child_changed(received.child);
        }
        let mut children = registry::lock();
        loop {
            // No walk is put off: the descriptor could not become readable when it is due.
            match waiter.next(None).map_err(Error::Wait)? {
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

/// Who ended before SIGCHLD was blocked has left no note of it that the descriptor could show: one is left now.
fn note_who_has_ended() {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if matches!(waitid(WaitId::All, options), Ok(Some(_))) {
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
        // Another thread's mask was never changed by this value.
        if thread::current().id() == self.thread {
            let _ = sys::unblock(self.blocked);
        }
    }
}
