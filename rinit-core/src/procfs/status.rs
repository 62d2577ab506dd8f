//! `/proc/pid/status`.

use super::stat::{State, number};
use crate::pid::Pid;
use crate::signal::set::SignalSet;

/// The lines of `/proc/pid/status` that rinit uses, if the kernel has them: gVisor lacks most of them.
///
/// Source: `proc_pid_status(5)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) state: Option<State>,
    /// Real user id.
    pub(crate) uid: Option<u32>,
    /// Effective user id.
    pub(crate) euid: Option<u32>,
    /// Saved user id, which counts for the right to send signals.
    pub(crate) saved_uid: Option<u32>,
    /// Effective capabilities, bit n for capability n.
    pub(crate) capabilities: Option<u64>,
    pub(crate) signals: Option<Signals>,
    /// `CoreDumping`: the process is writing a core dump.
    pub(crate) core_dumping: bool,
    /// `TracerPid`: a debugger is attached, which sees each signal before the process does. The kernel says 0 of one that has no
    /// number in the PID namespace of this `/proc`.
    pub(crate) tracer: Option<Pid>,
    /// The pid in each PID namespace, from that of this `/proc` to the process's own; empty before Linux 4.1.
    pub(crate) namespace_pids: Vec<Pid>,
}

/// How a process, or one of its threads, treats signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Signals {
    /// Sent and not yet delivered, to the thread (`SigPnd`) or to the whole process (`ShdPnd`).
    pub(crate) pending: SignalSet,
    /// Only of the thread that the file describes.
    pub(crate) blocked: SignalSet,
    pub(crate) ignored: SignalSet,
    pub(crate) caught: SignalSet,
}

impl Status {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut status = Self::default();
        let (mut thread_pending, mut pending) = (None, None);
        let (mut blocked, mut ignored, mut caught) = (None, None, None);
        for line in bytes.split(|byte| *byte == b'\n') {
            // Only a line's beginning is a key: the program chooses what the Name line says. A newline in a name comes
            // escaped, so that it cannot make a line of its own.
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (Some(key), Some(value)) = (line.get(..colon), line.get(colon + 1..)) else { continue };
            match key {
                b"State" => status.state = value.trim_ascii().first().map(|letter| State::from_letter(*letter)),
                b"Uid" => {
                    let mut ids = words(value).map(number);
                    status.uid = ids.next().flatten();
                    status.euid = ids.next().flatten();
                    status.saved_uid = ids.next().flatten();
                }
                b"NSpid" => status.namespace_pids = words(value).filter_map(number).filter_map(Pid::new).collect(),
                b"CoreDumping" => status.core_dumping = value.trim_ascii() == b"1",
                b"TracerPid" => status.tracer = number(value.trim_ascii()).and_then(Pid::new),
                b"CapEff" => status.capabilities = hexadecimal(value),
                b"SigPnd" => thread_pending = hexadecimal(value),
                b"ShdPnd" => pending = hexadecimal(value),
                b"SigBlk" => blocked = hexadecimal(value),
                b"SigIgn" => ignored = hexadecimal(value),
                b"SigCgt" => caught = hexadecimal(value),
                _ => {}
            }
        }
        if let (Some(blocked), Some(ignored), Some(caught)) = (blocked, ignored, caught) {
            let pending = thread_pending.unwrap_or(0) | pending.unwrap_or(0);
            status.signals = Some(Signals {
                pending: SignalSet::from_bits(pending),
                blocked: SignalSet::from_bits(blocked),
                ignored: SignalSet::from_bits(ignored),
                caught: SignalSet::from_bits(caught),
            });
        }
        status
    }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn hexadecimal(value: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(value.trim_ascii()).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;
    use proptest::prelude::*;

    const REAL: &[u8] = b"Name:\tUid:\\n\t99\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\n\
        Uid:\t1000\t1001\t1002\t1003\nGid:\t0\t0\t0\t0\nGroups:\t4 24 \nNSpid:\t4711\t12\t1\nSigQ:\t0/96365\n\
        SigPnd:\t0000000000000001\nShdPnd:\t0000000000004000\nSigBlk:\t0000000000010000\nSigIgn:\t8000000000000004\n\
        SigCgt:\t0000000000010002\nCapEff:\t000001fffeffffff\n";

    #[test]
    fn lines_of_a_real_file() {
        let status = Status::parse(REAL);
        assert_eq!((status.uid, status.euid, status.saved_uid), (Some(1000), Some(1001), Some(1002)));
        assert_eq!(status.state, Some(State::Sleeping));
        assert_eq!(status.namespace_pids.iter().map(|pid| pid.get()).collect::<Vec<_>>(), [4711, 12, 1]);
        assert_eq!(status.capabilities, Some(0x1ff_feff_ffff));
        let signals = status.signals.unwrap();
        assert_eq!(signals.pending, SignalSet::from_iter([Signal::HUP, Signal::TERM]));
        assert_eq!(signals.blocked, SignalSet::only(Signal::CHLD));
        assert_eq!(signals.ignored, SignalSet::from_iter([Signal::QUIT, Signal::RTMAX]));
        assert_eq!(signals.caught, SignalSet::from_iter([Signal::INT, Signal::CHLD]));
    }

    #[test]
    fn missing_lines_are_not_an_error() {
        assert_eq!(Status::parse(b""), Status::default());
        let gvisor = Status::parse(b"Name:\tx\nState:\tZ (zombie)\nUid:\t5\nSigBlk:\t0\nSigCgt:\tnonsense\n");
        assert_eq!((gvisor.uid, gvisor.euid, gvisor.signals), (Some(5), None, None));
        assert_eq!(gvisor.state, Some(State::Zombie));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Status::parse(&bytes);
        }

        #[test]
        fn any_damage_is_read_without_panic(at in 0..REAL.len(), byte: u8, end in 0..REAL.len()) {
            let mut bytes = REAL.to_vec();
            bytes[at] = byte;
            bytes.truncate(end);
            let _ = Status::parse(&bytes);
        }
    }
}
