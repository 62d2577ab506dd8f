//! The processes below another one, and a way to signal one of them that never hits an unrelated process.

pub(crate) mod kill_tree;
pub(crate) mod partners;
pub(crate) mod scan;
pub(crate) mod signal;
pub(crate) mod walk;

pub use crate::procfs::stat::State;
pub use signal::{Delivery, signal_process};
pub use walk::descendants;

use crate::error::Error;
use crate::pid::Pid;
use crate::procfs;
use crate::procfs::reader::Reader;
use crate::procfs::stat::Stat;

/// How often a changing tree is scanned. Each pass finds processes that were forked or moved during the one before. A tree that
/// forks faster than it can be read never comes to rest; then the result of the last pass counts.
const PASSES: usize = 10;

/// One process, as `/proc` showed it.
///
/// It is a snapshot: the process may have exited since, and another one may have its pid. [`signal_process`] tells them
/// apart by `start_ticks`. Source: `proc_pid_stat(5)`.
///
/// ```
/// use rinit_core::Pid;
/// use rinit_core::process::Process;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let me = Pid::new(std::process::id() as i32).expect("a pid");
/// let process = Process::read(me)?.expect("this process lives");
/// assert_eq!(process.pid, me);
/// assert!(!process.has_ended());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its pid.
    pub pid: Pid,
    /// Its parent; `None` if the parent is outside the PID namespace, as for `docker exec`.
    pub ppid: Option<Pid>,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub(crate) session: i32,
    /// When it started, in clock ticks since boot (`sysconf(3)`, `_SC_CLK_TCK`; 100 in a second).
    pub start_ticks: u64,
    /// What its first thread was doing.
    pub state: State,
    /// How many threads it had.
    pub threads: u32,
    /// Its name: up to 15 arbitrary bytes, chosen by the program. Escape it before you print it.
    pub comm: Vec<u8>,
}

impl Process {
    /// Reads one process; `None` if there is none of that number.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if `/proc` is missing, hides the process, or belongs to another PID namespace.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let unused = rinit_core::Pid::new(i32::MAX).expect("a pid");
    /// assert_eq!(rinit_core::process::Process::read(unused)?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(pid: Pid) -> Result<Option<Self>, Error> {
        let mut reader = Reader::new();
        procfs::verify(&mut reader)?;
        Self::read_with(&mut reader, pid)
    }

    fn read_with(reader: &mut Reader, pid: Pid) -> Result<Option<Self>, Error> {
        Ok(reader.stat(pid)?.map(Self::from))
    }

    /// Does what [`Process::read`] does, but returns `None` if `hidepid` (`proc(5)`) hides the process from this user: it can be
    /// neither seen nor signalled, and must not keep the others from being signalled.
    fn visible(reader: &mut Reader, pid: Pid) -> Result<Option<Self>, Error> {
        match Self::read_with(reader, pid) {
            Err(Error::Proc { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            other => other,
        }
    }

    /// Returns true for a zombie: no thread of it runs any more.
    ///
    /// That is not the same as state `Z`, which is the state of the first thread: if `main` exits by `pthread_exit(3)`, the other
    /// threads live on.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    /// let process = rinit_core::process::Process::read(rinit_core::Pid::new(child.id() as i32).expect("a pid"))?;
    /// assert_eq!(process.map(|process| process.has_ended()), Some(false));
    /// # child.kill().expect("kill");
    /// # child.wait().expect("wait");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn has_ended(&self) -> bool {
        procfs::stat::has_ended(self.state, self.threads)
    }

    /// The thread whose files show what the process has, as [`Reader::living_thread`] says.
    pub(crate) fn living_thread(&self, reader: &mut Reader) -> Pid {
        reader.living_thread(self.pid, self.state, self.threads)
    }

    /// Returns true if this process may be the parent of `child`: no process is younger than its child.
    ///
    /// If a pid was reused between two readings, another process looks like the parent, but it is younger. The rule holds for
    /// adopted children, too: they go to an ancestor or to the first process of their namespace.
    fn is_old_enough_for(&self, child: &Self) -> bool {
        self.start_ticks <= child.start_ticks
    }
}

impl From<Stat> for Process {
    fn from(stat: Stat) -> Self {
        let Stat { pid, ppid, pgrp, session, start_ticks, state, threads, comm, .. } = stat;
        Self { pid, ppid, group: pgrp, session, start_ticks, state, threads, comm }
    }
}

#[cfg(test)]
mod tests;
