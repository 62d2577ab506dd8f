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

/// Looks at a tree that does not hold still. Each pass finds what was forked or moved during the one before; a tree
/// that forks faster than it can be read never comes to rest, and then the last pass has to do.
const PASSES: usize = 10;

/// One process, as `/proc` showed it.
///
/// It is a snapshot: the process may have exited since, and its pid may name another one. [`signal_process`] tells them
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
    /// Its id.
    pub pid: Pid,
    /// Its parent; `None` where the parent is outside of the PID namespace, as for `docker exec`.
    pub ppid: Option<Pid>,
    /// Its process group.
    pub group: i32,
    /// When it started, in clock ticks since boot (`sysconf(3)`, `_SC_CLK_TCK`; 100 in a second).
    pub start_ticks: u64,
    /// What its first thread was doing.
    pub state: State,
    /// How many threads it had.
    pub threads: u32,
    /// Its name: up to 15 bytes of anything, chosen by the program. Escape it before you print it.
    pub comm: Vec<u8>,
}

impl Process {
    /// Reads one process; `None` when there is none of that number.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] where `/proc` is missing, hides the process, or belongs to another PID namespace.
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

    /// The same where nothing is hidden, and nothing where `hidepid` (`proc(5)`) hides the process from this user: it
    /// can be neither seen nor signalled, and must not keep the others from being signalled.
    fn visible(reader: &mut Reader, pid: Pid) -> Result<Option<Self>, Error> {
        match Self::read_with(reader, pid) {
            Err(Error::Proc { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            other => other,
        }
    }

    /// True for a zombie: nothing of it runs any more.
    ///
    /// Not the same as state `Z`, which is that of the first thread: where `main` exited by `pthread_exit(3)`, the other
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

    /// True when this process may be the parent of `child`: no process is younger than its child.
    ///
    /// A pid that was reused between two readings makes another process look like a parent, but a younger one. Holds for
    /// adopted children too: they go to an ancestor or to the first process of their namespace.
    fn is_old_enough_for(&self, child: &Self) -> bool {
        self.start_ticks <= child.start_ticks
    }
}

impl From<Stat> for Process {
    fn from(stat: Stat) -> Self {
        let Stat { pid, ppid, pgrp, start_ticks, state, threads, comm, .. } = stat;
        Self { pid, ppid, group: pgrp, start_ticks, state, threads, comm }
    }
}

#[cfg(test)]
mod tests;
