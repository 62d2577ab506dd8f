//! The scheduling policy of this thread (`sched(7)`).
//!
//! By system call: musl's functions refuse, because POSIX means processes by it and Linux threads.

use rustix::io::Errno;

/// Changes the policy from SCHED_IDLE to SCHED_OTHER. False if it was another one, or the change was refused.
pub(crate) fn leave_idle_policy() -> bool {
    // SAFETY: takes a number, touches no memory of this process.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    policy == libc::c_long::from(libc::SCHED_IDLE) && set_policy(libc::SCHED_OTHER).is_ok()
}

/// Changes the policy back to SCHED_IDLE.
pub(crate) fn enter_idle_policy() {
    let _ = set_policy(libc::SCHED_IDLE);
}

fn set_policy(policy: libc::c_int) -> Result<(), Errno> {
    // The kernel's `struct sched_param`: a static priority, which is 0 for both.
    let priority: libc::c_int = 0;
    // SAFETY: the structure is live during the call.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    if result == 0 { Ok(()) } else { Err(Errno::PERM) }
}
