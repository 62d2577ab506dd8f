//! Which processes are asked to stop now, and which later.
//!
//! Pure: the facts come in, pids go out.
//!
//! - Asked first are the roots, the children of the init. The children of a process that handles TERM are left to it: it
//!   may wait for their work. They become roots by its exit. So do the children of a process that TERM terminates.
//! - A process that ignores TERM, or may not be signalled, stops nothing below it. A shell runs its trap only after its
//!   foreground child. In both cases the children are asked as roots are.
//! - A process that TERM would terminate, and that reads what another one writes, is asked after that one: the writer's last
//!   lines would be lost, or SIGPIPE would terminate it.

use crate::pid::{Pid, PidMap, PidSet};

/// What a process does on TERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnTerm {
    /// TERM terminates it.
    Terminates,
    /// It has a handler, or blocks TERM and may take it later.
    Handles,
    Ignores,
}

/// What the order depends on.
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
    /// It was asked before.
    pub(crate) asked: bool,
}

impl Facts {
    /// True if it can act on TERM, now or later.
    pub(crate) fn can_act(&self) -> bool {
        self.may_signal && self.on_term != OnTerm::Ignores
    }
}

/// The processes to ask now, in the order of the list.
///
/// The list holds the children of `init` and what is below those that are no masters; more does no harm.
pub(crate) fn ask_now(init: Pid, list: &[Facts]) -> Vec<Pid> {
    let order = Order::new(list);
    let mut reached = PidSet::default();
    let mut waiting: Vec<&Facts> = order.children(init).collect();
    while let Some(facts) = waiting.pop() {
        if !reached.insert(facts.pid) {
            continue;
        }
        waiting.extend(order.children(facts.pid).filter(|child| order.is_asked_beside(facts, child)));
    }
    let is_due = |facts: &&Facts| reached.contains(&facts.pid) && !facts.asked && !order.waits_for_writer(facts);
    list.iter().filter(is_due).map(|facts| facts.pid).collect()
}

/// True if no process can act on TERM, so that waiting for them is useless.
pub(crate) fn none_can_act(list: &[Facts]) -> bool {
    !list.iter().any(Facts::can_act)
}

struct Order<'a> {
    by_pid: PidMap<&'a Facts>,
    /// By parent, so that the time grows with the number of processes, and no faster.
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
        Self { by_pid: list.iter().map(|facts| (facts.pid, facts)).collect(), children }
    }

    fn children(&self, of: Pid) -> impl Iterator<Item = &'a Facts> {
        self.children.get(&of).into_iter().flatten().copied()
    }

    /// True if the child does not have to wait until its parent has exited.
    fn is_asked_beside(&self, parent: &Facts, child: &Facts) -> bool {
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
        let is_ahead = |writer: &&Facts| writer.can_act() && !self.reads_in_the_end(writer, reader.pid);
        reader.on_term == OnTerm::Terminates
            && reader.may_signal
            && self.writers(reader).any(|writer| is_ahead(&writer))
    }

    fn writers(&self, reader: &Facts) -> impl Iterator<Item = &'a Facts> {
        let others = reader.reads_from.iter().filter(move |writer| **writer != reader.pid);
        others.filter_map(|writer| self.by_pid.get(writer).copied()).collect::<Vec<_>>().into_iter()
    }

    /// True if the output of `writer` comes to `reader`, directly or through others.
    fn reads_in_the_end(&self, reader: &Facts, writer: Pid) -> bool {
        let mut seen = PidSet::from_iter([reader.pid]);
        let mut waiting = vec![reader];
        while let Some(facts) = waiting.pop() {
            for from in self.writers(facts) {
                if from.pid == writer {
                    return true;
                }
                if seen.insert(from.pid) {
                    waiting.push(from);
                }
            }
        }
        false
    }

    fn is_below(&self, pid: Pid, ancestor: Pid) -> bool {
        let mut at = pid;
        // A list that was read while processes moved may hold a ring.
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
    use OnTerm::{Handles, Ignores, Terminates};
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
        ask_now(Pid::INIT, list).into_iter().map(Pid::get).collect()
    }

    #[test]
    fn roots_are_asked_and_their_children_are_left_to_them() {
        for on_term in [Handles, Terminates] {
            assert_eq!(now(&[process(5, 1, on_term), process(6, 5, Handles), process(7, 6, Terminates)]), [5]);
            assert_eq!(now(&[asked(process(5, 1, on_term)), process(6, 5, Handles)]), [0; 0]);
        }
        assert_eq!(now(&[process(6, 1, Handles), process(7, 6, Terminates)]), [6], "when 5 has exited");
    }

    #[test]
    fn a_process_that_cannot_act_is_no_master() {
        let refused = |mut facts: Facts| {
            facts.may_signal = false;
            facts
        };
        assert_eq!(now(&[process(5, 1, Ignores), process(6, 5, Handles), process(7, 6, Terminates)]), [5, 6]);
        assert_eq!(now(&[refused(process(5, 1, Handles)), process(6, 5, Terminates)]), [5, 6]);
        assert_eq!(now(&[asked(process(5, 1, Ignores)), process(6, 5, Ignores), process(7, 6, Handles)]), [6, 7]);
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
        let on_term = prop::sample::select(vec![Handles, Ignores, Terminates]);
        let numbers = 2..12_i32;
        let more =
            (any::<bool>(), prop::option::of(numbers.clone()), prop::collection::vec(numbers, 0..3), any::<bool>());
        (1..number.max(2), on_term, more).prop_map(move |(parent, on_term, (may_signal, child, from, asked))| Facts {
            may_signal,
            foreground_child: child.and_then(Pid::new),
            asked,
            ..reads(process(number, parent, on_term), &from)
        })
    }

    fn any_tree() -> impl Strategy<Value = Vec<Facts>> {
        (2..12_i32).prop_flat_map(|count| (2..count + 1).map(any_process).collect::<Vec<_>>())
    }

    proptest! {
        /// Rounds in which each process that was asked and can act exits: every process has its turn, and no process that
        /// cannot act keeps another one from it.
        #[test]
        fn every_process_has_its_turn(mut list in any_tree()) {
            for round in 0..40 {
                let asked_before: Vec<Pid> = list.iter().filter(|facts| facts.asked).map(|facts| facts.pid).collect();
                let due = ask_now(Pid::INIT, &list);
                prop_assert!(due.iter().all(|pid| !asked_before.contains(pid)), "asked twice");
                for facts in &mut list {
                    facts.asked |= due.contains(&facts.pid);
                }
                // Each that exits hands its children to the init.
                let gone: Vec<Pid> = list.iter().filter(|f| f.asked && f.can_act()).map(|f| f.pid).collect();
                list.retain(|facts| !gone.contains(&facts.pid));
                for facts in &mut list {
                    if facts.parent.is_some_and(|parent| gone.contains(&parent)) {
                        facts.parent = Some(Pid::INIT);
                    }
                }
                if due.is_empty() && gone.is_empty() {
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
            let due = ask_now(Pid::INIT, &list);
            let order = Order::new(&list);
            for facts in list.iter().filter(|facts| due.contains(&facts.pid) && facts.on_term == Terminates && facts.may_signal) {
                for writer in order.writers(facts).filter(|writer| writer.can_act()) {
                    prop_assert!(order.reads_in_the_end(writer, facts.pid), "{:?} before {:?}", facts, writer);
                }
            }
        }
    }
}
