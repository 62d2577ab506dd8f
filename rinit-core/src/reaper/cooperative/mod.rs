//! Reaping orphans in a process whose other threads and libraries start and wait for children of their own.

pub(crate) mod background;
pub(crate) mod claim;
mod clock;
mod ledger;
mod registry;
mod scan;

pub use background::BackgroundReaper;
pub use claim::{Claimable, claim, claim_with, release, stats};

use crate::error::{Error, from_errno};
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::procfs::reader::Reader;
use crate::reaper::mode::{Mode, ModeGuard};
use registry::{Entry, IDLE_INTERVAL};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

/// Reaps orphans only, and leaves every child to its owner in this process.
///
/// The kernel does not tell an adopted child from one that was started here. So a zombie is reaped, by its pid and never by
/// "any child", when all of this holds:
///
/// - It is in the list of the thread that gets orphans: the main thread, or, once that has exited, the first other one
///   (`/proc/self/task/*/children`). A child that is, or was once seen, under another thread was started by that thread and is
///   never reaped.
/// - It is not [claimed](claim), and it is not a [`Child`](crate::Child).
/// - It has stayed a zombie for the settling time: 2 s unless [`settle`](Self::settle) says otherwise. Time in which this
///   process was stopped or frozen does not count.
///
/// # What is safe, and what is not
///
/// Safe is every child that is claimed, that is waited for within the settling time, or that a thread other than the main one
/// started and outlives. **Not safe is one kind**: a child that the main thread started (or a thread that exited before any
/// scan saw the child under it), that is not claimed, and that is waited for later than the settling time after its exit. An
/// `async` block that `#[tokio::main]` runs is in the main thread. Claim such children, or keep the main thread out of it: run
/// the program's body in a second thread and let `main` do nothing but join that thread.
///
/// # Several reapers
///
/// Claims and scans belong to the process. Any number of libraries may each start a cooperative reaper: they share one
/// registry, the longest settling time holds, and each of them sees every orphan that is reaped. An exclusive reaper beside it
/// is an error.
///
/// # Driving it
///
/// Either [`start`](Self::start) a background thread, or drive it: its descriptor ([`AsFd`]: a timerfd) becomes readable
/// when a check is due, at most once a second while there is no zombie; then call [`try_next`](Self::try_next) until it returns
/// `None`. SIGCHLD is not used, and no signal's mask or disposition is changed. But if the process ignores SIGCHLD,
/// or has set SA_NOCLDWAIT, the kernel keeps no status and there is nothing to reap (`wait(2)`, NOTES).
///
/// Source: `proc_tid_children(5)`, `PR_SET_CHILD_SUBREAPER(2const)`, `waitid(2)`, `timerfd_create(2)`.
///
/// ```
/// use rinit_core::{Reaper, become_subreaper, claim};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let _subreaper = become_subreaper()?;
/// let mut reaper = Reaper::cooperative()?;
/// let mut child = claim(|| std::process::Command::new("true").spawn())?;
/// // poll(2) on reaper.as_fd() belongs here; any event loop will do.
/// while let Some(orphan) = reaper.try_next()? {
///     println!("reaped {}: {}", orphan.pid, orphan.status);
/// }
/// assert!(child.wait()?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the reaping of orphans"]
pub struct CooperativeReaper {
    entry: Entry,
    reader: Reader,
    timer: OwnedFd,
    _mode: ModeGuard,
}

/// An orphan that was adopted by this process, has exited and was reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphan {
    /// Its pid, which is free again and may be another process's by now.
    pub pid: Pid,
    /// How it exited.
    pub status: ExitStatus,
}

/// Figures of the cooperative reapers of this process: see [`stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CooperativeStats {
    /// Cooperative reapers that live.
    pub reapers: usize,
    /// Orphans reaped since the start.
    pub reaped: u64,
    /// Zombies seen and not yet reaped, because their owner may still wait for them.
    pub settling: usize,
    /// Claims, some of which may be over already.
    pub claimed: usize,
    /// Children known to be started by another thread and without a claim, as of the last scan.
    pub own: usize,
    /// Checks whether there is any zombie: one system call each.
    pub checks: u64,
    /// Checks that then read the lists of children.
    pub scans: u64,
    /// Orphans that a reaper did not return, because its caller did not ask in time.
    pub dropped: u64,
}

impl CooperativeReaper {
    pub(crate) fn new() -> Result<Self, Error> {
        let mode = ModeGuard::enter(Mode::Cooperative)?;
        let mut reader = Reader::new();
        scan::verify(&mut reader)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags);
        let timer = timer.map_err(from_errno(Error::Timer))?;
        let reaper = Self { entry: Entry::new(), reader, timer, _mode: mode };
        reaper.wake_in(IDLE_INTERVAL)?;
        Ok(reaper)
    }

    /// Sets the settling time, 2 s by default: how long after its exit an unclaimed child of the main thread may still be
    /// waited for. Where several reapers run, the longest time holds.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.settle(std::time::Duration::from_secs(10)).start()?;
    /// # drop(reaper);
    /// # Ok(())
    /// # }
    /// ```
    pub fn settle(self, time: Duration) -> Self {
        self.entry.set_rule(|rule| rule.settle = time);
        self
    }

    /// Shortens the settling time under a flood, which is not done by default: while more than `crowd` zombies settle, it is
    /// `settle * crowd / zombies`, but not less than `floor` (or `settle`, if that is less).
    ///
    /// **Children can cause the flood.** A job whose descendants leave many zombies then shortens the time that this process's
    /// own unclaimed children have. So set it only where zombies could use up a limit on processes, with a floor
    /// within which every unclaimed child is waited for. Where several reapers run, the flood rule is in force only if all
    /// have one.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.flood(10_000, std::time::Duration::from_secs(1)).start()?;
    /// # drop(reaper);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flood(self, crowd: usize, floor: Duration) -> Self {
        self.entry.set_rule(|rule| {
            rule.crowd = crowd;
            rule.floor = floor;
        });
        self
    }

    /// Reaps the orphans that have settled, sets the timer for the next check, and returns one of those reaped, by this or by
    /// another reaper of the process; `None` when there are no more. Does not block.
    ///
    /// One call reaps all that have settled, up to 16,384; the following calls return them one by one.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`], [`Error::Wait`] or [`Error::Timer`]. The timer is set nonetheless if it can be, so that the descriptor
    /// becomes readable again.
    pub fn try_next(&mut self) -> Result<Option<Orphan>, Error> {
        if let Some(orphan) = self.entry.next_orphan() {
            return Ok(Some(orphan));
        }
        let checked = self.entry.check(&mut self.reader);
        // Setting the timer also clears the descriptor's readiness.
        self.wake_in(*checked.as_ref().unwrap_or(&IDLE_INTERVAL))?;
        checked?;
        Ok(self.entry.next_orphan())
    }

    /// Moves the reaper to a thread of its own, named `rinit-reaper`, which blocks all signals.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.start()?;
    /// drop(reaper); // ends the thread; `detach` would keep it
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(self) -> Result<BackgroundReaper, Error> {
        BackgroundReaper::start(self)
    }

    fn wake_in(&self, time: Duration) -> Result<(), Error> {
        let value = Timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        let set = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
        set.map(drop).map_err(from_errno(Error::Timer))
    }
}

impl AsFd for CooperativeReaper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

/// For event loops that want a number, such as tokio's `AsyncFd`.
impl AsRawFd for CooperativeReaper {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
