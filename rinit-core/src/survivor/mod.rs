//! Why a process is still there, so that rinit names each process that it waits for or kills.
//!
//! [`gather`] reads facts, [`judge`] draws the conclusion, [`remedy`] says what helps.

mod facts;
pub(crate) mod gather;
pub(crate) mod judge;
pub(crate) mod reason;
pub(crate) mod remedy;
mod shell;

use reason::Reason;

pub(crate) use facts::{Credentials, Facts};

use crate::pid::{Pid, PidMap};
use crate::printable::Quoted;
use crate::process::Process;
use crate::procfs::cmdline;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::sys;
use gather::Gatherer;
use judge::judge;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The number of survivors that an event or a report describes in full. An event counts the rest: no reader needs 20,000 lines.
pub(crate) const DESCRIBED: usize = 20;
/// Survivors that a report holds.
pub(crate) const REPORTED: usize = 1000;

/// A process that has not exited, and why, as one line for people.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::diagnose::{Reason, examine};
/// use rinit_core::process::Process;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let me = Process::read(Pid::new(std::process::id() as i32).expect("a pid"))?.expect("this process lives");
/// let survivor = examine(&me, None).expect("this process lives");
/// assert_eq!(survivor.reason, Reason::NotAsked);
/// assert!(survivor.to_string().ends_with("was not asked to stop"), "{survivor}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survivor {
    /// Its id.
    pub pid: Pid,
    /// Its parent; `None` where that is outside of the PID namespace.
    pub ppid: Option<Pid>,
    /// Its command: the arguments, or the name in brackets, at most 80 characters and escaped, so that it can be printed.
    pub command: String,
    /// What it is doing.
    pub state: State,
    /// Time since it started, suspended time included, to a hundredth of a second.
    pub age: Duration,
    /// The real user id that it runs as, where `/proc/pid/status` can be read.
    pub uid: Option<u32>,
    /// Why it is still there.
    pub reason: Reason,
}

impl Survivor {
    fn new(process: &Process, facts: &Facts, reason: Reason) -> Self {
        Self {
            pid: process.pid,
            ppid: facts.stat.ppid,
            command: gather::command(&facts.arguments, &facts.stat.comm),
            state: facts.stat.state,
            age: age(facts.stat.start_ticks),
            uid: facts.status.as_ref().and_then(|status| status.uid),
            reason,
        }
    }

    /// What helps, where the program is one that is known to need something: a line for people without a full stop.
    ///
    /// PostgreSQL, for example, waits for its clients on SIGTERM, and disconnects them on SIGINT.
    #[must_use]
    pub fn remedy(&self) -> Option<Cow<'static, str>> {
        remedy::of_program(self)
    }
}

impl fmt::Display for Survivor {
    /// ``pid 12 (ppid 1) 'sleep 1000' state S, age 3s: ignores SIGTERM``, and what helps where that is known. A parent outside
    /// of the namespace is `ppid 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ppid = self.ppid.map_or(0, Pid::get);
        let command = Quoted(&self.command);
        let (pid, state, age, reason) = (self.pid, self.state, Age(self.age), &self.reason);
        write!(f, "pid {pid} (ppid {ppid}) {command} state {state}, age {age}: {reason}")?;
        self.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

/// Reads why a process is still there. `asked` is the last signal that it was sent to stop it.
///
/// `None` if the process is gone, if its PID belongs to another process, or if it is a zombie that this process has not
/// reaped yet. Everything is read from `/proc` at this moment and may change a moment later. Use it for messages, not
/// for decisions.
///
/// The signal actions and pending signals are those of `/proc/pid/status`; a signal counts as blocked when every thread
/// blocks it. A file that may block in the kernel is given half a second, and then counts as missing: the process is then
/// named by its short name in brackets.
#[must_use]
pub fn examine(process: &Process, asked: Option<Signal>) -> Option<Survivor> {
    examine_with(&mut Gatherer::new(), process, asked)
}

/// The same for many processes: one helper thread for all of them, which gives up after two reads that time out.
pub(crate) fn examine_with(gatherer: &mut Gatherer, process: &Process, asked: Option<Signal>) -> Option<Survivor> {
    let me = rustix::process::getpid().into();
    let sender = gatherer.credentials(me);
    let facts = gatherer.gather(process, asked, sender)?;
    if facts.stat.has_ended() && facts.stat.ppid == Some(me) {
        return None;
    }
    Some(Survivor::new(process, &facts, judge(&facts).reason))
}

/// The same for a process that is about to be killed, if a report that has `listed` others has room. Only the first are examined,
/// since a storm of forks does not wait.
pub(crate) fn examine_briefly(
    gatherer: &mut Gatherer,
    process: &Process,
    asked: Option<Signal>,
    listed: usize,
) -> Option<Survivor> {
    match listed {
        0..DESCRIBED => examine_with(gatherer, process, asked),
        DESCRIBED..REPORTED => Some(named_only(process)),
        _ => None,
    }
}

/// What the facts say, as a survivor.
pub(crate) fn describe(process: &Process, facts: &Facts, reason: Reason) -> Survivor {
    Survivor::new(process, facts, reason)
}

/// What helps: for this program, or, if the program is not known, for the reason.
pub(crate) fn remedy_of(survivor: &Survivor) -> Option<Cow<'static, str>> {
    remedy::of_reason(survivor)
}

/// What is known of a process without reading anything more.
fn named_only(process: &Process) -> Survivor {
    Survivor {
        pid: process.pid,
        ppid: process.ppid,
        command: cmdline::bracketed(&process.comm),
        state: process.state,
        age: age(process.start_ticks),
        uid: None,
        reason: Reason::Unknown,
    }
}

/// Sorts by what holds up the stop most, and each process before its children if they are equal in that. Processes younger than
/// the stop come last: others start them.
pub(crate) fn culprits_first(survivors: &mut [Survivor], stop_age: Duration) {
    let parents: PidMap<Option<Pid>> = survivors.iter().map(|one| (one.pid, one.ppid)).collect();
    let depth = |pid: Pid| {
        let parent = |pid: &Pid| parents.get(pid).copied().flatten().filter(|parent| parents.contains_key(parent));
        // At most as many steps as there are processes: reused pids may form a ring.
        std::iter::successors(Some(pid), parent).take(parents.len()).count()
    };
    survivors.sort_by_cached_key(|one| (one.age < stop_age, one.reason.weight(), depth(one.pid), one.pid));
}

/// Time since the process started.
///
/// `starttime` counts ticks of the boot clock, and of the reader's time namespace (`time_namespaces(7)`), as
/// CLOCK_BOOTTIME itself does.
pub(crate) fn age(start_ticks: u64) -> Duration {
    sys::since_boot().saturating_sub(from_ticks(start_ticks, sys::ticks_per_second()))
}

/// How long before `now`, as time since boot, the process started; `None` if it started after that.
pub(crate) fn since_start(start_ticks: u64, now: Duration) -> Option<Duration> {
    now.checked_sub(from_ticks(start_ticks, sys::ticks_per_second()))
}

fn from_ticks(ticks: u64, per_second: u64) -> Duration {
    let per_second = per_second.max(1);
    let nanoseconds = u128::from(ticks % per_second) * 1_000_000_000 / u128::from(per_second);
    Duration::from_secs(ticks / per_second) + Duration::from_nanos(nanoseconds.try_into().unwrap_or(0))
}

/// A duration as people write it: `3s`, `2m05s`, `5h00m`, `12d03h`.
pub(crate) struct Age(pub(crate) Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        match () {
            () if minutes == 0 => write!(f, "{seconds}s"),
            () if hours == 0 => write!(f, "{minutes}m{:02}s", seconds % 60),
            () if days == 0 => write!(f, "{hours}h{:02}m", minutes % 60),
            () => write!(f, "{days}d{:02}h", hours % 24),
        }
    }
}

#[cfg(test)]
mod tests;
