//! What a process does about a signal.

use crate::pid::Pid;
use crate::policy::order::OnTerm;
use crate::procfs::reader::Reader;
use crate::signal::Signal;

/// Returns what the process does on TERM. One that cannot be read is assumed to handle it, and gets its time.
pub(super) fn on_term(pid: Pid, reader: &mut Reader) -> OnTerm {
    let Some(status) = reader.status(pid).ok().flatten() else { return OnTerm::Handles };
    let Some(signals) = status.signals else { return OnTerm::Handles };
    // The kernel drops a signal without a handler for the first process of a PID namespace (`pid_namespaces(7)`).
    let is_init = status.namespace_pids.len() > 1 && status.namespace_pids.last() == Some(&Pid::INIT);
    if signals.caught.contains(Signal::TERM) {
        OnTerm::Handles
    } else if signals.blocked.contains(Signal::TERM) {
        // The kernel keeps a blocked signal even if it is ignored, and the process may take it by sigwait or signalfd.
        OnTerm::Blocks
    } else if signals.ignored.contains(Signal::TERM) {
        // While a thread is in sigwait, the signals that it waits for show as unblocked.
        if reader.is_in_sigwait(pid) { OnTerm::Handles } else { OnTerm::Ignores }
    } else if is_init {
        OnTerm::Ignores
    } else {
        OnTerm::Terminates
    }
}

/// Returns what a process does about a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::init) enum Hearing {
    /// It has a handler, the default action, waits for it, or nothing is known.
    Acts,
    Ignores,
    IgnoresAndBlocks,
}

/// Returns what main does about the signal at this moment.
pub(in crate::init) fn hearing(pid: Pid, signal: Signal) -> Hearing {
    let mut reader = Reader::new();
    let status = reader.status(pid).ok().flatten();
    match status.and_then(|status| status.signals) {
        Some(signals) if !signals.ignored.contains(signal) => Hearing::Acts,
        // A shell blocks all signals while it forks.
        Some(signals) if signals.blocked.contains(signal) => Hearing::IgnoresAndBlocks,
        // A process that waits for the signal takes it, though it ignores it otherwise.
        Some(_) if !reader.is_in_sigwait(pid) => Hearing::Ignores,
        _ => Hearing::Acts,
    }
}
