//! The children of the exclusive mode whose handles live, and their statuses.
//!
//! There is one list for the process, not one for each reaper: a wait for any child takes the status of every child.

use crate::error::{Error, from_errno};
use crate::exit_status::{ExitStatus, WaitStatus};
use crate::pid::Pid;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitOptions, pidfd_open, waitpid};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Holds a child's status. The list and the handle share it.
///
/// The handle holds it and does not look it up by pid: once the child was reaped, another child may have its pid.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    status: OnceLock<ExitStatus>,
    /// Without a pidfd, this is written to when the child is reaped.
    wake: Option<OwnedFd>,
}

impl Slot {
    /// How the child exited, once it was reaped.
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

/// A descriptor that becomes readable when a child has exited.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Its pidfd: readable once it is a zombie, reaped or not.
    Pidfd(OwnedFd),
    /// An eventfd that is written to when it is reaped.
    Event(OwnedFd),
}

/// Descriptors that are opened before the fork, so that a lack of descriptors cannot fail a start once the child exists.
#[derive(Debug)]
pub(crate) struct Reserved {
    event: OwnedFd,
    wake: OwnedFd,
}

impl Reserved {
    pub(crate) fn new() -> Result<Self, Error> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let event = event.map_err(from_errno(Error::EventFd))?;
        let wake = event.try_clone().map_err(Error::EventFd)?;
        Ok(Self { event, wake })
    }
}

/// The children that are not reaped yet, by pid.
///
/// While it is locked nothing reaps, so that the pid of each child in it is the child's own.
#[derive(Debug)]
pub(crate) struct Children(BTreeMap<Pid, Arc<Slot>>);

static CHILDREN: Mutex<Children> = Mutex::new(Children(BTreeMap::new()));

/// The list of this process.
pub(crate) fn lock() -> MutexGuard<'static, Children> {
    // A panic elsewhere cannot leave the list half changed: each change is one insertion or one removal.
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Children {
    /// Enters a child that was just started. The lock is held since before the fork, so that it cannot have been reaped.
    pub(crate) fn enter(&mut self, pid: Pid, reserved: Reserved) -> (Arc<Slot>, Ending) {
        let (wake, ending) = match pidfd_open(pid.rustix(), PidfdFlags::empty()) {
            Ok(pidfd) => (None, Ending::Pidfd(pidfd)),
            // Before Linux 5.3, or a filter refuses it, or no descriptor is left.
            Err(_) => (Some(reserved.wake), Ending::Event(reserved.event)),
        };
        let slot = Arc::new(Slot { status: OnceLock::new(), wake });
        self.0.insert(pid, Arc::clone(&slot));
        (slot, ending)
    }

    /// Notes that a child was reaped; true if its handle lives.
    pub(crate) fn reaped(&mut self, pid: Pid, status: ExitStatus) -> bool {
        let slot = self.0.remove(&pid);
        if let Some(slot) = &slot {
            slot.set(status);
        }
        slot.is_some()
    }

    /// Returns true while no other process can have the child's number.
    pub(crate) fn contains(&self, pid: Pid, slot: &Arc<Slot>) -> bool {
        self.0.get(&pid).is_some_and(|held| Arc::ptr_eq(held, slot))
    }

    /// True if a living handle has this number for its child.
    pub(crate) fn has(&self, pid: Pid) -> bool {
        self.0.contains_key(&pid)
    }

    /// Returns one change of the child: a stop, a continuation, or its exit.
    pub(crate) fn take_change(&mut self, pid: Pid, slot: &Arc<Slot>) -> Result<Option<WaitStatus>, Error> {
        if let Some(status) = slot.status() {
            return Ok(Some(WaitStatus::Exited(status)));
        }
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        match rustix::io::retry_on_intr(|| waitpid(Some(pid.rustix()), options)) {
            Ok(Some((_, status))) => {
                let change = WaitStatus::from_wait(status.as_raw());
                if let Some(WaitStatus::Exited(status)) = change {
                    self.reaped(pid, status);
                }
                Ok(change)
            }
            Ok(None) => Ok(None),
            Err(Errno::CHILD) => Err(Error::StatusTaken { pid }),
            Err(error) => Err(Error::Wait(error.into())),
        }
    }

    /// Reaps the child if it has exited and was not reaped; its status, if it has exited.
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

    /// Forgets a child whose handle was dropped: its status is not needed.
    pub(crate) fn forget(&mut self, pid: Pid, slot: &Arc<Slot>) {
        if self.contains(pid, slot) {
            self.0.remove(&pid);
        }
    }
}
