//! Which processes are asked to stop now, and which later.
//!
//! Pure: the facts come in, pids go out.
//!
//! - The roots, which are the children of the init, are asked first. The children of a process that handles TERM are left to it:
//!   it may wait for their work. They become roots when it exits. So do the children of a process that TERM terminates.
//! - A process that ignores TERM, or may not be signalled, stops nothing below it. A shell runs its trap only after its
//!   foreground child. In both cases the children are asked as roots are.
//! - A process that TERM would terminate, and that reads what another one writes, is asked after that one: the writer's last
//!   lines would be lost, or SIGPIPE would terminate it.
//! - When its writers have exited it reads what they left, comes to the end of the file, and exits by itself. It is asked only
//!   if it does not: what is left in the pipe, or in its memory, would be lost.

use crate::pid::{Pid, PidMap, PidSet};
use std::time::Duration;

/// How long a reader that has come to the end of its pipe may take to exit by itself. One that lives on does something else.
const AT_END: Duration = Duration::from_secs(2);
/// How long a writer that was not found may take to exit.
const UNKNOWN_WRITER: Duration = Duration::from_millis(200);

/// What a process does on TERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnTerm {
    /// TERM terminates it.
    Terminates,
    /// It has a handler.
    Handles,
    /// It blocks TERM. It may take it later, or be terminated by it: a shell blocks every signal while it forks.
    Blocks,
    Ignores,
}

impl OnTerm {
    /// Returns true if TERM may terminate it before any handler has run.
    pub(crate) const fn may_terminate(self) -> bool {
        matches!(self, Self::Terminates | Self::Blocks)
    }
}

/// What is left to read for a process of which no writer is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Its writers have exited, and something is left.
    Some,
    /// Its writers have exited, and for this time nothing has been left.
    NothingFor(Duration),
    /// A process that is not known writes: for this time none that is known did.
    UnknownFor(Duration),
}

/// The facts about a process on which the order depends.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) pid: Pid,
    pub(crate) parent: Option<Pid>,
    pub(crate) on_term: OnTerm,
    /// The init has the permission to signal it.
    pub(crate) may_signal: bool,
    /// It is a shell that handles TERM only after this child.
    pub(crate) foreground_child: Option<Pid>,
    /// The processes whose output it reads, through a pipe or a terminal.
    pub(crate) reads_from: Vec<Pid>,
    /// It seems to be a reader, and `reads_from` is empty.
    pub(crate) unread: Option<Unread>,
    /// It was asked before.
    pub(crate) asked: bool,
}

impl Facts {
    /// True if it can act on TERM, now or later.
    pub(crate) fn can_act(&self) -> bool {
        self.may_signal && self.on_term != OnTerm::Ignores
    }

    /// True if it may come to the end of what it reads, and exit by itself.
    fn reads_on(&self) -> bool {
        let has_time = match self.unread {
            None => false,
            Some(Unread::Some) => true,
            Some(Unread::NothingFor(time)) => time < AT_END,
            Some(Unread::UnknownFor(time)) => time < UNKNOWN_WRITER,
        };
        has_time && self.on_term.may_terminate() && self.may_signal
    }
}

/// Whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    /// The processes to ask now, in the order of the list.
    pub(crate) now: Vec<Pid>,
    /// True if the turn of another process depends only on time, not on the exit of a process.
    pub(crate) by_time: bool,
}

/// Whose turn it is in this list. It must hold the children of `init`, and the descendants of those that are not masters. More
/// does no harm.
pub(crate) fn turns(init: Pid, list: &[Facts]) -> Turns {
    let order = Order::new(list);
    let turns = order.turns(init, false);
    let is_stuck = || !list.iter().any(|facts| facts.asked && facts.can_act());
    if turns.now.is_empty() && !turns.by_time && is_stuck() { order.turns(init, true) } else { turns }
}

/// True if no process can act on TERM, so that waiting for them is useless.
pub(crate) fn none_can_act(list: &[Facts]) -> bool {
    !list.iter().any(Facts::can_act)
}

struct Order<'a> {
    list: &'a [Facts],
    by_pid: PidMap<&'a Facts>,
    /// By parent, so that the time grows only in proportion to the number of processes.
    children: PidMap<Vec<&'a Facts>>,
}

impl<'a> Order<'a> {
    fn new(list: &'a [Facts]) -> Self {
        let mut children: PidMap<Vec<&Facts>> = PidMap::default();
        for facts in list {
            if let Some(parent) = facts.parent {
                children.entry(parent).or_default().push(facts);
            }
        }
        Self { list, by_pid: list.iter().map(|facts| (facts.pid, facts)).collect(), children }
    }

    fn children(&self, of: Pid) -> impl Iterator<Item = &'a Facts> {
        self.children.get(&of).into_iter().flatten().copied()
    }

    /// Whose turn it is. `is_stuck`: no process that was asked is going to exit, so that processes which wait for each other's
    /// exit in a ring would wait for ever, for example a reader's child that writes to the reader through an unrelated process.
    fn turns(&self, init: Pid, is_stuck: bool) -> Turns {
        let mut reached = PidSet::default();
        let mut waiting: Vec<&Facts> = self.children(init).collect();
        while let Some(facts) = waiting.pop() {
            if !reached.insert(facts.pid) {
                continue;
            }
            let is_free = is_stuck && self.waits_for_writer(facts);
            let with_parent = |child: &&Facts| is_free || self.is_asked_with_parent(facts, child);
            waiting.extend(self.children(facts.pid).filter(with_parent));
        }
        let is_next = |facts: &&Facts| reached.contains(&facts.pid) && !facts.asked && !self.waits_for_writer(facts);
        let (later, now): (Vec<_>, Vec<_>) = self.list.iter().filter(is_next).partition(|facts| facts.reads_on());
        Turns { now: now.into_iter().map(|facts| facts.pid).collect(), by_time: !later.is_empty() }
    }

    /// True if the child does not have to wait until its parent has exited.
    fn is_asked_with_parent(&self, parent: &Facts, child: &Facts) -> bool {
        let reads_from_below = || {
            let writers = parent.reads_from.iter().filter(|writer| self.is_below(**writer, parent.pid));
            writers.into_iter().any(|writer| self.is_below(*writer, child.pid) || *writer == child.pid)
        };
        !parent.can_act()
            || parent.foreground_child == Some(child.pid)
            || (self.waits_for_writer(parent) && reads_from_below())
    }

    /// True while a writer that can act on TERM remains. Of processes that read from each other none waits.
    fn waits_for_writer(&self, reader: &Facts) -> bool {
        let is_ahead = |writer: &&Facts| writer.can_act() && !self.output_reaches(writer, reader.pid);
        reader.on_term.may_terminate() && reader.may_signal && self.writers(reader).any(|writer| is_ahead(&writer))
    }

    fn writers(&self, reader: &Facts) -> impl Iterator<Item = &'a Facts> {
        let others = reader.reads_from.iter().filter(move |writer| **writer != reader.pid);
        others.filter_map(|writer| self.by_pid.get(writer).copied()).collect::<Vec<_>>().into_iter()
    }

    /// True if what `from` writes comes to `to`, directly or through others.
    fn output_reaches(&self, to: &Facts, from: Pid) -> bool {
        let mut seen = PidSet::from_iter([to.pid]);
        let mut waiting = vec![to];
        while let Some(facts) = waiting.pop() {
            for writer in self.writers(facts) {
                if writer.pid == from {
                    return true;
                }
                if seen.insert(writer.pid) {
                    waiting.push(writer);
                }
            }
        }
        false
    }

    fn is_below(&self, pid: Pid, ancestor: Pid) -> bool {
        let mut at = pid;
        // A list that was read while processes moved may contain a ring.
        for _ in 0..self.by_pid.len() {
            match self.by_pid.get(&at).and_then(|facts| facts.parent) {
                Some(parent) if parent == ancestor => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OnTerm::{Blocks, Handles, Ignores, Terminates};
    use proptest::prelude::*;

    fn pid(number: i32) -> Pid {
        Pid::new(number).unwrap()
    }

    fn process(number: i32, parent: i32, on_term: OnTerm) -> Facts {
        Facts {
            pid: pid(number),
            parent: Pid::new(parent),
            on_term,
            may_signal: true,
            foreground_child: None,
            reads_from: vec![],
            unread: None,
            asked: false,
        }
    }

    fn reads(mut facts: Facts, from: &[i32]) -> Facts {
        facts.reads_from = from.iter().map(|number| pid(*number)).collect();
        facts
    }

    fn asked(mut facts: Facts) -> Facts {
        facts.asked = true;
        facts
    }

    fn now(list: &[Facts]) -> Vec<i32> {
        turns(Pid::INIT, list).now.into_iter().map(Pid::get).collect()
    }

    #[test]
    fn roots_are_asked_and_their_children_are_left_to_them() {
        for on_term in [Handles, Blocks, Terminates] {
            assert_eq!(now(&[process(5, 1, on_term), process(6, 5, Handles), process(7, 6, Terminates)]), [5]);
            assert_eq!(now(&[asked(process(5, 1, on_term)), process(6, 5, Handles)]), [0; 0]);
        }
        assert_eq!(now(&[process(6, 1, Handles), process(7, 6, Terminates)]), [6], "when 5 has exited");
    }

    #[test]
    fn a_process_that_cannot_act_is_not_a_master() {
        let refused = |mut facts: Facts| {
            facts.may_signal = false;
            facts
        };
        assert_eq!(now(&[process(5, 1, Ignores), process(6, 5, Handles), process(7, 6, Terminates)]), [5, 6]);
        assert_eq!(now(&[refused(process(5, 1, Handles)), process(6, 5, Terminates)]), [5, 6]);
        assert_eq!(now(&[asked(process(5, 1, Ignores)), process(6, 5, Ignores), process(7, 6, Handles)]), [6, 7]);
    }

    #[test]
    fn processes_that_wait_for_each_other_in_a_ring_are_asked() {
        // 6 writes to 7, which writes to 6's parent 4, which waits for 7: without a way out, 6 waits for its parent's exit.
        let ring = |on_term| {
            let other = asked(process(8, 1, on_term));
            [
                reads(process(4, 1, Terminates), &[7]),
                process(6, 4, Terminates),
                reads(process(7, 1, Terminates), &[6]),
                other,
            ]
        };
        assert_eq!(now(&ring(Handles)), [0; 0], "8 may end and change that");
        assert_eq!(now(&ring(Ignores)), [6]);
    }

    #[test]
    fn a_shells_foreground_child_is_asked_with_it() {
        let mut shell = process(5, 1, Handles);
        shell.foreground_child = Some(pid(6));
        assert_eq!(now(&[shell, process(6, 5, Terminates), process(7, 5, Terminates)]), [5, 6]);
    }

    #[test]
    fn a_reader_is_asked_after_its_writer() {
        let pipeline = |writer: Option<OnTerm>| {
            let filter = reads(process(6, 1, Terminates), &[5]);
            let tee = reads(process(7, 1, Terminates), &[6]);
            writer.map(|on_term| process(5, 1, on_term)).into_iter().chain([filter, tee]).collect::<Vec<_>>()
        };
        assert_eq!(now(&pipeline(Some(Handles))), [5]);
        assert_eq!(now(&pipeline(None)), [6]);
        assert_eq!(now(&pipeline(Some(Ignores))), [5, 6], "a writer that cannot act is not waited for");
        // A reader that handles TERM decides itself.
        assert_eq!(now(&[process(5, 1, Handles), reads(process(6, 1, Handles), &[5])]), [5, 6]);
        // Below another root.
        assert_eq!(now(&[process(5, 1, Handles), process(8, 5, Handles), reads(process(6, 1, Terminates), &[8])]), [5]);
    }

    #[test]
    fn a_reader_whose_writers_are_gone_is_asked_if_it_does_not_exit_by_itself() {
        let one = |on_term, unread| turns(Pid::INIT, &[Facts { unread: Some(unread), ..process(6, 1, on_term) }]);
        let now = || Turns { now: vec![pid(6)], by_time: false };
        let later = || Turns { now: vec![], by_time: true };
        assert_eq!(one(Terminates, Unread::Some), later());
        for (unread, limit) in [(Unread::NothingFor as fn(_) -> _, AT_END), (Unread::UnknownFor, UNKNOWN_WRITER)] {
            assert_eq!(one(Terminates, unread(Duration::ZERO)), later());
            assert_eq!(one(Terminates, unread(limit - Duration::from_millis(1))), later());
            assert_eq!(one(Terminates, unread(limit)), now());
        }
        // A shell that forks.
        assert_eq!(one(Blocks, Unread::Some), later());
        // It decides itself.
        assert_eq!(one(Handles, Unread::Some), now());
        // Below a master that lives it has no turn at all.
        let below = Facts { unread: Some(Unread::Some), ..process(7, 6, Terminates) };
        assert_eq!(turns(Pid::INIT, &[process(6, 1, Handles), below]), now());
    }

    #[test]
    fn processes_that_read_from_each_other_do_not_wait() {
        assert_eq!(now(&[reads(process(5, 1, Terminates), &[6]), reads(process(6, 1, Terminates), &[5])]), [5, 6]);
        assert_eq!(now(&[reads(process(5, 1, Terminates), &[5])]), [5]);
    }

    #[test]
    fn a_program_on_a_recorded_terminal_is_asked_before_the_recorder() {
        let recorder = reads(process(5, 1, Terminates), &[6]);
        assert_eq!(now(&[recorder.clone(), process(6, 5, Handles), process(7, 5, Handles)]), [6]);
        assert_eq!(now(&[recorder, asked(process(6, 5, Handles))]), [0; 0]);
    }

    fn any_process(number: i32) -> impl Strategy<Value = Facts> {
        let on_term = prop::sample::select(vec![Handles, Ignores, Terminates, Blocks]);
        let numbers = 2..12_i32;
        let unread = prop::option::of(prop::sample::select(vec![
            Unread::Some,
            Unread::NothingFor(Duration::ZERO),
            Unread::UnknownFor(Duration::ZERO),
        ]));
        let more = (
            any::<bool>(),
            prop::option::of(numbers.clone()),
            prop::collection::vec(numbers, 0..3),
            any::<bool>(),
            unread,
        );
        (1..number.max(2), on_term, more).prop_map(move |(parent, on_term, more)| {
            let (may_signal, child, from, asked, unread) = more;
            Facts {
                may_signal,
                foreground_child: child.and_then(Pid::new),
                asked,
                unread,
                ..reads(process(number, parent, on_term), &from)
            }
        })
    }

    fn any_tree() -> impl Strategy<Value = Vec<Facts>> {
        (2..12_i32).prop_flat_map(|count| (2..count + 1).map(any_process).collect::<Vec<_>>())
    }

    proptest! {
        /// Rounds in which each process that was asked and can act exits: every process has its turn, and no process
        /// that cannot act keeps another one from it.
        #[test]
        fn every_process_has_its_turn(mut list in any_tree()) {
            for round in 0..40 {
                let asked_before: Vec<Pid> = list.iter().filter(|facts| facts.asked).map(|facts| facts.pid).collect();
                let Turns { now: due, by_time } = turns(Pid::INIT, &list);
                prop_assert!(due.iter().all(|pid| !asked_before.contains(pid)), "asked twice");
                for facts in &mut list {
                    facts.asked |= due.contains(&facts.pid);
                    // It reads, comes to the end, and does not exit.
                    facts.unread = facts.unread.map(|unread| match unread {
                        Unread::Some => Unread::NothingFor(Duration::ZERO),
                        _ => Unread::NothingFor(AT_END),
                    });
                }
                // Each that exits hands its children to the init.
                let gone: Vec<Pid> = list.iter().filter(|f| f.asked && f.can_act()).map(|f| f.pid).collect();
                list.retain(|facts| !gone.contains(&facts.pid));
                for facts in &mut list {
                    if facts.parent.is_some_and(|parent| gone.contains(&parent)) {
                        facts.parent = Some(Pid::INIT);
                    }
                }
                if due.is_empty() && gone.is_empty() && !by_time {
                    prop_assert!(list.iter().all(|facts| facts.asked), "round {}: {:?}", round, list);
                    prop_assert!(none_can_act(&list));
                    return Ok(());
                }
            }
            prop_assert!(false, "it does not come to an end: {:?}", list);
        }

        /// No reader is asked while a writer that can act remains, unless they read from each other.
        #[test]
        fn readers_go_last(list in any_tree()) {
            let due = turns(Pid::INIT, &list).now;
            let order = Order::new(&list);
            for facts in list.iter().filter(|facts| due.contains(&facts.pid) && facts.on_term.may_terminate() && facts.may_signal) {
                for writer in order.writers(facts).filter(|writer| writer.can_act()) {
                    prop_assert!(order.output_reaches(writer, facts.pid), "{:?} before {:?}", facts, writer);
                }
            }
        }
    }
}
