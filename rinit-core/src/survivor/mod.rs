//! Why a process is still there: nobody is waited for, or killed, without a word.

mod facts;
mod judge;
pub(crate) mod reason;

use reason::Reason;

pub(crate) use facts::{Credentials, gather};
pub(crate) use judge::judge;

use crate::pid::Pid;
use crate::process::Process;
use crate::procfs::cmdline;
use crate::procfs::reader::Reader;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::sys;
use std::fmt;
use std::time::Duration;

/// A process that has not ended, and why, as one line for people.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::diagnose::{Reason, examine};
/// use rinit_core::process::Process;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let me = Process::read(Pid::new(std::process::id() as i32).expect("a pid"))?.expect("this process lives");
/// let survivor = examine(&me, None).expect("this process lives");
/// assert_eq!(survivor.reason, Reason::NeverTold);
/// assert!(survivor.to_string().ends_with("was never told"), "{survivor}");
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

impl fmt::Display for Survivor {
    /// ``pid 12 (ppid 1) 'sleep 1000' state S, age 3s: ignores SIGTERM``. A parent outside of the namespace is `ppid 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ppid = self.ppid.map_or(0, Pid::get);
        let command = Quoted(&self.command);
        let (pid, state, age, reason) = (self.pid, self.state, Age(self.age), &self.reason);
        write!(f, "pid {pid} (ppid {ppid}) {command} state {state}, age {age}: {reason}")
    }
}

/// Reads why a process is still there. `told` is the last signal that it was sent to end it.
///
/// `None` when the process is gone, or its number means another one by now. Everything comes from `/proc` at this moment
/// and may have changed a moment later: a snapshot for people, no ground to act on.
///
/// The signal actions and pending signals are those of `/proc/pid/status`; a signal counts as blocked when every thread
/// blocks it. Source: `proc_pid_status(5)`, `signal(7)`.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::diagnose::examine;
/// use rinit_core::process::Process;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
/// let process = Process::read(Pid::new(child.id() as i32).expect("a pid"))?.expect("it lives");
/// assert!(examine(&process, None).is_some());
/// # child.kill().expect("kill");
/// child.wait().expect("wait");
/// assert_eq!(examine(&process, None), None);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn examine(process: &Process, told: Option<Signal>) -> Option<Survivor> {
    let mut reader = Reader::new();
    let sender = Credentials::of(&mut reader, rustix::process::getpid().into());
    examine_for(&mut reader, process, told, sender)
}

/// The same with the rights of another sender.
pub(crate) fn examine_for(
    reader: &mut Reader,
    process: &Process,
    told: Option<Signal>,
    sender: Option<Credentials>,
) -> Option<Survivor> {
    let facts = gather(reader, process, told, sender)?;
    let reason = judge(&facts);
    Some(Survivor {
        pid: process.pid,
        ppid: facts.stat.ppid,
        state: facts.stat.state,
        age: age(facts.stat.start_ticks),
        uid: facts.status.as_ref().and_then(|status| status.uid),
        command: facts.command,
        reason,
    })
}

/// What is known of a process without another look at it.
pub(crate) fn named_only(process: &Process) -> Survivor {
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

/// A command in quotes. A quote in it must not look like its end, or a program could write the rest of the line itself.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "\\'"))
    }
}

#[cfg(test)]
mod tests;
