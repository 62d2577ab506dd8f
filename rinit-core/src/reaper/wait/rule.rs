//! Decides what to try next to find an exited child, from what earlier tries have found and how long they took. Pure.
//!
//! - A known number is tried first.
//! - SIGCHLD names one child, and others may have exited beside it. Only a walk over all children that finds nothing confirms
//!   that there is none left.
//! - A walk that takes long is put off, so that walking takes at most a sixteenth of the time. An unnamed zombie then waits for
//!   at most 16 times the duration of a walk, and for a quarter of a second at most.
//! - Children that exit together were mostly started together. If a walk that takes long finds a child, the numbers behind it are
//!   tried, for as long as they find more.
//! - If many walks in a row find a child, and each takes long, all children are listed once and tried by number.
//! - Tries in a row that find nothing take at most a quarter of a walk (from the list: one walk). Then a walk is made.
//!
//! Times are in nanoseconds. Beside the five microseconds in which the kernel reaps a child, sums of `Duration`s are noticeable.

/// Walks that each find a child, before the children are listed: a list takes as long as some forty walks.
const WALKS_BEFORE_LIST: u32 = 16;
/// A walk that takes less is not worth avoiding: it is as quick as the calls that would avoid it.
const CHEAP_WALK: u64 = 5_000;
/// A walk that takes less than this many waits by number is not worth avoiding either: without other children it takes as long
/// as one of them.
const CHEAP_WALK_NUMBERS: u64 = 2;
/// The part of the time that walking may take is 1 / `REST`.
const REST: u64 = 16;
/// A walk is put off for this long at most. The time of a walk also contains the time for which this process was frozen, or was denied
/// the processor, meanwhile: without a limit zombies would stay for 16 times a `docker pause`. A walk over 100,000
/// children takes a few milliseconds.
const LONGEST_REST: u64 = 250_000_000;
/// Tries by number, after which they are compared with a walk. Before Linux 5.12 each of them is a walk itself; and without other
/// children a walk takes no longer than they do.
const NUMBERS_BEFORE_COMPARISON: u32 = 16;
/// The part of a walk's time that the numbers behind a child may take without a find is 1 / `PART`.
const PART: u64 = 4;

/// The most tries in a row without a find: the limit if the clock stands still.
const MOST_MISSES: u32 = 1000;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for a child whose number SIGCHLD gave.
    Number,
    /// Wait for the number behind the one that the last walk found, or behind the last one that was tried so.
    Behind,
    /// Wait for a child of the list.
    Listed,
    /// Wait for any child.
    Walk,
    /// List the numbers of all children.
    List,
    /// Forget the list.
    DropList,
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

/// Where numbers come from that may be those of exited children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guesses {
    None,
    Behind,
    List,
}

/// The state of the search. Times count from any fixed moment.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// A child may have exited whose number is not known: a walk must confirm that there is none.
    unconfirmed: bool,
    /// A number that SIGCHLD gave was tried with success since the last walk.
    number_found: bool,
    /// Slow walks in a row that found a child.
    walks: u32,
    /// How long the last walk took, and when it was over.
    walk_took: u64,
    walked_at: u64,
    /// When a walk that was put off is due.
    due: Option<u64>,
    /// The least time in which a wait by number has found a child.
    number_took: Option<u64>,
    guesses: Guesses,
    /// Guesses since guessing began, those that found a child, and how long they took.
    guessed: u32,
    guessed_right: u32,
    guesses_took: u64,
    /// For how long, and how often in a row, guesses have found nothing.
    missed_for: u64,
    misses: u32,
    /// The kernel's wait by number is as slow as a walk.
    guesses_are_useless: bool,
    /// The children cannot be listed.
    lists_are_useless: bool,
}

impl Rule {
    pub(super) const fn new() -> Self {
        Self {
            unconfirmed: true,
            number_found: false,
            walks: 0,
            walk_took: 0,
            walked_at: 0,
            due: None,
            number_took: None,
            guesses: Guesses::None,
            guessed: 0,
            guessed_right: 0,
            guesses_took: 0,
            missed_for: 0,
            misses: 0,
            guesses_are_useless: false,
            lists_are_useless: false,
        }
    }

    /// A SIGCHLD arrived.
    pub(super) const fn child_changed(&mut self) {
        self.unconfirmed = true;
    }

    /// When the next step must be asked for, if a walk was put off.
    pub(super) const fn due(&self) -> Option<u64> {
        self.due
    }

    /// The next step. `has_numbers` says that SIGCHLD gave numbers, `has_list` that numbers of the list are left.
    pub(super) fn next(&mut self, now: u64, may_put_off: bool, has_numbers: bool, has_list: bool) -> Step {
        if has_numbers {
            return Step::Number;
        }
        if self.guesses != Guesses::None && self.guesses_are_slow() {
            self.guesses_are_useless = true;
            self.guesses = Guesses::None;
        }
        match self.guesses {
            Guesses::Behind if self.missed_for < self.walk_took / PART && self.misses < MOST_MISSES => {
                return Step::Behind;
            }
            Guesses::Behind => self.guesses = Guesses::None,
            // The list is kept for the case that the walk finds more.
            Guesses::List if has_list && self.missed_for >= self.walk_took => return Step::Walk,
            Guesses::List if has_list => return Step::Listed,
            Guesses::List => self.guesses = Guesses::None,
            Guesses::None if has_list => return Step::DropList,
            Guesses::None => {}
        }
        if !self.unconfirmed {
            return Step::Done;
        }
        let may_walk_at = self.walked_at + self.walk_took.saturating_mul(REST).min(LONGEST_REST);
        // If no child was found by number, only a walk can find the child that the signal was for.
        let found_already = self.number_found || self.due.is_some();
        if may_put_off && found_already && self.walk_took >= CHEAP_WALK && now < may_walk_at {
            self.due = Some(may_walk_at);
            self.number_found = false;
            return Step::Done;
        }
        if self.walks >= WALKS_BEFORE_LIST && !self.guesses_are_useless && !self.lists_are_useless {
            return Step::List;
        }
        Step::Walk
    }

    /// A walk was made, from `from` to `to`.
    pub(super) fn walked(&mut self, outcome: Outcome, from: u64, to: u64) {
        self.walk_took = to.saturating_sub(from);
        self.walked_at = to;
        self.due = None;
        self.number_found = false;
        (self.missed_for, self.misses) = (0, 0);
        if outcome == Outcome::Found {
            let slow = self.walk_is_slow();
            // What one walk finds says nothing of the children behind it.
            self.walks = if slow { self.walks.saturating_add(1) } else { 0 };
            if slow && self.guesses == Guesses::None && !self.guesses_are_useless {
                self.begin_guessing(Guesses::Behind);
            }
        } else {
            self.walks = 0;
            self.unconfirmed = false;
            self.guesses = Guesses::None;
            // A busy machine may have made the tries by number slow. The next storm tries again.
            self.guesses_are_useless = false;
            self.lists_are_useless = false;
        }
    }

    /// A child was waited for by the number that SIGCHLD gave.
    pub(super) fn number_waited(&mut self, exited: bool, took: u64) {
        self.number_found |= exited;
        self.note_number(exited, took);
    }

    /// A child was waited for by a number of the list, or behind another one.
    pub(super) fn guess_waited(&mut self, found: bool, took: u64) {
        self.note_number(found, took);
        self.guessed = self.guessed.saturating_add(1);
        self.guessed_right = self.guessed_right.saturating_add(u32::from(found));
        self.guesses_took = self.guesses_took.saturating_add(took);
        (self.missed_for, self.misses) =
            if found { (0, 0) } else { (self.missed_for.saturating_add(took), self.misses.saturating_add(1)) };
    }

    /// The children were listed.
    pub(super) fn listed(&mut self, count: usize) {
        self.walks = 0;
        if count > 0 {
            self.begin_guessing(Guesses::List);
        } else {
            self.lists_are_useless = true;
        }
    }

    fn begin_guessing(&mut self, guesses: Guesses) {
        self.guesses = guesses;
        (self.guessed, self.guessed_right) = (0, 0);
        self.guesses_took = 0;
        (self.missed_for, self.misses) = (0, 0);
    }

    fn note_number(&mut self, found: bool, took: u64) {
        if found {
            self.number_took = Some(self.number_took.map_or(took, |least| least.min(took)));
        }
    }

    fn walk_is_slow(&self) -> bool {
        let numbers = self.number_took.map_or(0, |took| took.saturating_mul(CHEAP_WALK_NUMBERS));
        self.walk_took >= CHEAP_WALK.max(numbers)
    }

    /// Whether waits by number take nearly as long as walks. Both times contain the reaping itself, so a number is not free. A list
    /// may begin with many that live, each of which takes little: it is judged by the single try.
    fn guesses_are_slow(&self) -> bool {
        let count = if self.guesses == Guesses::List { self.guessed } else { self.guessed_right.max(1) };
        self.guessed >= NUMBERS_BEFORE_COMPARISON
            && self.guesses_took >= self.walk_took.saturating_mul(count.into()) / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const fn us(us: u64) -> u64 {
        us * 1_000
    }

    /// Children of a process and the kernel that is asked for them.
    struct World {
        rule: Rule,
        now: u64,
        zombies: BTreeSet<u32>,
        living: u64,
        /// Numbers that SIGCHLD gave.
        numbers: Vec<u32>,
        list: Vec<u32>,
        /// The number that was found or tried last.
        before: u32,
        reaped: u64,
        walks: u32,
        lists: u32,
        /// Before Linux 5.12 a wait by number walks as well.
        old_kernel: bool,
    }

    impl World {
        fn new(living: u64, old_kernel: bool) -> Self {
            Self {
                rule: Rule::new(),
                now: 0,
                zombies: BTreeSet::new(),
                living,
                numbers: Vec::new(),
                list: Vec::new(),
                before: 0,
                reaped: 0,
                walks: 0,
                lists: 0,
                old_kernel,
            }
        }

        fn walk_cost(&self) -> u64 {
            us(5) + 26 * self.living
        }

        /// The time until the kernel has answered for one number, and whether it was a zombie's.
        fn wait_for(&mut self, number: u32) -> (bool, u64) {
            let from = self.now;
            let exited = self.zombies.remove(&number);
            self.reaped += u64::from(exited);
            self.now += match (self.old_kernel, exited) {
                (true, _) => self.walk_cost(),
                (false, true) => us(5),
                (false, false) => 250,
            };
            (exited, self.now - from)
        }

        /// Children exit; SIGCHLD names the first of them.
        fn exit(&mut self, children: &[u32]) {
            self.zombies.extend(children);
            self.rule.child_changed();
            self.numbers.extend(children.first());
        }

        /// Asks the rule until it is done; returns the number of steps.
        fn run(&mut self, may_put_off: bool) -> u32 {
            for steps in 0..200_000 {
                match self.rule.next(self.now, may_put_off, !self.numbers.is_empty(), !self.list.is_empty()) {
                    Step::Number => {
                        let number = self.numbers.pop().unwrap();
                        let (exited, took) = self.wait_for(number);
                        self.rule.number_waited(exited, took);
                    }
                    step @ (Step::Behind | Step::Listed) => {
                        self.before = if step == Step::Behind { self.before + 1 } else { self.list.pop().unwrap() };
                        let (exited, took) = self.wait_for(self.before);
                        self.rule.guess_waited(exited, took);
                    }
                    Step::Walk => {
                        let from = self.now;
                        self.now += self.walk_cost();
                        self.walks += 1;
                        let outcome = match self.zombies.pop_first() {
                            Some(number) => {
                                self.before = number;
                                self.reaped += 1;
                                Outcome::Found
                            }
                            None if self.living == 0 => Outcome::NoChildren,
                            None => Outcome::Nothing,
                        };
                        self.rule.walked(outcome, from, self.now);
                        if outcome != Outcome::Found {
                            self.list.clear();
                        }
                    }
                    Step::List => {
                        self.lists += 1;
                        self.now += self.walk_cost() * 40;
                        // Those that live are older.
                        let living = 1_000_000..1_000_000 + u32::try_from(self.living).unwrap();
                        self.list = living.chain(self.zombies.iter().copied()).collect();
                        self.rule.listed(self.list.len());
                    }
                    Step::DropList => self.list.clear(),
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
        world.now += us(10_000);
        let from = world.now;
        // Each third number is another process's.
        world.exit(&(0..3000).map(|at| 1000 + at + at / 3).collect::<Vec<_>>());
        world.run(true);
        assert_eq!(world.reaped, 3000);
        assert_eq!(
            (world.walks, world.lists),
            (3, 0),
            "the first one, one that finds a child, and one that finds none"
        );
        assert!(world.now - from < us(5) * 3000 * 11 / 10, "{:?}", world.now - from);
    }

    #[test]
    fn scattered_zombies_beside_many_living_children_are_listed() {
        let mut world = World::new(10_000, false);
        world.run(true);
        let from = world.now;
        world.exit(&(0..3000).map(|at| at * 2000).collect::<Vec<_>>());
        world.run(false);
        assert_eq!((world.reaped, world.lists), (3000, 1));
        // 3000 walks would take 800 ms.
        assert!(world.now - from < us(40_000), "{:?}", world.now - from);
    }

    #[test]
    fn a_storm_without_living_children_takes_no_longer_than_walks() {
        for gap in [1, 2, 1000] {
            let mut world = World::new(0, false);
            world.run(true);
            world.now += us(10_000);
            let from = world.now;
            world.exit(&(0..30_000).map(|at| at * gap).collect::<Vec<_>>());
            world.run(true);
            assert_eq!((world.reaped, world.lists), (30_000, 0));
            assert!(world.now - from < us(5) * 30_000 * 101 / 100, "{:?}", world.now - from);
        }
    }

    #[test]
    fn an_old_kernel_is_noticed_and_walked() {
        for gap in [1, 2, 1000] {
            let mut world = World::new(10_000, true);
            world.exit(&(0..3000).map(|at| at * gap).collect::<Vec<_>>());
            let from = world.now;
            world.run(false);
            assert_eq!(world.reaped, 3000);
            let walks = world.walk_cost() * 3000;
            assert!(world.now - from < walks * 21 / 20, "{:?} instead of {walks:?}", world.now - from);
        }
    }

    #[test]
    fn a_clock_that_stands_still_ends_the_search() {
        let mut rule = Rule::new();
        rule.walked(Outcome::Found, us(0), us(300));
        let mut tries = 0;
        while rule.next(us(300), true, false, false) == Step::Behind {
            rule.guess_waited(false, us(0));
            tries += 1;
        }
        assert_eq!(tries, MOST_MISSES);
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
    fn a_walk_during_which_this_process_was_frozen_is_not_made_up_for() {
        let mut world = World::new(10_000, false);
        world.run(true);
        // A freeze of an hour began while the kernel walked.
        let from = world.now;
        world.now += us(3_600_000_000);
        world.rule.walked(Outcome::Nothing, from, world.now);
        world.exit(&[1, 2]);
        world.run(true);
        assert_eq!(world.zombies, BTreeSet::from([2]));
        let due = world.rule.due().expect("put off");
        assert!(due - world.now <= LONGEST_REST, "{:?}", due - world.now);
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
            gap in prop::sample::select(vec![1_u32, 3, 100, 5_000]),
        ) {
            let mut world = World::new(living, old_kernel);
            world.run(true);
            let mut born = 0_u32;
            for (pause, count) in exits {
                world.now += us(pause);
                if world.rule.due().is_some_and(|due| due <= world.now) {
                    world.run(true);
                }
                let children: Vec<u32> = (born..).take(count).map(|child| child * gap).collect();
                born += u32::try_from(count).unwrap();
                world.exit(&children);
                world.run(true);
                prop_assert!(world.zombies.is_empty() || world.rule.due().is_some(), "a zombie is forgotten");
            }
            // After the one that was named, the walk that confirms it is put off once more.
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
