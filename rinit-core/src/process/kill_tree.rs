//! KILL for everyone below this process, also for those who fork on meanwhile.

use super::Process;
use super::signal::{Delivery, signal_process};
use super::walk::descendants;
use super::walk::{is_possible, lists};
use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::procfs;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::sys;

/// So many rounds go through the whole tree.
const ROUNDS: usize = 4;

/// In so many of them everyone is met who was there before, also those whose parent has died just before its list was read.
const ONE_BY_ONE: usize = 2;

/// So many are met in looks at own children alone before the caller reaps and comes again: each look reads the zombies, too.
const CROWD: usize = 512;

/// Sends KILL to every descendant of this process, and says so of each; again and again until a round finds nobody new.
///
/// Why KILL at once, from the top down, and each before its children are looked for: a process to which KILL was sent gets
/// no further child. The kernel looks for a fatal signal under the same lock under which it puts a new child on its parent's
/// list (`kernel/fork.c`, `copy_process`), so that every child is either on the list that is read afterwards, or never born.
/// Only those that were not met yet can have children. To stop everybody first would say no more: a fork that is under way
/// when STOP comes is completed.
///
/// From the third round on process groups are killed as a whole, where a descendant has made them. This is one step for the
/// kernel, which leaves no new child of a member out. Not before, so that whoever is there can be named one by one.
///
/// Between the rounds own children alone are looked for, by a look that costs a few microseconds. A process that starts a successor
/// and ends, on and on, is met there: its death has made the successor a child of this process. A look that described each, or
/// read the zombies one by one, would come too late every time.
///
/// `group` is the one that main was started in, if it was made for main; `me` reaps nobody meanwhile, so that the numbers of
/// its children stay theirs.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` cannot be read.
pub(crate) fn kill_below(
    me: Pid,
    group: Option<Pid>,
    met: &mut dyn FnMut(&Process, KillStep<'_>),
) -> Result<(), Error> {
    let mut reader = Reader::new();
    procfs::verify(&mut reader)?;
    let walks = is_possible(&mut reader);
    let mut sweep = Sweep { me, group, reader, struck: PidMap::default(), own: PidSet::default(), whole_groups: false };
    for round in 0..ROUNDS {
        sweep.whole_groups = round >= ONE_BY_ONE;
        let found = if walks { sweep.top_down(met)? } else { sweep.over_the_list(met)? };
        let more = walks && round + 1 >= ONE_BY_ONE && sweep.own_children()?;
        if !found && !more {
            break;
        }
    }
    Ok(())
}

/// What happens to a process.
pub(crate) enum KillStep<'a> {
    /// It is about to be sent KILL.
    Before,
    /// It was sent KILL, or that was refused.
    After(&'a Result<Delivery, Error>),
}

struct Sweep {
    me: Pid,
    group: Option<Pid>,
    reader: Reader,
    /// Start time of each that was sent KILL.
    struck: PidMap<u64>,
    /// Children of this process that were struck or have ended: nobody reaps them meanwhile, and no child of theirs is born.
    own: PidSet,
    whole_groups: bool,
}

impl Sweep {
    /// Parents before their children. True if somebody new was met.
    fn top_down(&mut self, met: &mut dyn FnMut(&Process, KillStep<'_>)) -> Result<bool, Error> {
        let mut found = false;
        let mut named = PidSet::from_iter([self.me]);
        let mut waiting = vec![self.me];
        let (mut threads, mut children) = (Vec::new(), Vec::new());
        while let Some(pid) = waiting.pop() {
            children.clear();
            // Before it is struck: an end may be so quick that its children are handed up before the list can be read, one
            // level of the tree in each round then. After it, because only then the list is complete.
            lists(pid, &mut self.reader, &mut threads, &mut children)?;
            if pid == self.me {
                children.retain(|child| !self.own.contains(child));
            } else {
                let Some(process) = Process::visible(&mut self.reader, pid)? else { continue };
                if process.ppid == Some(self.me) {
                    self.own.insert(pid);
                }
                // A zombie has handed its children up. Whose parent is nobody of ours has a number that was reused.
                let is_ours = process.ppid.is_some_and(|ppid| ppid == self.me || self.struck.contains_key(&ppid));
                if process.has_ended() || !is_ours {
                    continue;
                }
                if self.strike(&process, met) {
                    found = true;
                    lists(pid, &mut self.reader, &mut threads, &mut children)?;
                    // The list was this process's only if the number is still its own.
                    let now = Process::visible(&mut self.reader, pid)?;
                    if now.is_none_or(|now| now.start_ticks != process.start_ticks) {
                        continue;
                    }
                }
            }
            waiting.extend(children.drain(..).filter(|child| named.insert(*child)));
        }
        Ok(found)
    }

    /// Those who have become children of this process since, until a look finds nobody new. By number: nobody reaps them
    /// meanwhile. Unnamed: whoever is met here was born after KILL was sent to those before. True if somebody was met.
    fn own_children(&mut self) -> Result<bool, Error> {
        let mut count = 0;
        let mut children = Vec::new();
        while count < CROWD {
            children.clear();
            self.reader.children(self.me, self.me, &mut children)?;
            children.retain(|child| self.own.insert(*child));
            if children.is_empty() {
                break;
            }
            for child in &children {
                // A zombie takes it without effect. Who may not be signalled was refused before.
                let _ = sys::kill(*child, Signal::KILL);
            }
            count += children.len();
        }
        Ok(count > 0)
    }

    /// Without `CONFIG_PROC_CHILDREN`.
    fn over_the_list(&mut self, met: &mut dyn FnMut(&Process, KillStep<'_>)) -> Result<bool, Error> {
        let mut found = false;
        for process in descendants(self.me)?.iter().filter(|process| !process.has_ended()) {
            found |= self.strike(process, met);
        }
        Ok(found)
    }

    /// True if it was not struck before.
    fn strike(&mut self, process: &Process, met: &mut dyn FnMut(&Process, KillStep<'_>)) -> bool {
        if self.struck.get(&process.pid) == Some(&process.start_ticks) {
            return false;
        }
        met(process, KillStep::Before);
        let sent = signal_process(process, Signal::KILL);
        // One that may not be signalled is struck too: once is enough to know, and its children may be within reach.
        self.struck.insert(process.pid, process.start_ticks);
        if self.whole_groups {
            self.strike_group(process);
        }
        met(process, KillStep::After(&sent));
        true
    }

    /// Only a group that its leader, a descendant, has made, or main's own. A process can put itself into any group of its
    /// session, the host's included, and such a one is nobody's to kill.
    fn strike_group(&self, process: &Process) {
        let made_here = process.group == process.pid.get() || Some(process.group) == self.group.map(Pid::get);
        if let Some(group) = Pid::new(process.group).filter(|_| made_here) {
            let _ = sys::kill_group(group, Signal::KILL);
        }
    }
}
