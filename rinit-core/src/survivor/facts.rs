//! What `/proc` says about one process, gathered for the judgement.

use crate::pid::Pid;
use crate::process::Process;
use crate::process::walk;
use crate::procfs;
use crate::procfs::cmdline;
use crate::procfs::reader::Reader;
use crate::procfs::stat::{Stat, State};
use crate::procfs::status::Signals;
use crate::procfs::status::Status;
use crate::signal::Signal;
use crate::signal::set::SignalSet;

/// All that the judgement looks at.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) stat: Stat,
    pub(crate) status: Option<Status>,
    /// The last signal that the process was sent to end it.
    pub(crate) told: Option<Signal>,
    /// Escaped, for people.
    pub(crate) command: String,
    /// Blocked in every thread. `status` has the first thread's mask alone, but a signal for the process goes to any
    /// thread that does not block it (`signal(7)`, "Process-directed and thread-directed").
    pub(crate) blocked: SignalSet,
    /// A thread takes signals by `sigwait(3)`. Looked at only where the signal is neither blocked nor caught nor ignored.
    pub(crate) in_sigwait: bool,
    /// A thread is in state D, the first one or another.
    pub(crate) in_kernel: bool,
    pub(crate) wait_channel: Option<String>,
    pub(crate) is_shell: bool,
    /// Of a shell only: its living children.
    pub(crate) children: Vec<ShellChild>,
    /// Who sends; `None` where that is not known and taken to be permitted.
    pub(crate) sender: Option<Credentials>,
}

/// A living child of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellChild {
    pub(crate) pid: Pid,
    /// Escaped, for people.
    pub(crate) command: String,
    pub(crate) start_ticks: u64,
    pub(crate) ignored: SignalSet,
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
    pub(crate) fn of(reader: &mut Reader, pid: Pid) -> Option<Self> {
        let status = reader.status(pid).ok()??;
        Some(Self { uid: status.uid?, euid: status.euid?, cap_kill: status.capabilities? & CAP_KILL != 0 })
    }

    /// True where the sender's real or effective uid is the target's real or saved one, or CAP_KILL makes up for it.
    pub(crate) fn may_signal(self, target: &Status) -> bool {
        let (Some(real), saved) = (target.uid, target.saved_uid.or(target.uid)) else { return true };
        self.cap_kill || [self.uid, self.euid].iter().any(|own| *own == real || Some(*own) == saved)
    }
}

/// `None` when the process is gone or its number means another one.
pub(crate) fn gather(
    reader: &mut Reader,
    process: &Process,
    told: Option<Signal>,
    sender: Option<Credentials>,
) -> Option<Facts> {
    let pid = process.pid;
    let stat = reader.stat(pid).ok()?.filter(|stat| stat.start_ticks == process.start_ticks)?;
    let status = reader.status(pid).ok().flatten();
    let (blocked, in_kernel) = threads(reader, &stat, status.as_ref());
    let signals = status.as_ref().and_then(|status| status.signals).unwrap_or_default();
    let known = blocked | signals.caught | signals.ignored;
    let in_sigwait = told.is_some_and(|told| !known.contains(told)) && reader.is_in_sigwait(pid);
    let wait_channel = if in_kernel { reader.wait_channel(pid) } else { None };
    // Never the arguments of a process with a thread in state D: see `Reader::command`.
    let command = if in_kernel { cmdline::bracketed(&stat.comm) } else { reader.command(pid, &stat.comm) };
    let is_shell = !in_kernel && is_shell(reader, &stat);
    let children = if is_shell { shell_children(reader, pid) } else { Vec::new() };
    // Everything above was read by number. Still the same process now, so it was the same all the while.
    reader.stat(pid).ok()?.filter(|again| again.start_ticks == process.start_ticks)?;
    Some(Facts {
        stat,
        status,
        told,
        command,
        blocked,
        in_sigwait,
        in_kernel,
        wait_channel,
        is_shell,
        children,
        sender,
    })
}

/// What every thread blocks, and whether any sleeps uninterruptibly.
fn threads(reader: &mut Reader, stat: &Stat, status: Option<&Status>) -> (SignalSet, bool) {
    let first = status.and_then(|status| status.signals).map(|signals: Signals| signals.blocked);
    let mut in_kernel = stat.state == State::DiskSleep;
    if stat.threads <= 1 {
        return (first.unwrap_or_default(), in_kernel);
    }
    let mut threads = Vec::new();
    let listed = procfs::reader::numbers(&format!("/proc/{}/task", stat.pid), &mut threads);
    let mut blocked = None;
    if let Ok(Some(())) = listed {
        for thread in threads {
            let Ok(Some(status)) = reader.thread_status(stat.pid, thread) else { continue };
            // A first thread that has ended takes no signal.
            if matches!(status.state, Some(State::Zombie | State::Dead)) {
                continue;
            }
            in_kernel |= status.state == Some(State::DiskSleep);
            if let Some(signals) = status.signals {
                blocked = Some(blocked.unwrap_or(SignalSet::all()) & signals.blocked);
            }
        }
    }
    (blocked.or(first).unwrap_or_default(), in_kernel)
}

/// By its own name, or by its first argument where a script has given it another.
fn is_shell(reader: &mut Reader, stat: &Stat) -> bool {
    const SHELLS: [&[u8]; 8] = [b"sh", b"bash", b"dash", b"ash", b"busybox", b"zsh", b"ksh", b"mksh"];
    if SHELLS.contains(&stat.comm.as_slice()) {
        return true;
    }
    let arguments = reader.read(format_args!("/proc/{}/cmdline", stat.pid), 256);
    arguments.is_ok_and(|bytes| bytes.is_some_and(|bytes| SHELLS.contains(&cmdline::program_name(bytes))))
}

fn shell_children(reader: &mut Reader, shell: Pid) -> Vec<ShellChild> {
    let children = walk::children(shell, reader).unwrap_or_default();
    let mut living = Vec::with_capacity(children.len());
    for child in children {
        if child.has_ended() {
            continue;
        }
        let signals = reader.status(child.pid).ok().flatten().and_then(|status| status.signals).unwrap_or_default();
        let in_kernel = child.state == State::DiskSleep;
        let command = if in_kernel { cmdline::bracketed(&child.comm) } else { reader.command(child.pid, &child.comm) };
        let (pid, start_ticks) = (child.pid, child.start_ticks);
        living.push(ShellChild { pid, command, start_ticks, ignored: signals.ignored });
    }
    living
}
