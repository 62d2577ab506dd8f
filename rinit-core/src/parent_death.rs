//! `PR_SET_PDEATHSIG`: a signal when the parent ends, without losing a parent that has ended already.

use crate::error::Error;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::sys;

/// Remembers who the parent was, so that a later request can tell that it has gone.
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let parent = rinit_core::ParentWatch::start(); // early: from here on its end is noticed
/// parent.signal(rinit_core::Signal::TERM)?;
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
    /// Notes the parent of this moment. A parent that had ended even before cannot be told from one that never was.
    ///
    /// ```
    /// let _ = rinit_core::ParentWatch::start();
    /// ```
    #[must_use]
    pub fn start() -> Self {
        Self { parent: parent_now() }
    }

    /// For a parent that is known, even if it has ended by now.
    pub(crate) const fn of(parent: Pid) -> Self {
        Self { parent: Some(parent) }
    }

    /// Has the kernel send the signal to this process when its parent ends; sends it at once if the parent has ended
    /// since [`ParentWatch::start`], because the kernel would not.
    ///
    /// The kernel means the parent *thread*: where a short-lived thread has started this process, the signal comes when
    /// that thread ends.
    ///
    /// Source: `PR_SET_PDEATHSIG(2const)`.
    ///
    /// # Errors
    ///
    /// [`Error::ParentDeathSignal`] or [`Error::SendSignal`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::ParentWatch::start().signal(rinit_core::Signal::KILL)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_on_death(&self, signal: Signal) -> Result<(), Error> {
        sys::set_parent_death_signal(signal).map_err(Error::ParentDeathSignal)?;
        // The request comes first and the look second: a parent that ends in between is seen by one of the two.
        if parent_now() != self.parent {
            let pid = Pid::from(rustix::process::getpid());
            sys::kill(pid, signal).map_err(|source| Error::SendSignal { signal, pid, source })?;
        }
        Ok(())
    }
}
