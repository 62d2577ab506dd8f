//! The reasons, in words.

use crate::pid::Pid;
use crate::printable::Quoted;
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
    /// It ignores this signal.
    Ignores(Signal),
    /// The signal is ignored unless a program handles it, as WINCH is (`signal(7)`, "Standard signals").
    IgnoredByDefault(Signal),
    /// All its threads block the signal, and none takes it by `sigwait(3)` or `signalfd(2)`, or that cannot be seen.
    Blocks(Signal),
    /// It has a handler for the signal and is still running.
    Handles(Signal),
    /// It has a handler for the signal, and is blocked in a write to a pipe that is full.
    FullPipe(Signal),
    /// A shell with a trap, which runs only once the command in the foreground has exited (POSIX Shell Command Language,
    /// 2.12 Signals and Error Handling).
    ShellWaits {
        /// The command's pid.
        child: Pid,
        /// The command, escaped.
        command: String,
    },
    /// A shell with a trap, which may wait for this command in the foreground. bash does not show whether it does.
    ShellMayWait {
        /// The command's pid: the youngest that was not started with `&`, as far as can be seen.
        child: Pid,
        /// The command, escaped.
        command: String,
    },
    /// It was not asked to stop.
    NotAsked,
    /// It was not asked to stop: that is left to its parent, which was asked.
    LeftToParent {
        /// The parent.
        parent: Pid,
    },
    /// Its parent has asked it to stop, and its handler is running: it has a child that is younger than the stop.
    AskedByParent {
        /// The parent.
        parent: Pid,
    },
    /// A thread of it is in uninterruptible sleep: not even SIGKILL acts before the kernel comes back.
    StuckInKernel {
        /// The kernel function it sleeps in, where the kernel says.
        at: Option<String>,
    },
    /// Its control group is frozen (`docker pause`): no signal acts before it is thawed.
    Frozen,
    /// It is stopped, by SIGSTOP or the terminal: the signal waits for SIGCONT.
    Stopped(Signal),
    /// A debugger holds it: the signal waits for the debugger.
    Traced(Signal),
    /// A signal has terminated it, and the kernel is writing its core dump.
    DumpsCore,
    /// The signal is sent and not delivered yet: the machine is busy, or the process is about to exit.
    Pending(Signal),
    /// It is PID 1 of a PID namespace and has no handler: the kernel drops the signal (`pid_namespaces(7)`, "The namespace
    /// init process").
    NamespaceInit(Signal),
    /// It is an init that has a rewriting rule which drops the signal, so that no process gets it.
    Dropped(Signal),
    /// It belongs to another user, and the sender has no CAP_KILL (`kill(2)`, EPERM).
    NotPermitted {
        /// The process's real user id.
        uid: u32,
        /// The sender's.
        our_uid: u32,
    },
    /// It takes the signal by `sigwait(3)` or `signalfd(2)`: the signal has no other effect, and the process decides.
    Waits(Signal),
    /// It was asked to stop, the signal has its default action, and the process is about to exit.
    Ending(Signal),
    /// It has exited and its parent has not waited for it.
    Zombie {
        /// The parent; `None` where that is outside of the PID namespace.
        parent: Option<Pid>,
    },
    /// It has exited, and a debugger that traces it has not waited for it. Until then its parent cannot reap it (`ptrace(2)`).
    TracedZombie {
        /// The tracer; `None` where that is outside of the PID namespace.
        tracer: Option<Pid>,
    },
    /// This user may not read whether it takes the signal by `sigwait(3)` or `signalfd(2)` (`ptrace(2)`, "Ptrace access
    /// mode checking").
    NotReadable {
        /// The process's real user id; that user may read it.
        uid: Option<u32>,
    },
    /// `/proc` does not say.
    Unknown,
}

impl Reason {
    /// One word for programs: `ignores`, `ignored-by-default`, `blocks`, `handles`, `full-pipe`, `shell-waits`, `shell-may-wait`,
    /// `waits`, `not-asked`, `left-to-parent`, `asked-by-parent`, `stuck-in-kernel`, `frozen`, `stopped`, `traced`, `dumps-core`,
    /// `pending`, `namespace-init`, `dropped`, `not-permitted`, `ending`, `zombie`, `traced-zombie`, `not-readable`, `unknown`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ignores(_) => "ignores",
            Self::IgnoredByDefault(_) => "ignored-by-default",
            Self::Blocks(_) => "blocks",
            Self::Handles(_) => "handles",
            Self::FullPipe(_) => "full-pipe",
            Self::ShellWaits { .. } => "shell-waits",
            Self::ShellMayWait { .. } => "shell-may-wait",
            Self::NotAsked => "not-asked",
            Self::LeftToParent { .. } => "left-to-parent",
            Self::AskedByParent { .. } => "asked-by-parent",
            Self::StuckInKernel { .. } => "stuck-in-kernel",
            Self::Frozen => "frozen",
            Self::Stopped(_) => "stopped",
            Self::Traced(_) => "traced",
            Self::DumpsCore => "dumps-core",
            Self::Pending(_) => "pending",
            Self::NamespaceInit(_) => "namespace-init",
            Self::Dropped(_) => "dropped",
            Self::NotPermitted { .. } => "not-permitted",
            Self::Waits(_) => "waits",
            Self::Ending(_) => "ending",
            Self::Zombie { .. } => "zombie",
            Self::TracedZombie { .. } => "traced-zombie",
            Self::NotReadable { .. } => "not-readable",
            Self::Unknown => "unknown",
        }
    }

    /// The child that a shell may wait for before it runs its trap.
    pub(crate) const fn awaited_child(&self) -> Option<Pid> {
        match self {
            Self::ShellWaits { child, .. } | Self::ShellMayWait { child, .. } => Some(*child),
            _ => None,
        }
    }

    /// How much a process with this reason holds up a stop, the most first: those that cannot act on the signal, those
    /// that decide for themselves, and those that are on their way out or were not asked.
    pub(crate) const fn weight(&self) -> u8 {
        match self {
            Self::Ignores(_)
            | Self::IgnoredByDefault(_)
            | Self::Blocks(_)
            | Self::StuckInKernel { .. }
            | Self::Frozen
            | Self::Stopped(_)
            | Self::Traced(_)
            | Self::NamespaceInit(_)
            | Self::Dropped(_)
            | Self::NotPermitted { .. }
            | Self::DumpsCore
            | Self::FullPipe(_)
            | Self::ShellWaits { .. } => 0,
            Self::Handles(_) | Self::Waits(_) | Self::NotReadable { .. } | Self::Unknown => 1,
            // It waits for a process that holds up the stop itself, or for nothing.
            Self::ShellMayWait { .. } => 2,
            Self::Pending(_) | Self::Ending(_) => 3,
            Self::NotAsked | Self::LeftToParent { .. } | Self::AskedByParent { .. } => 4,
            Self::Zombie { .. } | Self::TracedZombie { .. } => 5,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignores(signal) => write!(f, "ignores {signal}"),
            Self::IgnoredByDefault(signal) => write!(f, "has no handler for {signal}, which is ignored by default"),
            Self::Blocks(signal) => write!(f, "blocks {signal} and does not take it by sigwait or signalfd"),
            Self::Handles(signal) => write!(f, "handles {signal} and is still running"),
            Self::FullPipe(signal) => {
                write!(f, "handles {signal}, and is blocked in a write to a full pipe, which its reader does not empty")
            }
            Self::ShellWaits { child, command } => {
                write!(
                    f,
                    "a shell, which runs its trap only after its foreground child {child} {} exits",
                    Quoted(command)
                )
            }
            Self::ShellMayWait { child, command } => {
                write!(f, "a shell with a trap, which may be waiting for its child {child} {} to exit", Quoted(command))
            }
            Self::NotAsked => f.write_str("was not asked to stop"),
            Self::LeftToParent { parent } => write!(f, "not asked by rinit, left to its parent {parent}"),
            Self::AskedByParent { parent } => write!(f, "already asked by its parent {parent}: its handler is running"),
            Self::StuckInKernel { at: Some(at) } => write!(f, "stuck in the kernel (state D, at {at})"),
            Self::StuckInKernel { at: None } => f.write_str("stuck in the kernel (state D)"),
            Self::Frozen => f.write_str("frozen with its control group: no signal acts before it is thawed"),
            Self::Stopped(signal) => write!(f, "stopped (state T): it acts on {signal} only after SIGCONT"),
            Self::Traced(signal) => write!(f, "held by a debugger (state t): {signal} waits for the debugger"),
            Self::DumpsCore => f.write_str("is writing its core dump, and exits after it"),
            Self::Pending(signal) => write!(f, "has not acted on {signal} yet: it is still pending"),
            Self::NamespaceInit(signal) => {
                write!(f, "PID 1 of its PID namespace without a handler: the kernel drops {signal}")
            }
            Self::Dropped(signal) => write!(f, "a --rewrite rule drops {signal}"),
            Self::NotPermitted { uid, our_uid } => {
                write!(f, "runs as uid {uid}, which uid {our_uid} may not signal without CAP_KILL")
            }
            Self::Waits(signal) => write!(f, "takes {signal} by sigwait or signalfd and is still running"),
            Self::Ending(signal) => write!(f, "is about to be terminated by {signal}"),
            Self::Zombie { parent: Some(parent) } => write!(f, "a zombie: its parent {parent} has not reaped it"),
            Self::Zombie { parent: None } => {
                f.write_str("a zombie: its parent, outside of the PID namespace, has not reaped it")
            }
            Self::TracedZombie { tracer: Some(tracer) } => {
                write!(f, "a zombie: the process {tracer}, which traces it, has not waited for it")
            }
            Self::TracedZombie { tracer: None } => {
                f.write_str("a zombie: a process outside of the PID namespace, which traces it, has not waited for it")
            }
            Self::NotReadable { uid: Some(uid) } => {
                write!(f, "this user may not read how uid {uid} takes its signals")
            }
            Self::NotReadable { uid: None } => f.write_str("this user may not read how it takes its signals"),
            Self::Unknown => f.write_str("for a reason that /proc does not show"),
        }
    }
}
