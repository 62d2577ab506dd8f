//! What an observer of an [`Init`](crate::Init) sees.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::policy::forwarding::ForwardTo;
use crate::policy::shutdown::KillLimit;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::survivor::Survivor;
use std::time::Duration;

/// Something that happened in a running [`Init`](crate::Init).
///
/// ```
/// use rinit_core::init::Event;
/// fn log(event: &Event) {
///     if let Event::Reaped { pid, status, main: false } = event {
///         println!("orphan {pid} {status}");
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Main was started.
    Spawned {
        /// Its pid.
        pid: Pid,
    },
    /// A signal arrived.
    Received(ReceivedSignal),
    /// A signal was forwarded.
    Forwarded {
        /// The signal that was sent, after rewriting.
        signal: Signal,
        /// The target.
        to: ForwardTo,
    },
    /// A signal was not forwarded.
    Withheld {
        /// The signal that would have been forwarded, after rewriting.
        signal: Signal,
        /// Why not.
        why: WithheldReason,
    },
    /// An orphan that this process had adopted has exited; [`Event::Reaped`] follows. The kernel does not say when it was
    /// adopted.
    Adopted {
        /// Its pid.
        pid: Pid,
    },
    /// A child was reaped.
    Reaped {
        /// Its pid. The kernel may have reused it.
        pid: Pid,
        /// How it exited.
        status: ExitStatus,
        /// True for main, false for an adopted orphan.
        main: bool,
    },
    /// Some processes remain.
    Remaining {
        /// What was done about it, or comes next.
        next: NextStep,
        /// How main exited, if it has.
        main: Option<ExitStatus>,
        /// How long until they are killed, if they will be.
        kill_in: Option<Duration>,
        /// The limit at which they are killed. `None` with [`NextStep::Kill`]: none of them can act on TERM.
        limit: Option<KillLimit>,
        /// Main remains, and may not be signalled: it was not asked.
        main_refused: bool,
        /// The first of them, each with the reason why it has not exited.
        survivors: Vec<Survivor>,
        /// How many more there are.
        more: usize,
    },
    /// A process was asked to stop.
    Terminated {
        /// Its pid.
        pid: Pid,
        /// By which signal.
        signal: Signal,
    },
    /// A process was sent KILL.
    Killed {
        /// Its pid.
        pid: Pid,
    },
    /// A child was killed by a KILL that this process did not send, and the kernel has counted a further out-of-memory kill
    /// in this memory cgroup. [`Event::Reaped`] comes before.
    OutOfMemory {
        /// The child's pid. The kernel may have reused it.
        pid: Pid,
        /// True for main.
        main: bool,
        /// Kills since the cgroup was made.
        kills: u64,
    },
    /// The container was frozen during a stop, and the time limits of the stop did not run meanwhile. Reported once.
    Frozen {
        /// For how long, to half a second.
        time: Duration,
    },
    /// A signal was refused with EPERM. Reported once for each process.
    NotPermitted {
        /// The process.
        pid: Pid,
        /// The signal.
        signal: Signal,
        /// The user that the process runs as, if /proc shows it.
        uid: Option<u32>,
    },
    /// A step of the loop failed. rinit goes on, because its exit would take every process with it. Reported once, however
    /// long it lasts.
    Error {
        /// What failed, in words.
        what: String,
    },
}

/// Why a signal was not forwarded.
///
/// ```
/// assert_ne!(rinit_core::init::WithheldReason::Dropped, rinit_core::init::WithheldReason::Unhandled);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithheldReason {
    /// A rewriting rule drops it.
    Dropped,
    /// Main neither handles nor ignores it ([`ForwardFilter::Handled`](crate::policy::ForwardFilter::Handled)).
    Unhandled,
    /// The terminal has already sent it to main's process group.
    SentByTerminal,
    /// It is a stop signal within the stop delay: main gets it later.
    Delayed,
    /// No process is left to get it.
    NoProcessLeft,
}

/// What happens to the processes that remain.
///
/// ```
/// assert_ne!(rinit_core::init::NextStep::Terminate, rinit_core::init::NextStep::Kill);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// They were asked to stop, from the top, or will be when it is their turn.
    Terminate,
    /// All that were not asked before were asked to stop: the limit is near.
    LastCall,
    /// They are killed.
    Kill,
    /// The time is up, and they were not asked before: they get TERM now, and KILL in the next round.
    TerminateThenKill,
    /// Nothing: rinit waits for them.
    Wait,
    /// rinit exits without them, because it cannot terminate them.
    Leave,
}
