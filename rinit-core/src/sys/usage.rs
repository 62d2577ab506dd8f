//! `getrusage(2)`: what the children that were waited for have used.

use crate::sys::check;
use rustix::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// User time, system time, and the largest resident set of any one process in KiB, of all descendants that were waited for.
pub(crate) fn children_usage() -> io::Result<(Duration, Duration, u64)> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a live rusage that the kernel fills.
    let result = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    check(result.into())?;
    // SAFETY: rusage is plain integers, zeroed above and filled by the call.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, (time.tv_usec as u32).saturating_mul(1000));
    Ok((time(usage.ru_utime), time(usage.ru_stime), usage.ru_maxrss as u64))
}
