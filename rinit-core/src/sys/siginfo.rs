//! The parts of `siginfo_t` that rinit reads, and the way to pass a queued one on.

use crate::{Pid, Signal};
use std::mem::MaybeUninit;

/// What came with a signal. Source: `sigaction(2)`, "The siginfo_t argument to a SA_SIGINFO handler".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SigInfo {
    pub(crate) signal: Signal,
    /// `si_code`: who made it. `SI_KERNEL` for the terminal driver, `SI_USER` for kill, `SI_QUEUE` for sigqueue.
    pub(crate) code: i32,
    /// `si_pid`, where a process sent it; 0 for a sender in another PID namespace.
    pub(crate) sender: Option<Pid>,
    /// `si_value`, where the signal was queued with one.
    pub(crate) value: Option<usize>,
}

impl SigInfo {
    /// True for a signal that the kernel itself made, such as the terminal driver's.
    pub(crate) fn is_from_kernel(&self) -> bool {
        self.code == libc::SI_KERNEL
    }

    pub(super) fn read(info: &libc::siginfo_t) -> Option<Self> {
        let signal = Signal::new(info.si_signo)?;
        let code = info.si_code;
        let queued = code == libc::SI_QUEUE;
        // SAFETY: for codes SI_USER, SI_TKILL and SI_QUEUE the kernel fills the pid; si_pid reads initialised memory in
        // any case, since the whole structure was zeroed before the kernel wrote to it.
        let sender = unsafe { info.si_pid() };
        let sender = (code <= 0).then(|| Pid::new(sender)).flatten();
        // SAFETY: as above; si_value is read only for SI_QUEUE, where the kernel copies what sigqueue was given.
        let value = unsafe { info.si_value() };
        Some(Self { signal, code, sender, value: queued.then_some(value.sival_ptr as usize) })
    }
}

/// A `siginfo_t` of zeros, for the kernel to fill.
pub(super) fn zeroed() -> libc::siginfo_t {
    // SAFETY: siginfo_t is plain integers and pointers, for which all-zero bytes are a valid value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
