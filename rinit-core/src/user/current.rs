//! Checks whether this process already runs as a user.

use rustix::thread::CapabilitySet;

/// Whether this thread, and so a child forked from it, already has these ids and cannot get others.
///
/// Then no change is needed, so a process without privileges, whose `setgroups(2)` would be refused, can be asked to run its
/// program as itself. A process that holds CAP_SETUID or CAP_SETGID and must not be root makes the full change instead,
/// because only that proves that root cannot be regained.
pub(super) fn is_current(uid: u32, gid: u32, groups: &[u32]) -> bool {
    ids_are(uid, gid) && groups_are(gid, groups) && (uid == 0 || !may_change_ids())
}

fn ids_are(uid: u32, gid: u32) -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    let visible = [getuid(), geteuid()].iter().all(|id| id.as_raw() == uid)
        && [getgid(), getegid()].iter().all(|id| id.as_raw() == gid);
    // A saved id that differs would be a way back. rustix has no getresuid(2). Without /proc only the real and effective ids
    // are checked, which is exact unless this process changed them itself: execve(2) copies the effective id to the saved.
    visible
        && std::fs::read_to_string("/proc/thread-self/status")
            .map_or(true, |status| line_is(&status, "Uid:", uid) && line_is(&status, "Gid:", gid))
}

/// Whether all ids of a line of `/proc/pid/status` (real, effective, saved, file system: `proc_pid_status(5)`) are this one.
fn line_is(status: &str, field: &str, id: u32) -> bool {
    let mut values = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().split_whitespace();
    values.all(|value| value.parse() == Ok(id))
}

/// The supplementary groups without the primary one, which some runtimes list and others omit, without any effect.
fn groups_are(gid: u32, groups: &[u32]) -> bool {
    let others = |ids: &mut Vec<u32>| {
        ids.retain(|&id| id != gid);
        ids.sort_unstable();
        ids.dedup();
    };
    let Ok(own) = rustix::process::getgroups() else { return false };
    let mut own: Vec<u32> = own.into_iter().map(rustix::process::Gid::as_raw).collect();
    let mut wanted = groups.to_vec();
    others(&mut own);
    others(&mut wanted);
    own == wanted
}

fn may_change_ids() -> bool {
    // If it cannot be read, nothing is known: make the full change.
    rustix::thread::capabilities(None)
        .map_or(true, |sets| sets.permitted.intersects(CapabilitySet::SETUID | CapabilitySet::SETGID))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> (u32, u32, Vec<u32>) {
        use rustix::process::{getgid, getgroups, getuid};
        let groups = getgroups().unwrap().into_iter().map(rustix::process::Gid::as_raw).collect();
        (getuid().as_raw(), getgid().as_raw(), groups)
    }

    #[test]
    fn knows_itself() {
        let (uid, gid, groups) = own();
        assert_eq!(is_current(uid, gid, &groups), uid == 0 || !may_change_ids());
        let with_primary: Vec<u32> = groups.iter().copied().chain([gid, gid]).collect();
        assert!(groups_are(gid, &with_primary));
        assert!(!is_current(uid + 1, gid, &groups));
        assert!(!is_current(uid, gid + 1, &groups));
        let more: Vec<u32> = groups.iter().copied().chain([4_000_000_000]).collect();
        assert!(!is_current(uid, gid, &more));
    }

    #[test]
    fn a_different_saved_id_counts() {
        let status = "Name:\tx\nUid:\t7\t7\t0\t7\nGid:\t8\t8\t8\t8\n";
        assert!(!line_is(status, "Uid:", 7));
        assert!(line_is(status, "Gid:", 8));
    }
}
