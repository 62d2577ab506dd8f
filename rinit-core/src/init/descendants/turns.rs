//! Asks each process in its turn: gathers the facts by which [`crate::policy::order`] decides, and sends TERM.

use super::Descendants;
use super::PARTNERS_AMONG;
use super::PASSES;
use super::asked::How;
use super::hearing::on_term;
use super::refuses;
use crate::error::Error;
use crate::init::observer::Observers;
use crate::pid::{Pid, PidMap};
use crate::policy::order::{self, Facts, OnTerm, Unread};
use crate::process::partners::Partners;
use crate::process::{Process, walk};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::survivor;
use crate::survivor::gather::Gatherer;
use crate::survivor::reason::Reason;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

impl Descendants {
    /// Sends TERM to each process whose turn it is, and repeats that until it finds no further one. Returns true if that takes
    /// longer, or if the turn of another process depends only on time.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if /proc cannot be read.
    pub(in crate::init) fn terminate_next(&mut self, now: Duration, observers: &mut Observers) -> Result<bool, Error> {
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
                    Some(OnTerm::Terminates) if process.ppid == Some(self.me) => How::Terminated,
                    Some(on_term) => How::of(process, *on_term),
                    None => How::Heard,
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
                self.asked.of(&process).is_none_or(|asked| started.is_some_and(|started| started < asked.at))
            });
            waiting.extend(below.into_iter().filter(|child| !known.can_act() || foreground_child == Some(child.pid)));
            facts.push(Facts { foreground_child, ..known });
            found.insert(process.pid, process);
        }
        self.add_partners(&mut found, &mut facts, now, reader);
        Ok((found, facts))
    }

    /// The children of one process that have not exited.
    fn living_children(of: Pid, reader: &mut Reader) -> Result<Vec<Process>, Error> {
        let mut children = walk::children(of, reader)?;
        children.retain(|process| !process.has_ended());
        Ok(children)
    }

    /// The children of this process that have not exited, without those that were terminated: thousands of them need not be read
    /// again in each round.
    fn undecided_children(&self, reader: &mut Reader) -> Result<Vec<Process>, Error> {
        let is_decided = |pid: &Pid| self.asked.was_terminated(*pid);
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
        let partners = Partners::among(&living, reader);
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
            asked: self.asked.was_sent_term(process)
                && !(on_term == OnTerm::Terminates && self.asked.has_another_name(process)),
        }
    }

    /// True if no process that remains can act on TERM: each ignores it or may not be signalled.
    pub(in crate::init) fn none_can_act(&mut self) -> bool {
        let living = self.living().unwrap_or_default();
        let mut reader = Reader::new();
        let facts: Vec<_> = living.iter().map(|process| self.facts(process, &mut reader)).collect();
        !facts.is_empty() && order::none_can_act(&facts)
    }
}

fn foreground_child_of_shell(process: &Process, gatherer: &mut Gatherer) -> Option<Pid> {
    match survivor::examine_with(gatherer, process, Some(Signal::TERM))?.reason {
        Reason::ShellWaits { child, .. } | Reason::ShellMayWait { child, .. } => Some(child),
        _ => None,
    }
}
