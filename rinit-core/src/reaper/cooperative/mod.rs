//! Reaping orphans in a process whose other threads and libraries start and wait for children of their own.

pub(crate) mod background;
pub(crate) mod claim;
mod ledger;
mod scan;

pub use background::BackgroundReaper;
pub use claim::{Claimable, Claims};

use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::procfs::reader::Reader;
use claim::Shared;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use scan::{Pending, Taken};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks for zombies, while none is known.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Zombies that settle a few milliseconds after one another are taken together.
const COALESCE_WINDOW: Duration = Duration::from_millis(50);
/// Until the next try for zombies that have settled while a claim's spawn was running.
const RETRY_HELD_BACK: Duration = Duration::from_millis(250);
/// So many are taken by one check, which bounds the events that wait for the caller.
const MAX_PER_CHECK: usize = 16_384;
/// So many zombies are taken under one lock: a claim must not wait for thousands of system calls.
const BATCH: usize = 32;

/// Reaps orphans only, and leaves every child to whoever started it in this process.
///
/// The kernel does not tell an adopted child from one that was started here. So a zombie is taken, by its pid and never by
/// "any child", when all of this holds:
///
/// - it is in the list of the thread that gets orphans: the main thread, or, once that has ended, the first other one
///   (`/proc/self/task/*/children`). What is, or was once seen, under another thread was started by it and is never taken;
/// - nobody has [claimed](Claims::claim) it;
/// - it has stayed a zombie for the settling time: 2 s unless [`settle`](Self::settle) says otherwise. Under a flood, when
///   more than 256 zombies settle at once, the time shrinks in proportion, down to 250 ms ([`flood`](Self::flood)).
///
/// What remains is a child that the main thread started (or a thread that ended before any look saw the child as a zombie)
/// without a claim, and that is waited for only later than the settling time after its end. Claim those. Everything
/// that waits at once, `Command::output`, tokio, `system(3)`, is faster than any settling time.
///
/// Either [`start`](Self::start) a background thread, or drive it: as a descriptor ([`AsFd`]: a timerfd) it becomes readable
/// when a look is due, at most once a second while there is no zombie; then call [`try_next`](Self::try_next) until it returns
/// `None`. SIGCHLD is not used, and no signal's mask or disposition touched. But where the process ignores SIGCHLD,
/// or has set SA_NOCLDWAIT, the kernel keeps no status for anybody and there is nothing to reap (`wait(2)`, NOTES).
///
/// Source: `proc_tid_children(5)`, `PR_SET_CHILD_SUBREAPER(2const)`, `waitid(2)`, `timerfd_create(2)`.
///
/// ```
/// use rinit_core::{Reaper, become_subreaper};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let _subreaper = become_subreaper()?;
/// let mut reaper = Reaper::cooperative()?;
/// let claims = reaper.claims();
/// let mut child = claims.claim(|| std::process::Command::new("true").spawn())?;
/// // poll(2) on reaper.as_fd() belongs here; any event loop will do.
/// while let Some(orphan) = reaper.try_next()? {
///     println!("reaped {}: {}", orphan.pid, orphan.status);
/// }
/// assert!(child.wait()?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it ends the reaping of orphans"]
pub struct CooperativeReaper {
    shared: Arc<Shared>,
    reader: Reader,
    timer: OwnedFd,
    epoch: Instant,
    events: VecDeque<Orphan>,
}

/// An orphan that was adopted by this process, has ended and was reaped.
///
/// ```
/// use rinit_core::{ExitStatus, Pid};
/// use rinit_core::cooperative::Orphan;
/// let orphan = Orphan { pid: Pid::INIT, status: ExitStatus::Code(0) };
/// assert!(orphan.status.success());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphan {
    /// Its pid, which is free again and may be a stranger's by now.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
}

/// What a cooperative reaper has done and is waiting for.
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let stats = rinit_core::Reaper::cooperative()?.claims().stats();
/// assert_eq!((stats.reaped, stats.settling), (0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CooperativeStats {
    /// Orphans reaped since the start.
    pub reaped: u64,
    /// Zombies seen and not yet taken, because they may still be waited for.
    pub settling: usize,
    /// Claims, of which some may be over already.
    pub claimed: usize,
    /// Children known to be started by another thread and without a claim, as of the last look.
    pub own: usize,
    /// Times that it was asked, or woke up, whether there is any zombie: one system call each.
    pub checks: u64,
    /// Times that it then read the lists of children.
    pub looks: u64,
    /// Events of a [`BackgroundReaper`] that nobody read in time.
    pub dropped: u64,
}

impl CooperativeReaper {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut reader = Reader::new();
        scan::verify(&mut reader)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags);
        let timer = timer.map_err(|error| Error::Timer(error.into()))?;
        let (shared, events) = (Arc::default(), VecDeque::new());
        let reaper = Self { shared, reader, timer, epoch: Instant::now(), events };
        reaper.wake_in(IDLE_INTERVAL)?;
        Ok(reaper)
    }

    /// Sets the settling time, 2 s by default: how long after its end an unclaimed child of the main thread may still be
    /// waited for.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.settle(std::time::Duration::from_secs(10));
    /// # let _ = reaper;
    /// # Ok(())
    /// # }
    /// ```
    pub fn settle(self, time: Duration) -> Self {
        self.shared.lock().ledger.rule.settle = time;
        self
    }

    /// Sets the flood rule, by default 256 and 250 ms: while more than `crowd` zombies settle, the settling time is
    /// `settle * crowd / zombies`, but not less than `floor` (or `settle`, if that is less). `usize::MAX` switches it off.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.flood(usize::MAX, std::time::Duration::ZERO);
    /// # let _ = reaper;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flood(self, crowd: usize, floor: Duration) -> Self {
        {
            let mut state = self.shared.lock();
            state.ledger.rule.crowd = crowd;
            state.ledger.rule.floor = floor;
        }
        self
    }

    /// The handle for starting children, and for the statistics. Clone it into every thread.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let claims = rinit_core::Reaper::cooperative()?.claims();
    /// claims.claim(|| std::process::Command::new("true").spawn())?.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn claims(&self) -> Claims {
        Claims { shared: Arc::clone(&self.shared) }
    }

    /// Takes the orphans that have settled, sets the timer for the next time, and gives one of those taken; `None` when
    /// there are no more. Does not block.
    ///
    /// All that have settled, up to 16,384, are taken by one call and then given one by one.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`], [`Error::Wait`] or [`Error::Timer`]. The timer is set nonetheless where it can be, so that a
    /// caller who goes on comes back.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::Reaper::cooperative()?.try_next()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&mut self) -> Result<Option<Orphan>, Error> {
        if let Some(orphan) = self.events.pop_front() {
            return Ok(Some(orphan));
        }
        let checked = self.check();
        // Setting the timer also takes back that the descriptor is readable.
        self.wake_in(*checked.as_ref().unwrap_or(&IDLE_INTERVAL))?;
        checked?;
        Ok(self.events.pop_front())
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
    /// drop(reaper); // ends the thread
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(self) -> Result<BackgroundReaper, Error> {
        BackgroundReaper::start(self)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Takes what has settled; the time until the next check.
    fn check(&mut self) -> Result<Duration, Error> {
        self.shared.lock().checks += 1;
        if scan::hint()? == Pending::None {
            return Ok(IDLE_INTERVAL);
        }
        let known = {
            let mut state = self.shared.lock();
            state.looks += 1;
            state.ledger.begin_look();
            state.ledger.known()
        };
        // Without the lock: claims may begin and end meanwhile. The ledger knows which ones had begun before the look.
        let view = scan::look(&mut self.reader, &known)?;
        let now = self.now();
        let due = {
            let mut state = self.shared.lock();
            state.ledger.see(&view, now);
            state.ledger.due(now)
        };
        for batch in due.get(..MAX_PER_CHECK).unwrap_or(&due).chunks(BATCH) {
            let mut state = self.shared.lock();
            for zombie in batch {
                // Claimed by its bare number since it was found due, or the like: it is decided under the lock.
                if !state.ledger.is_settling(*zombie) {
                    continue;
                }
                let taken = scan::take(&mut self.reader, *zombie)?;
                state.ledger.forget(zombie.pid);
                if let Taken::Ended(status) = taken {
                    state.reaped += 1;
                    self.events.push_back(Orphan { pid: zombie.pid, status });
                }
            }
        }
        let state = self.shared.lock();
        let now = self.now();
        Ok(match state.ledger.next_due() {
            None => IDLE_INTERVAL,
            Some(due) if due <= now => RETRY_HELD_BACK,
            Some(due) => due.saturating_sub(now).clamp(COALESCE_WINDOW, IDLE_INTERVAL),
        })
    }

    fn wake_in(&self, time: Duration) -> Result<(), Error> {
        let value = Timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        let set = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
        set.map(drop).map_err(|error| Error::Timer(error.into()))
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
