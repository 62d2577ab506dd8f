//! Scans every process in `/proc`, and builds the tree from the parents' pids.

use super::walk::is_hidden;
use super::{PASSES, Process};
use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::procfs;
use crate::procfs::reader::Reader;
use std::io;
use std::path::PathBuf;

/// Returns the descendants by pid.
///
/// What a single scan misses, and why the next one finds it:
/// - a process that was forked with a pid that the scan had already passed, because pids have wrapped around: it is there at the
///   next scan;
/// - a process whose parent exited and was reaped between the two readings: it has no parent then, and at the next scan
///   it has its new parent.
///
/// A process that was found stays found, since adoption never leads out of the tree. Further scans read only the others,
/// and cost little where there are few.
pub(super) fn descendants_of(of: Pid, reader: &mut Reader) -> Result<PidMap<Process>, Error> {
    let mut known = PidMap::default();
    let mut listed = Vec::new();
    for _ in 0..PASSES {
        let Some(root) = Process::read_with(reader, of)? else { return Ok(PidMap::default()) };
        list(&mut listed)?;
        let present: PidSet = listed.iter().copied().collect();
        known.retain(|pid, _| present.contains(pid));
        let mut others = Vec::new();
        for pid in &listed {
            if *pid != of && !known.contains_key(pid) {
                others.extend(Process::visible(reader, *pid)?);
            }
        }
        if !join(&root, &mut known, others) {
            break;
        }
    }
    Ok(known)
}

/// Returns every process that this user may read, in no order, as one scan saw them.
pub(crate) fn all_processes(reader: &mut Reader) -> Result<Vec<Process>, Error> {
    Ok(all_and_hidden(reader)?.0)
}

/// Returns the same, and the number of processes that this user may not read.
///
/// `hidepid=noaccess` (`proc(5)`) lists those; `hidepid=invisible` does not even list them.
pub(crate) fn all_and_hidden(reader: &mut Reader) -> Result<(Vec<Process>, usize), Error> {
    let mut listed = Vec::new();
    list(&mut listed)?;
    let mut processes = Vec::with_capacity(listed.len());
    let mut hidden = 0;
    for pid in listed {
        match Process::read_with(reader, pid) {
            Ok(process) => processes.extend(process),
            Err(error) if is_hidden(&error) => hidden += 1,
            Err(error) => return Err(error),
        }
    }
    Ok((processes, hidden))
}

fn list(into: &mut Vec<Pid>) -> Result<(), Error> {
    into.clear();
    let missing = || Error::Proc { path: PathBuf::from("/proc"), source: io::ErrorKind::NotFound.into() };
    procfs::reader::numbers("/proc", into)?.ok_or_else(missing)
}

/// Moves to `known` those of `others` that are below `root` or below a known process. True if another scan is needed: a process
/// was found, or the parent of one was not seen.
fn join(root: &Process, known: &mut PidMap<Process>, others: Vec<Process>) -> bool {
    let seen: PidSet = others.iter().map(|process| process.pid).collect();
    let mut by_parent: PidMap<Vec<Process>> = PidMap::default();
    let mut again = false;
    for process in others {
        let Some(ppid) = process.ppid else { continue };
        again |= ppid != root.pid && !seen.contains(&ppid) && !known.contains_key(&ppid);
        by_parent.entry(ppid).or_default().push(process);
    }
    // Each process is moved out of the map when it is found, so that parents that seem to form a ring, after a pid was
    // reused, cannot keep this going.
    let mut parents: Vec<(Pid, u64)> = known.values().map(|process| (process.pid, process.start_ticks)).collect();
    parents.push((root.pid, root.start_ticks));
    while let Some((parent, started)) = parents.pop() {
        for process in by_parent.remove(&parent).unwrap_or_default() {
            if started > process.start_ticks {
                // This is not its parent, but a process with the parent's reused pid: see `Process::is_old_enough_for`.
                again = true;
                continue;
            }
            again = true;
            parents.push((process.pid, process.start_ticks));
            known.insert(process.pid, process);
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::stat::State;
    use proptest::prelude::*;

    fn process(pid: i32, ppid: i32, start_ticks: u64) -> Process {
        let pid = Pid::new(pid).unwrap();
        let (ppid, state) = (Pid::new(ppid), State::Sleeping);
        Process { pid, ppid, group: 1, session: 1, start_ticks, state, threads: 1, comm: vec![] }
    }

    fn pids(known: &PidMap<Process>) -> Vec<i32> {
        let mut pids: Vec<i32> = known.keys().map(|pid| pid.get()).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn unrelated_processes_are_left_out() {
        let mut known = PidMap::default();
        let others = vec![process(30, 0, 5), process(31, 30, 6), process(3, 2, 2), process(2, 1, 1)];
        assert!(join(&process(1, 0, 0), &mut known, others));
        assert_eq!(pids(&known), [2, 3]);
        assert!(!join(&process(1, 0, 0), &mut known, vec![process(30, 0, 5), process(31, 30, 6)]));
    }

    #[test]
    fn a_missing_parent_needs_another_scan() {
        let mut known = PidMap::default();
        assert!(join(&process(1, 0, 0), &mut known, vec![process(8, 7, 4)]));
        assert_eq!(pids(&known), [0; 0]);
        // By then it was adopted.
        assert!(join(&process(1, 0, 0), &mut known, vec![process(8, 1, 4)]));
        assert!(!join(&process(1, 0, 0), &mut known, vec![]));
        assert_eq!(pids(&known), [8]);
    }

    #[test]
    fn a_younger_parent_is_a_reused_pid() {
        let mut known = PidMap::default();
        assert!(join(&process(5, 1, 0), &mut known, vec![process(9, 5, 50), process(10, 9, 40)]));
        assert_eq!(pids(&known), [9]);
    }

    proptest! {
        #[test]
        fn any_links_end_and_give_the_descendants(
            parents in prop::collection::vec(0..40_i32, 39),
        ) {
            let others: Vec<Process> = parents.iter().zip(2..).map(|(ppid, pid)| process(pid, *ppid, 1)).collect();
            let mut known = PidMap::default();
            join(&process(1, 0, 0), &mut known, others.clone());
            for other in &others {
                let mut at = other.pid.get();
                for _ in 0..50 {
                    if at > 1 {
                        at = parents[at as usize - 2];
                    }
                }
                prop_assert_eq!(known.contains_key(&other.pid), at == 1, "{:?}", other);
            }
        }
    }
}
