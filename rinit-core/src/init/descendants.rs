//! Telling and killing all descendants, each once and by what it is, not by a number that may have been reused.

use super::event::{Event, NextStep};
use super::observer::Observers;
use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::process::Process;
use crate::process::signal::Delivery;
use crate::process::signal::signal_process;
use crate::process::walk::descendants;
use crate::process::{kill_tree, walk};
use crate::procfs::reader::Reader;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::survivor;
use crate::survivor::Survivor;
use crate::survivor::reason::Reason;
use crate::sys;
use rustix::io::Errno;

/// Survivors that are described one by one in an event; the rest are counted. A line for each of 20,000 helps nobody.
const DESCRIBED: usize = 20;
/// Survivors that a report holds.
pub(crate) const REPORTED: usize = 1000;
/// How often the tree is walked again for processes that were born during the walk. A program that forks faster than
/// this can be told is told when its parent's death makes it an orphan, and killed in the end.
const PASSES: usize = 10;

/// The descendants of this process, and who of them was told to end.
#[derive(Debug)]
pub(crate) struct Descendants {
    me: Pid,
    /// Start time of each process that was told, by pid: together they name a process for good. And the last
    /// signal.
    told: PidMap<(u64, Signal)>,
    refused: PidSet,
    terminated_count: u64,
    killed: Vec<Survivor>,
}

impl Descendants {
    pub(crate) fn new(me: Pid) -> Self {
        Self { me, told: PidMap::default(), refused: PidSet::default(), terminated_count: 0, killed: Vec::new() }
    }

    /// A child of this process was reaped: its number says nothing about whoever gets it next.
    pub(crate) fn forget(&mut self, pid: Pid) {
        if !self.told.is_empty() {
            self.told.remove(&pid);
            self.refused.remove(&pid);
        }
    }

    /// Marks a process as told by other means: a stop signal that was forwarded to it.
    pub(crate) fn mark_asked(&mut self, pid: Pid, signal: Signal) {
        if let Ok(Some(process)) = Process::read(pid) {
            self.told.insert(pid, (process.start_ticks, signal));
        }
    }

    pub(crate) fn mark_group_asked(&mut self, group: Pid, signal: Signal) {
        let members = self.living().unwrap_or_default().into_iter().filter(|process| process.group == group.get());
        self.told.extend(members.map(|process| (process.pid, (process.start_ticks, signal))));
    }

    pub(crate) const fn terminated_count(&self) -> u64 {
        self.terminated_count
    }

    pub(crate) fn take_killed(&mut self) -> Vec<Survivor> {
        std::mem::take(&mut self.killed)
    }

    /// The last signal by which this very process was told.
    fn told_by(&self, process: &Process) -> Option<Signal> {
        let (start_ticks, signal) = self.told.get(&process.pid)?;
        (*start_ticks == process.start_ticks).then_some(*signal)
    }

    /// True if it was told TERM. A main that was told INT or QUIT may treat TERM as the more urgent word, and is told.
    fn was_told(&self, process: &Process) -> bool {
        self.told_by(process) == Some(Signal::TERM)
    }

    fn living(&self) -> Result<Vec<Process>, Error> {
        let mut all = descendants(self.me)?;
        all.retain(|process| !process.has_ended());
        Ok(all)
    }

    fn describe(&self, process: &Process) -> Option<Survivor> {
        survivor::examine(process, self.told_by(process))
    }

    /// Those who remain, for a report.
    pub(crate) fn remaining(&self, most: usize) -> Vec<Survivor> {
        let living = self.living().unwrap_or_default();
        let mut remaining: Vec<_> = living.iter().take(most).filter_map(|process| self.describe(process)).collect();
        // Who has ended while it was described is not left.
        remaining.retain(|survivor| !matches!(survivor.reason, Reason::Zombie { .. }));
        remaining
    }

    /// Names those who remain.
    pub(crate) fn report(&self, next: NextStep, observers: &mut Observers) {
        if let Ok(list) = self.living() {
            self.report_list(next, &list, observers);
        }
    }

    fn report_list(&self, next: NextStep, list: &[Process], observers: &mut Observers) {
        let survivors: Vec<_> = list.iter().take(DESCRIBED).filter_map(|process| self.describe(process)).collect();
        let more = list.len().saturating_sub(DESCRIBED);
        // Those who were seen may have ended before they could be described.
        if !survivors.is_empty() || more > 0 {
            observers.emit(Event::Remaining { next, survivors, more });
        }
    }

    /// Sends to every descendant, whoever was told before; a signal that requests a stop counts as telling them.
    pub(crate) fn forward(&mut self, signal: Signal, stop: bool, observers: &mut Observers) -> Result<(), Error> {
        for process in self.living()? {
            self.send(&process, signal, observers);
            if stop {
                self.told.insert(process.pid, (process.start_ticks, signal));
            }
        }
        Ok(())
    }

    /// Names everyone, then tells TERM to each who was not told, again and again until nobody new turns up.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] where /proc cannot be read; nobody was told then.
    pub(crate) fn terminate_all(&mut self, observers: &mut Observers) -> Result<(), Error> {
        let mut list = self.living()?;
        let new: Vec<_> = list.iter().filter(|process| !self.was_told(process)).cloned().collect();
        if !new.is_empty() {
            self.report_list(NextStep::Terminate, &list, observers);
        }
        list = new;
        for _ in 0..PASSES {
            if list.is_empty() {
                break;
            }
            for process in &list {
                self.terminate_one(process, observers);
            }
            list = self.living()?;
            // What a told process starts from now on is its way of ending in good order: a shell's trap runs its commands
            // as children. If it only forks on, its own end makes them orphans, and they are told then.
            list.retain(|process| !self.was_told(process) && !self.is_child_of_told(process));
        }
        Ok(())
    }

    fn is_child_of_told(&self, process: &Process) -> bool {
        process.ppid.is_some_and(|parent| self.told.contains_key(&parent))
    }

    /// Tells those who were not told and whose parent has ended since: nobody waits for them any more. Children that a
    /// told process has started to clean up are left to it.
    pub(crate) fn terminate_orphans(&mut self, observers: &mut Observers) -> Result<(), Error> {
        for pid in walk::child_pids(&mut Reader::new())? {
            if self.told.get(&pid).is_some_and(|(_, signal)| *signal == Signal::TERM) {
                continue;
            }
            if let Some(process) = Process::read(pid)?.filter(|process| !process.has_ended()) {
                self.terminate_one(&process, observers);
            }
        }
        Ok(())
    }

    fn terminate_one(&mut self, process: &Process, observers: &mut Observers) {
        self.told.insert(process.pid, (process.start_ticks, Signal::TERM));
        if self.send(process, Signal::TERM, observers) {
            self.terminated_count += 1;
            observers.emit(Event::Terminated { pid: process.pid, signal: Signal::TERM });
            if process.state == State::Stopped {
                // A stopped process acts on TERM only when it goes on (`signal(7)`); without this it would be killed
                // without having had its chance.
                self.send(process, Signal::CONT, observers);
            }
        }
    }

    /// Names everyone, then kills each who was told. Who was not told, because it was born since, is told now and killed
    /// by [`Descendants::kill_remaining`].
    pub(crate) fn kill(&mut self, observers: &mut Observers) -> Result<(), Error> {
        let list = self.living()?;
        self.report_list(NextStep::Kill, &list, observers);
        for process in &list {
            if self.was_told(process) {
                self.kill_one(process, observers)
            } else {
                self.terminate_one(process, observers)
            }
        }
        Ok(())
    }

    /// Kills whoever is still there.
    pub(crate) fn kill_remaining(&mut self, observers: &mut Observers) -> Result<(), Error> {
        for process in &self.living()? {
            if !self.was_told(process) {
                self.terminate_one(process, observers);
            }
            self.kill_one(process, observers);
        }
        Ok(())
    }

    /// Kills everyone at once, told or not, and whoever is born meanwhile. `group` is main's, if it was made for main.
    pub(crate) fn kill_all(&mut self, group: Option<Pid>, observers: &mut Observers) -> Result<(), Error> {
        let me = self.me;
        let mut description = None;
        kill_tree::kill_below(me, group, &mut |process, meeting| match meeting {
            kill_tree::KillStep::Before => description = self.describe_briefly(process),
            kill_tree::KillStep::After(Ok(Delivery::Delivered)) => {
                self.killed.extend(description.take());
                observers.emit(Event::Killed { pid: process.pid });
            }
            kill_tree::KillStep::After(Ok(Delivery::Gone)) => {}
            kill_tree::KillStep::After(Err(error)) => self.not_sent(process.pid, Signal::KILL, error, observers),
        })
    }

    /// For who is about to be killed: in full for the first, since a storm of forks does not wait while it is described.
    fn describe_briefly(&self, process: &Process) -> Option<Survivor> {
        let known = self.killed.iter().any(|killed| killed.pid == process.pid);
        match self.killed.len() {
            _ if known => None,
            0..DESCRIBED => self.describe(process),
            DESCRIBED..REPORTED => Some(survivor::named_only(process)),
            _ => None,
        }
    }

    fn kill_one(&mut self, process: &Process, observers: &mut Observers) {
        // Described before: afterwards there is nothing left to read.
        let known = self.killed.iter().any(|killed| killed.pid == process.pid);
        let description = if self.killed.len() < REPORTED && !known { self.describe(process) } else { None };
        if self.send(process, Signal::KILL, observers) {
            self.killed.extend(description);
            observers.emit(Event::Killed { pid: process.pid });
        }
    }

    /// True if it was delivered.
    fn send(&mut self, process: &Process, signal: Signal, observers: &mut Observers) -> bool {
        match signal_process(process, signal) {
            Ok(Delivery::Delivered) => true,
            Ok(Delivery::Gone) => false,
            Err(error) => {
                self.not_sent(process.pid, signal, &error, observers);
                false
            }
        }
    }

    /// True if nobody remains who may be signalled by this process.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        // Asked of the kernel and not of what was refused before: a process out of reach may fork on and on. A pid that is
        // reused in between gives a wrong answer and no signal.
        let refuses = |pid: Pid| rustix::process::test_kill_process(pid.rustix()) == Err(Errno::PERM);
        self.living().is_ok_and(|living| living.iter().all(|process| refuses(process.pid)))
    }

    pub(crate) fn was_refused(&self, pid: Pid) -> bool {
        self.refused.contains(&pid)
    }

    /// A signal could not be sent. For want of permission it is said once for each process.
    pub(crate) fn not_sent(&mut self, pid: Pid, signal: Signal, error: &Error, observers: &mut Observers) {
        if !is_refusal(error) {
            observers.emit(Event::Error { what: error.to_string() });
        } else if self.refused.insert(pid) {
            let uid = Reader::new().status(pid).ok().flatten().and_then(|status| status.uid);
            observers.emit(Event::NotPermitted { pid, signal, uid });
        }
    }
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::SendSignal { source, .. } if Errno::from_io_error(source) == Some(Errno::PERM))
}

/// Where /proc cannot be read: as PID 1 everyone in the namespace can still be reached, because the kernel leaves PID 1
/// itself out (`kill(2)`). Anywhere else `kill(-1)` would take the whole machine down, and main's group has to do.
pub(crate) fn signal_blindly(is_init: bool, main: Pid, signal: Signal) {
    // ESRCH: nobody is there; EPERM: nobody whom this process may signal. Neither leaves anything to be done.
    let _ = if is_init { sys::kill_everyone(signal) } else { sys::kill_group(main, signal) };
}
