//! What an observer of an [`Init`](crate::Init) sees.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::policy::forwarding::ForwardTo;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::survivor::Survivor;

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
    /// A signal was passed on.
    Forwarded {
        /// As what, after rewriting.
        signal: Signal,
        /// To whom.
        to: ForwardTo,
    },
    /// A signal was not passed on.
    Withheld {
        /// As what it would have gone.
        signal: Signal,
        /// Why not.
        why: WithheldReason,
    },
    /// An orphan that this process had adopted has ended; [`Event::Reaped`] follows. The kernel does not say when it was
    /// adopted.
    Adopted {
        /// Its pid.
        pid: Pid,
    },
    /// A child was reaped.
    Reaped {
        /// Its pid, which is free again.
        pid: Pid,
        /// How it ended.
        status: ExitStatus,
        /// True for main, false for an adopted orphan.
        main: bool,
    },
    /// Some processes remain, and this is about to be done about it.
    Remaining {
        /// What comes next.
        next: NextStep,
        /// The first of them, each with the reason why it is still there.
        survivors: Vec<Survivor>,
        /// How many there are beyond those.
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
    /// A child was ended by a KILL that this process did not send, and the kernel counts kills for want of memory in its
    /// memory cgroup, more than when it was last asked. [`Event::Reaped`] comes before.
    OutOfMemory {
        /// The child's pid, which is free again.
        pid: Pid,
        /// True for main.
        main: bool,
        /// Kills since the cgroup was made.
        kills: u64,
    },
    /// A signal was refused with EPERM. Said once for each process.
    NotPermitted {
        /// The process.
        pid: Pid,
        /// The signal.
        signal: Signal,
        /// The user that the process runs as, where /proc tells.
        uid: Option<u32>,
    },
    /// A step of the loop failed and was passed over: rinit goes on, because its end would be everybody's.
    /// Said once, however long it lasts.
    Error {
        /// What failed, in words.
        what: String,
    },
}

/// Why a signal was not passed on.
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
    /// Nobody is left to get it.
    NoProcessLeft,
}

/// What is about to happen to those who remain.
///
/// ```
/// assert_ne!(rinit_core::init::NextStep::Terminate, rinit_core::init::NextStep::Kill);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// Each process that was not asked to stop yet is sent TERM.
    Terminate,
    /// They are killed.
    Kill,
    /// Nothing: rinit goes on waiting.
    Wait,
    /// rinit exits, because even KILL does not end them.
    Leave,
}
