//! Describes the processes that remain.

use super::Descendants;
use super::asked::{Asked, How};
use super::held::describe_held;
use crate::exit_status::ExitStatus;
use crate::init::event::{Event, NextStep};
use crate::init::observer::Observers;
use crate::pid::Pid;
use crate::policy::shutdown::KillLimit;
use crate::process::{Process, walk};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::survivor;
use crate::survivor::gather::Gatherer;
use crate::survivor::reason::Reason;
use crate::survivor::{DESCRIBED, Survivor};
use std::time::Duration;

/// The state of a stop when it is reported.
#[derive(Debug, Clone, Copy)]
pub(in crate::init) struct Stage {
    pub(in crate::init) next: NextStep,
    pub(in crate::init) main: Option<ExitStatus>,
    pub(in crate::init) kill_in: Option<Duration>,
    pub(in crate::init) limit: Option<KillLimit>,
    pub(in crate::init) main_refused: bool,
}

impl Descendants {
    /// Names the processes that remain.
    pub(in crate::init) fn report(&mut self, stage: Stage, observers: &mut Observers) {
        let held = match stage.next {
            NextStep::Wait | NextStep::Leave => self.held_by_tracers(),
            _ => Vec::new(),
        };
        if let Ok(list) = self.living() {
            self.report_list(stage, &list, &held, &mut self.gatherer(), observers);
        }
    }

    pub(super) fn report_list(
        &self,
        stage: Stage,
        list: &[Process],
        held: &[Process],
        gatherer: &mut Gatherer,
        observers: &mut Observers,
    ) {
        let Stage { next, main, kill_in, limit, main_refused } = stage;
        let describe = |process| self.describe(gatherer, process);
        let mut survivors: Vec<_> = list.iter().take(DESCRIBED).filter_map(describe).collect();
        // A process that started since the stop began is not why it takes so long, and a zombie among them is just being reaped.
        let stop_age = self.asked.first_at().map_or(Duration::ZERO, survivor::age);
        survivors.retain(|one| one.age >= stop_age || !matches!(one.reason, Reason::Zombie { .. }));
        let room = DESCRIBED.saturating_sub(survivors.len());
        survivors.extend(held.iter().take(room).filter_map(|zombie| describe_held(gatherer, zombie)));
        survivor::culprits_first(&mut survivors, stop_age);
        let more = (list.len() + held.len()).saturating_sub(DESCRIBED);
        // Those that were listed may have exited before they could be described.
        if !survivors.is_empty() || more > 0 {
            observers.emit(Event::Remaining { next, main, kill_in, limit, main_refused, survivors, more });
        }
    }

    /// The processes that remain, for a report.
    pub(in crate::init) fn remaining(&self, most: usize) -> Vec<Survivor> {
        let living = self.find_living().unwrap_or_default();
        let mut gatherer = self.gatherer();
        let describe = |process| self.describe(&mut gatherer, process);
        let mut remaining: Vec<_> = living.iter().take(most).filter_map(describe).collect();
        // A process that exited while it was described does not remain.
        remaining.retain(|survivor| !matches!(survivor.reason, Reason::Zombie { .. }));
        let held = self.held_by_tracers();
        let room = most.saturating_sub(remaining.len());
        remaining.extend(held.iter().take(room).filter_map(|zombie| describe_held(&mut gatherer, zombie)));
        remaining
    }

    fn describe(&self, gatherer: &mut Gatherer, process: &Process) -> Option<Survivor> {
        let mut survivor = survivor::examine_with(gatherer, process, self.asked.signal_of(process))?;
        if let (Some(asked), Some(child)) = (self.asked.of(process), survivor.reason.awaited_child()) {
            // A command that the shell started since then runs in its trap, or in a loop that goes on after the trap.
            let started = Process::read(child).ok().flatten();
            if started.is_none_or(|child| child.start_ticks > asked.at) {
                survivor.reason = Reason::Handles(asked.signal);
            }
        }
        if let Reason::Blocks(signal) = survivor.reason {
            if self.has_taken(process, signal, &mut gatherer.reader) {
                survivor.reason = Reason::Waits(signal);
            }
        }
        if survivor.reason == Reason::NotAsked {
            if let Some(parent) = survivor.ppid.filter(|parent| *parent != self.me && self.asked.has(*parent)) {
                survivor.reason = match self.started_a_child_since(process.pid) {
                    true => Reason::AskedByParent { parent },
                    false => Reason::LeftToParent { parent },
                };
            }
        }
        Some(survivor)
    }

    /// Returns true if a process that blocks the signal was asked by it, and has it pending no longer: it has taken it by sigwait or
    /// from a signalfd. It stays blocked while the process does its work.
    fn has_taken(&self, process: &Process, signal: Signal, reader: &mut Reader) -> bool {
        let is_asked = |asked: Asked| asked.signal == signal && asked.how == How::Heard;
        if !self.asked.of(process).is_some_and(is_asked) {
            return false;
        }
        let signals = reader.status(process.pid).ok().flatten().and_then(|status| status.signals);
        signals.is_some_and(|signals| !signals.pending.contains(signal))
    }

    /// Returns true if the process has started a child since the first process was asked: then its handler is running, because
    /// its parent has asked it.
    fn started_a_child_since(&self, pid: Pid) -> bool {
        let Some(asked_at) = self.asked.first_at() else { return false };
        let children = walk::children(pid, &mut Reader::new()).unwrap_or_default();
        children.iter().any(|child| child.start_ticks > asked_at)
    }
}
