//! Whether the calling thread is the only one of its process.

use super::check;
use rustix::io::Errno;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// How long a thread that was joined may still be seen: `pthread_join(3)` returns when the thread lets go of its stack, a
/// moment before the kernel takes it off the list.
const JOINED_IS_GONE: Duration = Duration::from_millis(100);

/// Proof that the process had one thread, the one that holds this. It stays the only one until it starts another, which
/// code between the proof and its use must not do.
#[derive(Debug)]
pub(crate) struct OnlyThread {
    /// It is not another thread's to hold.
    _this_thread: PhantomData<*const ()>,
}

/// Why there is no proof.
#[derive(Debug)]
pub(crate) enum NotAlone {
    /// Other threads run. The count includes the caller; `None` where there is no `/proc` to count them in.
    MultiThreaded { count: Option<usize> },
    /// The threads cannot be counted.
    Unknown(std::io::Error),
}

/// Checks that the calling thread is the only one.
pub(crate) fn only_thread() -> Result<OnlyThread, NotAlone> {
    let give_up = Instant::now() + JOINED_IS_GONE;
    loop {
        match look() {
            Err(NotAlone::MultiThreaded { .. }) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.map(|()| OnlyThread { _this_thread: PhantomData }),
        }
    }
}

fn look() -> Result<(), NotAlone> {
    match listed() {
        Some(1) => Ok(()),
        Some(count) => Err(NotAlone::MultiThreaded { count: Some(count) }),
        None => ask_the_kernel(),
    }
}

/// The threads that /proc lists; `None` where it cannot be read.
fn listed() -> Option<usize> {
    let count = std::fs::read_dir("/proc/self/task").ok()?.try_fold(0, |count, entry| entry.ok().map(|_| count + 1));
    count.filter(|count| *count > 0)
}

/// Without /proc: `unshare(CLONE_THREAD)` does nothing in a process of one thread, and is EINVAL in any other
/// (`unshare(2)`). Not the first choice, since it gives no count and Docker's seccomp filter refuses `unshare`.
fn ask_the_kernel() -> Result<(), NotAlone> {
    // SAFETY: the flag asks for nothing but the check: it separates nothing of this process, and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_THREAD) };
    match check(result) {
        Ok(_) => Ok(()),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
            Err(NotAlone::MultiThreaded { count: None })
        }
        Err(error) => Err(NotAlone::Unknown(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_a_second_thread() {
        // libtest's main thread waits for this one.
        assert!(matches!(only_thread(), Err(NotAlone::MultiThreaded { count: Some(2..) })));
        assert!(matches!(ask_the_kernel(), Err(NotAlone::MultiThreaded { count: None } | NotAlone::Unknown(_))));
    }
}
