//! Which zombies may be reaped: decided from what was seen and what was claimed, without a system call or a clock.

use crate::pid::Pid;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How long a zombie must have stayed unclaimed and unwaited-for before it counts as an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) settle: Duration,
    /// Up to this many settling zombies the time is `settle`; with more it shrinks in proportion.
    pub(super) crowd: usize,
    pub(super) floor: Duration,
}

impl Default for Rule {
    fn default() -> Self {
        // There is no flood rule by default: a job's descendants must not shorten the time that this process's own children have.
        Self { settle: Duration::from_secs(2), crowd: usize::MAX, floor: Duration::from_millis(250) }
    }
}

impl Rule {
    /// Returns the rule that keeps the promises of both.
    pub(super) fn more_cautious(self, other: Self) -> Self {
        Self {
            settle: self.settle.max(other.settle),
            crowd: self.crowd.max(other.crowd),
            floor: self.floor.max(other.floor),
        }
    }

    /// The settling time while that many zombies settle.
    pub(super) fn settle_among(&self, waiting: usize) -> Duration {
        if waiting <= self.crowd {
            return self.settle;
        }
        let share = self.crowd as f64 / waiting as f64;
        // A settling time below the floor stays what it was asked to be.
        self.settle.mul_f64(share).max(self.floor.min(self.settle))
    }
}

/// Identifies one process: its pid may be reused later, but not with this start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) pid: Pid,
    /// Clock ticks since boot.
    pub(super) start: u64,
}

/// What one scan of the children has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Zombies in the list of the thread that adopts orphans.
    pub(super) zombies: Vec<Identity>,
    /// Children in the lists of other threads. The kernel puts adopted children in one list alone, so these were started here.
    pub(super) elsewhere: Vec<Identity>,
    /// Every child that was listed, whatever its state.
    pub(super) listed: Vec<Pid>,
    /// False if the thread that adopts may have changed during the scan: what is elsewhere may then be an orphan after all.
    pub(super) certain: bool,
}

#[derive(Debug, Clone, Copy)]
struct Settling {
    start: u64,
    since: Duration,
    first_scan: u64,
}

/// A claim whose spawn has not returned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The known children and claims.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) rule: Rule,
    scans: u64,
    tickets: u64,
    settling: HashMap<Pid, Settling>,
    /// Seen once in another thread's list: started here, even if that thread has ended since and the child has moved.
    own: HashMap<Pid, u64>,
    /// Claimed; without a start where it could not be read, and then for as long as a child has that number.
    claims: HashMap<Pid, Option<u64>>,
    /// Claims in progress, with the number of the last scan that had begun before them.
    open: BTreeMap<Ticket, u64>,
}

impl Ledger {
    /// To be called before the lists are read.
    pub(super) fn begin_scan(&mut self) {
        self.scans += 1;
    }

    /// Records what the latest scan has found.
    pub(super) fn see(&mut self, view: &Scan, now: Duration) {
        if view.certain {
            for one in &view.elsewhere {
                self.own.insert(one.pid, one.start);
            }
        }
        let listed: std::collections::HashSet<Pid> = view.listed.iter().copied().collect();
        self.own.retain(|pid, _| listed.contains(pid));
        self.settling.retain(|pid, _| listed.contains(pid));
        // A claim is not dropped for a pid that is not listed: it may be of a child that was started after its list was read.
        for one in &view.zombies {
            if self.is_claimed(*one) || self.own.get(&one.pid) == Some(&one.start) {
                self.settling.remove(&one.pid);
                continue;
            }
            let fresh = Settling { start: one.start, since: now, first_scan: self.scans };
            let entry = self.settling.entry(one.pid).or_insert(fresh);
            if entry.start != one.start {
                *entry = fresh;
            }
        }
        for one in &view.elsewhere {
            self.settling.remove(&one.pid);
        }
    }

    /// Starts the settling of every zombie anew.
    pub(super) fn settle_anew(&mut self, now: Duration) {
        for zombie in self.settling.values_mut() {
            zombie.since = now;
        }
    }

    /// The processes that settle, by their starts, which need not be read again at every scan.
    pub(super) fn known(&self) -> HashMap<Pid, u64> {
        self.settling.iter().map(|(pid, zombie)| (*pid, zombie.start)).collect()
    }

    fn is_claimed(&self, one: Identity) -> bool {
        self.claims.get(&one.pid).is_some_and(|start| start.is_none_or(|start| start == one.start))
    }

    /// The zombies that count as orphans now.
    ///
    /// Those first seen after the oldest open claim began are held back: its child may be among them, already ended and
    /// not yet known by its number. One that was seen as a zombie before cannot be its child.
    pub(super) fn due(&self, now: Duration) -> Vec<Identity> {
        let settle = self.rule.settle_among(self.settling.len());
        let eligible = self.settling.iter().filter(|(_, zombie)| {
            let held_back = self.open.first_key_value().is_some_and(|(_, began)| zombie.first_scan >= *began);
            !held_back && now.saturating_sub(zombie.since) >= settle
        });
        eligible.map(|(pid, zombie)| Identity { pid: *pid, start: zombie.start }).collect()
    }

    /// Returns true while this process settles: not claimed, and not forgotten.
    pub(super) fn is_settling(&self, one: Identity) -> bool {
        self.settling.get(&one.pid).is_some_and(|zombie| zombie.start == one.start)
    }

    /// When the first zombie will have settled, if none is added.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let settle = self.rule.settle_among(self.settling.len());
        self.settling.values().map(|zombie| zombie.since.saturating_add(settle)).min()
    }

    /// The zombie was reaped, or was gone already, or its pid is another process's by now.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.settling.remove(&pid);
    }

    pub(super) fn begin_claim(&mut self) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.open.insert(ticket, self.scans);
        ticket
    }

    /// Ends the claim's spawn, with each child's pid and, where it could be read, its start; without any if it failed.
    pub(super) fn end_claim(&mut self, ticket: Ticket, children: &[(Pid, Option<u64>)]) {
        self.open.remove(&ticket);
        for (pid, start) in children {
            self.claims.insert(*pid, *start);
            self.settling.remove(pid);
        }
    }

    /// Claims a zombie whose owner is known otherwise.
    pub(super) fn claim(&mut self, one: Identity) {
        self.claims.insert(one.pid, Some(one.start));
        self.settling.remove(&one.pid);
    }

    /// True if there was such a claim. The child settles from the next scan on.
    pub(super) fn release(&mut self, pid: Pid) -> bool {
        self.own.remove(&pid);
        self.claims.remove(&pid).is_some()
    }

    /// Drops the claims of processes that are no longer children.
    pub(super) fn retain_claims(&mut self, mut is_child: impl FnMut(Pid) -> bool) {
        self.claims.retain(|pid, _| is_child(*pid));
    }

    pub(super) fn claims(&self) -> usize {
        self.claims.len()
    }

    pub(super) fn settling(&self) -> usize {
        self.settling.len()
    }

    /// Known to be started here, and not claimed.
    pub(super) fn own(&self) -> usize {
        self.own.keys().filter(|pid| !self.claims.contains_key(pid)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn pid(raw: i32) -> Pid {
        Pid::new(raw).unwrap()
    }

    fn identity(raw: i32, start: u64) -> Identity {
        Identity { pid: pid(raw), start }
    }

    fn zombies(of: &[Identity]) -> Scan {
        Scan { zombies: of.to_vec(), listed: of.iter().map(|one| one.pid).collect(), certain: true, ..Scan::default() }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn scan(ledger: &mut Ledger, view: &Scan, at: u64) -> Vec<Identity> {
        ledger.begin_scan();
        ledger.see(view, ms(at));
        ledger.due(ms(at))
    }

    #[test]
    fn a_zombie_settles_from_the_scan_that_first_saw_it() {
        let mut ledger = Ledger::default();
        let view = zombies(&[identity(7, 1)]);
        assert_eq!(scan(&mut ledger, &view, 1000), []);
        assert_eq!(ledger.next_due(), Some(ms(3000)));
        assert_eq!(scan(&mut ledger, &view, 2999), []);
        assert_eq!(scan(&mut ledger, &view, 3000), [identity(7, 1)]);
    }

    #[test]
    fn a_reused_pid_settles_anew() {
        let mut ledger = Ledger::default();
        scan(&mut ledger, &zombies(&[identity(7, 1)]), 0);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 2)]), 2500), []);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 2)]), 4500), [identity(7, 2)]);
    }

    #[test]
    fn a_claim_holds_for_its_process_and_not_for_its_number() {
        let mut ledger = Ledger::default();
        let ticket = ledger.begin_claim();
        ledger.end_claim(ticket, &[(pid(7), Some(1))]);
        scan(&mut ledger, &zombies(&[identity(7, 1)]), 0);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 1)]), 100_000), []);
        // Its owner has waited, and an orphan has the number now.
        scan(&mut ledger, &zombies(&[identity(7, 9)]), 200_000);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 9)]), 202_000), [identity(7, 9)]);
    }

    #[test]
    fn a_child_that_exited_before_its_claim_knew_its_pid_is_held_back() {
        let mut ledger = Ledger::default();
        let orphan = identity(5, 1);
        scan(&mut ledger, &zombies(&[orphan]), 0);
        ledger.begin_scan();
        let ticket = ledger.begin_claim();
        let both = zombies(&[orphan, identity(7, 1)]);
        ledger.see(&both, ms(10));
        // The spawn hangs: what was a zombie before it is reaped all the same.
        assert_eq!(scan(&mut ledger, &both, 60_000), [orphan]);
        ledger.forget(orphan.pid);
        ledger.end_claim(ticket, &[(pid(7), Some(1))]);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 1)]), 120_000), []);
        assert!(ledger.release(pid(7)));
        scan(&mut ledger, &zombies(&[identity(7, 1)]), 120_000);
        assert_eq!(scan(&mut ledger, &zombies(&[identity(7, 1)]), 122_000), [identity(7, 1)]);
    }

    #[test]
    fn a_child_seen_under_another_thread_stays_own_when_that_thread_has_ended() {
        let mut ledger = Ledger::default();
        let one = identity(7, 1);
        let elsewhere = |certain| Scan { elsewhere: vec![one], listed: vec![one.pid], certain, ..Scan::default() };
        scan(&mut ledger, &elsewhere(true), 0);
        scan(&mut ledger, &zombies(&[one]), 0);
        assert_eq!(scan(&mut ledger, &zombies(&[one]), 100_000), []);
        // This is uncertain: nothing is done while the child is there, and it settles in the list to which it has moved.
        let mut ledger = Ledger::default();
        assert_eq!(scan(&mut ledger, &elsewhere(false), 0), []);
        assert_eq!(scan(&mut ledger, &elsewhere(false), 100_000), []);
        scan(&mut ledger, &zombies(&[one]), 100_000);
        assert_eq!(scan(&mut ledger, &zombies(&[one]), 102_000), [one]);
    }

    #[test]
    fn under_a_flood_the_time_shrinks_down_to_the_floor() {
        assert_eq!(Rule::default().settle_among(1_000_000), ms(2000), "only if the program sets it");
        let rule = Rule { crowd: 256, ..Rule::default() };
        assert_eq!(rule.settle_among(0), ms(2000));
        assert_eq!(rule.settle_among(256), ms(2000));
        assert_eq!(rule.settle_among(512), ms(1000));
        assert_eq!(rule.settle_among(100_000), ms(250));
        let short = Rule { settle: ms(100), ..rule };
        assert_eq!(short.settle_among(100_000), ms(100));
        assert_eq!(Rule { settle: ms(0), ..rule }.settle_among(100_000), ms(0));
    }

    #[test]
    fn a_stop_of_the_process_starts_the_settling_anew() {
        let mut ledger = Ledger::default();
        let view = zombies(&[identity(7, 1)]);
        scan(&mut ledger, &view, 0);
        ledger.settle_anew(ms(1900));
        assert_eq!(scan(&mut ledger, &view, 3899), []);
        assert_eq!(scan(&mut ledger, &view, 3900), [identity(7, 1)]);
    }

    #[test]
    fn a_pipeline_is_claimed_as_a_whole() {
        let mut ledger = Ledger::default();
        let ticket = ledger.begin_claim();
        ledger.end_claim(ticket, &[(pid(7), Some(1)), (pid(8), None)]);
        let view = zombies(&[identity(7, 1), identity(8, 1)]);
        scan(&mut ledger, &view, 0);
        assert_eq!(scan(&mut ledger, &view, 100_000), []);
    }

    /// A process of the model: its identity, and whether an owner in this process may still wait for it.
    #[derive(Debug, Clone, Copy)]
    struct Modelled {
        one: Identity,
        kind: u8,
        seen: Option<u64>,
    }

    const ORPHAN: u8 = 0;
    const CLAIMED: u8 = 1;
    const IN_PROGRESS: u8 = 2;
    const OTHER_THREAD: u8 = 3;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn only_settled_orphans_are_due(steps in prop::collection::vec((0_u8..8, 0_u64..1500), 1..200)) {
            let rule = Rule { crowd: 6, ..Rule::default() };
            let mut ledger = Ledger { rule, ..Ledger::default() };
            let mut here: Vec<Modelled> = Vec::new();
            let mut open: Vec<(Ticket, Identity)> = Vec::new();
            let mut now = 0;
            for (start, (step, value)) in (1_u64..).zip(steps) {
                // Few numbers, so that they are reused all the time.
                let free = (1..=12).map(pid).find(|pid| here.iter().all(|m| m.one.pid != *pid));
                let arrives = |kind| free.map(|pid| Modelled { one: Identity { pid, start }, kind, seen: None });
                match step {
                    0 | 1 => here.extend(arrives(ORPHAN)),
                    2 => here.extend(arrives(OTHER_THREAD)),
                    3 => {
                        let ticket = ledger.begin_claim();
                        let child = arrives(IN_PROGRESS);
                        here.extend(child);
                        match child {
                            Some(child) => open.push((ticket, child.one)),
                            None => ledger.end_claim(ticket, &[]),
                        }
                    }
                    4 => {
                        if let Some((ticket, one)) = open.pop() {
                            ledger.end_claim(ticket, &[(one.pid, Some(one.start))]);
                            here.iter_mut().filter(|m| m.one == one).for_each(|m| m.kind = CLAIMED);
                        }
                    }
                    // An owner waits.
                    5 => {
                        if let Some(at) = here.iter().position(|m| m.kind == CLAIMED || m.kind == OTHER_THREAD) {
                            here.remove(at);
                        }
                    }
                    _ => now += value,
                }
                let mut view = Scan { listed: here.iter().map(|m| m.one.pid).collect(), certain: true, ..Scan::default() };
                for m in &mut here {
                    // A thread has ended every now and then, and its children have moved to the list of orphans.
                    let moved = m.seen.is_some() && value % 2 == 0;
                    m.seen.get_or_insert(now);
                    if m.kind == OTHER_THREAD && !moved { view.elsewhere.push(m.one) } else { view.zombies.push(m.one) }
                }
                let due = scan(&mut ledger, &view, now);
                let waiting = ledger.settling();
                let settle = rule.settle_among(waiting);
                for one in &due {
                    let m = here.iter().find(|m| m.one == *one).expect("a child that is here");
                    prop_assert_eq!(m.kind, ORPHAN);
                    prop_assert!(ms(now - m.seen.unwrap()) >= settle && settle >= rule.floor);
                }
                let due: HashSet<_> = due.into_iter().collect();
                if open.is_empty() {
                    for m in here.iter().filter(|m| m.kind == ORPHAN && ms(now - m.seen.unwrap()) >= rule.settle) {
                        prop_assert!(due.contains(&m.one), "an orphan is left: {:?}", m);
                    }
                }
                here.retain(|m| !due.contains(&m.one));
                due.iter().for_each(|one| ledger.forget(one.pid));
                prop_assert!(ledger.settling() + ledger.own() <= here.len());
            }
        }
    }
}
