//! A socket that was inherited by number, with a signal on input.

use crate::pid::Pid;
use crate::signal::Signal;
use crate::sys::check;
use rustix::io;
use rustix::io::{FdFlags, fcntl_setfd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes ownership of a descriptor that this process was started with, and makes it close-on-exec.
///
/// Sound only if no value owns it yet. The caller ensures it by calling this once, under `c_main!`, before anything is opened.
pub(crate) fn take_inherited_fd(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Errno::INVAL);
    }
    // SAFETY: the number is not -1; where it is not open the only use made of it fails with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as the call has shown, and no other value owns it, as the caller ensures.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes the kernel send this process the signal when data arrives on the socket or its other end is closed.
///
/// Source: `fcntl(2)`, F_SETOWN, F_SETSIG, O_ASYNC; `socket(7)`, "Signals".
pub(crate) fn signal_on_input(socket: &OwnedFd, signal: Signal) -> io::Result<()> {
    let me = rustix::process::getpid().as_raw_pid();
    let flags = rustix::fs::fcntl_getfl(socket)?.bits() as libc::c_int;
    for (command, argument) in
        [(libc::F_SETOWN, me), (F_SETSIG, signal.number()), (libc::F_SETFL, flags | libc::O_ASYNC)]
    {
        // SAFETY: each of the three takes an integer, and no memory is touched.
        let result = unsafe { libc::fcntl(socket.as_raw_fd(), command, argument) };
        check(result.into())?;
    }
    Ok(())
}

/// `F_SETSIG` of the kernel's `include/uapi/asm-generic/fcntl.h`, the same for every architecture; not all of libc's targets
/// have it.
const F_SETSIG: libc::c_int = 10;

/// [`peer`] of a descriptor that this process may have been started with; an error where it is not open, or not a socket.
pub(crate) fn peer_of_inherited(number: RawFd) -> io::Result<Option<Pid>> {
    if number <= 2 {
        return Err(io::Errno::INVAL);
    }
    // SAFETY: the number is not -1; where it is not open the only use made of it fails with EBADF.
    peer(unsafe { BorrowedFd::borrow_raw(number) })
}

/// The process that made the socket pair; `None` where it cannot be seen from this PID namespace. The kernel
/// records it, so it stays correct after that process has exited (`unix(7)`, SO_PEERCRED).
pub(crate) fn peer(socket: impl AsFd) -> io::Result<Option<Pid>> {
    // rustix's pid cannot be 0, which the kernel returns for a process of another namespace.
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `credentials` is a live ucred of the length passed, which the kernel fills at most.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    check(result.into())?;
    Ok(Pid::new(credentials.pid))
}
