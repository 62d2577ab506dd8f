//! What is measured, and how often.

mod calls;
mod crowd;
mod idle;
mod latency;
mod start;

use crate::contender::Contender;
use crate::stats::Samples;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// One figure of one contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Wall time of starting the empty program and seeing its end, µs.
    Start,
    /// Processor time of the same, µs.
    StartProcessor,
    /// Page faults of the same.
    StartFaults,
    /// Instructions of the init in the same, in thousands: not the kernel's, and not the empty program's.
    StartInstructions,
    /// kB of the init.
    Resident(When),
    PrivateDirty(When),
    PageTables(When),
    /// How often it ran in the idle window, a second.
    WakeUps,
    /// From the signal's sending to its arrival in main, µs, with that many children alive.
    Latency(usize),
    /// Until all zombies are reaped, ms.
    Reaping(Crowd),
    /// Processor time for each of them, µs.
    ReapingProcessor(Crowd),
    /// Orphans a second while they are made.
    StormRate,
    /// The most children that the init had at once meanwhile, main excepted.
    StormPeak,
    /// From TERM until the namespace has gone with that many descendants, ms.
    Stop(usize),
    Calls(Phase),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    Idle,
    AfterStorm,
}

/// Zombies to be reaped, and children that live beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crowd {
    pub(crate) live: usize,
    pub(crate) zombies: usize,
}

/// What system calls are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// From exec to the end of the empty program, in all processes.
    StartAndEnd,
    /// For each signal.
    Forward,
    /// For each orphan of a hundred that end together.
    Reap,
    /// A second.
    Idle,
}

/// How much is done.
pub(crate) struct Extent {
    pub(crate) quick: bool,
    starts: usize,
    signals: usize,
    /// How often memory is looked at.
    looks: usize,
    /// Repetitions of what takes seconds.
    repetitions: usize,
    pub(crate) live: usize,
    pub(crate) zombies: Vec<usize>,
    /// Other numbers of live children, for the fewest zombies alone.
    beside: Vec<usize>,
    pub(crate) storm: usize,
    pub(crate) stops: Vec<usize>,
    /// Seconds.
    idle: u64,
}

impl Extent {
    pub(crate) fn full() -> Self {
        Self {
            quick: false,
            starts: 2_000,
            signals: 6_000,
            looks: 25,
            repetitions: 3,
            live: 10_000,
            zombies: vec![1_000, 10_000, 30_000],
            beside: vec![1_000, 30_000],
            storm: 10_000,
            stops: vec![100, 1_000, 10_000],
            idle: 10,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            starts: 30,
            signals: 30,
            looks: 2,
            repetitions: 1,
            live: 300,
            zombies: vec![100, 1_000],
            beside: vec![1_000],
            storm: 500,
            stops: vec![10, 100],
            idle: 2,
        }
    }

    /// How often the reaping of a crowd is measured: the fewer processes, the shorter it is, and the more a single round says
    /// of chance.
    pub(crate) fn repetitions_of(&self, crowd: Crowd) -> usize {
        match crowd.live + crowd.zombies {
            _ if self.quick => self.repetitions,
            ..=2_000 => self.repetitions * 10,
            2_001..=20_000 => self.repetitions * 2,
            _ => self.repetitions,
        }
    }

    /// The crowds that this machine has pids for.
    pub(crate) fn crowds(&self) -> Vec<Crowd> {
        self.all_crowds().into_iter().filter(|crowd| crowd.live + crowd.zombies + 1_000 < most_pids()).collect()
    }

    pub(crate) fn all_crowds(&self) -> Vec<Crowd> {
        let crowd = |live, zombies| Crowd { live, zombies };
        let mut all: Vec<_> = self.beside.iter().map(|live| crowd(*live, self.zombies[0])).collect();
        all.extend([0, self.live].iter().flat_map(|live| self.zombies.iter().map(|zombies| crowd(*live, *zombies))));
        all.sort_unstable();
        all
    }
}

/// How many processes may exist.
pub(crate) fn most_pids() -> usize {
    let most = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    most.trim().parse().unwrap_or(32_768)
}

/// All samples, by contender's name.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<(&'static str, Figure), Samples>);

impl Results {
    fn push(&mut self, contender: &Contender, figure: Figure, sample: f64) {
        self.0.entry((contender.name, figure)).or_default().push(sample);
    }

    /// Empty where it was not measured.
    pub(crate) fn of(&self, name: &'static str, figure: Figure) -> Samples {
        self.0.get(&(name, figure)).cloned().unwrap_or_default()
    }
}

/// Runs every measurement whose name contains `only`.
pub(crate) fn everything(contenders: &[Contender], extent: &Extent, only: Option<&str>) -> Results {
    type Measurement = fn(&[Contender], &Extent, &mut Results);
    let all: [(&str, Measurement); 7] = [
        ("start", start::measure),
        ("latency", latency::measure),
        ("idle", idle::measure),
        ("reaping", crowd::reaping),
        ("storm", crowd::storm),
        ("stop", crowd::stop),
        ("calls", calls::measure),
    ];
    let mut results = Results::default();
    for (name, measure) in all {
        if only.is_none_or(|only| name.contains(only)) {
            let from = std::time::Instant::now();
            measure(contenders, extent, &mut results);
            eprintln!("{name}: {:.1} s", from.elapsed().as_secs_f64());
        }
    }
    results
}

/// Every contender in turn, `rounds` times, each round in another order: none always follows the same one.
fn in_turn(contenders: &[Contender], rounds: usize, mut one: impl FnMut(usize, &Contender)) {
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for round in 0..rounds {
        order.sort_by_cached_key(|index| BuildHasherDefault::<DefaultHasher>::default().hash_one((round, index)));
        for index in &order {
            if let Some(contender) = contenders.get(*index) {
                one(*index, contender);
            }
        }
    }
}
