//! How a process exited or changed.

use crate::signal::Signal;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use std::fmt;
use std::os::unix::process::ExitStatusExt;

/// How a process exited: with an exit code, or terminated by a signal.
///
/// Source: `wait(2)`, `exit(3)`; signals map to exit codes as in the shell, POSIX.1 "Exit status for commands".
///
/// ```
/// use rinit_core::{ExitStatus, Signal};
/// assert_eq!(ExitStatus::Code(7).exit_code(), 7);
/// let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
/// assert_eq!(killed.exit_code(), 137);
/// assert_eq!(killed.to_string(), "killed by SIGKILL");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// The process called `exit`. The code is the part that a parent can see, 0 to 255.
    Code(u8),
    /// A signal terminated the process.
    Signal {
        /// The signal.
        signal: Signal,
        /// Whether the kernel produced a core dump (`core(5)`).
        core_dumped: bool,
    },
}

impl ExitStatus {
    /// The exit code for a program that stands for this process: the code itself, or 128 + the signal's number.
    ///
    /// ```
    /// use rinit_core::{ExitStatus, Signal};
    /// let status = ExitStatus::Signal { signal: Signal::TERM, core_dumped: false };
    /// assert_eq!(status.exit_code(), 143);
    /// ```
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal { signal, .. } => 128 + signal.number() as u8,
        }
    }

    /// The exit code; `None` where a signal terminated the process.
    ///
    /// ```
    /// assert_eq!(rinit_core::ExitStatus::Code(3).code(), Some(3));
    /// ```
    #[must_use]
    pub const fn code(self) -> Option<u8> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal { .. } => None,
        }
    }

    /// True for exit code 0.
    ///
    /// ```
    /// assert!(rinit_core::ExitStatus::Code(0).success());
    /// ```
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The signal that terminated the process, if one did.
    ///
    /// ```
    /// assert_eq!(rinit_core::ExitStatus::Code(143).signal(), None);
    /// ```
    #[must_use]
    pub const fn signal(self) -> Option<Signal> {
        match self {
            Self::Code(_) => None,
            Self::Signal { signal, .. } => Some(signal),
        }
    }

    /// Converts what `waitid(2)` returns; `None` for a stop or a continuation.
    pub(crate) fn from_waitid(status: &WaitIdStatus) -> Option<Self> {
        if let Some(code) = status.exit_status() {
            return Some(Self::Code(code as u8));
        }
        let signal = Signal::new(status.terminating_signal()?)?;
        Some(Self::Signal { signal, core_dumped: status.dumped() })
    }

    /// Converts it to the status word of `wait(2)`.
    fn to_wait(self) -> i32 {
        match self {
            Self::Code(code) => i32::from(code) << 8,
            Self::Signal { signal, core_dumped } => signal.number() | if core_dumped { 0x80 } else { 0 },
        }
    }

    /// From the status word of `wait(2)`; `None` for a stop or a continuation.
    pub(crate) fn from_wait(status: i32) -> Option<Self> {
        let signal = status & 0x7f;
        match signal {
            0 => Some(Self::Code((status >> 8) as u8)),
            0x7f => None,
            _ => Some(Self::Signal { signal: Signal::new(signal)?, core_dumped: status & 0x80 != 0 }),
        }
    }
}

/// Loses nothing.
///
/// ```
/// use rinit_core::ExitStatus;
/// assert_eq!(std::process::ExitStatus::from(ExitStatus::Code(7)).code(), Some(7));
/// ```
impl From<ExitStatus> for std::process::ExitStatus {
    fn from(status: ExitStatus) -> Self {
        Self::from_raw(status.to_wait())
    }
}

/// Fails only for a status that says that the process was stopped or continued, which std's waits never return.
///
/// ```
/// use rinit_core::ExitStatus;
/// let status = std::process::Command::new("sh").args(["-c", "exit 7"]).status().unwrap();
/// assert_eq!(ExitStatus::try_from(status), Ok(ExitStatus::Code(7)));
/// ```
impl TryFrom<std::process::ExitStatus> for ExitStatus {
    type Error = NotExited;

    fn try_from(status: std::process::ExitStatus) -> Result<Self, NotExited> {
        Self::from_wait(status.into_raw()).ok_or(NotExited)
    }
}

/// The status of a process that was stopped or continued, and has not exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process was stopped or continued, and has not exited")]
pub struct NotExited;

/// A change of a child that a wait returns: see [`Child::wait_change`](crate::Child::wait_change).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitStatus {
    /// It has exited.
    Exited(ExitStatus),
    /// A signal has stopped it: STOP, or at a terminal TSTP (^Z), TTIN or TTOU.
    Stopped(Signal),
    /// SIGCONT has continued it.
    Continued,
}

impl WaitStatus {
    /// From the status word of `wait(2)`.
    pub(crate) fn from_wait(status: i32) -> Option<Self> {
        match status {
            0xffff => Some(Self::Continued),
            _ if status & 0xff == 0x7f => Signal::new(status >> 8 & 0xff).map(Self::Stopped),
            _ => ExitStatus::from_wait(status).map(Self::Exited),
        }
    }
}

/// True if such a child has exited and was not reaped. Takes no status, and does not block.
pub(crate) fn has_exited(which: WaitId<'_>) -> rustix::io::Result<bool> {
    rustix::io::retry_on_intr(|| has_exited_once(which.clone(), WaitIdOptions::empty()))
}

/// Asks once: the loop of a PID 1 must not repeat an interrupted call for ever.
pub(crate) fn has_exited_once(which: WaitId<'_>, more: WaitIdOptions) -> rustix::io::Result<bool> {
    look_once(which, more).map(|found| found.is_some())
}

/// How such a child has exited; `None` if it has not, or cannot be waited for. Reaps nothing, and does not block.
pub(crate) fn of_exited(which: WaitId<'_>) -> Option<ExitStatus> {
    ExitStatus::from_waitid(&look_once(which, WaitIdOptions::empty()).ok()??)
}

fn look_once(which: WaitId<'_>, more: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
    waitid(which, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT | more)
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal { signal, core_dumped } => {
                write!(f, "killed by {signal}")?;
                if *core_dumped { f.write_str(" (core dumped)") } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_wait() {
        assert_eq!(ExitStatus::from_wait(0x0700), Some(ExitStatus::Code(7)));
        assert_eq!(ExitStatus::from_wait(0x000f).map(ExitStatus::exit_code), Some(143));
        let dumped = ExitStatus::Signal { signal: Signal::SEGV, core_dumped: true };
        assert_eq!(ExitStatus::from_wait(0x008b), Some(dumped));
        assert_eq!(dumped.to_string(), "killed by SIGSEGV (core dumped)");
        assert_eq!(ExitStatus::from_wait(0x137f), None, "stopped");
        assert_eq!(WaitStatus::from_wait(0x137f), Some(WaitStatus::Stopped(Signal::STOP)));
        assert_eq!(WaitStatus::from_wait(0xffff), Some(WaitStatus::Continued));
        for word in [0x0700, 0x000f, 0x008b, 64] {
            assert_eq!(ExitStatus::from_wait(word).map(ExitStatus::to_wait), Some(word));
        }
        assert_eq!(ExitStatus::from_wait(0xffff), None, "continued");
        // A real-time signal: 128 + 64 is the highest code that a signal can make.
        assert_eq!(ExitStatus::from_wait(64).map(ExitStatus::exit_code), Some(192));
    }
}
