//! What an observer of an [`Init`](crate::Init) is told.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::policy::forwarding::Target;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::survivor::Survivor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

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
        to: Target,
    },
    /// A signal was not passed on.
    Withheld {
        /// As what it would have gone.
        signal: Signal,
        /// Why not.
        why: Withheld,
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
        next: Next,
        /// The first of them, each with the reason why it is still there.
        survivors: Vec<Survivor>,
        /// How many there are beyond those.
        more: usize,
    },
    /// A process was told to end.
    Told {
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
    Trouble {
        /// What failed, in words.
        what: String,
    },
}

/// Why a signal was not passed on.
///
/// ```
/// assert_ne!(rinit_core::init::Withheld::Dropped, rinit_core::init::Withheld::Unhandled);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Withheld {
    /// A rewriting rule drops it.
    Dropped,
    /// Main neither handles nor ignores it ([`Forward::Handled`](crate::policy::Forward::Handled)).
    Unhandled,
    /// The terminal has already sent it to main's process group.
    GivenByTerminal,
    /// It is a stop signal within the stop delay: main gets it later.
    Delayed,
    /// Nobody is left to get it.
    NobodyLeft,
}

/// What is about to happen to those who remain.
///
/// ```
/// assert_ne!(rinit_core::init::Next::Tell, rinit_core::init::Next::Kill);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Each who was not told yet is told to end.
    Tell,
    /// They are killed.
    Kill,
    /// Nothing: rinit goes on waiting.
    Wait,
    /// rinit exits, because even KILL does not end them.
    Leave,
}

type InlineObserver = Box<dyn FnMut(&Event)>;

/// Who is told.
#[derive(Default)]
pub(super) struct Observers {
    pub(super) inline: Option<InlineObserver>,
    pub(super) threaded: Option<SyncSender<Event>>,
}

impl Observers {
    pub(super) fn emit(&mut self, event: Event) {
        if let Some(inline) = &mut self.inline {
            if catch_unwind(AssertUnwindSafe(|| inline(&event))).is_err() {
                self.inline = None;
            }
        }
        if let Some(threaded) = &self.threaded {
            // Full or closed: the observer's loss, never the loop's.
            let _ = threaded.try_send(event);
        }
    }
}

/// How many events wait for a threaded observer before further ones are left out.
const QUEUE: usize = 1024;

/// Runs the observer in a thread of its own, behind a bounded queue that never blocks.
pub(super) fn in_thread(mut observer: impl FnMut(&Event) + Send + 'static) -> Option<SyncSender<Event>> {
    let (sender, receiver) = sync_channel::<Event>(QUEUE);
    // The thread inherits the blocked mask, so that it takes no signal from the loop. Where no thread can be started
    // there are no events, and the reaping goes on. A panic in it ends the thread and disconnects the queue.
    let observe = move || receiver.iter().for_each(|event| observer(&event));
    thread::Builder::new().name("rinit-observer".to_owned()).spawn(observe).ok().map(|_| sender)
}
