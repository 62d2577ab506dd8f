//! Exit statuses of processes.

use crate::signal::Signal;
use std::fmt;

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

    /// Whether the exit code is 0.
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

    /// From the status word of `wait(2)`; `None` if it reports a stop or a continuation.
    pub(crate) fn from_wait(status: i32) -> Option<Self> {
        let signal = status & 0x7f;
        match signal {
            0 => Some(Self::Code((status >> 8) as u8)),
            0x7f => None,
            _ => Some(Self::Signal { signal: Signal::new(signal)?, core_dumped: status & 0x80 != 0 }),
        }
    }
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
        assert_eq!(ExitStatus::from_wait(0xffff), None, "continued");
        // A real-time signal: 128 + 64 is the highest code that a signal can make.
        assert_eq!(ExitStatus::from_wait(64).map(ExitStatus::exit_code), Some(192));
    }
}
