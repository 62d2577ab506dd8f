//! The reasons, in words.

use super::Quoted;
use crate::pid::Pid;
use crate::signal::Signal;
use std::fmt;

/// Why a process is still there. Displayed as a clause that follows the process's name.
///
/// ```
/// use rinit_core::Signal;
/// use rinit_core::diagnose::Reason;
/// assert_eq!(Reason::Ignores(Signal::TERM).to_string(), "ignores SIGTERM");
/// assert_eq!(Reason::Ignores(Signal::TERM).code(), "ignores");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It was told by this signal, and ignores it.
    Ignores(Signal),
    /// All its threads block the signal: it stays pending, unless one takes it by `sigwait(3)` or `signalfd(2)`.
    Blocks(Signal),
    /// It has a handler for the signal and has not ended.
    Handles(Signal),
    /// A shell with a trap: it runs the trap only when the command that it waits for has ended
    /// (POSIX Shell Command Language, 2.12 Signals and Error Handling).
    ShellWaits {
        /// The command's pid. The shell does not say which child it waits for; this is the youngest in the foreground.
        child: Pid,
        /// The command, escaped.
        command: String,
    },
    /// Nobody has told it to end.
    NeverTold,
    /// It was not asked to stop: that is left to its parent, which was asked.
    LeftToParent {
        /// The parent.
        parent: Pid,
    },
    /// A thread of it is in uninterruptible sleep: not even SIGKILL acts before the kernel comes back.
    StuckInKernel {
        /// The kernel function it sleeps in, where the kernel says.
        at: Option<String>,
    },
    /// It is stopped, by SIGSTOP or the terminal: the signal waits for SIGCONT.
    Stopped(Signal),
    /// A debugger holds it: the signal waits for the debugger.
    Traced(Signal),
    /// The signal is sent and not delivered yet: the machine is busy, or the process is about to end.
    Pending(Signal),
    /// It is PID 1 of a PID namespace and has no handler: the kernel drops the signal (`pid_namespaces(7)`, "The namespace
    /// init process").
    NamespaceInit(Signal),
    /// It belongs to another user, and the sender has no CAP_KILL (`kill(2)`, EPERM).
    NotPermitted {
        /// The process's real user id.
        uid: u32,
        /// The sender's.
        our_uid: u32,
    },
    /// A thread takes signals by `sigwait(3)`, or was about to: the signal has no other effect, and the process lives.
    Waits(Signal),
    /// It was told, the signal has its default action, and it is about to end.
    Ending(Signal),
    /// It has ended and its parent has not waited for it.
    Zombie {
        /// The parent; `None` where that is outside of the PID namespace.
        parent: Option<Pid>,
    },
    /// `/proc` does not say.
    Unknown,
}

impl Reason {
    /// One word for programs: `ignores`, `blocks`, `handles`, `shell-waits`, `waits`, `never-told`, `left-to-parent`, `stuck-in-kernel`, `stopped`,
    /// `traced`, `pending`, `namespace-init`, `not-permitted`, `ending`, `zombie`, `unknown`.
    ///
    /// ```
    /// assert_eq!(rinit_core::diagnose::Reason::NeverTold.code(), "never-told");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ignores(_) => "ignores",
            Self::Blocks(_) => "blocks",
            Self::Handles(_) => "handles",
            Self::ShellWaits { .. } => "shell-waits",
            Self::NeverTold => "never-told",
            Self::LeftToParent { .. } => "left-to-parent",
            Self::StuckInKernel { .. } => "stuck-in-kernel",
            Self::Stopped(_) => "stopped",
            Self::Traced(_) => "traced",
            Self::Pending(_) => "pending",
            Self::NamespaceInit(_) => "namespace-init",
            Self::NotPermitted { .. } => "not-permitted",
            Self::Waits(_) => "waits",
            Self::Ending(_) => "ending",
            Self::Zombie { .. } => "zombie",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignores(signal) => write!(f, "ignores {signal}"),
            Self::Blocks(signal) => write!(f, "blocks {signal} (may take it by sigwait or signalfd)"),
            Self::Handles(signal) => write!(f, "handles {signal} and is still running"),
            Self::ShellWaits { child, command } => write!(
                f,
                "a shell, which runs its trap only after its foreground child {child} {} ends: start it with \
                 exec, or use -g",
                Quoted(command)
            ),
            Self::NeverTold => f.write_str("was never told"),
            Self::LeftToParent { parent } => write!(f, "not asked by rinit, left to its parent {parent}"),
            Self::StuckInKernel { at: Some(at) } => write!(f, "stuck in the kernel (state D, at {at})"),
            Self::StuckInKernel { at: None } => f.write_str("stuck in the kernel (state D)"),
            Self::Stopped(signal) => write!(f, "stopped (state T): it acts on {signal} only after SIGCONT"),
            Self::Traced(signal) => write!(f, "held by a debugger (state t), which {signal} has to pass"),
            Self::Pending(signal) => write!(f, "has not acted on {signal} yet: it is still pending"),
            Self::NamespaceInit(signal) => {
                write!(f, "PID 1 of its PID namespace without a handler: the kernel drops {signal}")
            }
            Self::NotPermitted { uid, our_uid } => {
                write!(f, "runs as uid {uid}, which uid {our_uid} may not signal without CAP_KILL")
            }
            Self::Waits(signal) => write!(f, "takes {signal} by sigwait and is still running"),
            Self::Ending(signal) => write!(f, "about to end by {signal}"),
            Self::Zombie { parent: Some(parent) } => write!(f, "a zombie, which its parent {parent} does not wait for"),
            Self::Zombie { parent: None } => {
                f.write_str("a zombie, which its parent outside of the PID namespace does not wait for")
            }
            Self::Unknown => f.write_str("for a reason that /proc does not tell"),
        }
    }
}
