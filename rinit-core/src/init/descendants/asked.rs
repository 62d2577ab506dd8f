//! Remembers which processes were asked to stop, by which signal, and what each did about it then.

use super::Descendants;
use super::hearing::{Hearing, hearing};
use crate::pid::{Pid, PidMap};
use crate::policy::order::OnTerm;
use crate::process::Process;
use crate::signal::Signal;
use crate::sys;

/// A process that was asked to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    start_ticks: u64,
    pub(super) signal: Signal,
    pub(super) at: u64,
    pub(super) how: How,
}

/// The beginning of a process's name (`proc_pid_comm(5)`).
pub(super) type Name = [u8; 16];

/// What a process did about the signal when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It may have acted on it.
    Heard,
    /// It had a handler, under this name. A shell's child has its parent's handler until its execve, and the signal is lost in that:
    /// a program that has another name since, and no handler, has not been asked. One of the same name may have reset its
    /// action in the handler, and exits.
    Handled(Name),
    /// It ignored it. If it does so no longer, it has not been asked.
    Ignored,
    /// It ignored it and blocked it. The kernel keeps it until the process unblocks it, and then either delivers or discards it.
    Undecided,
    /// It is a child of this process, and the signal terminates it: nothing is left to find out. No other process gets its number
    /// before it is reaped here.
    Terminated,
}

impl How {
    /// What a process does about TERM that is sent to it now.
    pub(super) fn of(process: &Process, on_term: OnTerm) -> Self {
        match on_term {
            OnTerm::Ignores => Self::Ignored,
            OnTerm::Handles => Self::Handled(name_of(process)),
            // A shell that ignores it blocks it as well while it forks, and drops it then.
            OnTerm::Blocks => match hearing(process.pid, Signal::TERM) {
                Hearing::Acts => Self::Heard,
                Hearing::Ignores => Self::Ignored,
                Hearing::IgnoresAndBlocks => Self::Undecided,
            },
            OnTerm::Terminates => Self::Heard,
        }
    }
}

/// The processes that were asked to stop.
///
/// A pid and a start time together identify a process for good. All times are in clock ticks since boot, as /proc counts the start
/// of a process.
#[derive(Debug, Default)]
pub(super) struct AskedProcesses {
    by_pid: PidMap<Asked>,
    /// When the first of them was asked.
    first_at: Option<u64>,
}

impl AskedProcesses {
    /// Records that a process was asked by a signal.
    pub(super) fn record(&mut self, process: &Process, signal: Signal, how: How) {
        let now = ticks_since_boot();
        self.first_at.get_or_insert(now);
        let at = self.of(process).map_or(now, |asked| asked.at);
        self.by_pid.insert(process.pid, Asked { start_ticks: process.start_ticks, signal, at, how });
    }

    /// When the first process was asked.
    pub(super) const fn first_at(&self) -> Option<u64> {
        self.first_at
    }

    /// True if a process of this number was asked. It may be another one by now.
    pub(super) fn has(&self, pid: Pid) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// True if the signal has terminated it for certain.
    pub(super) fn was_terminated(&self, pid: Pid) -> bool {
        self.by_pid.get(&pid).is_some_and(|asked| asked.how == How::Terminated)
    }

    /// Records what a process that was asked did about the signal.
    pub(super) fn set_how(&mut self, pid: Pid, how: How) {
        if let Some(asked) = self.by_pid.get_mut(&pid) {
            asked.how = how;
        }
    }

    /// Forgets a child that was reaped: another process may get its number.
    pub(super) fn forget(&mut self, pid: Pid) {
        if !self.by_pid.is_empty() {
            self.by_pid.remove(&pid);
        }
    }

    /// Forgets processes that have exited without being reaped here. Returns the numbers of those that live, unless there was
    /// nothing to forget.
    pub(super) fn forget_all_but(&mut self, living: &[Process]) -> Option<PidMap<u64>> {
        // Otherwise the entries of descendants that their own parents reap would add up.
        if self.by_pid.len() <= living.len() {
            return None;
        }
        let living: PidMap<u64> = living.iter().map(|process| (process.pid, process.start_ticks)).collect();
        self.by_pid.retain(|pid, asked| living.get(pid) == Some(&asked.start_ticks));
        Some(living)
    }

    /// What is known of a process that was asked.
    pub(super) fn of(&self, process: &Process) -> Option<Asked> {
        self.by_pid.get(&process.pid).copied().filter(|asked| asked.start_ticks == process.start_ticks)
    }

    /// Returns the last signal by which this process was asked.
    pub(super) fn signal_of(&self, process: &Process) -> Option<Signal> {
        Some(self.of(process)?.signal)
    }

    /// True if it was sent TERM.
    pub(super) fn was_sent_term(&self, process: &Process) -> bool {
        self.signal_of(process) == Some(Signal::TERM)
    }

    /// True if it had a handler when it was sent TERM, and has executed another program since.
    pub(super) fn has_another_name(&self, process: &Process) -> bool {
        self.of(process).is_some_and(|asked| matches!(asked.how, How::Handled(name) if name != name_of(process)))
    }

    /// True if it was asked and did not ignore it then: main by any stop signal, every other process by TERM. One that still
    /// blocks it gets no second one: the first is pending.
    ///
    /// A main that got QUIT or INT is not asked again: TERM may be the more urgent one, as it is for nginx, and would cut the
    /// work that main finishes. Other members of main's group may ignore INT and QUIT, as a shell's background jobs do.
    pub(super) fn has_heard(&self, main: Pid, process: &Process) -> bool {
        let is_asking = |signal| signal == Signal::TERM || process.pid == main;
        let heard = |asked: &Asked| !matches!(asked.how, How::Ignored | How::Undecided);
        self.of(process).is_some_and(|asked| is_asking(asked.signal) && heard(&asked))
    }
}

impl Descendants {
    /// Records that a forwarded stop signal has asked main.
    pub(in crate::init) fn mark_asked(&mut self, main: Pid, signal: Signal) {
        if let Ok(Some(process)) = Process::read(main) {
            self.asked.record(&process, signal, How::Heard);
        }
    }

    /// Records what main did about the signal by which it was asked, read before it was sent: a handler may ignore further ones.
    pub(in crate::init) fn mark_main(&mut self, main: Pid, before: Hearing) {
        let how = match before {
            Hearing::Acts => return,
            Hearing::Ignores => How::Ignored,
            Hearing::IgnoresAndBlocks => How::Undecided,
        };
        self.asked.set_how(main, how);
    }

    /// Returns what a main that was asked by the signal does about it now. `None` if it has received it.
    pub(in crate::init) fn main_may_ignore(&mut self, main: Pid, signal: Signal) -> Option<Hearing> {
        let asked = self.asked.by_pid.get_mut(&main)?;
        if !matches!(asked.how, How::Ignored | How::Undecided) {
            return None;
        }
        let now = hearing(main, signal);
        match (asked.how, now) {
            // The signal was pending, and main has received it.
            (How::Undecided, Hearing::Acts) => {
                asked.how = How::Heard;
                return None;
            }
            (How::Undecided, Hearing::Ignores) => asked.how = How::Ignored,
            _ => {}
        }
        Some(now)
    }

    /// Records that a forwarded stop signal has asked the members of a group.
    pub(in crate::init) fn mark_group_asked(&mut self, group: Pid, signal: Signal) {
        let Ok(living) = self.living() else { return };
        for process in living.iter().filter(|process| process.group == group.get()) {
            self.asked.record(process, signal, How::Heard);
        }
    }
}

/// The name as `/proc` gives it, padded with zeros.
fn name_of(process: &Process) -> Name {
    let mut name = Name::default();
    for (to, from) in name.iter_mut().zip(&process.comm) {
        *to = *from;
    }
    name
}

/// The present in the unit of [`Process::start_ticks`].
fn ticks_since_boot() -> u64 {
    let now = sys::since_boot();
    let ticks = sys::ticks_per_second();
    now.as_secs() * ticks + u64::from(now.subsec_nanos()) * ticks / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_got_was_not_asked() {
        let mut asked = AskedProcesses::default();
        let process = Process::read(Pid::this()).unwrap().unwrap();
        let later = Process { start_ticks: process.start_ticks + 1, ..process.clone() };
        asked.record(&process, Signal::TERM, How::Heard);
        assert!(asked.was_sent_term(&process));
        assert!(!asked.was_sent_term(&later));
        assert!(asked.forget_all_but(&[]).is_some());
        assert!(!asked.was_sent_term(&process));
    }

    #[test]
    fn main_alone_is_asked_by_another_signal_than_term() {
        let mut asked = AskedProcesses::default();
        let process = Process::read(Pid::this()).unwrap().unwrap();
        asked.record(&process, Signal::QUIT, How::Heard);
        assert!(asked.has_heard(process.pid, &process));
        assert!(!asked.has_heard(Pid::INIT, &process));
        asked.set_how(process.pid, How::Ignored);
        assert!(!asked.has_heard(process.pid, &process));
    }

    #[test]
    fn a_program_of_another_name_may_have_lost_the_signal() {
        let mut asked = AskedProcesses::default();
        let process = Process::read(Pid::this()).unwrap().unwrap();
        asked.record(&process, Signal::TERM, How::Handled(name_of(&process)));
        assert!(!asked.has_another_name(&process));
        asked.set_how(process.pid, How::Handled(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        assert!(asked.has_another_name(&process));
    }
}
