//! Claims: children that somebody in this process waits for.

use super::ledger::{Ledger, Ticket};
use super::scan;
use crate::pid::Pid;
use crate::procfs::reader::Reader;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that names a started child.
///
/// tokio's `Child` is not known here, because this crate does not depend on tokio; use [`Claims::claim_with`] with its `id`.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::cooperative::Claimable;
/// assert_eq!(7_u32.claimed_pid(), Pid::new(7));
/// assert_eq!(None::<u32>.claimed_pid(), None);
/// ```
pub trait Claimable {
    /// The child's pid; `None` where there is no child (any more).
    ///
    /// ```
    /// use rinit_core::Pid;
    /// use rinit_core::cooperative::Claimable;
    /// assert_eq!(Pid::INIT.claimed_pid(), Some(Pid::INIT));
    /// ```
    fn claimed_pid(&self) -> Option<Pid>;
}

impl Claimable for std::process::Child {
    fn claimed_pid(&self) -> Option<Pid> {
        self.id().claimed_pid()
    }
}

impl Claimable for Pid {
    fn claimed_pid(&self) -> Option<Pid> {
        Some(*self)
    }
}

impl Claimable for u32 {
    fn claimed_pid(&self) -> Option<Pid> {
        Pid::new(i32::try_from(*self).ok()?)
    }
}

/// As `fork(2)` and `posix_spawn(3)` give it. Zero and negative numbers name no child.
impl Claimable for i32 {
    fn claimed_pid(&self) -> Option<Pid> {
        Pid::new(*self)
    }
}

impl<T: Claimable> Claimable for Option<T> {
    fn claimed_pid(&self) -> Option<Pid> {
        self.as_ref()?.claimed_pid()
    }
}

impl<T: Claimable, E> Claimable for Result<T, E> {
    fn claimed_pid(&self) -> Option<Pid> {
        self.as_ref().ok()?.claimed_pid()
    }
}

/// Starts children whose status a cooperative reaper never takes. Cheap to clone, for every thread and library.
///
/// A claim needs no handle and no release: it is of one process, by pid and start time, and so it ends by itself when the
/// owner has waited, also if the number is given to an orphan later. Claims that are over are dropped as new ones come:
/// memory is bounded by twice the number of living claimed children, and some 64.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reaper = rinit_core::Reaper::cooperative()?;
/// let claims = reaper.claims();
/// let worker = std::thread::spawn(move || claims.claim(|| std::process::Command::new("true").spawn()));
/// let mut child = worker.join().expect("no panic")?;
/// assert!(child.wait()?.success()); // whenever: hours later, too
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Claims {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) reaped: u64,
    pub(super) looks: u64,
    pub(super) checks: u64,
    pub(super) dropped: u64,
    /// So many claims are looked through for those that are over.
    prune_at: usize,
}

/// Fewer claims than this are not worth a look.
const PRUNE_THRESHOLD: usize = 64;

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of a thread that holds it is none of ours: each change is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the claim's beginning also where the closure panics: it would else hold every later zombie back.
struct Open<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl Open<'_> {
    fn end(&mut self, pid: Option<Pid>) {
        let Some(ticket) = self.ticket.take() else { return };
        let start = pid.and_then(|pid| scan::start_of(&mut Reader::new(), pid));
        let mut state = self.shared.lock();
        state.ledger.end_claim(ticket, pid, start);
        if state.ledger.claims() >= state.prune_at.max(PRUNE_THRESHOLD) {
            state.ledger.retain_claims(scan::is_child);
            state.prune_at = 2 * state.ledger.claims();
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl Claims {
    /// Runs the closure that starts a child, and claims the child.
    ///
    /// A child that ends before its number is known is safe, too: while the closure runs, no zombie is reaped that was
    /// first seen after its start. No lock is held, so that claims neither wait for each other nor for the reaper, and may
    /// nest; but as long as one runs, newer orphans stay. Wait for the child outside.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let claims = rinit_core::Reaper::cooperative()?.claims();
    /// let mut child = claims.claim(|| std::process::Command::new("true").spawn())?;
    /// assert!(child.wait()?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn claim<T: Claimable>(&self, start: impl FnOnce() -> T) -> T {
        self.claim_with(start, Claimable::claimed_pid)
    }

    /// The same for any type, given how its pid is found: `claim_with(|| command.spawn(), |child| child.as_ref().ok()?.id())`
    /// for tokio.
    ///
    /// Without a pid it still protects whatever the closure starts and waits for itself, such as C's `system(3)` or
    /// `Command::output`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let claims = rinit_core::Reaper::cooperative()?.claims();
    /// let status = claims.claim_with(|| std::process::Command::new("true").status(), |_| None::<u32>)?;
    /// assert!(status.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn claim_with<T, P: Claimable>(&self, start: impl FnOnce() -> T, pid: impl FnOnce(&T) -> P) -> T {
        let ticket = self.shared.lock().ledger.begin_claim();
        let mut open = Open { shared: &self.shared, ticket: Some(ticket) };
        let started = start();
        open.end(pid(&started).claimed_pid());
        started
    }

    /// Gives a claim up: nobody will wait for the child. It is reaped as an orphan when it has ended and settled, though not
    /// before the thread that started it has ended. True if there was such a claim.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let claims = rinit_core::Reaper::cooperative()?.claims();
    /// let child = claims.claim(|| std::process::Command::new("true").spawn())?;
    /// assert!(claims.release(&child));
    /// # Ok(())
    /// # }
    /// ```
    pub fn release(&self, child: &impl Claimable) -> bool {
        child.claimed_pid().is_some_and(|pid| self.shared.lock().ledger.release(pid))
    }

    /// The figures of this moment.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::Reaper::cooperative()?.claims().stats().reaped, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> super::CooperativeStats {
        let state = self.shared.lock();
        super::CooperativeStats {
            reaped: state.reaped,
            settling: state.ledger.settling(),
            claimed: state.ledger.claims(),
            own: state.ledger.own(),
            checks: state.checks,
            looks: state.looks,
            dropped: state.dropped,
        }
    }
}
