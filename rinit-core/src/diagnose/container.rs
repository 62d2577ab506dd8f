//! Which processes make up a container: those that share its mount namespace, or its control group where that is hidden.
//!
//! In a PID namespace of its own a container's first process is PID 1. Where several containers share one (pods with
//! `shareProcessNamespace`, `docker run --pid=container:NAME`, `--pid=host`) it is another number, and PID 1 belongs to another
//! container. Container engines give each container its own mount namespace and its own control group.

use crate::pid::{Pid, PidMap};
use crate::process::Process;
use crate::procfs::bounded::BoundedReader;
use crate::procfs::cgroup::Cgroups;
use crate::procfs::fact::Fact;
use crate::procfs::namespace;
use crate::procfs::reader::Reader;

/// What tells the processes of one container from those of another.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// What `/proc/pid/ns/pid` names. `unshare --pid` leaves its child in its own mount namespace and control group.
    pub(super) pids: Fact<String>,
    /// What `/proc/pid/ns/mnt` names.
    pub(super) mounts: Fact<String>,
    /// The id of the root mount, which no two mount namespaces share. Readable where the namespace itself is not.
    pub(super) root_mount: Fact<u64>,
    pub(super) cgroups: Fact<Cgroups>,
}

impl Identity {
    /// Reads the identity of a process.
    pub(super) fn read(process: &Process, reader: &mut Reader, bounded: &mut BoundedReader) -> Self {
        let thread = process.living_thread(reader);
        let mountinfo = bounded.read(format!("/proc/{thread}/mountinfo"), 4096);
        Self {
            pids: namespace(thread, "pid"),
            mounts: namespace(thread, "mnt"),
            root_mount: mountinfo.and_then(|text| first_number(&text)),
            cgroups: reader.cgroups(thread),
        }
    }

    /// Whether both are of one container; `None` where that cannot be known.
    pub(super) fn is_same_container(&self, other: &Self) -> Option<bool> {
        if matches!((&self.pids, &other.pids), (Fact::Known(own), Fact::Known(other)) if own != other) {
            return Some(false);
        }
        if let (Fact::Known(own), Fact::Known(other)) = (&self.mounts, &other.mounts) {
            return Some(own == other);
        }
        if let (Fact::Known(own), Fact::Known(other)) = (&self.root_mount, &other.root_mount) {
            return Some(own == other);
        }
        match (&self.cgroups, &other.cgroups) {
            (Fact::Known(own), Fact::Known(other)) if !own.contains(other) => Some(false),
            (Fact::Known(own), Fact::Known(_)) if own.is_separate() => Some(true),
            _ => None,
        }
    }
}

fn first_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.split(|byte| *byte == b' ').next()?).ok()?.parse().ok()
}

/// The first process of the container of `of`: the oldest member whose parent is not one. The oldest, because `docker exec` starts
/// others later, whose parents are outside too.
///
/// `members` says of each process whether it belongs to the container; unknown ones are left out.
pub(super) fn first_process(processes: &PidMap<Process>, members: &PidMap<Option<bool>>) -> Option<Pid> {
    let is_member = |pid: Pid| members.get(&pid).copied().flatten() == Some(true);
    let roots = processes
        .values()
        .filter(|process| is_member(process.pid) && !process.has_ended() && !process.ppid.is_some_and(is_member));
    roots.min_by_key(|process| (process.start_ticks, process.pid)).map(|process| process.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::stat::State;

    fn process(pid: i32, ppid: i32, start_ticks: u64) -> (Pid, Process) {
        let pid = Pid::new(pid).unwrap();
        let (ppid, state) = (Pid::new(ppid), State::Sleeping);
        (pid, Process { pid, ppid, group: 1, session: 1, start_ticks, state, threads: 1, comm: b"x".to_vec() })
    }

    fn identity(mounts: Option<&str>, cgroup: &[u8]) -> Identity {
        let mounts = mounts.map_or(Fact::NotPermitted, |name| Fact::Known(name.to_owned()));
        Identity {
            pids: Fact::NotPermitted,
            mounts,
            root_mount: Fact::NotPermitted,
            cgroups: Fact::Known(Cgroups::parse(cgroup)),
        }
    }

    #[test]
    fn processes_belong_to_one_container_or_another() {
        let own = identity(Some("mnt:[1]"), b"0::/pod/a\n");
        assert_eq!(own.is_same_container(&identity(Some("mnt:[1]"), b"0::/\n")), Some(true));
        assert_eq!(own.is_same_container(&identity(Some("mnt:[2]"), b"0::/pod/a\n")), Some(false));
        // In one mount namespace, and started by `unshare --pid`.
        let in_namespace = |name: &str| Identity { pids: Fact::Known(name.to_owned()), ..own.clone() };
        assert_eq!(in_namespace("pid:[1]").is_same_container(&in_namespace("pid:[1]")), Some(true));
        assert_eq!(in_namespace("pid:[1]").is_same_container(&in_namespace("pid:[2]")), Some(false));
        // The mount namespace is hidden: the control group decides.
        assert_eq!(own.is_same_container(&identity(None, b"0::/pod/a/inner\n")), Some(true));
        assert_eq!(own.is_same_container(&identity(None, b"0::/pod/b\n")), Some(false));
        // All in the root group: it says nothing.
        assert_eq!(identity(Some("mnt:[1]"), b"0::/\n").is_same_container(&identity(None, b"0::/\n")), None);
    }

    #[test]
    fn the_first_process() {
        let processes: PidMap<Process> =
            [process(1, 0, 0), process(7, 1, 5), process(8, 7, 6), process(20, 0, 9), process(21, 20, 9)]
                .into_iter()
                .collect();
        let members = |pids: &[i32]| {
            let is_member = |pid: &Pid| Some(pids.contains(&pid.get()));
            processes.keys().map(|pid| (*pid, is_member(pid))).collect::<PidMap<_>>()
        };
        let first = |pids: &[i32]| first_process(&processes, &members(pids)).map(Pid::get);
        assert_eq!(first(&[7, 8, 20, 21]), Some(7));
        assert_eq!(first(&[1, 7, 8, 20, 21]), Some(1));
        assert_eq!(first(&[20, 21]), Some(20));
        assert_eq!(first(&[]), None);
    }
}
