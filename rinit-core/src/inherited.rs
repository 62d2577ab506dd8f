//! The signal state that a process was started with, and that its child should be started with in turn.

use crate::error::{Error, from_errno};
use crate::parent_death::ParentWatch;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::Disposition;
use std::process::Command;

/// The signal mask and the disposition of SIGCHLD that this process inherited, recorded before they are changed.
///
/// An init blocks every signal, so that none is lost or kills it before it waits for them, and needs SIGCHLD at its
/// default: where it is ignored, the kernel reaps children itself and their statuses are lost (`waitpid` then waits until
/// the last child has exited and fails; tini, catatonit and others hang for ever). A child must get back what was there
/// before. The dispositions of all other signals stay as they are, and a child inherits them through `execve(2)`.
///
/// Even the signals of synchronous faults are blocked: sent by `kill(2)` they are forwarded like any other, and a real
/// fault kills the process whether they are blocked or not ([`Signal::is_synchronous_fault`]).
///
/// Source: `sigprocmask(2)`, `sigaction(2)`, `wait(2)` NOTES, `execve(2)`.
///
/// ```
/// use rinit_core::{Inherited, SignalSet};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let inherited = Inherited::capture()?;
/// assert_eq!(inherited.mask(), SignalSet::empty());
/// inherited.restore()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it holds the signal mask and dispositions to restore or to pass on"]
pub struct Inherited {
    mask: SignalSet,
    sigchld_ignored: bool,
    parent: ParentWatch,
    descriptors_are_inherited: bool,
}

impl Inherited {
    /// Blocks all signals in the calling thread, then gives SIGCHLD its default action; returns what was there before.
    ///
    /// Call it before any thread is started: each thread has a mask of its own and inherits its creator's. In this order,
    /// because a child that exits between the two calls must find SIGCHLD blocked.
    ///
    /// # Errors
    ///
    /// [`Error::SignalMask`] or [`Error::Disposition`], where a seccomp filter refuses the calls.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let inherited = rinit_core::Inherited::capture()?; // the first line of main
    /// let spec = rinit_core::ChildSpec::new("nginx").inherit_signals(&inherited);
    /// # drop(spec);
    /// # Ok(())
    /// # }
    /// ```
    pub fn capture() -> Result<Self, Error> {
        // Recorded before the signals are blocked, so that the parent's death is not missed. A signal that kills this process
        // in between could also have come a moment earlier.
        let parent = ParentWatch::start();
        let mask = sys::block(SignalSet::all()).map_err(from_errno(Error::SignalMask))?;
        let before =
            sys::set_disposition(Signal::CHLD, Disposition::Default).map_err(from_errno(Error::Disposition))?;
        Ok(Self { mask, sigchld_ignored: before == Disposition::Ignore, parent, descriptors_are_inherited: false })
    }

    /// Does what [`Inherited::capture`] does, as the first instruction of a C `main`: at that moment every open descriptor was
    /// inherited, and none belongs to a value of this process.
    #[doc(hidden)]
    pub fn __capture_first() -> Result<Self, Error> {
        Self::capture().map(|inherited| Self { descriptors_are_inherited: true, ..inherited })
    }

    /// True if every descriptor from 3 up may be closed: see [`c_main!`](crate::c_main).
    pub(crate) const fn descriptors_are_inherited(&self) -> bool {
        self.descriptors_are_inherited
    }

    /// The mask that was inherited.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// use rinit_core::{Inherited, Signal};
    /// assert!(!Inherited::capture()?.mask().contains(Signal::TERM));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn mask(&self) -> SignalSet {
        self.mask
    }

    /// True if SIGCHLD was ignored.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert!(!rinit_core::Inherited::capture()?.sigchld_ignored());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn sigchld_ignored(&self) -> bool {
        self.sigchld_ignored
    }

    /// The parent at that moment. Its death since then is noticed.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::Inherited::capture()?.parent().send_on_death(rinit_core::Signal::TERM)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn parent(&self) -> ParentWatch {
        self.parent
    }

    /// Has a child of std's [`Command`] start with the mask that was inherited. Without it the child has every signal blocked,
    /// as this process has, and cannot be stopped by TERM. [`ChildSpec`](crate::ChildSpec) needs no such call.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let inherited = rinit_core::Inherited::capture()?;
    /// let script = "kill -TERM $$; exit 1"; // the signal is not blocked there
    /// let mut command = std::process::Command::new("sh");
    /// let status = inherited.restore_in(command.args(["-c", script])).status()?;
    /// assert_eq!(status.code(), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        sys::set_mask_before_exec(command, self.mask);
        command
    }

    /// Puts the calling thread's mask and the disposition of SIGCHLD back.
    ///
    /// # Errors
    ///
    /// As for [`Inherited::capture`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::Inherited::capture()?.restore()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore(&self) -> Result<(), Error> {
        if self.sigchld_ignored {
            sys::set_disposition(Signal::CHLD, Disposition::Ignore).map_err(from_errno(Error::Disposition))?;
        }
        sys::set_mask(self.mask).map_err(from_errno(Error::SignalMask))?;
        Ok(())
    }
}
