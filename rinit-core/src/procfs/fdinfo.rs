//! `/proc/pid/fdinfo/fd` of a signalfd.

use crate::signal::set::SignalSet;

/// What the link of a signalfd in `/proc/pid/fd` says.
pub(crate) const SIGNALFD: &[u8] = b"anon_inode:[signalfd]";

/// The signals that it takes. Source: `proc_pid_fdinfo(5)`, `sigmask`.
pub(crate) fn parse(bytes: &[u8]) -> Option<SignalSet> {
    let line = bytes.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"sigmask:"))?;
    u64::from_str_radix(std::str::from_utf8(line.trim_ascii()).ok()?, 16).ok().map(SignalSet::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn a_mask() {
        let mask = parse(b"pos:\t0\nflags:\t02000002\nsigmask:\t0000000000004002\n").unwrap();
        assert_eq!(mask, SignalSet::from_iter([Signal::INT, Signal::TERM]));
        assert_eq!(parse(b"pos:\t0\n"), None);
        assert_eq!(parse(b"sigmask:\tx\n"), None);
    }
}
