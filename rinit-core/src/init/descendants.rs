//! Asks and kills descendants, each identified by its PID and start time: a PID alone may have been reused.

use super::event::{Event, NextStep};
use super::observer::Observers;
use super::readers::Readers;
use super::supervisor::Main;
use crate::error::Error;
use crate::exit_status::{ExitStatus, has_exited_once};
use crate::pid::{Pid, PidMap, PidSet};
use crate::policy::order::{self, Facts, OnTerm, Unread};
use crate::policy::shutdown::{KILL_AGAIN_AFTER, KillLimit};
use crate::process::partners::Partners;
use crate::process::signal::{Delivery, signal_child, signal_process};
use crate::process::walk::{self, descendants_with};
use crate::process::{Process, kill_tree, scan};
use crate::procfs::reader::Reader;
use crate::procfs::stat::{self, State};
use crate::signal::Signal;
use crate::survivor;
use crate::survivor::gather::{Gatherer, hides_processes};
use crate::survivor::reason::Reason;
use crate::survivor::{DESCRIBED, Survivor};
use crate::sys;
use rustix::io::Errno;
use rustix::process::WaitId;
use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the tree is walked again for processes that were born during the walk. A program that forks faster is asked
/// when its parent's exit makes it an orphan, and killed in the end.
const PASSES: usize = 10;
/// Partners are searched for among at most this many processes: reading their descriptors costs much more than reading their
/// state.
const PARTNERS_AMONG: usize = 500;
/// How long a step of a stop searches for processes. Twenty thousand take a tenth of that on an idle machine.
const SEARCH_WITHIN: Duration = Duration::from_secs(3);
/// The least time for a search: on a busy machine a short search fails even among a few processes.
const SEARCH_AT_LEAST: Duration = Duration::from_millis(500);

/// A search that has read at most this many files is not given up: there are few processes, and the machine is slow.
const FEW_FILES: u32 = 500;

/// The state of a stop when it is reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub(super) next: NextStep,
    pub(super) main: Option<ExitStatus>,
    pub(super) kill_in: Option<Duration>,
    pub(super) limit: Option<KillLimit>,
    pub(super) main_refused: bool,
}

/// A process that was asked to stop.
#[derive(Debug, Clone, Copy)]
struct Asked {
    start_ticks: u64,
    signal: Signal,
    at: u64,
    how: How,
}

/// The beginning of a process's name (`proc_pid_comm(5)`).
type Name = [u8; 16];

/// What a process did about the signal when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
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

/// The descendants of this process, and which of them were asked to stop.
#[derive(Debug)]
pub(super) struct Descendants {
    me: Pid,
    /// Start time and last signal of each process that was asked, and when it was first asked. Pid and start time together
    /// identify a process for good. All times are in clock ticks since boot, as /proc counts the start of a process.
    asked: PidMap<Asked>,
    /// When the first of them was asked.
    first_asked_at: Option<u64>,
    refused: PidSet,
    /// The children that `/proc` hides from this user, and that were sent TERM.
    hidden_asked: PidSet,
    /// True if `/proc` may hide processes from this user; `None` before a stop.
    proc_hides: Option<bool>,
    terminated: u64,
    killed: Vec<Survivor>,
    /// Describes processes that are about to be killed.
    hasty: Gatherer,
    readers: Readers,
    /// The living descendants, as they were found in this turn of the loop: one search serves all that is done in it.
    seen: Option<Rc<[Process]>>,
    /// When the search of the current step has taken too long.
    search_until: Instant,
    /// A search took too long. A fork bomb leaves this process little of the processor.
    overloaded: Cell<bool>,
    /// How long files that may not answer can be waited for: the time until KILL, none once it was sent, `None` if it is not due.
    kill_in: Option<Duration>,
}

impl Descendants {
    pub(super) fn new(me: Pid) -> Self {
        Self {
            me,
            asked: PidMap::default(),
            first_asked_at: None,
            refused: PidSet::default(),
            hidden_asked: PidSet::default(),
            proc_hides: None,
            terminated: 0,
            killed: Vec::new(),
            hasty: Gatherer::hasty(),
            readers: Readers::default(),
            seen: None,
            search_until: Instant::now() + SEARCH_WITHIN,
            overloaded: Cell::new(false),
            kill_in: None,
        }
    }

    /// Begins another turn of the loop: the descendants must be searched again.
    pub(super) fn forget_seen(&mut self) {
        self.seen = None;
    }

    /// Begins a step of the stop, and sets how long it may search for processes, and wait for files that do not answer. `kill_in` is
    /// the time until KILL is due.
    ///
    /// In a fork bomb a search takes half a minute, because this process waits for the processor among a thousand others. The
    /// steps before KILL must leave time for it.
    pub(super) fn begin_step(&mut self, kill_in: Option<Duration>, has_killed: bool) {
        self.kill_in = if has_killed { Some(Duration::ZERO) } else { kill_in };
        let time = match kill_in {
            _ if self.overloaded.get() => SEARCH_AT_LEAST,
            Some(kill_in) => (kill_in / 4).clamp(SEARCH_AT_LEAST, SEARCH_WITHIN),
            None => SEARCH_WITHIN,
        };
        self.search_until = Instant::now() + time;
    }

    /// Returns true once a search took too long: from then on, work that only informs is skipped.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overloaded.get()
    }

    fn reader(&self) -> Reader {
        Reader::until(self.search_until, if self.overloaded.get() { 0 } else { FEW_FILES })
    }

    /// One for what is done in this step. It does not wait so long for files that may not answer that the kill would be late.
    fn gatherer(&self) -> Gatherer {
        Gatherer::before_kill(self.kill_in)
    }

    /// Notes a search that took too long.
    fn searched<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(&result, Err(Error::Proc { source, .. }) if source.kind() == ErrorKind::TimedOut) {
            self.overloaded.set(true);
        }
        result
    }

    /// Forgets a child that was reaped: another process may get its number.
    pub(super) fn forget(&mut self, pid: Pid) {
        if !self.asked.is_empty() {
            self.asked.remove(&pid);
        }
        if !self.refused.is_empty() {
            self.refused.remove(&pid);
        }
        if !self.hidden_asked.is_empty() {
            self.hidden_asked.remove(&pid);
        }
    }

    /// Forgets processes that have exited without being reaped here.
    fn forget_all_but(&mut self, living: &[Process]) {
        // Otherwise the entries of descendants that their own parents reap would add up.
        if self.asked.len() > living.len() {
            let living: PidMap<u64> = living.iter().map(|process| (process.pid, process.start_ticks)).collect();
            self.asked.retain(|pid, asked| living.get(pid) == Some(&asked.start_ticks));
            self.refused.retain(|pid| living.contains_key(pid));
        }
    }

    /// Records that a forwarded stop signal has asked main.
    pub(super) fn mark_asked(&mut self, main: Pid, signal: Signal) {
        if let Ok(Some(process)) = Process::read(main) {
            self.record(&process, signal, How::Heard);
        }
    }

    /// Records what main did about the signal by which it was asked, read before it was sent: a handler may ignore further ones.
    pub(super) fn mark_main(&mut self, main: Pid, before: Hearing) {
        let how = match before {
            Hearing::Acts => return,
            Hearing::Ignores => How::Ignored,
            Hearing::IgnoresAndBlocks => How::Undecided,
        };
        if let Some(asked) = self.asked.get_mut(&main) {
            asked.how = how;
        }
    }

    /// Returns what a main that was asked by the signal does about it now. `None` if it has received it.
    pub(super) fn main_may_ignore(&mut self, main: Pid, signal: Signal) -> Option<Hearing> {
        let asked = self.asked.get_mut(&main)?;
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

    /// Records that a process was asked by a signal.
    fn record(&mut self, process: &Process, signal: Signal, how: How) {
        let now = ticks_since_boot();
        self.first_asked_at.get_or_insert(now);
        let at = self.asked(process).map_or(now, |asked| asked.at);
        self.asked.insert(process.pid, Asked { start_ticks: process.start_ticks, signal, at, how });
    }

    pub(super) fn mark_group_asked(&mut self, group: Pid, signal: Signal) {
        let Ok(living) = self.living() else { return };
        for process in living.iter().filter(|process| process.group == group.get()) {
            self.record(process, signal, How::Heard);
        }
    }

    /// Sends a signal to the descendants in a group, but not to `except`.
    pub(super) fn forward_to_group(
        &mut self,
        group: Pid,
        except: Pid,
        signal: Signal,
        stop: bool,
        observers: &mut Observers,
    ) {
        // Without /proc no member can be distinguished from an unrelated process.
        let Ok(living) = self.living() else { return };
        for process in living.iter().filter(|process| process.group == group.get() && process.pid != except) {
            self.send(process, signal, observers);
            if stop {
                self.record(process, signal, How::Heard);
            }
        }
    }

    /// Returns how many processes the steps of the stop have sent TERM.
    pub(super) const fn terminated(&self) -> u64 {
        self.terminated
    }

    pub(super) fn take_killed(&mut self) -> Vec<Survivor> {
        std::mem::take(&mut self.killed)
    }

    /// Returns the last signal by which this process was asked.
    fn asked_by(&self, process: &Process) -> Option<Signal> {
        Some(self.asked(process)?.signal)
    }

    fn asked(&self, process: &Process) -> Option<Asked> {
        self.asked.get(&process.pid).copied().filter(|asked| asked.start_ticks == process.start_ticks)
    }

    /// True if it was sent TERM.
    fn was_sent_term(&self, process: &Process) -> bool {
        self.asked_by(process) == Some(Signal::TERM)
    }

    /// True if it had a handler when it was sent TERM, and has executed another program since.
    fn has_another_name(&self, process: &Process) -> bool {
        self.asked(process).is_some_and(|asked| matches!(asked.how, How::Handled(name) if name != name_of(process)))
    }

    /// True if it has lost TERM: it came to a handler that was there before its execve, and would terminate it now.
    fn has_lost_term(&self, process: &Process, reader: &mut Reader) -> bool {
        self.has_another_name(process) && on_term(process.pid, reader) == OnTerm::Terminates
    }

    /// True if it was asked and did not ignore it then: main by any stop signal, every other process by TERM. One that still
    /// blocks it gets no second one: the first is pending.
    ///
    /// A main that got QUIT or INT is not asked again: TERM may be the more urgent one, as it is for nginx, and would cut the
    /// work that main finishes. Other members of main's group may ignore INT and QUIT, as a shell's background jobs do.
    fn has_heard(&self, main: Pid, process: &Process) -> bool {
        let is_asking = |signal| signal == Signal::TERM || process.pid == main;
        let heard = |asked: &Asked| !matches!(asked.how, How::Ignored | How::Undecided);
        self.asked(process).is_some_and(|asked| is_asking(asked.signal) && heard(&asked))
    }

    /// The descendants that have not exited, as they were found in this turn of the loop.
    fn living(&mut self) -> Result<Rc<[Process]>, Error> {
        if let Some(seen) = &self.seen {
            return Ok(Rc::clone(seen));
        }
        let found = self.find_living()?.into();
        self.seen = Some(Rc::clone(&found));
        Ok(found)
    }

    /// Returns the descendants that have not exited. In a fork bomb they may not be found in time. That is an error like an
    /// unreadable /proc: then one call signals the whole namespace, or main's group.
    fn find_living(&self) -> Result<Vec<Process>, Error> {
        let mut all = self.searched(descendants_with(&mut self.reader(), self.me))?;
        let mut reader = self.reader();
        all.retain(|process| !has_exited(process, &mut reader));
        Ok(all)
    }

    /// The children that have exited, and that this process cannot reap: a debugger traces them and has not waited for them
    /// (`ptrace(2)`). Until then `wait4(2)` says that there are children, of which none has exited.
    fn held_by_tracers(&self) -> Vec<Process> {
        let mut reader = self.reader();
        let mut children = walk::children(self.me, &mut reader).unwrap_or_default();
        children.retain(|child| has_exited(child, &mut reader) && !can_be_reaped(child.pid));
        children
    }

    /// True if nothing of the tree runs any more, and zombies remain that a tracer holds.
    pub(super) fn only_tracers_hold(&mut self) -> bool {
        self.living().is_ok_and(|living| living.is_empty()) && !self.held_by_tracers().is_empty()
    }

    /// The children of one process that have not exited.
    fn living_children(of: Pid, reader: &mut Reader) -> Result<Vec<Process>, Error> {
        let mut children = walk::children(of, reader)?;
        children.retain(|process| !process.has_ended());
        Ok(children)
    }

    fn describe(&self, gatherer: &mut Gatherer, process: &Process) -> Option<Survivor> {
        let mut survivor = survivor::examine_with(gatherer, process, self.asked_by(process))?;
        if let (Some(asked), Some(child)) = (self.asked(process), survivor.reason.awaited_child()) {
            // A command that the shell started since then runs in its trap, or in a loop that goes on after the trap.
            let started = Process::read(child).ok().flatten();
            if started.is_none_or(|child| child.start_ticks > asked.at) {
                survivor.reason = Reason::Handles(asked.signal);
            }
        }
        if survivor.reason == Reason::NotAsked {
            if let Some(parent) = survivor.ppid.filter(|parent| *parent != self.me && self.asked.contains_key(parent)) {
                survivor.reason = match self.started_a_child_since(process.pid) {
                    true => Reason::AskedByParent { parent },
                    false => Reason::LeftToParent { parent },
                };
            }
        }
        Some(survivor)
    }

    /// Returns true if the process has started a child since the first process was asked: then its handler is running, because
    /// its parent has asked it.
    fn started_a_child_since(&self, pid: Pid) -> bool {
        let Some(asked_at) = self.first_asked_at else { return false };
        let children = walk::children(pid, &mut Reader::new()).unwrap_or_default();
        children.iter().any(|child| child.start_ticks > asked_at)
    }

    /// The processes that remain, for a report.
    pub(super) fn remaining(&self, most: usize) -> Vec<Survivor> {
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

    /// The children that have not exited and that /proc does not show to this user (`hidepid`, `proc(5)`).
    pub(super) fn hidden_children(&self) -> Vec<Pid> {
        let mut reader = Reader::new();
        let mut children = walk::child_pids(&mut reader).unwrap_or_default();
        children.retain(|child| {
            let shown = matches!(Process::read(*child), Ok(Some(_)));
            // Only this process reaps it, and until then no other process has its number.
            !shown && !can_be_reaped(*child)
        });
        children
    }

    /// The same, if `/proc` hides any process from this user: otherwise thousands of children need not be read once more.
    fn hidden(&mut self) -> Vec<Pid> {
        if *self.proc_hides.get_or_insert_with(|| hides_processes(&mut Gatherer::hasty())) {
            self.hidden_children()
        } else {
            Vec::new()
        }
    }

    /// Sends TERM to the children that `/proc` hides from this user: a program with a set-user-ID bit, or one that may not be
    /// traced. A child's number is its own until it is reaped here. `main` is asked by other means.
    pub(super) fn terminate_hidden(&mut self, main: Option<Pid>, observers: &mut Observers) {
        for pid in self.hidden() {
            if Some(pid) == main || self.hidden_asked.contains(&pid) {
                continue;
            }
            if self.is_delivered(signal_child(pid, Signal::TERM), pid, Signal::TERM, observers) {
                self.hidden_asked.insert(pid);
                self.terminated += 1;
                observers.emit(Event::Terminated { pid, signal: Signal::TERM });
            }
        }
    }

    /// Kills the hidden children that were asked, or all of them. The others are asked.
    fn kill_hidden(&mut self, all: bool, observers: &mut Observers) {
        for pid in self.hidden() {
            if !all && !self.hidden_asked.contains(&pid) {
                continue;
            }
            if self.is_delivered(signal_child(pid, Signal::KILL), pid, Signal::KILL, observers) {
                let what = format!("killing (SIGKILL) pid {pid}, which /proc does not show to this user (hidepid)");
                observers.emit(Event::Error { what });
                observers.emit(Event::Killed { pid });
            }
        }
        self.terminate_hidden(None, observers);
    }

    /// Names the processes that remain.
    pub(super) fn report(&mut self, stage: Stage, observers: &mut Observers) {
        let held = match stage.next {
            NextStep::Wait | NextStep::Leave => self.held_by_tracers(),
            _ => Vec::new(),
        };
        if let Ok(list) = self.living() {
            self.report_list(stage, &list, &held, &mut self.gatherer(), observers);
        }
    }

    fn report_list(
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
        let stop_age = self.first_asked_at.map_or(Duration::ZERO, survivor::age);
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

    /// Sends a signal to every descendant, asked before or not; a signal that requests a stop counts as asking them.
    pub(super) fn forward(&mut self, signal: Signal, stop: bool, observers: &mut Observers) -> Result<(), Error> {
        let living = self.living()?;
        self.forget_all_but(&living);
        let mut reader = Reader::new();
        for process in living.iter() {
            self.send(process, signal, observers);
            if stop {
                self.record(process, signal, How::Heard);
                self.continue_if_stopped(process, &mut reader, observers);
            }
        }
        Ok(())
    }

    /// Sends TERM to each process whose turn it is, and repeats that until it finds no further one. Returns true if that takes
    /// longer, or if the turn of another process depends only on time.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if /proc cannot be read.
    pub(super) fn terminate_next(&mut self, now: Duration, observers: &mut Observers) -> Result<bool, Error> {
        self.terminate_hidden(None, observers);
        let mut reader = self.reader();
        let mut gatherer = self.gatherer();
        for pass in 0..PASSES {
            let candidates = self.candidates(now, &mut reader, &mut gatherer);
            let (list, facts) = match self.searched(candidates) {
                // Those that were found were asked. The others are asked when their turn comes.
                Err(_) if pass > 0 => break,
                candidates => candidates?,
            };
            let turns = order::turns(self.me, &facts);
            if turns.now.is_empty() {
                return Ok(turns.by_time);
            }
            let on_term: PidMap<OnTerm> = facts.iter().map(|facts| (facts.pid, facts.on_term)).collect();
            for pid in turns.now {
                let Some(process) = list.get(&pid) else { continue };
                let how = match on_term.get(&pid) {
                    Some(OnTerm::Ignores) => How::Ignored,
                    Some(OnTerm::Handles) => How::Handled(name_of(process)),
                    // A shell that ignores it blocks it as well while it forks, and drops it then.
                    Some(OnTerm::Blocks) => match hearing(pid, Signal::TERM) {
                        Hearing::Acts => How::Heard,
                        Hearing::Ignores => How::Ignored,
                        Hearing::IgnoresAndBlocks => How::Undecided,
                    },
                    Some(OnTerm::Terminates) if process.ppid == Some(self.me) => How::Terminated,
                    _ => How::Heard,
                };
                self.terminate_one(process, how, &mut reader, observers);
            }
            // Those that were found are asked first, however long that takes.
            if Instant::now() >= self.search_until {
                break;
            }
        }
        Ok(true)
    }

    /// The processes that may have their turn, with their facts: the children of this process, what is below those that are
    /// no masters, and all if one of them reads what another one writes.
    fn candidates(
        &mut self,
        now: Duration,
        reader: &mut Reader,
        gatherer: &mut Gatherer,
    ) -> Result<(PidMap<Process>, Vec<Facts>), Error> {
        let mut found = PidMap::default();
        let mut facts = Vec::new();
        let mut waiting = self.undecided_children(reader)?;
        while let Some(process) = waiting.pop() {
            if found.contains_key(&process.pid) {
                continue;
            }
            let known = self.facts(&process, reader);
            let handles = matches!(known.on_term, OnTerm::Handles | OnTerm::Blocks);
            let below =
                if handles || !known.can_act() { Self::living_children(process.pid, reader)? } else { Vec::new() };
            let foreground_child =
                if handles && !below.is_empty() { foreground_child_of_shell(&process, gatherer) } else { None };
            // A child that is not older than the asking runs in the shell's trap: it is part of its clean exit.
            let foreground_child = foreground_child.filter(|child| {
                let started = below.iter().find(|process| process.pid == *child).map(|process| process.start_ticks);
                self.asked(&process).is_none_or(|asked| started.is_some_and(|started| started < asked.at))
            });
            waiting.extend(below.into_iter().filter(|child| !known.can_act() || foreground_child == Some(child.pid)));
            facts.push(Facts { foreground_child, ..known });
            found.insert(process.pid, process);
        }
        self.add_partners(&mut found, &mut facts, now, reader);
        Ok((found, facts))
    }

    /// The children of this process that have not exited, without those that were terminated: thousands of them need not be read
    /// again in each round.
    fn undecided_children(&self, reader: &mut Reader) -> Result<Vec<Process>, Error> {
        let is_decided = |pid: &Pid| self.asked.get(pid).is_some_and(|asked| asked.how == How::Terminated);
        let mut children = walk::children_but(self.me, reader, is_decided)?;
        children.retain(|process| !process.has_ended());
        Ok(children)
    }

    fn add_partners(
        &mut self,
        found: &mut PidMap<Process>,
        facts: &mut Vec<Facts>,
        now: Duration,
        reader: &mut Reader,
    ) {
        let may_wait = |facts: &Facts| facts.on_term.may_terminate() && !facts.asked;
        if !facts.iter().any(may_wait) || found.len() > PARTNERS_AMONG {
            return;
        }
        let Ok(living) = self.find_living() else { return };
        if living.len() > PARTNERS_AMONG {
            return;
        }
        let partners = Partners::among(&living);
        let mut any = false;
        for facts in facts.iter_mut().filter(|facts| facts.on_term.may_terminate()) {
            let Some(process) = found.get(&facts.pid) else { continue };
            facts.reads_from = partners.writers_to(facts.pid);
            any |= !facts.reads_from.is_empty();
            if !facts.asked {
                facts.unread = self.unread(process, &partners, &facts.reads_from, now);
            }
        }
        if any {
            // Only now the other processes matter: a writer may be anywhere in the tree.
            for process in living {
                if let Entry::Vacant(entry) = found.entry(process.pid) {
                    let reads_from = partners.writers_to(process.pid);
                    let unread = self.unread(&process, &partners, &reads_from, now);
                    facts.push(Facts { reads_from, unread, ..self.facts(&process, reader) });
                    entry.insert(process);
                }
            }
        }
    }

    /// What is left to read for a process of which no writer is found.
    fn unread(&mut self, process: &Process, partners: &Partners, writers: &[Pid], now: Duration) -> Option<Unread> {
        if writers.is_empty() {
            return self.readers.unread(process, partners, now);
        }
        self.readers.has_writer(process, now);
        None
    }

    fn facts(&self, process: &Process, reader: &mut Reader) -> Facts {
        let on_term = on_term(process.pid, reader);
        Facts {
            pid: process.pid,
            parent: process.ppid,
            on_term,
            // A pid that is reused in between gives a wrong answer and no signal.
            may_signal: !refuses(process.pid),
            foreground_child: None,
            reads_from: Vec::new(),
            unread: None,
            asked: self.was_sent_term(process) && !(on_term == OnTerm::Terminates && self.has_another_name(process)),
        }
    }

    /// Sends TERM to each descendant that was not asked yet, or ignored TERM then, and repeats that until it finds no further
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if /proc cannot be read; no process was sent TERM then.
    pub(super) fn terminate_all(&mut self, main: Pid, observers: &mut Observers) -> Result<(), Error> {
        let living = self.living()?;
        let mut reader = Reader::new();
        let is_due = |process: &&Process| !self.has_heard(main, process) || self.has_lost_term(process, &mut reader);
        let mut list: Vec<_> = living.iter().filter(is_due).cloned().collect();
        self.terminate_hidden(Some(main), observers);
        if list.is_empty() {
            return Ok(());
        }
        let kept = readers_of_work(main, &living, &mut reader);
        list.retain(|process| !kept.contains(&process.pid));
        for _ in 0..PASSES {
            for process in &list {
                self.terminate_one(process, How::Heard, &mut reader, observers);
            }
            if list.is_empty() {
                break;
            }
            list = match self.find_living() {
                Ok(living) => living,
                // Those that were found were asked.
                Err(_) => break,
            };
            // What an asked process starts from now on belongs to its own stop: a shell's trap runs its commands as
            // children. If it only forks on, its own exit makes them orphans, and they are asked then.
            let is_new = |process: &Process| self.asked(process).is_none() && !self.is_child_of_asked(process);
            list.retain(|process| is_new(process) && !kept.contains(&process.pid));
        }
        Ok(())
    }

    fn is_child_of_asked(&self, process: &Process) -> bool {
        process.ppid.is_some_and(|parent| self.asked.contains_key(&parent))
    }

    fn terminate_one(&mut self, process: &Process, how: How, reader: &mut Reader, observers: &mut Observers) {
        let is_first = self.asked(process).is_none();
        self.record(process, Signal::TERM, if how == How::Terminated { How::Heard } else { how });
        if self.send(process, Signal::TERM, observers) {
            if let Some(asked) = self.asked.get_mut(&process.pid) {
                asked.how = how;
            }
            self.terminated += u64::from(is_first);
            observers.emit(Event::Terminated { pid: process.pid, signal: Signal::TERM });
            self.continue_if_stopped(process, reader, observers);
        }
    }

    /// Sends CONT to a process that is stopped: it acts on TERM only then (`signal(7)`), and would be killed without
    /// warning. A process that a debugger holds gets none.
    fn continue_if_stopped(&mut self, process: &Process, reader: &mut Reader, observers: &mut Observers) {
        if is_stopped(process, reader) {
            self.send(process, Signal::CONT, observers);
        }
    }

    /// Sends CONT to asked processes that are stopped, `of` the tree or of main alone: they may stop themselves later, or
    /// in their handler.
    pub(super) fn continue_stopped(&mut self, only: Option<Pid>, observers: &mut Observers) {
        let list: Rc<[Process]> = match only {
            Some(pid) => Process::read(pid).ok().flatten().into_iter().collect(),
            None => self.living().unwrap_or_default(),
        };
        let mut reader = Reader::new();
        for process in list.iter().filter(|process| !process.has_ended()) {
            if self.asked_by(process).is_some() {
                self.continue_if_stopped(process, &mut reader, observers);
            }
        }
    }

    /// Sends TERM to each program that has lost it: it came to the handler of the process before its execve.
    pub(super) fn ask_what_was_executed_since(&mut self, observers: &mut Observers) {
        let living = self.living().unwrap_or_default();
        let mut reader = Reader::new();
        for process in living.iter() {
            if self.has_lost_term(process, &mut reader) {
                self.terminate_one(process, How::Heard, &mut reader, observers);
            }
        }
    }

    /// Sends TERM to the members of a process group that had started when its leader was reaped. The group's number itself
    /// may be another group's by now.
    pub(super) fn terminate_group(&mut self, group: Pid, observers: &mut Observers) -> Result<(), Error> {
        let until = sys::since_boot();
        let mut reader = Reader::new();
        crate::procfs::verify(&mut reader)?;
        for process in scan::all_processes(&mut reader)? {
            let started = survivor::since_start(process.start_ticks, until).is_some();
            if process.group == group.get() && started && !process.has_ended() {
                self.terminate_one(&process, How::Heard, &mut reader, observers);
            }
        }
        Ok(())
    }

    /// Names the processes that remain, then kills each that was sent TERM. One that was not, because it was born since, is
    /// sent TERM now and killed by [`Descendants::kill_remaining`].
    pub(super) fn kill(&mut self, stage: Stage, observers: &mut Observers) -> Result<(), Error> {
        let (asked, others): (Vec<_>, Vec<_>) =
            self.find_living()?.into_iter().partition(|process| self.was_sent_term(process));
        // A file that does not answer is waited for once: the same gatherer describes the processes before their KILL.
        let mut hasty = std::mem::replace(&mut self.hasty, Gatherer::hasty());
        self.report_list(stage, &asked, &[], &mut hasty, observers);
        let later = Stage { next: NextStep::TerminateThenKill, kill_in: Some(KILL_AGAIN_AFTER), ..stage };
        self.report_list(later, &others, &[], &mut hasty, observers);
        self.hasty = hasty;
        for process in &asked {
            self.kill_one(process, observers);
        }
        let mut reader = Reader::new();
        for process in &others {
            self.terminate_one(process, How::Heard, &mut reader, observers);
        }
        self.kill_hidden(false, observers);
        Ok(())
    }

    /// Kills the processes that remain.
    pub(super) fn kill_remaining(&mut self, observers: &mut Observers) -> Result<(), Error> {
        let list = self.find_living()?;
        let mut reader = Reader::new();
        for process in &list {
            if !self.was_sent_term(process) {
                self.terminate_one(process, How::Heard, &mut reader, observers);
            }
            self.kill_one(process, observers);
        }
        self.kill_hidden(true, observers);
        Ok(())
    }

    /// Kills all at once, asked or not, and those that are started meanwhile. `group` is main's, if it was made for main.
    pub(super) fn kill_all(&mut self, group: Option<Pid>, observers: &mut Observers) -> Result<(), Error> {
        let me = self.me;
        let mut description = None;
        kill_tree::kill_below(me, group, &mut |process, step| match step {
            kill_tree::KillStep::Before => description = self.describe_briefly(process),
            kill_tree::KillStep::After(Ok(Delivery::Delivered)) => {
                self.killed.extend(description.take());
                observers.emit(Event::Killed { pid: process.pid });
            }
            kill_tree::KillStep::After(Ok(Delivery::Gone)) => {}
            kill_tree::KillStep::After(Err(error)) => self.not_sent(process.pid, Signal::KILL, error, observers),
        })?;
        self.kill_hidden(true, observers);
        Ok(())
    }

    /// Describes a process that is about to be killed: only the first [`DESCRIBED`] in full, since a storm of forks does not
    /// wait.
    fn describe_briefly(&mut self, process: &Process) -> Option<Survivor> {
        if self.killed.iter().any(|killed| killed.pid == process.pid) {
            return None;
        }
        let asked = self.asked_by(process);
        survivor::examine_briefly(&mut self.hasty, process, asked, self.killed.len())
    }

    fn kill_one(&mut self, process: &Process, observers: &mut Observers) {
        // It is described first: afterwards there is nothing left to read.
        let description = self.describe_briefly(process);
        if self.send(process, Signal::KILL, observers) {
            self.killed.extend(description);
            observers.emit(Event::Killed { pid: process.pid });
        }
    }

    /// True if it was delivered.
    fn send(&mut self, process: &Process, signal: Signal, observers: &mut Observers) -> bool {
        let sent = if process.ppid == Some(self.me) {
            // A child's number is its own until it is reaped here, and nothing is reaped while processes are asked. A filter that
            // refuses kill(2) may let the pidfd pass.
            signal_child(process.pid, signal).or_else(|_| signal_process(process, signal))
        } else {
            signal_process(process, signal)
        };
        self.is_delivered(sent, process.pid, signal, observers)
    }

    /// True if it was delivered. Reports an error.
    fn is_delivered(
        &mut self,
        sent: Result<Delivery, Error>,
        pid: Pid,
        signal: Signal,
        observers: &mut Observers,
    ) -> bool {
        match sent {
            Ok(Delivery::Delivered) => true,
            Ok(Delivery::Gone) => false,
            Err(error) => {
                self.not_sent(pid, signal, &error, observers);
                false
            }
        }
    }

    /// True if processes remain, and this process may signal none of them.
    pub(super) fn is_out_of_reach(&mut self) -> bool {
        // The kernel is asked again: a process out of reach may fork on and on.
        self.living().is_ok_and(|living| !living.is_empty() && living.iter().all(|process| refuses(process.pid)))
    }

    /// True if no process that remains can act on TERM: each ignores it or may not be signalled.
    pub(super) fn none_can_act(&mut self) -> bool {
        let living = self.living().unwrap_or_default();
        let mut reader = Reader::new();
        let facts: Vec<_> = living.iter().map(|process| self.facts(process, &mut reader)).collect();
        !facts.is_empty() && order::none_can_act(&facts)
    }

    pub(super) fn was_refused(&self, pid: Pid) -> bool {
        self.refused.contains(&pid)
    }

    pub(super) fn any_was_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Reports a signal that could not be sent. A lack of permission is reported once for each process.
    pub(super) fn not_sent(&mut self, pid: Pid, signal: Signal, error: &Error, observers: &mut Observers) {
        if !is_refusal(error) {
            observers.emit(Event::Error { what: error.to_string() });
        } else if self.refused.insert(pid) {
            let uid = Reader::new().status(pid).ok().flatten().and_then(|status| status.uid);
            observers.emit(Event::NotPermitted { pid, signal, uid });
        }
    }
}

/// Returns the processes that TERM only terminates, and that read the output of a process at work: of main, or of one that TERM does
/// not terminate at once.
///
/// The last call leaves them out. TERM gives them nothing to do, and without them the work of the writer would be lost, and main
/// might exit with an error. They exit at the end of their input.
fn readers_of_work(main: Pid, living: &[Process], reader: &mut Reader) -> PidSet {
    let mut kept = PidSet::default();
    if living.len() > PARTNERS_AMONG {
        return kept;
    }
    let partners = Partners::among(living);
    let is_terminated: PidMap<bool> =
        living.iter().map(|process| (process.pid, on_term(process.pid, reader) == OnTerm::Terminates)).collect();
    let readers: Vec<(Pid, Vec<Pid>)> = living
        .iter()
        .filter(|process| process.pid != main && is_terminated.get(&process.pid) == Some(&true))
        .map(|process| (process.pid, partners.writers_to(process.pid)))
        .filter(|(_, writers)| !writers.is_empty())
        .collect();
    // In `app | sed | tee`, sed is kept for the application, and tee for sed.
    loop {
        let works =
            |writer: &Pid| *writer == main || kept.contains(writer) || is_terminated.get(writer) == Some(&false);
        let found: Vec<Pid> = readers
            .iter()
            .filter(|(pid, writers)| !kept.contains(pid) && writers.iter().any(works))
            .map(|(pid, _)| *pid)
            .collect();
        if found.is_empty() {
            return kept;
        }
        kept.extend(found);
    }
}

/// Returns what the process does on TERM. One that cannot be read is assumed to handle it, and gets its time.
fn on_term(pid: Pid, reader: &mut Reader) -> OnTerm {
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
pub(super) enum Hearing {
    /// It has a handler, the default action, waits for it, or nothing is known.
    Acts,
    Ignores,
    IgnoresAndBlocks,
}

/// Returns what main does about the signal at this moment.
pub(super) fn hearing(pid: Pid, signal: Signal) -> Hearing {
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

fn name_of(process: &Process) -> Name {
    let mut name = Name::default();
    for (to, from) in name.iter_mut().zip(&process.comm) {
        *to = *from;
    }
    name
}

fn foreground_child_of_shell(process: &Process, gatherer: &mut Gatherer) -> Option<Pid> {
    match survivor::examine_with(gatherer, process, Some(Signal::TERM))?.reason {
        Reason::ShellWaits { child, .. } | Reason::ShellMayWait { child, .. } => Some(child),
        _ => None,
    }
}

/// Returns true if SIGSTOP or the terminal has stopped it: its first thread or, if that has exited, another one.
fn is_stopped(process: &Process, reader: &mut Reader) -> bool {
    if process.state != State::Zombie {
        return process.state == State::Stopped;
    }
    states_of_threads(process.pid, reader).contains(&State::Stopped)
}

/// True if nothing of it runs any more. A thread that has exited counts until its tracer has waited for it.
fn has_exited(process: &Process, reader: &mut Reader) -> bool {
    if process.state != State::Zombie || process.has_ended() {
        return process.has_ended();
    }
    let states = states_of_threads(process.pid, reader);
    !states.is_empty() && states.iter().all(|state| matches!(state, State::Zombie | State::Dead))
}

fn states_of_threads(pid: Pid, reader: &mut Reader) -> Vec<State> {
    let mut threads = Vec::new();
    if crate::procfs::reader::numbers(&format!("/proc/{pid}/task"), &mut threads).is_err() {
        return Vec::new();
    }
    let state = |thread| reader.thread_status(pid, thread).ok().flatten().and_then(|status| status.state);
    threads.into_iter().filter_map(state).collect()
}

/// False for a child that has not exited, as far as `wait4(2)` says.
fn can_be_reaped(child: Pid) -> bool {
    has_exited_once(WaitId::Pid(child.rustix())) != Ok(false)
}

/// How a child exited that its tracer holds; `None` if it is none, or this user may not read it.
pub(super) fn status_of_held(child: Pid) -> Option<ExitStatus> {
    let mut reader = Reader::new();
    let process = Process::read(child).ok().flatten()?;
    if !has_exited(&process, &mut reader) || can_be_reaped(child) {
        return None;
    }
    let status = stat::exit_status(reader.read(format_args!("/proc/{child}/stat"), 4096).ok().flatten()?)?;
    // A user who may not trace it reads 0. Such a user may not read this link either, which a zombie lacks.
    let is_true =
        || std::fs::read_link(format!("/proc/{child}/exe")).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    (status != ExitStatus::Code(0) || is_true()).then_some(status)
}

/// True for a child that has exited, and whose tracer has not waited for it.
pub(super) fn is_held(child: Pid) -> bool {
    let mut reader = Reader::new();
    let process = Process::read(child).ok().flatten();
    process.is_some_and(|process| has_exited(&process, &mut reader)) && !can_be_reaped(child)
}

fn describe_held(gatherer: &mut Gatherer, zombie: &Process) -> Option<Survivor> {
    let facts = gatherer.gather(zombie, None, None)?;
    let mut threads = Vec::new();
    let _ = crate::procfs::reader::numbers(&format!("/proc/{}/task", zombie.pid), &mut threads);
    // The tracer may hold a thread that is not the first.
    let of_thread = |thread| gatherer.reader.thread_status(zombie.pid, thread).ok().flatten()?.tracer;
    let tracer = threads.into_iter().find_map(of_thread);
    Some(survivor::describe(zombie, &facts, Reason::TracedZombie { tracer }))
}

/// True if this process may not signal it.
fn refuses(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid.rustix()) == Err(Errno::PERM)
}

/// The present in the unit of [`Process::start_ticks`].
fn ticks_since_boot() -> u64 {
    let now = sys::since_boot();
    let ticks = sys::ticks_per_second();
    now.as_secs() * ticks + u64::from(now.subsec_nanos()) * ticks / 1_000_000_000
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::SendSignal { source, .. } if Errno::from_io_error(source) == Some(Errno::PERM))
}

/// Sends a signal without /proc: as PID 1 to every process in the namespace, because the kernel leaves PID 1 itself out
/// (`kill(2)`). Elsewhere `kill(-1)` would take the whole machine down, and main's group has to do.
pub(super) fn signal_blindly(me: Pid, main: &Main, signal: Signal) {
    // ESRCH: no process is there; EPERM: none that this process may signal. Neither leaves anything to do.
    let _ = if me == Pid::INIT { sys::kill_all_processes(signal) } else { main.signal_group(signal) };
}
