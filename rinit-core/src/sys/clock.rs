//! Clocks of the kernel: that of `/proc/pid/stat`, and one that is cheap to compute with.
//!
//! It calls libc, because rustix's functions panic where neither `prctl(PR_GET_AUXV)` (before Linux 6.4, or refused) nor
//! `/proc/self/auxv` (no `/proc`, no descriptor left, a binary that its user may not read) gives them the auxiliary vector.

use std::time::Duration;

/// Time since boot, suspended time included (`CLOCK_BOOTTIME`, `clock_gettime(2)`).
pub(crate) fn since_boot() -> Duration {
    Duration::from_nanos(read(libc::CLOCK_BOOTTIME))
}

/// The clock of std's `Instant` (`CLOCK_MONOTONIC`, `clock_gettime(2)`), in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds: 64 bits hold those of 584 years.
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is live and filled by the call; where that fails it stays zero.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Clock ticks in a second (`sysconf(3)`, `_SC_CLK_TCK`).
pub(crate) fn ticks_per_second() -> u64 {
    // SAFETY: takes a number, touches no memory of this process.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // The kernel's USER_HZ on every architecture that Rust knows.
    u64::try_from(ticks).unwrap_or(100)
}
