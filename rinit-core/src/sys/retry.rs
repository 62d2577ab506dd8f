//! Trying again where the kernel's answer may be another one the next time.

use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// How often a call is made. Not without end, whatever the answer: a PID 1 that goes round in circles is as bad as none.
const ATTEMPTS: usize = 8;

/// Makes the call again after EINTR, EAGAIN and ENOMEM, a few times: short of memory, interrupted, or under a supervisor
/// that answers for the kernel (`seccomp_unotify(2)`), one call may fail where the next succeeds. A stop must not be lost by
/// that, nor a descendant be overlooked.
///
/// Not for calls that wait or that answer EAGAIN for "nothing there".
pub(crate) fn retry_transient<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match call() {
            Err(error) if is_transient(&error) => {}
            result => return result,
        }
    }
    call()
}

/// Sleeps, or does not where that is refused: std's sleep panics there, and PID 1 must not. A signal that has a handler ends it.
pub(crate) fn sleep(time: Duration) {
    let _ = time.try_into().map(|time| rustix::thread::nanosleep(&time));
}

fn is_transient(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INTR | Errno::AGAIN | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transient_answers_are_asked_again_and_not_for_ever() {
        let after = |answers: &[Errno], then: io::Result<u8>| {
            let (mut count, mut then) = (0, Some(then));
            let result = retry_transient(|| {
                count += 1;
                answers.get(count - 1).map_or_else(|| then.take().unwrap(), |answer| Err((*answer).into()))
            });
            (count, result.map_err(|error| Errno::from_io_error(&error).unwrap()))
        };
        assert_eq!(after(&[Errno::INTR, Errno::AGAIN, Errno::NOMEM], Ok(5)), (4, Ok(5)));
        assert_eq!(after(&[Errno::INTR], Err(Errno::PERM.into())), (2, Err(Errno::PERM)));
        assert_eq!(after(&[Errno::INTR; 100], Ok(5)), (ATTEMPTS, Err(Errno::INTR)));
    }
}
