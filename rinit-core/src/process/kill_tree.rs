//! Kills all processes below this one, including those that are forked meanwhile.

use super::Process;
use super::signal::{Delivery, signal_process};
use super::walk::descendants;
use super::walk::{is_hidden, is_possible, lists};
use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::procfs;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::sys;
use std::time::{Duration, Instant};

/// Rounds through the whole tree.
const ROUNDS: usize = 4;

/// In this many rounds each process is handled on its own, even one whose parent has exited just before its list was read.
const ONE_BY_ONE: usize = 2;

/// From then on groups are killed as a whole, too: a sweep that takes so long competes with a fork bomb for the processor, and
/// each process that is killed leaves it more.
const LONG: Duration = Duration::from_secs(1);

/// How many own children are killed before the caller reaps and comes again: each scan reads the zombies, too.
const CROWD: usize = 512;

/// Sends KILL to every descendant of this process, and reports each; again until a round finds no further one.
///
/// KILL is sent at once, from the top down, and to each process before its children are searched: a process to which KILL was
/// sent gets no further child. The kernel checks for a fatal signal under the same lock under which it puts a new child on its
/// parent's list (`kernel/fork.c`, `copy_process`), so that every child is either on the list that is read afterwards, or never
/// born. Only processes that were not handled yet can get children. Sending STOP first would not help: the kernel completes a
/// fork that has begun.
///
/// From the third round on, or once the sweep takes long, process groups are killed as a whole, where a descendant has made
/// them. The kernel does it in one step, which leaves out no new child of a member. It is not done before, so that each process
/// can be named.
///
/// Between the rounds only own children are scanned, which costs a few microseconds. A process that starts a successor and
/// exits, on and on, is found there: its exit has made the successor a child of this process. A scan that described each, or
/// read the zombies one by one, would come too late every time.
///
/// `group` is the one that main was started in, if it was made for main; `me` reaps no child meanwhile, so no other process gets
/// the numbers of its children.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` cannot be read.
pub(crate) fn kill_below(
    me: Pid,
    group: Option<Pid>,
    report: &mut dyn FnMut(&Process, KillStep<'_>),
) -> Result<(), Error> {
    let mut reader = Reader::new();
    procfs::verify(&mut reader)?;
    let walks = is_possible(&mut reader);
    let mut sweep = Sweep::new(me, reader);
    sweep.group = group;
    sweep.long_at = Some(Instant::now() + LONG);
    for round in 0..ROUNDS {
        sweep.whole_groups = round >= ONE_BY_ONE;
        let found = if walks { sweep.top_down(report)? } else { sweep.over_the_list(report)? };
        let more = walks && round + 1 >= ONE_BY_ONE && sweep.own_children()?;
        if !found && !more {
            break;
        }
    }
    Ok(())
}

/// Sends KILL once to every descendant of another process, and reports each. That process reaps its children meanwhile, so no
/// group is killed.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` cannot be read.
pub(crate) fn kill_once_below(root: Pid, report: &mut dyn FnMut(&Process, KillStep<'_>)) -> Result<(), Error> {
    let mut reader = Reader::new();
    procfs::verify(&mut reader)?;
    let walks = is_possible(&mut reader);
    let mut sweep = Sweep::new(root, reader);
    if walks {
        sweep.top_down(report)?
    } else {
        sweep.over_the_list(report)?
    };
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
    killed: PidMap<u64>,
    /// Children of this process that were killed or have exited: none is reaped meanwhile, and none gets a child.
    own: PidSet,
    whole_groups: bool,
    /// When the sweep has taken long. `None`: no group is killed.
    long_at: Option<Instant>,
}

impl Sweep {
    fn new(me: Pid, reader: Reader) -> Self {
        Self {
            me,
            group: None,
            reader,
            killed: PidMap::default(),
            own: PidSet::default(),
            whole_groups: false,
            long_at: None,
        }
    }

    fn notice_length(&mut self) {
        if !self.whole_groups && self.long_at.is_some_and(|long_at| Instant::now() >= long_at) {
            self.whole_groups = true;
            if let Some(group) = self.group {
                let _ = sys::kill_group(group, Signal::KILL);
            }
        }
    }

    /// Parents before their children. True if a further process was found.
    fn top_down(&mut self, report: &mut dyn FnMut(&Process, KillStep<'_>)) -> Result<bool, Error> {
        let mut found = false;
        let mut named = PidSet::from_iter([self.me]);
        let mut waiting = vec![self.me];
        let (mut threads, mut children) = (Vec::new(), Vec::new());
        while let Some(pid) = waiting.pop() {
            children.clear();
            // The children are listed twice. Before KILL: the process may exit before its list is read, and each round would
            // then reach one level of the tree. After KILL: only then the list is final.
            self.list_children(pid, &mut threads, &mut children)?;
            if pid == self.me {
                children.retain(|child| !self.own.contains(child));
            } else {
                let Some(process) = Process::visible(&mut self.reader, pid)? else { continue };
                if process.ppid == Some(self.me) {
                    self.own.insert(pid);
                }
                // The children of a zombie have another parent. A process whose parent is none of ours has a reused number.
                let is_ours = process.ppid.is_some_and(|ppid| ppid == self.me || self.killed.contains_key(&ppid));
                if process.has_ended() || !is_ours {
                    continue;
                }
                if self.kill(&process, report) {
                    found = true;
                    self.list_children(pid, &mut threads, &mut children)?;
                    // The list was this process's only if it still has the number.
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

    /// Adds the children of a process. One that `hidepid` (`proc(5)`) hides from this user must not keep the others from
    /// being killed.
    fn list_children(&mut self, pid: Pid, threads: &mut Vec<Pid>, children: &mut Vec<Pid>) -> Result<(), Error> {
        match lists(pid, &mut self.reader, threads, children) {
            Err(error) if pid != self.me && is_hidden(&error) => Ok(()),
            listed => listed.map(drop),
        }
    }

    /// Kills the processes that have become children of this one since, until a scan finds no further one. It does so by number:
    /// none is reaped meanwhile. It names none: each was started after KILL was sent to those before. True if one was found.
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
                // A zombie takes it without effect. One that may not be signalled was refused before.
                let _ = sys::kill(*child, Signal::KILL);
            }
            count += children.len();
        }
        Ok(count > 0)
    }

    /// Without `CONFIG_PROC_CHILDREN`.
    fn over_the_list(&mut self, report: &mut dyn FnMut(&Process, KillStep<'_>)) -> Result<bool, Error> {
        let mut found = false;
        for process in descendants(self.me)?.iter().filter(|process| !process.has_ended()) {
            found |= self.kill(process, report);
        }
        Ok(found)
    }

    /// True if it was not killed before.
    fn kill(&mut self, process: &Process, report: &mut dyn FnMut(&Process, KillStep<'_>)) -> bool {
        if self.killed.get(&process.pid) == Some(&process.start_ticks) {
            return false;
        }
        report(process, KillStep::Before);
        let sent = signal_process(process, Signal::KILL);
        // A process that may not be signalled counts, too: trying once is enough, and its children may be within reach.
        self.killed.insert(process.pid, process.start_ticks);
        self.notice_length();
        if self.whole_groups {
            self.kill_group_of(process);
        }
        report(process, KillStep::After(&sent));
        true
    }

    /// Kills only a group that its leader, a descendant, has made, or main's own. A process can put itself into any group of its
    /// session, even that of the controlling process, and such a group must not be killed.
    fn kill_group_of(&self, process: &Process) {
        let made_here = process.group == process.pid.get() || Some(process.group) == self.group.map(Pid::get);
        if let Some(group) = Pid::new(process.group).filter(|_| made_here) {
            let _ = sys::kill_group(group, Signal::KILL);
        }
    }
}
