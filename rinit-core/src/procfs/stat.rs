//! `/proc/pid/stat`.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use std::fmt;

/// What a process is doing, as the kernel's letter says.
///
/// Source: `proc_pid_stat(5)`, field 3.
///
/// ```
/// use rinit_core::process::State;
/// assert_eq!(State::from_letter(b'D'), State::DiskSleep);
/// assert_eq!(State::DiskSleep.to_string(), "D");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// `R`: running, or about to.
    Running,
    /// `S`: sleeps until an event or a signal.
    Sleeping,
    /// `D`: sleeps in the kernel, where no signal reaches it. Even SIGKILL acts only when the system call returns.
    DiskSleep,
    /// `T`: stopped by a signal; acts on nothing but SIGCONT and SIGKILL.
    Stopped,
    /// `t`: stopped by a tracer.
    Traced,
    /// `Z`: has exited, and was not yet waited for.
    Zombie,
    /// `X`: has exited, and is about to disappear.
    Dead,
    /// `I`: an idle kernel thread.
    Idle,
    /// A letter of another kernel.
    Other(u8),
}

impl State {
    /// The state from the kernel's letter.
    ///
    /// ```
    /// assert_eq!(rinit_core::process::State::from_letter(b'Z'), rinit_core::process::State::Zombie);
    /// ```
    #[must_use]
    pub const fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'T' => Self::Stopped,
            b't' => Self::Traced,
            b'Z' => Self::Zombie,
            // `x` in Linux 2.6.33 to 3.13.
            b'X' | b'x' => Self::Dead,
            b'I' => Self::Idle,
            other => Self::Other(other),
        }
    }

    /// The kernel's letter.
    ///
    /// ```
    /// assert_eq!(rinit_core::process::State::Running.letter(), b'R');
    /// ```
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Running => b'R',
            Self::Sleeping => b'S',
            Self::DiskSleep => b'D',
            Self::Stopped => b'T',
            Self::Traced => b't',
            Self::Zombie => b'Z',
            Self::Dead => b'X',
            Self::Idle => b'I',
            Self::Other(other) => other,
        }
    }
}

impl fmt::Display for State {
    /// The letter, escaped if it is not a letter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.letter().escape_ascii(), f)
    }
}

/// The fields of `/proc/pid/stat` that rinit uses. Source: `proc_pid_stat(5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: Pid,
    /// The name: up to 15 arbitrary bytes.
    pub(crate) comm: Vec<u8>,
    pub(crate) state: State,
    /// `None` for 0: the parent is outside the PID namespace, or the kernel itself.
    pub(crate) ppid: Option<Pid>,
    pub(crate) pgrp: i32,
    pub(crate) session: i32,
    /// `PF_KTHREAD`: a thread of the kernel, which no signal terminates.
    pub(crate) kernel_thread: bool,
    /// `PF_EXITING`: it is exiting, whatever its state; its children have got another parent, or are about to.
    pub(crate) exiting: bool,
    pub(crate) threads: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
}

/// `PF_KTHREAD` in the kernel's `include/linux/sched.h`; unchanged since 2.6.
const KERNEL_THREAD: u32 = 0x0020_0000;
/// `PF_EXITING`, likewise.
const EXITING: u32 = 0x0000_0004;

impl Stat {
    /// Returns `None` if the bytes are not a stat line.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        // The name may hold spaces, newlines and parentheses, and the kernel escapes none of them here. What comes behind
        // it never holds one, and so the last parenthesis is the name's end.
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let comm = bytes.get(open + 1..close)?.to_vec();
        let pid = number(bytes.get(..open)?.trim_ascii()).and_then(Pid::new)?;

        let mut fields = bytes.get(close + 1..)?.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let state = match fields.next()? {
            [letter] => State::from_letter(*letter),
            _ => return None,
        };
        let ppid: i32 = number(fields.next()?)?;
        let pgrp = number(fields.next()?)?;
        let session = number(fields.next()?)?;
        // tty_nr and tpgid, fields 7 and 8, lie between.
        let flags: u32 = number(fields.nth(2)?)?;
        // From flags (9) to num_threads (20), and on to starttime (22).
        let threads = number(fields.nth(10)?)?;
        let start_ticks = number(fields.nth(1)?)?;
        let kernel_thread = flags & KERNEL_THREAD != 0;
        let exiting = flags & EXITING != 0;
        let ppid = Pid::new(ppid);
        Some(Self { pid, comm, state, ppid, pgrp, session, kernel_thread, exiting, threads, start_ticks })
    }

    /// Returns true if no thread of the process runs any more.
    ///
    /// The letter alone does not say so: it is that of the first thread, which may have ended before the others.
    pub(crate) fn has_ended(&self) -> bool {
        has_ended(self.state, self.threads)
    }
}

/// How a zombie exited, from its stat line. The kernel says 0 to a user who may not trace the process.
///
/// Source: `proc_pid_stat(5)`, field 52.
pub(crate) fn exit_status(bytes: &[u8]) -> Option<ExitStatus> {
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let mut fields = bytes.get(close + 1..)?.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    // The state is field 3.
    ExitStatus::from_wait(number(fields.nth(52 - 3)?)?)
}

pub(crate) fn has_ended(state: State, threads: u32) -> bool {
    matches!(state, State::Zombie | State::Dead) && threads <= 1
}

pub(super) fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(comm: &[u8], state: u8, ppid: i32, flags: u32, threads: u32, start: u64) -> Vec<u8> {
        let mut line = b"42 (".to_vec();
        line.extend_from_slice(comm);
        let rest = format!(
            ") {} {ppid} 7 8 0 -1 {flags} 243 334 0 0 0 0 0 0 20 0 {threads} 0 {start} 4464640 734 184467\n",
            state as char
        );
        line.extend_from_slice(rest.as_bytes());
        line
    }

    #[test]
    fn the_exit_status_is_the_last_field() {
        let line = |code: &str| format!("42 (a) b) Z 1 {}{code}\n", "0 ".repeat(47));
        assert_eq!(exit_status(line("1792").as_bytes()), Some(ExitStatus::Code(7)));
        assert_eq!(exit_status(line("9").as_bytes()).map(ExitStatus::exit_code), Some(137));
        assert_eq!(exit_status(b"42 (a) Z 1 2 3\n"), None);
        assert_eq!(exit_status(line("").as_bytes()), None);
    }

    #[test]
    fn fields_of_a_real_line() {
        let bytes =
            b"1 (bash) S 0 0 0 0 -1 4194560 243 334 0 0 0 0 0 0 20 0 1 0 198750 4464640 734 18446744073709551615\n";
        let stat = Stat::parse(bytes).unwrap();
        assert_eq!(stat.pid, Pid::INIT);
        assert_eq!(stat.comm, b"bash");
        assert_eq!(stat.state, State::Sleeping);
        assert_eq!((stat.ppid, stat.pgrp, stat.session), (None, 0, 0));
        assert_eq!((stat.threads, stat.start_ticks, stat.kernel_thread), (1, 198_750, false));
    }

    #[test]
    fn a_first_thread_that_exited_before_the_others_is_not_a_zombie() {
        assert!(Stat::parse(&line(b"x", b'Z', 1, 0, 1, 5)).unwrap().has_ended());
        assert!(!Stat::parse(&line(b"x", b'Z', 1, 0, 2, 5)).unwrap().has_ended());
        assert!(!Stat::parse(&line(b"x", b'S', 1, 0, 1, 5)).unwrap().has_ended());
    }

    #[test]
    fn other_bytes_are_not_a_stat_line() {
        for bytes in [
            &b""[..],
            b"1",
            b"1 (",
            b"1 )(",
            b"1 (x)",
            b"1 (x) S 0",
            b"0 (x) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1",
            b"1 (x) SS 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1",
        ] {
            assert_eq!(Stat::parse(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn letters_come_back() {
        for letter in 0..=u8::MAX {
            if letter != b'x' {
                assert_eq!(State::from_letter(letter).letter(), letter);
            }
        }
        assert_eq!(State::Other(b'\n').to_string(), "\\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&bytes);
        }

        #[test]
        fn any_name_is_kept(
            comm in prop::collection::vec(prop::sample::select(b") (\n\\a\xff0S".to_vec()), 0..16),
            ppid in 0..4_194_304_i32, threads in 1..9_u32, start: u64, kernel: bool,
        ) {
            let stat = Stat::parse(&line(&comm, b'S', ppid, if kernel { KERNEL_THREAD } else { 64 }, threads, start));
            let stat = stat.expect("a stat line");
            prop_assert_eq!(stat.comm, comm);
            prop_assert_eq!(stat.ppid, Pid::new(ppid));
            prop_assert_eq!((stat.pgrp, stat.session), (7, 8));
            prop_assert_eq!((stat.threads, stat.start_ticks, stat.kernel_thread), (threads, start, kernel));
        }
    }
}
