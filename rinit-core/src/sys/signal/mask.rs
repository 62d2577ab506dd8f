//! `rt_sigprocmask(2)`: the signal mask of the calling thread, in the kernel's own layout.

use crate::signal::set::SignalSet;
use crate::sys::check;
use rustix::io;
use std::ptr;

/// Size of the kernel's signal set. The `rt_` calls accept no other.
pub(super) const KERNEL_SET_BYTES: usize = size_of::<u64>();

// Inlined, so that a child that was just forked finds the code on the page where it is.
#[inline(always)]
fn sigprocmask(how: libc::c_int, set: u64) -> io::Result<SignalSet> {
    let mut old = 0_u64;
    // SAFETY: both pointers are to live u64 of exactly the size that is passed; the kernel keeps neither.
    let result =
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, ptr::from_ref(&set), &raw mut old, KERNEL_SET_BYTES) };
    check(result)?;
    Ok(SignalSet::from_bits(old))
}

/// Adds signals to the mask; returns the previous mask. The kernel leaves out KILL and STOP.
///
/// This is the raw call, because libc removes the signals that it reserves from the set.
pub(crate) fn block(set: SignalSet) -> io::Result<SignalSet> {
    sigprocmask(libc::SIG_BLOCK, set.bits())
}

/// Removes signals from the mask; returns the previous mask.
pub(crate) fn unblock(set: SignalSet) -> io::Result<SignalSet> {
    sigprocmask(libc::SIG_UNBLOCK, set.bits())
}

/// Replaces the mask; returns the previous one.
pub(crate) fn set_mask(set: SignalSet) -> io::Result<SignalSet> {
    sigprocmask(libc::SIG_SETMASK, set.bits())
}
