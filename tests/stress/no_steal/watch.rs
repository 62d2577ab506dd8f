//! Looking at the process that adopts, while the load runs: how long do orphans stay zombies, and does memory grow?

use super::load::ORPHAN;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What was seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    /// The longest that an orphan was seen as a zombie.
    pub(crate) oldest: Duration,
    /// The longest between two looks: what the machine's other work adds to every time that is measured here.
    pub(crate) late: Duration,
    /// The most orphans that were zombies at once.
    pub(crate) most: usize,
    /// What this process and the adopter have grown by since the load was under way, resident, in KiB.
    pub(crate) grown: [u64; 2],
}

/// Watches until `stop` is set.
pub(crate) fn watch(adopter: u32, warm_up: Duration, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut zombies: HashMap<(i32, u64), Instant> = HashMap::new();
    let resident = || [std::process::id(), adopter].map(resident_kib);
    let mut before = resident();
    let started = Instant::now();
    let mut last = started;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let now = Instant::now();
        seen.late = seen.late.max(now - last);
        last = now;
        let dead = dead_orphans(adopter);
        seen.most = seen.most.max(dead.len());
        zombies.retain(|zombie, _| dead.contains(zombie));
        for zombie in dead {
            let since = *zombies.entry(zombie).or_insert(now);
            seen.oldest = seen.oldest.max(now - since);
        }
        if started.elapsed() < warm_up {
            before = resident();
        }
    }
    let after = resident();
    seen.grown = [0, 1].map(|at: usize| after[at].saturating_sub(before[at]));
    seen
}

/// Orphans of the load that are zombies of this process: pid and start.
pub(crate) fn dead_orphans(adopter: u32) -> std::collections::HashSet<(i32, u64)> {
    let dead = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // From the third field on.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let is_orphan = fields.first() == Some(&"Z") && number(52) == u64::try_from(ORPHAN << 8).ok();
        is_orphan.then_some((*pid, number(22)?))
    };
    children(adopter).iter().filter_map(dead).collect()
}

/// All children of all threads, zombies too.
pub(crate) fn children(of: u32) -> Vec<i32> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
