//! Claims: children that other code in this process waits for.

use super::ledger::Ticket;
use super::{CooperativeStats, registry, scan};
use crate::pid::Pid;
use crate::procfs::reader::Reader;

/// A claim is pruned only when there are at least this many.
const PRUNE_THRESHOLD: usize = 64;

/// A value that names started children: one, several (a pipeline), or none where the start failed.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::cooperative::Claimable;
/// assert_eq!(7_u32.claimed_pids(), [Pid::new(7).unwrap()]);
/// assert_eq!([7, 8].claimed_pids().len(), 2);
/// assert_eq!(None::<u32>.claimed_pids(), []);
/// ```
pub trait Claimable {
    /// The pids of the children that exist.
    fn claimed_pids(&self) -> Vec<Pid>;
}

impl Claimable for std::process::Child {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.id().claimed_pids()
    }
}

impl Claimable for Pid {
    fn claimed_pids(&self) -> Vec<Pid> {
        vec![*self]
    }
}

impl Claimable for u32 {
    fn claimed_pids(&self) -> Vec<Pid> {
        Pid::try_from(*self).into_iter().collect()
    }
}

/// As `fork(2)` and `posix_spawn(3)` return it. Zero and negative numbers name no child.
impl Claimable for i32 {
    fn claimed_pids(&self) -> Vec<Pid> {
        Pid::new(*self).into_iter().collect()
    }
}

/// No pid: the closure waits for its children itself, as C's `system(3)` does.
impl Claimable for () {
    fn claimed_pids(&self) -> Vec<Pid> {
        Vec::new()
    }
}

impl<T: Claimable> Claimable for Option<T> {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.as_ref().map(Claimable::claimed_pids).unwrap_or_default()
    }
}

impl<T: Claimable, E> Claimable for Result<T, E> {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.as_ref().map(Claimable::claimed_pids).unwrap_or_default()
    }
}

impl<T: Claimable> Claimable for [T] {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.iter().flat_map(Claimable::claimed_pids).collect()
    }
}

impl<T: Claimable, const N: usize> Claimable for [T; N] {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.as_slice().claimed_pids()
    }
}

impl<T: Claimable> Claimable for Vec<T> {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.as_slice().claimed_pids()
    }
}

impl<T: Claimable + ?Sized> Claimable for &T {
    fn claimed_pids(&self) -> Vec<Pid> {
        (**self).claimed_pids()
    }
}

impl<A: Claimable, B: Claimable> Claimable for (A, B) {
    fn claimed_pids(&self) -> Vec<Pid> {
        [self.0.claimed_pids(), self.1.claimed_pids()].concat()
    }
}

/// Closes an open claim even if the closure panics: an open claim holds back every later zombie.
struct Open {
    process: u32,
    ticket: Option<Ticket>,
}

impl Open {
    fn close(&mut self, pids: &[Pid]) {
        let Some(ticket) = self.ticket.take() else { return };
        if self.process != std::process::id() {
            // The closure has forked, and this is the child: the claim belongs to its parent.
            return;
        }
        let mut reader = Reader::new();
        let starts: Vec<_> = pids.iter().map(|pid| (*pid, scan::start_of(&mut reader, *pid))).collect();
        let mut state = registry::lock();
        state.ledger.end_claim(ticket, &starts);
        if state.ledger.claims() >= state.prune_at.max(PRUNE_THRESHOLD) {
            state.ledger.retain_claims(scan::is_child);
            state.prune_at = 2 * state.ledger.claims();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close(&[]);
    }
}

/// Runs the closure that starts a child, and claims the child: no cooperative reaper of this process ever takes its status.
///
/// The claim holds for the whole process, against every [`Reaper::cooperative`](crate::Reaper::cooperative) that runs now or
/// later, whichever library has started it. A library that starts children and waits for them late claims them, and need not
/// know whether there is a reaper. Without one a claim costs a lock and one read of `/proc/PID/stat`.
///
/// A claim needs no handle and no release: it holds for one process, by pid and start time. So it is over when the owner has
/// waited, even if the pid is reused. The closure may start several children and return them all (a `Vec`, an array, a pair).
///
/// A child that exits before its pid is known is safe too: while the closure runs, no zombie is reaped that was first seen
/// after its start. No lock is held, so claims neither wait for each other nor for a reaper, and may nest. But newer orphans
/// stay zombies for as long as a closure runs: wait for the child outside of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::process::Command;
/// let mut child = rinit_core::claim(|| Command::new("true").spawn())?;
/// assert!(child.wait()?.success()); // at any time: hours later, too
/// # Ok(())
/// # }
/// ```
pub fn claim<T: Claimable>(start: impl FnOnce() -> T) -> T {
    claim_with(start, |started| started.claimed_pids())
}

/// Does what [`claim`] does for any type; the second closure returns its pids.
///
/// A closure that returns no pid (`|_| ()`) still protects what `start` starts and waits for itself, such as C's `system(3)`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use rinit_core::cooperative::claim_with;
/// use std::process::Command;
/// let (child, _log) = claim_with(|| (Command::new("true").spawn(), "log"), |started| started.0.as_ref().ok().map(|c| c.id()));
/// assert!(child?.wait()?.success());
/// # Ok(())
/// # }
/// ```
pub fn claim_with<T, P: Claimable>(start: impl FnOnce() -> T, pids: impl FnOnce(&T) -> P) -> T {
    let ticket = registry::lock().ledger.begin_claim();
    let mut open = Open { process: std::process::id(), ticket: Some(ticket) };
    let started = start();
    open.close(&pids(&started).claimed_pids());
    started
}

/// Gives claims up, because the children will not be waited for. Returns true if one was claimed.
///
/// Such a child is reaped as an orphan once it has exited and settled, but not before the thread that started it has exited.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use rinit_core::{claim, cooperative::release};
/// let child = claim(|| std::process::Command::new("true").spawn())?;
/// assert!(release(&child));
/// # Ok(())
/// # }
/// ```
pub fn release(children: &(impl Claimable + ?Sized)) -> bool {
    let pids = children.claimed_pids();
    let mut state = registry::lock();
    let mut released = false;
    for pid in pids {
        released |= state.ledger.release(pid);
    }
    released
}

/// Returns the present figures, for all cooperative reapers and claims of this process.
///
/// ```
/// assert_eq!(rinit_core::cooperative::stats().reapers, 0);
/// ```
#[must_use]
pub fn stats() -> CooperativeStats {
    registry::lock().stats()
}
