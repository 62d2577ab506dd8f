//! What keeps a container from stopping, seen from inside and without touching anything.

pub(crate) mod json;
mod output;

pub use crate::survivor::reason::Reason;
pub use crate::survivor::{Survivor, examine};

#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::pid::Pid;
use crate::pid::{PidMap, PidSet};
use crate::process::Process;
use crate::process::scan::all_processes;
use crate::procfs;
use crate::procfs::cmdline;
use crate::procfs::reader::Reader;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::survivor::{Credentials, age, examine_for};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Between two looks. What is seen in both is no passing state: a child between fork and exec blocks signals, a process
/// that reads from a disk is in state D for a moment, and every child is a zombie before its parent waits for it.
const SETTLE: Duration = Duration::from_millis(200);

/// What [`diagnose`] found out about a container. Displayed as lines for people, the first of them the verdict.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// let diagnosis = rinit_core::diagnose::diagnose()?;
/// println!("{diagnosis}");
/// std::process::exit(diagnosis.findings().into());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// PID 1. Its reason says what SIGTERM, and so `docker stop`, would do.
    pub init: Survivor,
    /// True where PID 1 is the diagnosing process itself, so that there is nothing to judge.
    pub init_is_self: bool,
    /// Those below PID 1 that would not end when everybody is sent SIGTERM, in order of pid.
    pub refusing: Vec<Survivor>,
    /// Processes that have ended and are not waited for, in order of pid.
    pub zombies: Vec<Zombie>,
}

/// A process that has ended and whose parent does not wait for it.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// for zombie in rinit_core::diagnose::diagnose()?.zombies {
///     println!("{} started {} s ago", zombie.pid, zombie.age.as_secs());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Zombie {
    /// Its id.
    pub pid: Pid,
    /// Its name in brackets, escaped: a zombie has no arguments any more.
    pub command: String,
    /// Time since it started; the kernel does not tell when it ended.
    pub age: Duration,
    /// Who should wait for it; `None` where that is outside of the container, as for a `docker exec` that was cut off.
    pub parent: Option<ZombieParent>,
}

/// The living parent of a zombie.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// let parents = rinit_core::diagnose::diagnose()?.zombies.into_iter().filter_map(|zombie| zombie.parent);
/// for parent in parents {
///     println!("{} does not wait: {}", parent.pid, parent.command);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZombieParent {
    /// Its id.
    pub pid: Pid,
    /// Its command, escaped.
    pub command: String,
}

/// Looks at the container, or PID namespace, that it is run in: would it stop when asked, and does it leak zombies?
///
/// It sends no signal and changes nothing. Left out are the diagnosing process and its ancestors other than PID 1, and,
/// from those who would refuse, all that do not descend from PID 1: `docker exec` sessions end with the container. Takes
/// 0.2 s where something was found, to look a second time: what passes in that time is left out.
///
/// That a process handles SIGTERM does not say that it ends by it; that is not held against it. Nor is it that PID 1
/// blocks SIGTERM, as inits do, which take it by `sigwait(3)` or `signalfd(2)`; other processes may do the same, and
/// are named with that remark.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` is missing, belongs to another PID namespace, or hides PID 1 from this user (`hidepid`,
/// `proc(5)`).
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let diagnosis = rinit_core::diagnose::diagnose()?;
/// assert_eq!(diagnosis.init.pid, rinit_core::Pid::INIT);
/// # Ok(())
/// # }
/// ```
pub fn diagnose() -> Result<Diagnosis, Error> {
    let mut reader = Reader::new();
    procfs::verify(&mut reader)?;
    let mut seen = look(&mut reader)?;
    // A PID 1 that blocks may be a shell between fork and exec, which would not stop a moment later.
    let settled = matches!(seen.init.reason, Reason::Handles(_) | Reason::Waits(_));
    if !settled || !seen.refusing.is_empty() || !seen.zombies.is_empty() {
        std::thread::sleep(SETTLE);
        let first = std::mem::replace(&mut seen, look(&mut reader)?);
        // By age as well as by pid: a number may have been reused between the looks.
        seen.refusing.retain(|(id, survivor)| {
            let before = first.refusing.binary_search_by_key(id, |(id, _)| *id).map(|at| &first.refusing[at].1);
            before.is_ok_and(|before| before.reason.code() == survivor.reason.code())
        });
        seen.zombies.retain(|(id, _)| first.zombies.binary_search_by_key(id, |(id, _)| *id).is_ok());
    }
    let refusing = seen.refusing.into_iter().map(|(_, survivor)| survivor).collect();
    let zombies = seen.zombies.into_iter().map(|(_, zombie)| zombie).collect();
    let init_is_self = Pid::from(rustix::process::getpid()) == Pid::INIT;
    Ok(Diagnosis { init: seen.init, init_is_self, refusing, zombies })
}

/// A process for good: its pid and when it started.
type Id = (Pid, u64);

/// What one look has seen, by pid in ascending order.
struct Scan {
    init: Survivor,
    refusing: Vec<(Id, Survivor)>,
    zombies: Vec<(Id, Zombie)>,
}

fn look(reader: &mut Reader) -> Result<Scan, Error> {
    let processes: PidMap<Process> = all_processes(reader)?.into_iter().map(|process| (process.pid, process)).collect();
    let hidden = || {
        let why = "PID 1 cannot be seen: /proc is mounted with hidepid; run this as root";
        Error::Proc { path: PathBuf::from("/proc/1"), source: io::Error::new(io::ErrorKind::PermissionDenied, why) }
    };
    let process = processes.get(&Pid::INIT).ok_or_else(hidden)?;
    // Judged as if it had been told, and by somebody who may: `docker stop` comes from outside.
    let init = examine_for(reader, process, Some(Signal::TERM), None).ok_or_else(hidden)?;
    // The others are told by PID 1, with its rights.
    let sender = Credentials::of(reader, Pid::INIT);
    let own = own_line(&processes);
    let mut look = Scan { init, refusing: Vec::new(), zombies: Vec::new() };
    let below = below_init(&processes);
    for process in processes.values().filter(|process| process.pid != Pid::INIT && !own.contains(&process.pid)) {
        let id = (process.pid, process.start_ticks);
        if process.has_ended() {
            look.zombies.push((id, zombie(reader, process, &processes)));
        } else if below.contains(&process.pid) {
            let survivor = examine_for(reader, process, Some(Signal::TERM), sender);
            look.refusing.extend(survivor.filter(|survivor| refuses(&survivor.reason)).map(|survivor| (id, survivor)));
        }
    }
    look.refusing.sort_unstable_by_key(|(id, _)| *id);
    look.zombies.sort_unstable_by_key(|(id, _)| *id);
    Ok(look)
}

/// The diagnosing process and its ancestors. The visited set ends a ring that reused pids may form.
fn own_line(processes: &PidMap<Process>) -> PidSet {
    let mut line = PidSet::default();
    let mut next = Some(Pid::from(rustix::process::getpid()));
    while let Some(pid) = next.filter(|pid| line.insert(*pid)) {
        next = processes.get(&pid).and_then(|process| process.ppid);
    }
    line
}

fn below_init(processes: &PidMap<Process>) -> PidSet {
    let mut children: PidMap<Vec<Pid>> = PidMap::default();
    for process in processes.values() {
        if let Some(ppid) = process.ppid {
            children.entry(ppid).or_default().push(process.pid);
        }
    }
    let mut below = PidSet::default();
    let mut waiting = vec![Pid::INIT];
    while let Some(parent) = waiting.pop() {
        waiting.extend(children.remove(&parent).unwrap_or_default().into_iter().filter(|child| below.insert(*child)));
    }
    below
}

fn zombie(reader: &mut Reader, process: &Process, processes: &PidMap<Process>) -> Zombie {
    let parent = process.ppid.map(|pid| {
        let command = match processes.get(&pid) {
            // See `Reader::command` for what state D has to do with it.
            Some(parent) if parent.state == State::DiskSleep => cmdline::bracketed(&parent.comm),
            Some(parent) => reader.command(pid, &parent.comm),
            None => cmdline::bracketed(b"?"),
        };
        ZombieParent { pid, command }
    });
    Zombie { pid: process.pid, command: cmdline::bracketed(&process.comm), age: age(process.start_ticks), parent }
}

/// True for a reason that keeps a process from ending after SIGTERM.
fn refuses(reason: &Reason) -> bool {
    match reason {
        Reason::Ignores(_)
        | Reason::Blocks(_)
        | Reason::ShellWaits { .. }
        | Reason::StuckInKernel { .. }
        | Reason::Stopped(_)
        | Reason::Traced(_)
        | Reason::NamespaceInit(_)
        | Reason::NotPermitted { .. } => true,
        Reason::Handles(_)
        | Reason::Waits(_)
        | Reason::NeverTold
        | Reason::LeftToParent { .. }
        | Reason::Pending(_)
        | Reason::Ending(_)
        | Reason::Zombie { .. }
        | Reason::Unknown => false,
    }
}

impl Diagnosis {
    /// True where PID 1 would end by SIGTERM, as far as can be seen: it handles it, or blocks it to take it by
    /// `sigwait(3)` or `signalfd(2)`. Where `/proc` does not say, nothing is held against it.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let diagnosis = rinit_core::diagnose::diagnose()?;
    /// assert!(diagnosis.init_stops() || diagnosis.findings());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn init_stops(&self) -> bool {
        self.init_is_self || matches!(self.init.reason, Reason::Blocks(_)) || !refuses(&self.init.reason)
    }

    /// True where nothing is wrong: the opposite of [`Diagnosis::findings`].
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let diagnosis = rinit_core::diagnose::diagnose()?;
    /// assert_ne!(diagnosis.is_healthy(), diagnosis.findings());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.findings()
    }

    /// True where something is wrong: PID 1 would not end by SIGTERM, somebody would refuse, or there are zombies.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let diagnosis = rinit_core::diagnose::diagnose()?;
    /// assert!(diagnosis.findings() || diagnosis.to_string().starts_with("healthy"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn findings(&self) -> bool {
        !self.init_stops() || !self.refusing.is_empty() || !self.zombies.is_empty()
    }
}
