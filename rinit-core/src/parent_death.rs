//! `PR_SET_PDEATHSIG`: a signal when the parent dies, including a parent that died before the request.

use crate::error::{Error, from_errno};
use crate::pid::Pid;
use crate::signal::Signal;
use crate::sys;

/// Records the parent, so that a later request notices that it has died.
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let parent = rinit_core::ParentWatch::start(); // early: from here on its death is noticed
/// parent.send_on_death(rinit_core::Signal::TERM)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentWatch {
    parent: Option<Pid>,
}

fn parent_now() -> Option<Pid> {
    rustix::process::getppid().map(Pid::from)
}

impl ParentWatch {
    /// Records the current parent. A parent that died before this call cannot be noticed.
    ///
    /// ```
    /// let _ = rinit_core::ParentWatch::start();
    /// ```
    #[must_use]
    pub fn start() -> Self {
        Self { parent: parent_now() }
    }

    /// Watches a known parent, which may have died already.
    pub(crate) const fn of(parent: Pid) -> Self {
        Self { parent: Some(parent) }
    }

    /// Makes the kernel send the signal to this process when its parent dies. If the parent has died since
    /// [`ParentWatch::start`], it sends the signal at once, because the kernel would not.
    ///
    /// The kernel watches the parent *thread*: if a short-lived thread started this process, the signal comes when that thread
    /// exits.
    ///
    /// Source: `PR_SET_PDEATHSIG(2const)`.
    ///
    /// # Errors
    ///
    /// [`Error::ParentDeathSignal`] or [`Error::SendSignal`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::ParentWatch::start().send_on_death(rinit_core::Signal::KILL)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_on_death(&self, signal: Signal) -> Result<(), Error> {
        sys::set_parent_death_signal(signal).map_err(from_errno(Error::ParentDeathSignal))?;
        // Request first, check second: one of the two notices a parent that dies in between.
        if parent_now() != self.parent {
            let pid = Pid::from(rustix::process::getpid());
            sys::kill(pid, signal).map_err(|errno| Error::SendSignal { signal, pid, source: errno.into() })?;
        }
        Ok(())
    }
}
