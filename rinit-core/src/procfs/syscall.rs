//! `/proc/pid/syscall`: the system call that a thread is in.

use super::stat::number;

/// A system call with its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SystemCall {
    pub(crate) number: i64,
    pub(crate) first_argument: u64,
}

/// `None` for a thread that is in none: `running`, or blocked elsewhere (`-1`). Source: `proc_pid_syscall(5)`.
pub(crate) fn parse(bytes: &[u8]) -> Option<SystemCall> {
    let mut words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let number = number(words.next()?).filter(|number: &i64| *number >= 0)?;
    let argument = std::str::from_utf8(words.next()?.strip_prefix(b"0x")?).ok()?;
    Some(SystemCall { number, first_argument: u64::from_str_radix(argument, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let wait4 = parse(b"61 0xffffffff 0x7ffe 0x0 0x0 0x0 0x0 0x7ffe 0x7f\n");
        assert_eq!(wait4, Some(SystemCall { number: 61, first_argument: 0xffff_ffff }));
        for none in [&b"running\n"[..], b"-1 0x7ffe 0x7f\n", b"", b"61", b"61 x"] {
            assert_eq!(parse(none), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
        }
    }
}
