//! A signal as it was received, with its sender and value.

use crate::pid::Pid;
use crate::signal::Signal;

/// A signal that arrived.
///
/// ```
/// use rinit_core::Signal;
/// use rinit_core::signal::ReceivedSignal;
/// fn log(received: &ReceivedSignal) {
///     println!("{} from {:?}", received.signal(), received.sender());
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedSignal {
    pub(crate) signal: Signal,
    /// `si_pid`, if a process sent it; `None` for a sender in another PID namespace, whose pid reads as 0.
    pub(crate) sender: Option<Pid>,
    /// `si_code` is `SI_KERNEL`.
    pub(crate) from_kernel: bool,
    /// `si_pid` of a SIGCHLD that the kernel sent: the child that changed. If several change before the signal is received, it is
    /// the first.
    pub(crate) child: Option<Pid>,
    /// `si_value`, if the signal was queued with one.
    pub(crate) value: Option<usize>,
}

impl ReceivedSignal {
    /// The signal.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// The process that sent it; `None` if the kernel sent it, or a process in another PID namespace did
    /// (`pid_namespaces(7)`: its pid reads as 0).
    #[must_use]
    pub const fn sender(&self) -> Option<Pid> {
        self.sender
    }

    /// Returns true if the kernel sent it: the terminal's ^C, ^\ and ^Z, a resize, a hangup (`sigaction(2)`, `SI_KERNEL`).
    #[must_use]
    pub const fn is_from_kernel(&self) -> bool {
        self.from_kernel
    }

    /// The value that came with it, if it was sent by `sigqueue(3)`.
    #[must_use]
    pub const fn value(&self) -> Option<usize> {
        self.value
    }
}
