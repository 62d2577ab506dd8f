//! Taking signals and passing them on.

use crate::child::Child;
use crate::error::Error;
use crate::pid::Pid;
use crate::process::signal::signal_process;
use crate::process::signal::{is_gone, send};
use crate::process::walk::descendants;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::SignalFd;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// The target of a [`SignalForwarder`].
///
/// ```
/// use rinit_core::{Pid, Recipient};
/// assert!(matches!(Recipient::from(Pid::INIT), Recipient::Process(Pid::INIT)));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Recipient<'a> {
    /// A child of the exclusive mode. Once it was reaped, no process.
    Child(&'a Child),
    /// The child's process group, never another one: [`Child::signal_group`].
    Group(&'a Child),
    /// A process by its number: for children that std, tokio or a library has started. It is sound until the child
    /// is reaped: afterwards the number may be another process's.
    Process(Pid),
    /// A process group by its number; the same holds for its leader.
    ProcessGroup(Pid),
    /// Every descendant of this process, whatever its group or session: each by a pidfd, without the value of a queued
    /// signal. What is forked meanwhile may be missed. Needs `/proc`.
    Descendants,
}

impl From<Pid> for Recipient<'_> {
    fn from(pid: Pid) -> Self {
        Self::Process(pid)
    }
}

impl<'a> From<&'a Child> for Recipient<'a> {
    fn from(child: &'a Child) -> Self {
        Self::Child(child)
    }
}

/// Receives signals in a process that has its own event loop, and passes them on.
///
/// # What it does to threads
///
/// The signals are blocked in the calling thread and read from a signalfd ([`AsFd`]). **Make it before the process starts
/// threads**: they inherit the mask. A thread that does not block these signals takes them away from the descriptor, and
/// they do there what they would have done (`signalfd(2)`, `pthread_sigmask(3)`). On drop those that this value has blocked
/// are unblocked in the calling thread, and a pending one then takes its ordinary course; the masks of threads that were
/// started meanwhile stay. The value cannot be sent to another thread, because the mask to be restored is the thread's own.
///
/// Handlers that the process has installed for these signals do not run while it lives.
///
/// # What it does to children
///
/// A child inherits the mask over `execve(2)`. [`ChildSpec`](crate::ChildSpec) gives it an empty one; a child of
/// `std::process::Command` or tokio has these signals blocked, and what is forwarded to it stays pending for ever, unless it
/// unblocks them itself.
///
/// # What the terminal has done already
///
/// ^C and the like reach the whole foreground group. Where [`ReceivedSignal::is_from_kernel`] says so, a child that is in this
/// process's own group has the signal already; one in a group of its own has not.
///
/// ```
/// use rinit_core::{ChildSpec, Reaper, Signal, SignalForwarder, SignalSet};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let forwarder = SignalForwarder::new(SignalSet::only(Signal::HUP))?;
/// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
/// # child.signal(Signal::TERM)?;
/// while let Some(received) = forwarder.try_next()? { // when poll says that the descriptor is readable
///     forwarder.forward(&received, &child)?;
/// }
/// child.wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it unblocks its signals, which then take their ordinary course"]
pub struct SignalForwarder {
    fd: SignalFd,
    /// What this value has blocked and was not blocked before; only that is unblocked on drop, so that several such
    /// values may be dropped in any order.
    blocked: SignalSet,
    rewrite: Rewrite,
    _mask_is_the_threads: PhantomData<*const ()>,
}

impl SignalForwarder {
    /// Receives the signals of the set; KILL and STOP are never received (`signal(7)`).
    ///
    /// # Errors
    ///
    /// [`Error::SignalMask`] or [`Error::SignalFd`].
    ///
    /// ```
    /// use rinit_core::{Signal, SignalForwarder, SignalSet};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let forwarder = SignalForwarder::new(SignalSet::only(Signal::USR1))?;
    /// assert_eq!(forwarder.try_next()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(signals: SignalSet) -> Result<Self, Error> {
        let before = sys::block(signals).map_err(Error::SignalMask)?;
        let blocked = signals.difference(before);
        let fd = SignalFd::new(signals).map_err(|error| {
            let _ = sys::unblock(blocked);
            Error::SignalFd(error)
        })?;
        Ok(Self { fd, blocked, rewrite: Rewrite::default(), _mask_is_the_threads: PhantomData })
    }

    /// Rewrites signals when they are forwarded.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalForwarder, SignalSet};
    /// use rinit_core::signal::Rewrite;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut rewrite = Rewrite::default();
    /// rewrite.set(Signal::USR1, Some(Signal::HUP));
    /// let forwarder = SignalForwarder::new(SignalSet::only(Signal::USR1))?.rewrite(rewrite);
    /// # let _ = forwarder;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// The next signal that has arrived; `None` when there is none. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::SignalWait`].
    ///
    /// ```
    /// use rinit_core::{Signal, SignalForwarder, SignalSet};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(SignalForwarder::new(SignalSet::only(Signal::USR2))?.try_next()?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&self) -> Result<Option<ReceivedSignal>, Error> {
        self.fd.read().map_err(Error::SignalWait)
    }

    /// Forwards a signal: rewritten, with its value, or not at all if a rule drops it. A recipient that has exited is no
    /// error.
    ///
    /// # Errors
    ///
    /// [`Error::SendSignal`]: EPERM where the recipient runs as another user. Of several descendants the others got it.
    /// [`Error::Proc`] for descendants where `/proc` cannot be read; no process got it then.
    ///
    /// ```
    /// use rinit_core::{Child, Error, Recipient, SignalForwarder};
    /// fn pass_on(forwarder: &SignalForwarder, child: &Child) -> Result<(), Error> {
    ///     while let Some(received) = forwarder.try_next()? {
    ///         forwarder.forward(&received, Recipient::Group(child))?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn forward<'a>(&self, received: &ReceivedSignal, to: impl Into<Recipient<'a>>) -> Result<(), Error> {
        let Some(signal) = self.rewrite.apply(received.signal()) else { return Ok(()) };
        let by_number = |pid: Pid, result: io::Result<()>| match result {
            Err(error) if is_gone(&error) => Ok(()),
            result => result.map_err(|source| Error::SendSignal { signal, pid, source }),
        };
        match to.into() {
            Recipient::Child(child) => child.send(signal, received.value()),
            Recipient::Group(child) => child.signal_group(signal).map(drop),
            Recipient::Process(pid) => by_number(pid, send(pid, signal, received.value())),
            Recipient::ProcessGroup(group) => by_number(group, sys::kill_group(group, signal)),
            Recipient::Descendants => to_descendants(signal),
        }
    }
}

/// Sends to all, also if some refuse it.
fn to_descendants(signal: Signal) -> Result<(), Error> {
    let all = descendants(rustix::process::getpid().into())?;
    let mut result = Ok(());
    for process in all.iter().filter(|process| !process.has_ended()) {
        result = result.and(signal_process(process, signal).map(drop));
    }
    result
}

impl AsFd for SignalForwarder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// For event loops that want a number, such as tokio's `AsyncFd`.
impl AsRawFd for SignalForwarder {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for SignalForwarder {
    fn drop(&mut self) {
        let _ = sys::unblock(self.blocked);
    }
}
