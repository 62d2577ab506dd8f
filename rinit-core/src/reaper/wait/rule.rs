//! Decides what to try next to find an exited child, from what earlier tries have found and how long they took. Pure.
//!
//! - A known number is tried first.
//! - SIGCHLD names one child, and others may have exited beside it. Only a walk over all children that finds nothing confirms
//!   that there is none left.
//! - A walk that takes long is put off, so that walking takes at most a sixteenth of the time. An unnamed zombie then waits for
//!   at most 16 times the duration of a walk.
//! - If many walks in a row find a child, and each takes long, all children are listed once and tried by number.

use std::time::Duration;

/// Walks that each find a child, before the children are listed.
const WALKS_BEFORE_LIST: u32 = 32;
/// A walk that takes less is not worth avoiding: it is as quick as the calls that would avoid it.
const CHEAP_WALK: Duration = Duration::from_micros(5);
/// The part of the time that walking may take is 1 / `REST`.
const REST: u32 = 16;
/// Tries by number, after which they are compared with a walk. Before Linux 5.12 each of them is a walk itself.
const NUMBERS_BEFORE_COMPARISON: u32 = 16;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for a child whose number is known.
    Number,
    /// Wait for any child.
    Walk,
    /// List the numbers of all children.
    List,
    /// Forget the known numbers: trying them is no quicker than walking.
    DropNumbers,
    /// Nothing, until a SIGCHLD or [`Rule::due`].
    Done,
}

/// What a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A child that has changed.
    Found,
    /// No child has changed.
    Nothing,
    /// There are no children.
    NoChildren,
}

/// The state of the search. Times count from any fixed moment.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// A child may have exited whose number is not known: a walk must confirm that there is none.
    unconfirmed: bool,
    /// A number was tried with success since the last walk.
    number_found: bool,
    /// Slow walks in a row that found a child.
    walks: u32,
    /// How long the last walk took, and when it was over.
    walk_took: Duration,
    walked_at: Duration,
    /// When a walk that was put off is due.
    due: Option<Duration>,
    /// Tries by number from a list, and how long they took.
    numbers: u32,
    numbers_took: Duration,
    from_list: bool,
    /// The kernel's wait by number is as slow as a walk, or the children cannot be listed.
    lists_are_useless: bool,
}

impl Rule {
    pub(super) const fn new() -> Self {
        Self {
            unconfirmed: true,
            number_found: false,
            walks: 0,
            walk_took: Duration::ZERO,
            walked_at: Duration::ZERO,
            due: None,
            numbers: 0,
            numbers_took: Duration::ZERO,
            from_list: false,
            lists_are_useless: false,
        }
    }

    /// A SIGCHLD arrived.
    pub(super) const fn child_changed(&mut self) {
        self.unconfirmed = true;
    }

    /// When the next step must be asked for, if a walk was put off.
    pub(super) const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// The next step. `has_numbers` says that numbers are known.
    pub(super) fn next(&mut self, now: Duration, may_put_off: bool, has_numbers: bool) -> Step {
        if has_numbers {
            if self.from_list && self.numbers_are_slow() {
                self.lists_are_useless = true;
                self.from_list = false;
                return Step::DropNumbers;
            }
            return Step::Number;
        }
        self.from_list = false;
        if !self.unconfirmed {
            return Step::Done;
        }
        let may_walk_at = self.walked_at + self.walk_took * REST;
        // Without any child found by number, the signal was for one that only a walk can find.
        let found_already = self.number_found || self.due.is_some();
        if may_put_off && found_already && self.walk_took >= CHEAP_WALK && now < may_walk_at {
            self.due = Some(may_walk_at);
            self.number_found = false;
            return Step::Done;
        }
        if self.walks >= WALKS_BEFORE_LIST && !self.lists_are_useless {
            return Step::List;
        }
        Step::Walk
    }

    /// A walk was made, from `from` to `to`.
    pub(super) fn walked(&mut self, outcome: Outcome, from: Duration, to: Duration) {
        self.walk_took = to.saturating_sub(from);
        self.walked_at = to;
        self.due = None;
        self.number_found = false;
        if outcome == Outcome::Found {
            // What one walk finds says nothing of the children behind it.
            self.walks = if self.walk_took >= CHEAP_WALK { self.walks.saturating_add(1) } else { 0 };
        } else {
            self.walks = 0;
            self.unconfirmed = false;
            // A busy machine may have made the tries by number slow. The next storm tries again.
            self.lists_are_useless = false;
        }
    }

    /// A child was waited for by number.
    pub(super) fn number_waited(&mut self, exited: bool, took: Duration) {
        self.number_found |= exited;
        if self.from_list {
            self.numbers = self.numbers.saturating_add(1);
            self.numbers_took = self.numbers_took.saturating_add(took);
        }
    }

    /// The children were listed.
    pub(super) const fn listed(&mut self, count: usize) {
        self.walks = 0;
        self.numbers = 0;
        self.numbers_took = Duration::ZERO;
        self.from_list = count > 0;
        if count == 0 {
            self.lists_are_useless = true;
        }
    }

    /// Whether waits by number take nearly as long as walks. Both times contain the reaping itself, so a number is not free.
    fn numbers_are_slow(&self) -> bool {
        self.numbers >= NUMBERS_BEFORE_COMPARISON && self.numbers_took >= self.walk_took * self.numbers / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    /// Children of a process and the kernel that is asked for them.
    struct World {
        rule: Rule,
        now: Duration,
        zombies: BTreeSet<u32>,
        living: u64,
        /// Known numbers.
        numbers: Vec<u32>,
        reaped: u64,
        walked_for: Duration,
        /// Before Linux 5.12 a wait by number walks as well.
        old_kernel: bool,
    }

    impl World {
        fn new(living: u64, old_kernel: bool) -> Self {
            let (zombies, numbers) = (BTreeSet::new(), Vec::new());
            let rule = Rule::new();
            Self { rule, now: Duration::ZERO, zombies, living, numbers, reaped: 0, walked_for: us(0), old_kernel }
        }

        fn walk_cost(&self) -> Duration {
            us(1) + Duration::from_nanos(28) * u32::try_from(self.living).unwrap()
        }

        /// Children exit; SIGCHLD names the first of them.
        fn exit(&mut self, children: &[u32]) {
            self.zombies.extend(children);
            self.rule.child_changed();
            self.numbers.extend(children.first());
        }

        /// Asks the rule until it is done; returns the number of steps.
        fn run(&mut self, may_put_off: bool) -> u32 {
            for steps in 0..100_000 {
                let from = self.now;
                match self.rule.next(self.now, may_put_off, !self.numbers.is_empty()) {
                    Step::Number => {
                        self.now += if self.old_kernel { self.walk_cost() } else { us(1) };
                        let exited = self.zombies.remove(&self.numbers.pop().unwrap());
                        self.reaped += u64::from(exited);
                        self.rule.number_waited(exited, self.now - from);
                    }
                    Step::Walk => {
                        self.now += self.walk_cost();
                        self.walked_for += self.walk_cost();
                        let outcome = match self.zombies.pop_first() {
                            Some(_) => Outcome::Found,
                            None if self.living == 0 => Outcome::NoChildren,
                            None => Outcome::Nothing,
                        };
                        self.reaped += u64::from(outcome == Outcome::Found);
                        self.rule.walked(outcome, from, self.now);
                    }
                    Step::List => {
                        self.now += self.walk_cost();
                        // Those that live are numbers, too; a part of them will do here.
                        self.numbers = self.zombies.iter().copied().chain(1_000_000..1_000_100).collect();
                        self.rule.listed(self.numbers.len());
                    }
                    Step::DropNumbers => self.numbers.clear(),
                    Step::Done => return steps,
                }
            }
            panic!("the rule never comes to an end");
        }
    }

    #[test]
    fn without_living_children_each_exit_is_one_number_and_one_walk() {
        let mut world = World::new(0, false);
        world.run(true);
        for child in 0..100 {
            world.now += us(500);
            world.exit(&[child]);
            assert_eq!(world.run(true), 2);
            assert!(world.zombies.is_empty() && world.rule.due().is_none());
        }
    }

    #[test]
    fn a_storm_beside_many_living_children_is_reaped_by_number() {
        let mut world = World::new(10_000, false);
        world.run(true);
        let from = world.now;
        world.exit(&(0..3000).collect::<Vec<_>>());
        world.run(false);
        assert_eq!(world.reaped, 3000);
        // 3000 walks would take 843 ms.
        assert!(world.now - from < us(30_000), "{:?}", world.now - from);
    }

    #[test]
    fn an_old_kernel_is_noticed_and_walked() {
        let mut world = World::new(10_000, true);
        world.exit(&(0..3000).collect::<Vec<_>>());
        let from = world.now;
        world.run(false);
        assert_eq!(world.reaped, 3000);
        let walks = world.walk_cost() * 3000;
        assert!(world.now - from < walks * 21 / 20, "{:?} instead of {walks:?}", world.now - from);
    }

    #[test]
    fn an_unnamed_zombie_waits_for_sixteen_walks_at_most() {
        let mut world = World::new(10_000, false);
        world.run(true);
        world.exit(&[1, 2]);
        world.run(true);
        let due = world.rule.due().expect("put off");
        assert_eq!(world.zombies, BTreeSet::from([2]));
        assert!(due - world.now <= world.walk_cost() * 16);
        world.now = due;
        world.run(true);
        assert!(world.zombies.is_empty());
    }

    #[test]
    fn no_walk_is_put_off_once_that_is_not_allowed() {
        let mut world = World::new(10_000, false);
        world.run(true);
        world.exit(&[1, 2]);
        world.run(true);
        world.run(false);
        assert!(world.zombies.is_empty());
    }

    #[test]
    fn a_signal_that_names_no_zombie_is_followed_by_a_walk() {
        let mut world = World::new(10_000, false);
        world.run(true);
        world.exit(&[1]);
        world.numbers.clear();
        world.run(true);
        assert!(world.zombies.is_empty());
    }

    proptest! {
        #[test]
        fn every_zombie_is_reaped_once(
            living in prop::sample::select(vec![0_u64, 100, 1_000, 10_000]),
            old_kernel: bool,
            exits in prop::collection::vec((0_u64..5_000, 1_usize..60), 1..80),
        ) {
            let mut world = World::new(living, old_kernel);
            world.run(true);
            let mut born = 0_u32;
            for (pause, count) in exits {
                world.now += us(pause);
                if world.rule.due().is_some_and(|due| due <= world.now) {
                    world.run(true);
                }
                let children: Vec<u32> = (born..).take(count).collect();
                born += u32::try_from(count).unwrap();
                world.exit(&children);
                world.run(true);
                prop_assert!(world.zombies.is_empty() || world.rule.due().is_some(), "a zombie is forgotten");
            }
            // After a list of children the walk that confirms it is put off once more.
            for _ in 0..2 {
                if let Some(due) = world.rule.due() {
                    prop_assert!(due <= world.now + world.walk_cost() * REST);
                    world.now = world.now.max(due);
                    world.run(true);
                }
            }
            prop_assert!(world.zombies.is_empty());
            prop_assert_eq!(world.reaped, u64::from(born));
            prop_assert_eq!(world.rule.due(), None);
        }
    }
}
