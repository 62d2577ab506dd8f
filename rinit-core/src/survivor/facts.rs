//! The facts about one process from which the judge concludes. Each is known, not permitted or not there.

use super::shell::Shell;
use crate::pid::Pid;
use crate::procfs::cgroup::Frozen;
use crate::procfs::fact::Fact;
use crate::procfs::stat::Stat;
use crate::procfs::status::Status;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use std::time::Duration;

/// Everything that a judgement rests on. [`super::gather`] reads it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) stat: Stat,
    /// gVisor lacks most lines of it.
    pub(crate) status: Option<Status>,
    /// The signal that was sent to end it, or that a stop would send.
    pub(crate) asked: Option<Signal>,
    /// The arguments with a NUL after each.
    pub(crate) arguments: Fact<Vec<u8>>,
    /// Blocked in every thread. `status` has the first thread's mask alone, but a signal for the process goes to any
    /// thread that does not block it (`signal(7)`, "Process-directed and thread-directed").
    pub(crate) blocked: SignalSet,
    /// A thread takes signals by `sigwait(3)`. Read only where the signal is neither blocked nor caught.
    pub(crate) in_sigwait: Fact<bool>,
    /// What it takes by `signalfd(2)`. Read only where the signal is blocked.
    pub(crate) signalfds: Fact<SignalSet>,
    /// A thread is in state D, the first one or another.
    pub(crate) in_kernel: bool,
    /// SIGSTOP or the terminal has stopped it. If the first thread has exited, the state of another thread shows that.
    pub(crate) is_stopped: bool,
    /// A debugger holds a thread, the first one or another.
    pub(crate) is_held: bool,
    /// The debugger that is attached to a thread, the first one or another. It sees each signal before the process does. `None` also
    /// for one outside of the PID namespace.
    pub(crate) tracer: Option<Pid>,
    /// Time until it exits by itself, where that can be known: a `sleep`.
    pub(crate) exits_after: Option<Duration>,
    /// Where the first living thread sleeps, or the one in state D.
    pub(crate) wait_channel: Fact<String>,
    /// Its control group is frozen, itself or by one above it.
    pub(crate) frozen: Fact<Frozen>,
    /// What is known of it as a shell, if it is one.
    pub(crate) shell: Option<Shell>,
    /// The credentials of the sender. `None` if they are not known: the signal then counts as permitted.
    pub(crate) sender: Option<Credentials>,
}

/// What counts for the right to send signals (`kill(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) uid: u32,
    pub(crate) euid: u32,
    pub(crate) cap_kill: bool,
}

/// Bit of CAP_KILL in the kernel's `include/uapi/linux/capability.h`.
const CAP_KILL: u64 = 1 << 5;

impl Credentials {
    /// `None` where a line is missing.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        Some(Self { uid: status.uid?, euid: status.euid?, cap_kill: status.capabilities? & CAP_KILL != 0 })
    }

    /// True where the sender's real or effective uid is the target's real or saved one, or CAP_KILL makes up for it.
    pub(crate) fn may_signal(self, target: &Status) -> bool {
        let (Some(real), saved) = (target.uid, target.saved_uid.or(target.uid)) else { return true };
        self.cap_kill || [self.uid, self.euid].iter().any(|own| *own == real || Some(*own) == saved)
    }
}
