//! Receives signals and forwards them.

use crate::child::Child;
use crate::error::{Error, from_errno};
use crate::pid::Pid;
use crate::process::signal::signal_process;
use crate::process::signal::{is_gone, send};
use crate::process::walk::descendants;
use crate::procfs::reader::{Reader, numbers};
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::{NotAlone, SignalFd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process::Command;
use std::thread::{self, ThreadId};

/// The process or processes to which a [`SignalForwarder`] forwards a signal.
///
/// ```
/// use rinit_core::{Pid, Recipient};
/// assert!(matches!(Recipient::from(Pid::INIT), Recipient::Process(Pid::INIT)));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Recipient<'a> {
    /// A child of the exclusive mode; once it was reaped, no process.
    Child(&'a Child),
    /// The child's process group, never an unrelated one: [`Child::signal_group`].
    Group(&'a Child),
    /// A process by its pid, for children that std, tokio or a library has started. It is sound until the child is waited
    /// for: afterwards another process may have the pid.
    Process(Pid),
    /// A process group by its number, which is its leader's pid. It is sound until the leader is waited for.
    ProcessGroup(Pid),
    /// Every descendant of this process, whatever its group or session. Each gets the signal through a pidfd, without the
    /// value of a queued signal. A process that is forked meanwhile may be missed. This needs `/proc`.
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

/// Receives signals in a process that has its own event loop, and forwards them.
///
/// # Threads
///
/// The signals are blocked in the calling thread and read from a signalfd ([`AsFd`]). **Create it before the process starts
/// threads**: they inherit the mask. The kernel gives a signal to any thread that does not block it, and there its default
/// action kills the process (`signalfd(2)`, `pthread_sigmask(3)`). So [`SignalForwarder::new`] fails if such a thread
/// runs, for example under `#[tokio::main]`: create it first in a plain `main`, then build the runtime.
///
/// A drop in the thread that created it unblocks the signals there; a pending signal is then delivered as usual. The masks
/// of threads that were started meanwhile stay. Handlers that the process has installed for these signals do not run while the
/// value lives.
///
/// # Children
///
/// A child inherits the mask over `execve(2)`. [`ChildSpec`](crate::ChildSpec) gives it an empty one. Start a child of
/// `std::process::Command` or tokio by [`SignalForwarder::unblock_in`]: otherwise what is forwarded to it stays pending for
/// ever.
///
/// # Terminals
///
/// ^C and the like reach the whole foreground group. Where [`ReceivedSignal::is_from_kernel`] says so, a child that is in this
/// process's own group has the signal already; a child in a group of its own has not.
///
/// ```
/// use rinit_core::{ChildSpec, Reaper, Signal, SignalForwarder, SignalSet};
/// use rustix::event::{PollFd, PollFlags, poll};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let forwarder = SignalForwarder::new(SignalSet::only(Signal::HUP))?;
/// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
/// # rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)?;
/// let status = loop {
///     poll(&mut [PollFd::new(&forwarder, PollFlags::IN), PollFd::new(&child, PollFlags::IN)], None)?;
///     while let Some(received) = forwarder.try_next()? {
///         forwarder.forward(&received, &child)?;
///     }
///     if let Some(status) = child.try_wait()? {
///         break status;
///     }
/// };
/// assert_eq!(status.signal(), Some(Signal::HUP));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it unblocks its signals, which are then delivered as usual"]
pub struct SignalForwarder {
    fd: SignalFd,
    /// Signals that this value has blocked and that were not blocked before. Only these are unblocked on drop, so that
    /// several such values may be dropped in any order.
    blocked: SignalSet,
    rewrite: Rewrite,
    /// The thread that has this mask.
    thread: ThreadId,
}

impl SignalForwarder {
    /// Receives the signals of the set. KILL and STOP cannot be received (`signal(7)`). CHLD is left out: the kernel sends it
    /// for this process's own children, and a [`Reaper`](crate::Reaper) would miss a SIGCHLD that is received here.
    ///
    /// # Errors
    ///
    /// [`Error::SignalNotBlocked`] if another thread runs that has one of the signals unblocked: the kernel would give the
    /// signal to that thread, which kills the process unless it has a handler. Create the forwarder first in `main`,
    /// before a runtime starts its threads. [`Error::SignalMask`] or [`Error::SignalFd`].
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
        let signals = signals.without(Signal::CHLD);
        let before = sys::block(signals).map_err(from_errno(Error::SignalMask))?;
        let blocked = signals.difference(before);
        let fd = SignalFd::new(signals).map_err(|error| {
            let _ = sys::unblock(blocked);
            Error::SignalFd(error.into())
        })?;
        let forwarder = Self { fd, blocked, rewrite: Rewrite::default(), thread: thread::current().id() };
        // The check comes after the blocking: threads that this one starts from now on inherit the mask.
        check_other_threads(signals)?;
        Ok(forwarder)
    }

    /// Has a child of std's [`Command`] start with the signals unblocked that this forwarder has blocked.
    ///
    /// Without it the child inherits the blocked mask over `execve(2)`, and a forwarded TERM stays pending in it for ever.
    /// [`ChildSpec`](crate::ChildSpec) needs no such call. For tokio's command: `unblock_in(command.as_std_mut())`.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalForwarder, SignalSet};
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::process::Command;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let forwarder = SignalForwarder::new(SignalSet::only(Signal::TERM))?;
    /// let mut command = Command::new("sleep");
    /// let mut child = forwarder.unblock_in(command.arg("60")).spawn()?;
    /// # rinit_core::process::signal_process(&rinit_core::process::Process::read(child.id().try_into()?)?.unwrap(), Signal::TERM)?;
    /// // … TERM arrives here, and is forwarded to it …
    /// assert_eq!(child.wait()?.signal(), Some(15));
    /// # Ok(())
    /// # }
    /// ```
    pub fn unblock_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        sys::unblock_before_exec(command, self.blocked);
        command
    }

    /// Rewrites signals when they are forwarded.
    ///
    /// ```no_run
    /// use rinit_core::{Signal, SignalForwarder, SignalSet};
    /// use rinit_core::signal::Rewrite;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut rewrite = Rewrite::default();
    /// rewrite.set(Signal::USR1, Some(Signal::HUP));
    /// let forwarder = SignalForwarder::new(SignalSet::only(Signal::USR1))?.rewrite(rewrite);
    /// while let Some(received) = forwarder.try_next()? {
    ///     println!("{} arrived, and main gets SIGHUP", received.signal());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// The next signal that has arrived; `None` if there is none. Does not block.
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
        self.fd.read().map_err(from_errno(Error::SignalWait))
    }

    /// Forwards a signal: rewritten, with its value, or not at all if a rule drops it. A recipient that has exited is not an
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
        let by_number = |pid: Pid, result: rustix::io::Result<()>| match result {
            Err(error) if is_gone(error) => Ok(()),
            result => result.map_err(|errno| Error::SendSignal { signal, pid, source: errno.into() }),
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

/// Fails if a thread other than the calling one can take one of the signals away from the descriptor.
///
/// Where `/proc` cannot be read, any second thread is taken for one.
fn check_other_threads(signals: SignalSet) -> Result<(), Error> {
    // The kernel never blocks these two, and never delivers them to a descriptor.
    let signals = signals.without(Signal::KILL).without(Signal::STOP);
    let me = Pid::this();
    let mut threads = Vec::new();
    if !matches!(numbers(&format!("/proc/{me}/task"), &mut threads), Ok(Some(()))) {
        return match sys::only_thread() {
            Err(NotAlone::MultiThreaded { .. }) => Err(Error::SignalNotBlocked { signals, thread: String::new() }),
            // If even that cannot be known, it trusts the caller's order of operations.
            Ok(_) | Err(NotAlone::Unknown(_)) => Ok(()),
        };
    }
    let mut reader = Reader::new();
    let caller = Pid::from(rustix::thread::gettid());
    for thread in threads.into_iter().filter(|thread| *thread != caller) {
        // A thread that has exited meanwhile receives nothing.
        if !reader.thread_is_alive(me, thread)? {
            continue;
        }
        let Some(status) = reader.thread_status(me, thread)?.and_then(|status| status.signals) else { continue };
        let open = signals.difference(status.blocked);
        if !open.is_empty() {
            let name = std::fs::read_to_string(format!("/proc/{me}/task/{thread}/comm")).unwrap_or_default();
            return Err(Error::SignalNotBlocked { signals: open, thread: name.trim_end().to_owned() });
        }
    }
    Ok(())
}

/// Sends the signal to all descendants, even if one of them refuses it.
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

/// For event loops that need a number, such as tokio's `AsyncFd`.
impl AsRawFd for SignalForwarder {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for SignalForwarder {
    fn drop(&mut self) {
        // This value has never changed the mask of another thread.
        if thread::current().id() == self.thread {
            let _ = sys::unblock(self.blocked);
        }
    }
}
