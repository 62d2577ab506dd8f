//! Repeats system calls whose failure may be transient.

use rustix::fs::{Mode, OFlags};
use rustix::io::{self, Errno};
use std::time::Duration;

/// How often a call is made. The number is bounded, because a PID 1 that loops for ever is as bad as none.
const ATTEMPTS: usize = 8;

/// Repeats the call a few times after EINTR, EAGAIN and ENOMEM. When memory is short, after an interruption, or under a
/// supervisor that answers for the kernel (`seccomp_unotify(2)`), one call may fail where the next succeeds. Such a failure
/// must not lose a stop or overlook a descendant.
///
/// Do not use it for calls that wait or that answer EAGAIN for "no data".
pub(crate) fn retry_transient<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match call() {
            Err(error) if is_transient(error) => {}
            result => return result,
        }
    }
    call()
}

/// Reads a file to its end, but at most about `most` bytes. std's functions repeat an interrupted call for ever, which the loop
/// of a PID 1 must not. A FIFO or a device at the path does not block the open.
pub(crate) fn read_text(path: impl rustix::path::Arg + Copy, most: usize) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = retry_transient(|| rustix::fs::open(path, flags, Mode::empty()))?;
    let mut bytes = Vec::new();
    let mut part = [0; 512];
    while bytes.len() < most {
        match retry_transient(|| io::read(&file, &mut part[..]))? {
            0 => break,
            count => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
    String::from_utf8(bytes).map_err(|_| Errno::ILSEQ)
}

/// Sleeps, or returns at once if the kernel refuses: std's sleep would panic then, and PID 1 must not. A signal with a handler
/// interrupts it.
pub(crate) fn sleep(time: Duration) {
    let _ = time.try_into().map(|time| rustix::thread::nanosleep(&time));
}

const fn is_transient(error: Errno) -> bool {
    matches!(error, Errno::INTR | Errno::AGAIN | Errno::NOMEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_answers_are_asked_again_and_not_for_ever() {
        let after = |answers: &[Errno], then: io::Result<u8>| {
            let mut count = 0;
            let result = retry_transient(|| {
                count += 1;
                answers.get(count - 1).map_or(then, |answer| Err(*answer))
            });
            (count, result)
        };
        assert_eq!(after(&[Errno::INTR, Errno::AGAIN, Errno::NOMEM], Ok(5)), (4, Ok(5)));
        assert_eq!(after(&[Errno::INTR], Err(Errno::PERM)), (2, Err(Errno::PERM)));
        assert_eq!(after(&[Errno::INTR; 100], Ok(5)), (ATTEMPTS, Err(Errno::INTR)));
    }
}
