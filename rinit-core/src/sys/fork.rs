//! `fork(2)` of a process whose two copies both go on, and `_exit(2)` for the one that must not end like the other.

use super::OnlyThread;
use crate::pid::Pid;
use std::ffi::OsStr;
use std::io;

/// Which of the two copies this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forked {
    /// The process that forked, and its child.
    Parent(Pid),
    /// The child.
    Child,
}

/// Forks the only thread there is: no lock of the allocator, of std or of libc can be held by a thread that is missing
/// in the child, so that the child may do anything that the parent could.
pub(crate) fn fork_only_thread(_proof: &OnlyThread) -> io::Result<Forked> {
    // SAFETY: the proof says that no other thread exists. libc's call, not the raw one, so that libc and whoever asked by
    // `pthread_atfork(3)` know of it.
    let forked = unsafe { libc::fork() };
    match forked {
        0 => Ok(Forked::Child),
        pid => Pid::new(pid).map(Forked::Parent).ok_or_else(io::Error::last_os_error),
    }
}

/// Sets a variable in this process's own environment.
pub(crate) fn put_variable(_proof: &OnlyThread, name: &str, value: &OsStr) {
    // SAFETY: the proof says that no other thread exists that could read or write the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
}

/// Ends this process without exit handlers and without a flush of any buffer: they belong to the other copy.
pub(crate) fn end_now(code: u8) -> ! {
    // SAFETY: ends the process; nothing of its memory is used again.
    unsafe { libc::_exit(code.into()) }
}
