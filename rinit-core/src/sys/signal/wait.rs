//! `rt_sigtimedwait(2)`: takes one pending signal, or sleeps until one arrives.

use super::info::{self, zeroed};
use super::mask::KERNEL_SET_BYTES;
use crate::signal::received::ReceivedSignal;
use crate::signal::set::SignalSet;
use crate::sys::check;
use rustix::io;
use std::ptr;
use std::time::Duration;

/// Whether the number is that of `rt_sigtimedwait`, as `/proc/pid/syscall` shows it (`proc_pid_syscall(5)`).
#[allow(clippy::useless_conversion)] // The number is a c_long, which has 32 bits elsewhere.
pub(crate) fn is_sigtimedwait(call: i64) -> bool {
    /// The call with 64-bit times, which has this number wherever it is a second one.
    const TIME64: i64 = 421;
    call == i64::from(libc::SYS_rt_sigtimedwait) || cfg!(target_pointer_width = "32") && call == TIME64
}

/// True for the numbers of `wait4(2)` and `waitid(2)`.
#[allow(clippy::useless_conversion)]
pub(crate) fn is_wait(call: i64) -> bool {
    call == i64::from(libc::SYS_wait4) || call == i64::from(libc::SYS_waitid)
}

/// What `rt_sigtimedwait` reads: two longs. The C library's `timespec` may have 64-bit seconds where a long has 32 bits.
#[repr(C)]
struct KernelTimespec {
    seconds: libc::c_long,
    nanoseconds: libc::c_long,
}

impl KernelTimespec {
    /// The duration, at most what a long can hold: 68 years on 32-bit machines. Callers check the clock and call again.
    fn new(duration: Duration) -> Self {
        KernelTimespec {
            seconds: duration.as_secs().try_into().unwrap_or(libc::c_long::MAX),
            // Less than 10⁹, which fits a long of 32 bits.
            nanoseconds: duration.subsec_nanos() as libc::c_long,
        }
    }
}

/// Takes the next pending signal of the set, which must be blocked. Without a timeout it waits for ever. `Ok(None)` means that
/// the time is over, or that a signal outside the set or a stop and continue interrupted the wait: callers check the clock
/// and call again.
pub(crate) fn sigtimedwait(set: SignalSet, timeout: Option<Duration>) -> io::Result<Option<ReceivedSignal>> {
    let mut siginfo = zeroed();
    let timeout = timeout.map(KernelTimespec::new);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the set is a live u64 of the size passed, `siginfo` a live one to be filled, and `timeout` null or a
    // live KernelTimespec with nanoseconds below one second; the kernel keeps none of them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            ptr::from_ref(&set.bits()),
            &raw mut siginfo,
            timeout,
            KERNEL_SET_BYTES,
        )
    };
    match check(result) {
        Ok(_) => Ok(info::read(&siginfo)),
        Err(io::Errno::AGAIN | io::Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}
