//! The fields of `siginfo_t` that rinit reads.

use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use std::mem::MaybeUninit;

/// What `siginfo_t` says of a signal; `None` for a number that is not a signal.
///
/// Source: `sigaction(2)`, "The siginfo_t argument to a SA_SIGINFO handler".
pub(super) fn read(info: &libc::siginfo_t) -> Option<ReceivedSignal> {
    let signal = Signal::new(info.si_signo)?;
    let code = info.si_code;
    let queued = code == libc::SI_QUEUE;
    // SAFETY: for codes SI_USER, SI_TKILL and SI_QUEUE the kernel fills the pid; si_pid reads initialised memory in
    // any case, since the whole structure was zeroed before the kernel wrote to it.
    let sender = unsafe { info.si_pid() };
    let child = names_child(signal, code).then(|| Pid::new(sender)).flatten();
    let sender = (code <= 0).then(|| Pid::new(sender)).flatten();
    // SAFETY: as above; si_value is read only for SI_QUEUE, where the kernel copies what sigqueue was given.
    let value = unsafe { info.si_value() };
    Some(ReceivedSignal {
        signal,
        sender,
        from_kernel: code == libc::SI_KERNEL,
        child,
        value: queued.then_some(value.sival_ptr as usize),
    })
}

/// Whether the signal is a SIGCHLD that the kernel sent for a child, with the child's number (`sigaction(2)`, `CLD_EXITED` and
/// the other codes).
pub(super) fn names_child(signal: Signal, code: i32) -> bool {
    signal == Signal::CHLD && (libc::CLD_EXITED..=libc::CLD_CONTINUED).contains(&code)
}

/// A `siginfo_t` of zeros, for the kernel to fill.
pub(super) fn zeroed() -> libc::siginfo_t {
    // SAFETY: siginfo_t is plain integers and pointers, for which all-zero bytes are a valid value.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
