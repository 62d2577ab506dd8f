//! Walks from a process down to its descendants, by `/proc/pid/task/tid/children`.

use super::scan;
use super::{PASSES, Process};
use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::procfs;
use crate::procfs::reader::Reader;

/// Returns all descendants of a process, in order of pid: also those in other sessions, those that were double-forked and
/// adopted, and zombies, for which [`Process::has_ended`] is true. Processes that only share the PID namespace, such as those of
/// `docker exec`, are not descendants.
///
/// For PID 1 every process is read once from `/proc`, as nearly all are descendants. For another one `/proc/pid/task/*/children`
/// is walked (`proc_tid_children(5)`), or the parents of all processes are read if the kernel lacks that file. The time
/// grows only in proportion to the number of processes.
///
/// Processes fork, exit and get other parents while they are read. The scan is repeated until two in a row saw the same, at
/// most ten times; of a tree that forks without end the last scan is returned. Orphans are found only if `of` is PID 1 or a
/// subreaper; otherwise they leave the tree.
///
/// A process that is gone has no descendants.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` is missing, cannot be read, or belongs to another PID namespace, where its numbers
/// would name other processes.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::process::descendants;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
/// let me = Pid::new(std::process::id() as i32).expect("a pid");
/// assert!(descendants(me)?.iter().any(|process| process.pid.get() == child.id() as i32));
/// # child.kill().expect("kill");
/// # child.wait().expect("wait");
/// # Ok(())
/// # }
/// ```
pub fn descendants(of: Pid) -> Result<Vec<Process>, Error> {
    descendants_with(&mut Reader::new(), of)
}

/// Returns the same, by a reader that may give up in time ([`Reader::until`]): among many busy processes a walk may take half a
/// minute.
pub(crate) fn descendants_with(reader: &mut Reader, of: Pid) -> Result<Vec<Process>, Error> {
    procfs::verify(reader)?;
    let found = if of != Pid::INIT && is_possible(reader) {
        descendants_of(of, reader)?
    } else {
        scan::descendants_of(of, reader)?
    };
    let mut found: Vec<Process> = found.into_values().collect();
    found.sort_unstable_by_key(|process| process.pid);
    Ok(found)
}

/// Returns true if the kernel has the file (`CONFIG_PROC_CHILDREN`, since Linux 3.5). It tries that of this process.
pub(super) fn is_possible(reader: &mut Reader) -> bool {
    let me = rustix::process::getpid().into();
    reader.children(me, me, &mut Vec::new()).unwrap_or(false)
}

/// The descendants by pid.
///
/// The race: a process exits after its parent's list, which names it, was read, and before its own list is read. Its own list is
/// then empty: its children have moved to a list that was already read. So each process is read after its list. If it is alive
/// then, it was alive while its list was read. If not, the scan has missed something. It differs then from the scan before, in
/// which the process was alive, or not there; and scans are repeated until two agree.
pub(super) fn descendants_of(of: Pid, reader: &mut Reader) -> Result<PidMap<Process>, Error> {
    let mut before = None;
    for _ in 0..PASSES {
        let Some(scan) = Scan::take(of, reader)? else { return Ok(PidMap::default()) };
        let same = !scan.disturbed && before.as_ref().is_some_and(|before| agree(before, &scan.found));
        let found = before.insert(scan.found);
        if same {
            return Ok(std::mem::take(found));
        }
    }
    Ok(before.unwrap_or_default())
}

fn agree(before: &PidMap<Process>, now: &PidMap<Process>) -> bool {
    let same = |process: &Process| {
        let earlier = before.get(&process.pid);
        earlier.is_some_and(|e| e.start_ticks == process.start_ticks && e.has_ended() == process.has_ended())
    };
    before.len() == now.len() && now.values().all(same)
}

struct Scan {
    found: PidMap<Process>,
    /// Something moved during the scan, so that it may have missed a process.
    disturbed: bool,
}

impl Scan {
    /// `None` when the root is gone.
    fn take(of: Pid, reader: &mut Reader) -> Result<Option<Self>, Error> {
        let Some(root) = Process::read_with(reader, of)? else { return Ok(None) };
        let mut scan = Self { found: PidMap::default(), disturbed: false };
        let mut threads = Vec::new();
        let mut children = Vec::new();
        // Processes that a list has named. A process that moves during the scan is named by two.
        let mut named = PidSet::from_iter([of]);
        let mut waiting = vec![of];
        while let Some(pid) = waiting.pop() {
            children.clear();
            match lists(pid, reader, &mut threads, &mut children) {
                Ok(complete) => scan.disturbed |= !complete,
                // Who is hidden must not keep the others from being found. But not the root: where it cannot be read,
                // none can, which does not mean that none is there.
                Err(error) if pid != of && is_hidden(&error) => {}
                Err(error) => return Err(error),
            }
            if pid != of {
                let Some(process) = Process::visible(reader, pid)? else {
                    scan.disturbed = true;
                    continue;
                };
                if !scan.belongs(&root, &process) {
                    scan.disturbed = true;
                    continue;
                }
                scan.found.insert(pid, process);
            }
            waiting.extend(children.drain(..).filter(|child| named.insert(*child)));
        }
        Ok(Some(scan))
    }

    /// True when the process still has its place in the tree. The list gave a number, which may have been reused by a
    /// another process before it was read; a child that has moved hangs below the root, or below another one found.
    fn belongs(&self, root: &Process, process: &Process) -> bool {
        let Some(ppid) = process.ppid else { return false };
        let parent = if ppid == root.pid { Some(root) } else { self.found.get(&ppid) };
        parent.is_some_and(|parent| parent.is_old_enough_for(process))
    }
}

/// Adds the children of all threads; false if a thread exited meanwhile, whose children have moved to another thread that
/// may have been read before.
pub(super) fn lists(
    pid: Pid,
    reader: &mut Reader,
    threads: &mut Vec<Pid>,
    children: &mut Vec<Pid>,
) -> Result<bool, Error> {
    threads.clear();
    if procfs::reader::numbers(&format!("/proc/{pid}/task"), threads)?.is_none() {
        return Ok(false);
    }
    let mut complete = true;
    for thread in threads {
        complete &= reader.children(pid, *thread, children)?;
    }
    Ok(complete)
}

/// Returns true if `hidepid` (`proc(5)`) hides a process from this user.
pub(super) fn is_hidden(error: &Error) -> bool {
    matches!(error, Error::Proc { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Returns the numbers of this process's own children, from `/proc/self/task/*/children` (`proc_tid_children(5)`). No other
/// process gets them before they are reaped. Empty without `CONFIG_PROC_CHILDREN`: reading the parents of all processes would
/// take longer than waiting for any child.
pub(crate) fn child_pids(reader: &mut Reader) -> Result<Vec<Pid>, Error> {
    let mut pids = Vec::new();
    lists(rustix::process::getpid().into(), reader, &mut Vec::new(), &mut pids)?;
    Ok(pids)
}

/// Returns the children of one process at one scan, including zombies.
pub(crate) fn children(of: Pid, reader: &mut Reader) -> Result<Vec<Process>, Error> {
    children_but(of, reader, |_| false)
}

/// Returns the same, without those of these numbers.
pub(crate) fn children_but(of: Pid, reader: &mut Reader, not: impl Fn(&Pid) -> bool) -> Result<Vec<Process>, Error> {
    let mut found = if is_possible(reader) {
        let mut pids = Vec::new();
        lists(of, reader, &mut Vec::new(), &mut pids)?;
        let mut found = Vec::new();
        for pid in pids.into_iter().filter(|pid| !not(pid)) {
            found.extend(Process::visible(reader, pid)?);
        }
        found
    } else {
        scan::all_processes(reader)?
    };
    found.retain(|process| process.ppid == Some(of) && !not(&process.pid));
    Ok(found)
}
