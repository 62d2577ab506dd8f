//! Detects out-of-memory kills in this container: the usual source of a KILL that rinit did not send.

use super::event::Event;
use super::observer::Observers;
use crate::pid::Pid;
use crate::procfs::reader::Reader;
use crate::procfs::status::Signals;
use crate::signal::Signal;
use crate::sys::retry::read_text;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MOUNT: &str = "/sys/fs/cgroup";
/// Larger than either file.
const LARGEST: usize = 64 << 10;

/// How long main may run before the count is read for the first time. A main that exits before costs no reading, and only a few
/// megabytes are used up in that time.
pub(super) const SETTLING: Duration = Duration::from_millis(2);

/// The file in which the kernel counts for a memory cgroup: relative to the mount, and within the cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// `memory.oom_control`, below `memory`; the field since Linux 4.13.
    One,
    /// `memory.events`; the field since Linux 4.13.
    Two,
}

impl Version {
    fn file(self, cgroup: &str) -> PathBuf {
        let (directory, file) = match self {
            Self::One => ("memory", "memory.oom_control"),
            Self::Two => ("", "memory.events"),
        };
        Path::new(MOUNT).join(directory).join(cgroup.trim_start_matches('/')).join(file)
    }
}

/// Explains children that were killed by a KILL of unknown origin.
#[derive(Debug, Default)]
pub(super) struct OomWatch {
    /// The kernel's count when it was last read. `None` until [`OomWatch::begin`].
    kills: Option<u64>,
    /// A child of the current batch that was killed, and whether it is main. Main takes precedence.
    unexplained: Option<(Pid, bool)>,
    /// True if this process has sent KILL: a child that is killed needs no other explanation.
    has_killed: bool,
}

impl OomWatch {
    /// Reads the kernel's count: kills from before main ran explain nothing.
    ///
    /// It takes as long as a tenth of a start, so that it is put off a little: see [`SETTLING`]. Main may have used up the memory by
    /// then. The kernel counts a kill before it sends the signal (`__oom_kill_process` in its `mm/oom_kill.c`), so if main is dying,
    /// its own kill may be in the count, and the watch does not begin.
    pub(super) fn begin(&mut self, main: Option<Pid>) {
        if self.kills.is_some() {
            return;
        }
        let kills = kills().unwrap_or(0);
        if kills == 0 || !main.is_some_and(is_dying) {
            self.kills = Some(kills);
        }
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.kills.is_some()
    }

    /// Ends the watch, because this process sends KILL from now on.
    pub(super) fn has_killed(&mut self) {
        self.has_killed = true;
    }

    /// Notes a child that KILL has terminated.
    pub(super) fn killed(&mut self, pid: Pid, main: bool) {
        if !self.has_killed && (main || self.unexplained.is_none()) {
            self.unexplained = Some((pid, main));
        }
    }

    /// Reads the kernel's count once for a batch of children, not once for each of ten thousand that were killed.
    pub(super) fn explain(&mut self, me: Pid, observers: &mut Observers) {
        let Some((pid, main)) = self.unexplained.take() else { return };
        let Some(kills) = kills() else { return };
        // A container's cgroup is as old as its PID 1. Another process's may have seen kills before.
        let before = self.kills.or((me == Pid::INIT).then_some(0));
        self.kills = Some(kills);
        if before.is_some_and(|before| kills > before) {
            observers.emit(Event::OutOfMemory { pid, main, kills });
        }
    }
}

/// Returns how many processes of this process's memory cgroup were killed for lack of memory since the cgroup was made; for a
/// container, since its start. `None` if there is no cgroup file system in the container, or no memory controller.
///
/// Source: `cgroups(7)`; `Documentation/admin-guide/cgroup-v2.rst`, memory.events, and `cgroup-v1/memory.rst`, oom_control.
fn kills() -> Option<u64> {
    let own = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    // In a cgroup namespace of its own, or where only the container's cgroup is mounted, the mount's root is the cgroup.
    let places = own_cgroups(&own).chain([(Version::Two, "/"), (Version::One, "/")]);
    places.filter_map(|(version, cgroup)| parse(&read(&version.file(cgroup))?)).next()
}

/// True if the process has exited, is exiting, or has a KILL pending.
fn is_dying(pid: Pid) -> bool {
    let mut reader = Reader::new();
    let is_killed = |signals: Signals| signals.pending.contains(Signal::KILL);
    let has_kill = reader.status(pid).ok().flatten().and_then(|status| status.signals).is_some_and(is_killed);
    has_kill || reader.stat(pid).ok().flatten().is_none_or(|stat| stat.exiting)
}

fn read(path: &Path) -> Option<String> {
    read_text(path, LARGEST).ok()
}

/// The cgroups in `/proc/self/cgroup`, lines of `ID:CONTROLLERS:PATH`, that may count memory.
fn own_cgroups(text: &str) -> impl Iterator<Item = (Version, &str)> {
    text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let version = match controllers {
            "" => Version::Two,
            list if list.split(',').any(|controller| controller == "memory") => Version::One,
            _ => return None,
        };
        // `..` leads out of the cgroup namespace, to another directory than the one that is meant.
        (!path.split('/').any(|part| part == "..")).then_some((version, path))
    })
}

/// The field `oom_kill`.
fn parse(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_either_version() {
        assert_eq!(parse("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\n"), None);
        assert_eq!(parse("oom_kill many\n"), None);
    }

    #[test]
    fn the_cgroup_that_counts_memory() {
        let found = |text: &str| own_cgroups(text).map(|(version, path)| version.file(path)).collect::<Vec<_>>();
        assert_eq!(found("0::/\n"), [Path::new("/sys/fs/cgroup/memory.events")]);
        assert_eq!(found("0::/a.slice/b\n"), [Path::new("/sys/fs/cgroup/a.slice/b/memory.events")]);
        let old = "9:pids:/docker/x\n8:cpu,memory:/docker/x\n0::/docker/x\n1:name=systemd:/docker/x\n";
        let one = Path::new("/sys/fs/cgroup/memory/docker/x/memory.oom_control");
        assert_eq!(found(old), [one, Path::new("/sys/fs/cgroup/docker/x/memory.events")]);
        assert!(found("0::/../../other\nnonsense\n:\n").is_empty());
    }
}
