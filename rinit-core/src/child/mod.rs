//! A started child and how it exited.

pub(crate) mod exec_failure;
pub(crate) mod output;
pub(crate) mod path_search;
pub(crate) mod registry;
mod signal;
pub(crate) mod spawn_thread;
pub(crate) mod spec;

pub use crate::resource::Resource;
pub use output::Output;
pub use spec::ProcessGroup;

use crate::child::registry::{Ending, Reserved, Slot};
use crate::child::spec::ChildSpec;
use crate::child::spec::start::Started;
use crate::error::{Error, from_errno};
use crate::exit_status::{ExitStatus, WaitStatus, has_exited};
use crate::pid::Pid;
use crate::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A child of the exclusive mode: see [`Reaper::spawn`](crate::Reaper::spawn).
///
/// Its status is kept until the handle is dropped. The drop does not stop the process, and a reaper reaps it when it exits.
/// The handle can be used in any thread, also after the [`Reaper`](crate::Reaper) was dropped; it then reaps its own child. A
/// child whose handle was dropped too stays a zombie until there is a reaper again, or this process exits.
///
/// Its descriptor ([`AsFd`]) becomes readable when the child has exited. It is the child's pidfd, or, on kernels before 5.3 and
/// under seccomp filters that refuse `pidfd_open(2)`, an eventfd that is written to when a reaper, or a wait in another
/// thread, has reaped the child.
///
/// ```
/// use rinit_core::{ChildSpec, ExitStatus, Reaper};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let reaper = Reaper::exclusive()?;
/// let mut child = reaper.spawn(&ChildSpec::new("true"))?;
/// assert!(child.pid().get() > 1);
/// assert_eq!(child.wait()?, ExitStatus::Code(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    ending: Ending,
    slot: Arc<Slot>,
    stop_signal: Signal,
    stop_timeout: Duration,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// Without a pidfd this process has to check whether the child has exited. These are the shortest and the longest pause between
/// two checks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

impl Child {
    /// Starts a child and enters it in the list before it can be reaped.
    pub(crate) fn start(spec: &ChildSpec) -> Result<Self, Error> {
        let reserved = Reserved::new()?;
        // Held over the fork: a child that exits at once must not be reaped before it is in the list.
        let mut children = registry::lock();
        let Started { pid, pipes } = spec.start_for_process()?;
        let (slot, ending) = children.enter(pid, reserved);
        Ok(Self {
            pid,
            ending,
            slot,
            stop_signal: spec.stop_signal,
            stop_timeout: spec.stop_timeout,
            stdin: pipes.stdin.map(Into::into),
            stdout: pipes.stdout.map(Into::into),
            stderr: pipes.stderr.map(Into::into),
        })
    }

    /// The child's pid. The kernel does not reuse it before the child is reaped.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let child = Reaper::exclusive()?.spawn(&ChildSpec::new("true"))?;
    /// println!("started {}", child.pid());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns how the child exited; `None` while it runs. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::StatusTaken`] if something else in this process waits for children too, which breaks the exclusive
    /// mode's contract; [`Error::Wait`] if the kernel refuses to wait.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// assert_eq!(child.try_wait()?, None);
    /// child.signal(rinit_core::Signal::KILL)?;
    /// assert_eq!(child.wait()?.exit_code(), 137);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_wait(&self) -> Result<Option<ExitStatus>, Error> {
        match self.slot.status() {
            Some(status) => Ok(Some(status)),
            None => registry::lock().take(self.pid, &self.slot),
        }
    }

    /// Waits until the child exits. The write end of its standard input is closed first, if it was not taken, so that it
    /// cannot wait for input while this waits for it. The reaper may be driven meanwhile, but need not be.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, ExitStatus, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sh").args(["-c", "exit 3"]))?;
    /// assert_eq!(child.wait()?, ExitStatus::Code(3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            self.sleep_until(WaitIdOptions::EXITED)?;
        }
    }

    /// Does what [`Child::wait`] does, but no longer than the timeout; `None` if the child still runs then. A timeout of zero
    /// checks once.
    ///
    /// It sleeps on the pidfd. Where there is none it checks up to every 50 ms, so that it may return that much late.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// use std::time::Duration;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// assert_eq!(child.wait_timeout(Duration::from_millis(10))?, None);
    /// child.kill_group()?;
    /// assert!(child.wait_timeout(Duration::from_secs(60))?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        drop(self.stdin.take());
        self.ended_within(timeout)?;
        self.try_wait()
    }

    /// Sleeps until the child has changed so, without reaping and without the lock. Another thread may reap the child
    /// meanwhile; then this fails with ECHILD, and the status is in the slot.
    fn sleep_until(&self, changes: WaitIdOptions) -> Result<(), Error> {
        match waitid(WaitId::Pid(self.pid.rustix()), changes | WaitIdOptions::NOWAIT) {
            Ok(_) | Err(Errno::INTR | Errno::CHILD) => Ok(()),
            Err(error) => Err(Error::Wait(error.into())),
        }
    }

    /// Waits until the child has exited, without reaping it; true if it has.
    fn ended_within(&self, timeout: Duration) -> Result<bool, Error> {
        // There is no deadline if the clock cannot express it.
        let end = Instant::now().checked_add(timeout);
        let mut pause = PAUSES.0;
        loop {
            if self.has_exited()? {
                return Ok(true);
            }
            let left = end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(false);
            }
            let (fd, sleep) = match &self.ending {
                Ending::Pidfd(fd) => (fd, left),
                Ending::Event(fd) => (fd, left.min(pause)),
            };
            pause = (pause * 2).min(PAUSES.1);
            // A day at most, which fits every kernel's timeout; then the clock is read again.
            let sleep = Timespec::try_from(sleep.min(Duration::from_secs(86_400))).ok();
            match poll(&mut [PollFd::new(fd, PollFlags::IN)], sleep.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
    }

    /// True if the child has exited, reaped or not.
    pub(crate) fn has_exited(&self) -> Result<bool, Error> {
        if self.slot.status().is_some() {
            return Ok(true);
        }
        match has_exited(WaitId::Pid(self.pid.rustix())) {
            // Another thread has just reaped it; the lock waits for that thread's note.
            Err(Errno::CHILD) => Ok(true),
            exited => exited.map_err(from_errno(Error::Wait)),
        }
    }

    /// True if the child's descriptor becomes readable by itself.
    #[cfg(feature = "tokio")]
    pub(crate) const fn has_pidfd(&self) -> bool {
        matches!(self.ending, Ending::Pidfd(_))
    }

    #[cfg(feature = "tokio")]
    pub(crate) const fn stop_timeout(&self) -> Duration {
        self.stop_timeout
    }

    /// Returns one change of the child: it was stopped, was continued, or has exited. `None` if nothing has changed since the
    /// last call. Does not block.
    ///
    /// Each stop and each continuation is returned once, and only by this or [`Child::wait_change`]. The kernel
    /// sends SIGCHLD for them, too, so the [`Reaper`](crate::Reaper)'s descriptor becomes readable; the child's own does so only
    /// when it exits.
    ///
    /// Source: `waitpid(2)`, WUNTRACED and WCONTINUED.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    pub fn try_wait_change(&self) -> Result<Option<WaitStatus>, Error> {
        registry::lock().take_change(self.pid, &self.slot)
    }

    /// Waits for a change of the child: a stop (^Z at a terminal, or a read from it in the background), a continuation, or
    /// its exit. A shell with job control waits in this way.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal, WaitStatus};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// child.signal(Signal::STOP)?;
    /// assert_eq!(child.wait_change()?, WaitStatus::Stopped(Signal::STOP));
    /// child.kill()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_change(&mut self) -> Result<WaitStatus, Error> {
        loop {
            if let Some(change) = self.try_wait_change()? {
                return Ok(change);
            }
            self.sleep_until(WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED)?;
        }
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.ending {
            Ending::Pidfd(fd) | Ending::Event(fd) => fd.as_fd(),
        }
    }
}

/// For event loops that need a number, such as tokio's `AsyncFd`.
impl AsRawFd for Child {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        registry::lock().forget(self.pid, &self.slot);
    }
}
