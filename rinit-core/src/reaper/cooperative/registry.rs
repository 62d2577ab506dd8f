//! What all cooperative reapers and all claims of this process share.
//!
//! There is one registry for the process, not one for each reaper. Two libraries may each start a reaper, and a child that
//! one of them has claimed must be safe from the other.

use super::clock::RunningClock;
use super::ledger::{Ledger, Rule};
use super::{CooperativeStats, Orphan};
use crate::child;
use crate::error::Error;
use crate::procfs::reader::Reader;
use crate::reaper::cooperative::scan::{self, Pending, Taken};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two checks while no zombie is known.
pub(super) const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two checks while zombies settle. A stop of the whole process that is shorter than this can go unnoticed, and
/// takes that much from a child's settling time.
const SETTLING_INTERVAL: Duration = Duration::from_millis(250);
/// Zombies that settle a few milliseconds after one another are reaped together.
const COALESCE_WINDOW: Duration = Duration::from_millis(50);
/// Time to the next attempt for zombies that have settled while the closure of a claim was running.
const RETRY_HELD_BACK: Duration = Duration::from_millis(250);
/// One check reaps at most this many, which bounds the events that wait for the caller.
const MAX_PER_CHECK: usize = 16_384;
/// At most this many zombies are reaped under one lock: a claim must not wait for thousands of system calls.
const BATCH: usize = 32;

/// One cooperative reaper, as the registry knows it.
#[derive(Debug, Default)]
struct Handle {
    rule: Rule,
    /// Orphans that were reaped, by this reaper or another one, and that this one has not returned yet.
    orphans: VecDeque<Orphan>,
}

#[derive(Debug)]
pub(super) struct State {
    /// The process that this state describes. A child made by `fork(2)` has a copy, but none of the children in it.
    process: u32,
    pub(super) ledger: Ledger,
    clock: RunningClock,
    last_check: Option<Instant>,
    handles: BTreeMap<u64, Handle>,
    next_handle: u64,
    reaped: u64,
    scans: u64,
    checks: u64,
    dropped: u64,
    /// At this number of claims those that are over are removed.
    pub(super) prune_at: usize,
}

impl State {
    fn new(process: u32) -> Self {
        Self {
            process,
            ledger: Ledger::default(),
            clock: RunningClock::default(),
            last_check: None,
            handles: BTreeMap::new(),
            next_handle: 0,
            reaped: 0,
            scans: 0,
            checks: 0,
            dropped: 0,
            prune_at: 0,
        }
    }

    /// The most cautious of all rules: no reaper may shorten the time that another one has promised.
    fn update_rule(&mut self) {
        let rules = self.handles.values().map(|handle| handle.rule);
        self.ledger.rule = rules.reduce(Rule::more_cautious).unwrap_or_default();
    }

    /// Notes the start of a check. A check that comes much too late means that the process was stopped or frozen: the owners
    /// had no time to wait then, and the settling starts anew.
    fn begin_check(&mut self) {
        self.checks += 1;
        let now = Instant::now();
        let elapsed = self.last_check.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        if self.clock.advance(elapsed) {
            self.ledger.settle_anew(self.clock.now());
        }
    }

    /// Hands an orphan to every reaper, so that each library sees what it waits for.
    fn publish(&mut self, orphan: Orphan) {
        self.reaped += 1;
        for handle in self.handles.values_mut() {
            // A reaper that is never called must not make memory grow.
            if handle.orphans.len() >= MAX_PER_CHECK {
                handle.orphans.pop_front();
                self.dropped += 1;
            }
            handle.orphans.push_back(orphan);
        }
    }

    fn next_check(&self) -> Duration {
        let now = self.clock.now();
        match self.ledger.next_due() {
            None => IDLE_INTERVAL,
            Some(due) if due <= now => RETRY_HELD_BACK,
            Some(due) => due.saturating_sub(now).clamp(COALESCE_WINDOW, SETTLING_INTERVAL),
        }
    }

    pub(super) fn stats(&self) -> CooperativeStats {
        CooperativeStats {
            reapers: self.handles.len(),
            reaped: self.reaped,
            settling: self.ledger.settling(),
            claimed: self.ledger.claims(),
            own: self.ledger.own(),
            checks: self.checks,
            scans: self.scans,
            dropped: self.dropped,
        }
    }
}

/// The state of this process.
pub(super) fn lock() -> MutexGuard<'static, State> {
    static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| Mutex::new(State::new(std::process::id())));
    // A thread that panicked while it held the lock has left no half change: each change is complete in itself.
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if state.process != process {
        *state = State::new(process);
    }
    state
}

/// Held over a check: the ledger must see the scans in the order in which they were made.
static CHECK: Mutex<()> = Mutex::new(());

/// A reaper's entry in the registry.
#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    process: u32,
}

impl Entry {
    pub(super) fn new() -> Self {
        let mut state = lock();
        let number = state.next_handle;
        state.next_handle += 1;
        state.handles.insert(number, Handle::default());
        state.update_rule();
        Self { number, process: state.process }
    }

    pub(super) fn set_rule(&self, change: impl FnOnce(&mut Rule)) {
        let mut state = lock();
        if let Some(handle) = state.handles.get_mut(&self.number) {
            change(&mut handle.rule);
        }
        state.update_rule();
    }

    pub(super) fn next_orphan(&self) -> Option<Orphan> {
        lock().handles.get_mut(&self.number)?.orphans.pop_front()
    }

    /// Reaps the orphans that have settled; returns the time until the next check.
    pub(super) fn check(&self, reader: &mut Reader) -> Result<Duration, Error> {
        let checked = check(reader);
        let next = *checked.as_ref().unwrap_or(&IDLE_INTERVAL);
        lock().clock.plan(next);
        checked
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = lock();
        if state.process == self.process {
            state.handles.remove(&self.number);
            state.update_rule();
        }
    }
}

/// Counts events that a background reaper dropped.
pub(super) fn count_dropped() {
    lock().dropped += 1;
}

fn check(reader: &mut Reader) -> Result<Duration, Error> {
    let _one_at_a_time = CHECK.lock().unwrap_or_else(PoisonError::into_inner);
    lock().begin_check();
    if scan::hint()? == Pending::None {
        return Ok(IDLE_INTERVAL);
    }
    let known = {
        let mut state = lock();
        state.scans += 1;
        state.ledger.begin_scan();
        state.ledger.known()
    };
    // Without the lock: claims may begin and end meanwhile. The ledger knows which ones had begun before the scan.
    let scan = scan::scan(reader, &known)?;
    let due = {
        let mut state = lock();
        let now = state.clock.now();
        state.ledger.see(&scan, now);
        state.ledger.due(now)
    };
    for batch in due.get(..MAX_PER_CHECK).unwrap_or(&due).chunks(BATCH) {
        // In this order, always: a spawn may hold the list of children for as long as an execve takes, and claims must not
        // wait for that.
        let children = child::registry::lock();
        let mut state = lock();
        for zombie in batch {
            // It may have been claimed since it was found due: this is decided under the lock.
            if !state.ledger.is_settling(*zombie) {
                continue;
            }
            // A child of an exclusive reaper that is gone by now. Its handle lives, and will ask.
            if children.has(zombie.pid) {
                state.ledger.claim(*zombie);
                continue;
            }
            let taken = scan::take(reader, *zombie)?;
            state.ledger.forget(zombie.pid);
            if let Taken::Ended(status) = taken {
                state.publish(Orphan { pid: zombie.pid, status });
            }
        }
    }
    Ok(lock().next_check())
}
