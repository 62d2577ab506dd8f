//! `kill(2)`, `rt_sigqueueinfo(2)`, `pidfd_send_signal(2)`: send signals of every number that the kernel has.

use super::disposition::{Disposition, set_disposition};
use super::info::zeroed;
use super::mask::set_mask;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::check;
use rustix::io;
use rustix::process::Signal as Named;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// The signal as rustix's type, whose safe API reaches only the named ones.
fn named_signal(signal: Signal) -> Named {
    // SAFETY: the number is 1 to 64. rustix asks that libc-reserved numbers are not used to install handlers behind
    // libc's back; this crate only sends and compares them.
    unsafe { Named::from_raw_unchecked(signal.number()) }
}

/// Sends to one process.
pub(crate) fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    rustix::process::kill_process(pid.rustix(), named_signal(signal))
}

/// Sends to a process group. It refuses group 1, because `kill(-1)` means all processes.
pub(crate) fn kill_group(group: Pid, signal: Signal) -> io::Result<()> {
    if group == Pid::INIT {
        return Err(io::Errno::INVAL);
    }
    rustix::process::kill_process_group(group.rustix(), named_signal(signal))
}

/// `kill(-1)`: sends to every process of the PID namespace except the caller. Only PID 1 may call it, and only where it cannot
/// read /proc.
pub(crate) fn kill_everyone(signal: Signal) -> io::Result<()> {
    rustix::process::kill_process_group(rustix::process::Pid::INIT, named_signal(signal))
}

/// Sends with a value, as `sigqueue(3)` does.
pub(crate) fn queue(pid: Pid, signal: Signal, value: usize) -> io::Result<()> {
    let mut info = zeroed();
    info.si_signo = signal.number();
    info.si_code = libc::SI_QUEUE;
    let me = rustix::process::getpid().as_raw_pid();
    let uid = rustix::process::getuid().as_raw();
    let sender = QueuedFields { pid: me, uid, value };
    let at = size_of::<[libc::c_int; 3]>().next_multiple_of(align_of::<usize>());
    // SAFETY: the kernel's layout (asm-generic/siginfo.h, struct _rt) puts pid, uid and value after the three common
    // integers, aligned like a pointer; siginfo_t is 128 bytes, so the write stays inside.
    unsafe { ptr::from_mut(&mut info).byte_add(at).cast::<QueuedFields>().write_unaligned(sender) };
    // SAFETY: `info` is a live siginfo_t, copied by the kernel before the call returns.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid.get(), signal.number(), &raw const info) };
    check(result)?;
    Ok(())
}

#[repr(C)]
struct QueuedFields {
    pid: i32,
    uid: u32,
    value: usize,
}

/// Sends through a pidfd: never to an unrelated process that got a reused PID.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    rustix::process::pidfd_send_signal(pidfd, named_signal(signal))
}

/// Sends to the process group that the pidfd's process leads, never to another group that got the same number later. It also
/// works after that process was reaped (Linux 6.9).
pub(crate) fn pidfd_signal_group(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // include/uapi/linux/pidfd.h, PIDFD_SIGNAL_PROCESS_GROUP; libc does not have it for every target.
    const PROCESS_GROUP: libc::c_uint = 1 << 2;
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: an open descriptor, plain integers, and no siginfo: the call touches no memory of this process.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal.number(), no_info, PROCESS_GROUP)
    };
    check(result)?;
    Ok(())
}

/// `PR_SET_PDEATHSIG`.
pub(crate) fn set_parent_death_signal(signal: Signal) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(named_signal(signal)))
}

/// Terminates this process by the signal's default action, without a core dump. Returns only where the kernel does not
/// terminate it: in PID 1, or for a signal whose default action does not terminate a process.
pub(crate) fn die_by(signal: Signal) {
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // A step fails only where it was not needed; the caller exits with 128 + n if this function returns.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    let _ = set_disposition(signal, Disposition::Default);
    let _ = kill(rustix::process::getpid().into(), signal);
    let _ = set_mask(SignalSet::all().without(signal));
}
