//! `fork(2)` of a process with one thread, after which both copies continue, and `_exit(2)` for one of them.

use super::{check, last_errno};
use crate::pid::Pid;
use rustix::io::{self, Errno};
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// How long a joined thread may still be listed: `pthread_join(3)` returns when the thread no longer uses its stack, shortly
/// before the kernel removes it from the list.
const JOINED_IS_GONE: Duration = Duration::from_millis(100);

/// Proof that the process had one thread, the one that holds this value. Code between the proof and its use must not start
/// another thread.
#[derive(Debug)]
pub(crate) struct OnlyThread {
    /// The proof must not move to another thread.
    _this_thread: PhantomData<*const ()>,
}

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum NotAlone {
    /// Other threads run. The count includes the caller; `None` where there is no `/proc` to count them in.
    MultiThreaded { count: Option<usize> },
    /// The threads cannot be counted.
    Unknown(Errno),
}

/// Checks that the calling thread is the only one.
pub(crate) fn only_thread() -> Result<OnlyThread, NotAlone> {
    let give_up = Instant::now() + JOINED_IS_GONE;
    loop {
        match scan() {
            Err(NotAlone::MultiThreaded { .. }) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.map(|()| OnlyThread { _this_thread: PhantomData }),
        }
    }
}

fn scan() -> Result<(), NotAlone> {
    match listed() {
        Some(1) => Ok(()),
        Some(count) => Err(NotAlone::MultiThreaded { count: Some(count) }),
        None => ask_the_kernel(),
    }
}

/// How many threads /proc lists; `None` where it cannot be read.
fn listed() -> Option<usize> {
    let count = std::fs::read_dir("/proc/self/task").ok()?.try_fold(0, |count, entry| entry.ok().map(|_| count + 1));
    count.filter(|count| *count > 0)
}

/// Checks without /proc: `unshare(CLONE_THREAD)` has no effect in a process with one thread and fails with EINVAL in any
/// other (`unshare(2)`). It is the second choice, because it gives no count and Docker's seccomp filter refuses `unshare`.
fn ask_the_kernel() -> Result<(), NotAlone> {
    // SAFETY: the flag requests only the check: it unshares nothing and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_THREAD) };
    match check(result) {
        Ok(_) => Ok(()),
        Err(error) if error == Errno::INVAL => Err(NotAlone::MultiThreaded { count: None }),
        Err(error) => Err(NotAlone::Unknown(error)),
    }
}

/// Which of the two copies this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forked {
    /// The process that called `fork`, with the pid of its child.
    Parent(Pid),
    /// The child.
    Child,
}

/// Forks a process with one thread. No thread that is missing in the child can hold a lock of the allocator, std or libc, so
/// the child may do all that the parent could.
pub(crate) fn fork_only_thread(_proof: &OnlyThread) -> io::Result<Forked> {
    // SAFETY: the proof says that no other thread exists. libc's function, not the raw call, runs what libc and others
    // registered by `pthread_atfork(3)`.
    let forked = unsafe { libc::fork() };
    match forked {
        0 => Ok(Forked::Child),
        pid => Pid::new(pid).map(Forked::Parent).ok_or_else(last_errno),
    }
}

/// Sets a variable in this process's own environment.
pub(crate) fn put_variable(_proof: &OnlyThread, name: &str, value: &OsStr) {
    // SAFETY: the proof says that no other thread exists that could read or write the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
}

/// Exits without exit handlers and without flushing any buffer: both belong to the other copy.
pub(crate) fn exit_now(code: u8) -> ! {
    // SAFETY: the process exits, so none of its memory is used again.
    unsafe { libc::_exit(code.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_test_runs_in_a_second_thread() {
        // libtest's main thread waits for this one.
        assert!(matches!(only_thread(), Err(NotAlone::MultiThreaded { count: Some(2..) })));
        assert!(matches!(ask_the_kernel(), Err(NotAlone::MultiThreaded { count: None } | NotAlone::Unknown(_))));
    }
}
