//! The judge: concludes from facts about a process why it is still running. It makes no system call.
//!
//! The live stop and `--diagnose` share it. In a stop the signal was sent; for `--diagnose` it would be.

use super::facts::Facts;
use super::reason::Reason;
use super::shell::{ShellChild, Waiting};
use crate::pid::Pid;
use crate::procfs::cgroup::Frozen;
use crate::procfs::fact::Fact;
use crate::procfs::status::Signals;
use crate::signal::Signal;
use std::time::Duration;

/// What the signal does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The signal terminates it.
    Exits,
    /// The signal has no effect while nothing else happens.
    Stays,
    /// Only a stop shows it.
    Unknown,
}

/// What was concluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) reason: Reason,
    pub(crate) fate: Fate,
}

/// What `docker stop` and the kubelet leave before they kill, at the least.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How near to [`STOP_LIMIT`] a time decides nothing: the stop may begin a little after the answer, and on a busy machine.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);
/// A process that is over so soon after that may exit in time, if the stop begins a while after the answer.
const SOON: Duration = Duration::from_secs(5);

/// Returns the first reason that holds: exited, not permitted, ignores or loses the signal, then what holds the process.
pub(crate) fn judge(facts: &Facts) -> Judgement {
    let stat = &facts.stat;
    let unknown = |reason| Judgement { reason, fate: Fate::Unknown };
    if stat.has_ended() {
        let tracer = facts.status.as_ref().and_then(|status| status.tracer).filter(|tracer| Some(*tracer) != stat.ppid);
        let reason = match tracer {
            // Its parent cannot reap it before the tracer has waited for it (`ptrace(2)`, "Death under ptrace").
            Some(tracer) => Reason::TracedZombie { tracer: Some(tracer) },
            None => Reason::Zombie { parent: stat.ppid },
        };
        return Judgement { reason, fate: Fate::Exits };
    }
    if let (Some(sender), Some(status)) = (facts.sender, &facts.status) {
        if let Some(uid) = status.uid.filter(|_| !sender.may_signal(status)) {
            // Whether the sender waits for what it cannot signal is its own affair.
            return unknown(Reason::NotPermitted { uid, our_uid: sender.uid });
        }
    }
    let Some(signal) = facts.asked else { return not_asked(facts) };
    by_signal(facts, signal)
}

/// A process that was not asked by the sender may have been asked by its parent: what keeps it from acting on SIGTERM is
/// the better answer.
fn not_asked(facts: &Facts) -> Judgement {
    let asked = by_signal(facts, Signal::TERM);
    let is_held = matches!(asked.reason, Reason::StuckInKernel { .. } | Reason::DumpsCore);
    let is_stuck = asked.fate == Fate::Stays && !matches!(asked.reason, Reason::ShellWaits { .. });
    if is_held || is_stuck { asked } else { Judgement { reason: Reason::NotAsked, fate: Fate::Unknown } }
}

fn by_signal(facts: &Facts, signal: Signal) -> Judgement {
    let unknown = |reason| Judgement { reason, fate: Fate::Unknown };
    let Some(signals) = facts.status.as_ref().and_then(|status| status.signals) else {
        let nothing = unknown(Reason::Unknown);
        return held(facts, signal, &nothing).unwrap_or(nothing);
    };
    // Neither a handler nor a mask holds these back.
    if signal == Signal::KILL || signal == Signal::STOP {
        return uncatchable(facts, signal);
    }
    let mut disposition = disposition(facts, signal, signals);
    // The signal has no effect, but the process exits by itself within the limit.
    if disposition.fate == Fate::Stays && facts.exits_after.is_some_and(|left| left <= STOP_LIMIT + SOON) {
        disposition.fate = Fate::Unknown;
    }
    match disposition.fate {
        // Neither CONT nor a debugger that lets go changes anything.
        Fate::Stays => disposition,
        Fate::Exits | Fate::Unknown => held(facts, signal, &disposition).unwrap_or(disposition),
    }
}

fn uncatchable(facts: &Facts, signal: Signal) -> Judgement {
    if signal == Signal::STOP {
        return Judgement { reason: Reason::Stopped(signal), fate: Fate::Stays };
    }
    // KILL from inside does not act on the first process of a namespace (the last check below). It acts from an outer
    // namespace, where the process has a second pid.
    if facts.in_kernel || facts.frozen.is(&Frozen::Entirely) {
        return in_kernel(facts);
    }
    let pids = facts.status.as_ref().map_or(&[][..], |status| &status.namespace_pids);
    if is_namespace_init(facts) && pids.len() <= 1 {
        return Judgement { reason: Reason::NamespaceInit(signal), fate: Fate::Stays };
    }
    Judgement { reason: Reason::Ending(signal), fate: Fate::Exits }
}

/// What keeps a process from acting on the signal. `otherwise` is the judgement if nothing keeps it from that.
fn held(facts: &Facts, signal: Signal, otherwise: &Judgement) -> Option<Judgement> {
    match (&facts.frozen, &otherwise.reason) {
        // Version 2 of the freezer: the signal terminates a frozen process.
        (Fact::Known(Frozen::UntilTerminated), _) if otherwise.fate == Fate::Exits => {}
        (Fact::Known(Frozen::UntilTerminated), Reason::NotReadable { .. } | Reason::Unknown) => {
            return Some(Judgement { reason: Reason::Frozen, fate: Fate::Unknown });
        }
        (Fact::Known(Frozen::UntilTerminated | Frozen::Entirely), _) => {
            return Some(Judgement { reason: Reason::Frozen, fate: Fate::Stays });
        }
        _ => {}
    }
    if facts.is_stopped {
        return Some(Judgement { reason: Reason::Stopped(signal), fate: Fate::Stays });
    }
    // A debugger that only watches lets it go on at once.
    if facts.is_held {
        return Some(Judgement { reason: Reason::Traced(signal), fate: Fate::Unknown });
    }
    let status = facts.status.as_ref();
    if status.is_some_and(|status| status.core_dumping) {
        return Some(Judgement { reason: Reason::DumpsCore, fate: Fate::Unknown });
    }
    if facts.in_kernel {
        return Some(in_kernel(facts));
    }
    // It runs, and the debugger decides which signals reach it.
    facts.tracer.is_some().then_some(Judgement { reason: Reason::Traced(signal), fate: Fate::Unknown })
}

fn in_kernel(facts: &Facts) -> Judgement {
    // `__refrigerator`: frozen by version 1.
    let refrigerated = matches!(&facts.wait_channel, Fact::Known(at) if at.starts_with("__refrigerator"));
    if refrigerated || facts.frozen.is(&Frozen::Entirely) {
        return Judgement { reason: Reason::Frozen, fate: Fate::Stays };
    }
    // A process may be in state D for a moment, and a killable sleep shows the same letter.
    Judgement { reason: Reason::StuckInKernel { at: facts.wait_channel.clone().known() }, fate: Fate::Unknown }
}

fn is_namespace_init(facts: &Facts) -> bool {
    let pids = facts.status.as_ref().map_or(&[][..], |status| &status.namespace_pids);
    pids.last().copied().unwrap_or(facts.stat.pid) == Pid::INIT
}

/// What the process does with the signal: blocks it, ignores it, handles it, or leaves it to the kernel.
fn disposition(facts: &Facts, signal: Signal, signals: Signals) -> Judgement {
    let unknown = |reason| Judgement { reason, fate: Fate::Unknown };
    let stays = |reason| Judgement { reason, fate: Fate::Stays };
    let uid = facts.status.as_ref().and_then(|status| status.uid);
    let catches = signals.caught.contains(signal);
    // First: the kernel keeps a blocked signal even where it is ignored, and for the first process of a namespace.
    if facts.blocked.contains(signal) {
        return match &facts.signalfds {
            Fact::Known(taken) if taken.contains(signal) => unknown(Reason::Waits(signal)),
            // The program unblocks it only in `ppoll(2)` or the like, or it is in its handler now.
            _ if catches && !signals.pending.contains(signal) => handles(facts, signal, signals),
            Fact::NotPermitted if !catches => unknown(Reason::NotReadable { uid }),
            // It may poll for signals between other work, so that this alone proves nothing.
            _ => unknown(Reason::Blocks(signal)),
        };
    }
    if catches {
        return handles(facts, signal, signals);
    }
    // In `sigwait` the signal shows as unblocked, and is taken even where it is ignored.
    match facts.in_sigwait {
        Fact::Known(true) => return unknown(Reason::Waits(signal)),
        Fact::Known(false) => {}
        Fact::NotPermitted => return unknown(Reason::NotReadable { uid }),
        Fact::NotThere => return unknown(Reason::Unknown),
    }
    if signals.ignored.contains(signal) {
        return stays(Reason::Ignores(signal));
    }
    if !signal.terminates_by_default() {
        return stays(Reason::IgnoredByDefault(signal));
    }
    if is_namespace_init(facts) {
        // Its first thread blocks the signal, so that the kernel does not drop it at once. Then either the descriptor is read first, or
        // another thread is woken and the signal is dropped.
        let may_be_read = signals.blocked.contains(signal) && !matches!(&facts.signalfds, Fact::NotThere);
        return match &facts.signalfds {
            Fact::Known(taken) if may_be_read && taken.contains(signal) => unknown(Reason::Waits(signal)),
            Fact::NotPermitted if may_be_read => unknown(Reason::NotReadable { uid }),
            _ => stays(Reason::NamespaceInit(signal)),
        };
    }
    let reason = if signals.pending.contains(signal) { Reason::Pending(signal) } else { Reason::Ending(signal) };
    Judgement { reason, fate: Fate::Exits }
}

/// A handler may do anything.
fn handles(facts: &Facts, signal: Signal, signals: Signals) -> Judgement {
    let unknown = |reason| Judgement { reason, fate: Fate::Unknown };
    let named = |child: &ShellChild| (child.pid, child.command.clone());
    if let Some(shell) = &facts.shell {
        match shell.waiting(signals.ignored) {
            Waiting::Foreground(child) => {
                let (child, command) = named(child);
                let long = shell.exits_after.is_some_and(|left| left > STOP_LIMIT + SOON);
                let fate = if long { Fate::Stays } else { Fate::Unknown };
                return Judgement { reason: Reason::ShellWaits { child, command }, fate };
            }
            Waiting::Perhaps(child) => {
                let (child, command) = named(child);
                return unknown(Reason::ShellMayWait { child, command });
            }
            Waiting::Otherwise => {}
        }
    }
    if signals.pending.contains(signal) {
        return unknown(Reason::Pending(signal));
    }
    // `pipe_write`, or `anon_pipe_write` since Linux 6.14.
    if matches!(&facts.wait_channel, Fact::Known(at) if at.contains("pipe_write")) {
        return unknown(Reason::FullPipe(signal));
    }
    unknown(Reason::Handles(signal))
}

#[cfg(test)]
mod tests;
