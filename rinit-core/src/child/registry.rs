//! Whose status is kept: the children of the exclusive mode whose handles live.
//!
//! There is one list for the process and not one for each reaper: whoever waits for any child takes everybody's.

use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitOptions, pidfd_open, waitpid};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where a child's status is put, shared by the list and the handle.
///
/// The handle has it and does not look it up by pid: once the child was reaped its number may be another child's.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    status: OnceLock<ExitStatus>,
    /// To be written to when the child was reaped, where there is no pidfd.
    wake: Option<OwnedFd>,
}

impl Slot {
    /// How the child ended, once it was reaped.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.status.get().copied()
    }

    fn set(&self, status: ExitStatus) {
        let _ = self.status.set(status);
        if let Some(wake) = &self.wake {
            let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
        }
    }
}

/// A descriptor that becomes readable when a child has ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Its pidfd: readable once it is a zombie, whether or not somebody waits.
    Pidfd(OwnedFd),
    /// Written to when it was reaped.
    Event(OwnedFd),
}

/// Descriptors that are opened before the fork, so that nothing can fail for want of one when the child is there.
#[derive(Debug)]
pub(crate) struct Reserved {
    event: OwnedFd,
    wake: OwnedFd,
}

impl Reserved {
    pub(crate) fn new() -> Result<Self, Error> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let event = event.map_err(|error| Error::EventFd(error.into()))?;
        let wake = event.try_clone().map_err(Error::EventFd)?;
        Ok(Self { event, wake })
    }
}

/// The children that are not reaped yet, by pid.
///
/// While it is locked nobody reaps, so that the number of each child in it is the child's own.
#[derive(Debug)]
pub(crate) struct Children(BTreeMap<Pid, Arc<Slot>>);

static CHILDREN: Mutex<Children> = Mutex::new(Children(BTreeMap::new()));

/// The list of this process.
pub(crate) fn lock() -> MutexGuard<'static, Children> {
    // A panic elsewhere cannot leave the list half changed: each change is one insertion or one removal.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    /// Enters a child that was just started. The lock is held since before the fork, so that nobody can have reaped it.
    pub(crate) fn enter(&mut self, pid: Pid, reserved: Reserved) -> (Arc<Slot>, Ending) {
        let (wake, ending) = match pidfd_open(pid.rustix(), PidfdFlags::empty()) {
            Ok(pidfd) => (None, Ending::Pidfd(pidfd)),
            // Before Linux 5.3, refused by a filter, or no descriptor left.
            Err(_) => (Some(reserved.wake), Ending::Event(reserved.event)),
        };
        let slot = Arc::new(Slot { status: OnceLock::new(), wake });
        self.0.insert(pid, Arc::clone(&slot));
        (slot, ending)
    }

    /// Notes that somebody has reaped a child; true if its handle lives.
    pub(crate) fn reaped(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let slot = self.0.remove(&pid);
        if let Some(slot) = &slot {
            slot.set(status);
        }
        slot.is_some()
    }

    /// True while the number is the child's own.
    pub(crate) fn contains(&self, pid: Pid, slot: &Arc<Slot>) -> bool {
        self.0.get(&pid).is_some_and(|held| Arc::ptr_eq(held, slot))
    }

    /// Reaps the child if it has ended and nobody has; its status, if it has ended.
    pub(crate) fn take(&mut self, pid: Pid, slot: &Arc<Slot>) -> Result<Option<ExitStatus>, Error> {
        if slot.status().is_none() && self.contains(pid, slot) {
            match rustix::io::retry_on_intr(|| waitpid(Some(pid.rustix()), WaitOptions::NOHANG)) {
                Ok(Some((_, status))) => {
                    if let Some(status) = ExitStatus::from_wait(status.as_raw()) {
                        self.reaped(pid, status);
                    }
                }
                Ok(None) => {}
                Err(Errno::CHILD) => return Err(Error::StatusTaken { pid }),
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
        Ok(slot.status())
    }

    /// Nobody will ask for the child.
    pub(crate) fn forget(&mut self, pid: Pid, slot: &Arc<Slot>) {
        if self.contains(pid, slot) {
            self.0.remove(&pid);
        }
    }
}
