//! Scanning the children, thread by thread, and reaping one zombie.

use super::ledger::{Identity, Scan};
use crate::error::Error;
use crate::exit_status::{ExitStatus, has_exited};
use crate::pid::Pid;
use crate::procfs;
use crate::procfs::reader::Reader;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Returns true if a scan can find anything. It reaps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// Some child is a zombie. Its pid is of no use: the kernel returns the same one until it is reaped.
    Zombies,
    None,
}

pub(super) fn hint() -> Result<Pending, Error> {
    match has_exited(WaitId::All) {
        Ok(true) => Ok(Pending::Zombies),
        Ok(false) | Err(Errno::CHILD) => Ok(Pending::None),
        Err(error) => Err(Error::Wait(error.into())),
    }
}

/// True if the process is a child that was not waited for.
pub(super) fn is_child(pid: Pid) -> bool {
    !matches!(has_exited(WaitId::Pid(pid.rustix())), Err(Errno::CHILD))
}

/// Makes sure that the lists can be read.
pub(super) fn verify(reader: &mut Reader) -> Result<(), Error> {
    procfs::verify(reader)?;
    let me = me();
    if reader.children(me, me, &mut Vec::new())? {
        return Ok(());
    }
    let source = io::Error::new(io::ErrorKind::NotFound, "the kernel has no CONFIG_PROC_CHILDREN");
    Err(Error::Proc { path: PathBuf::from(format!("/proc/{me}/task/{me}/children")), source })
}

fn me() -> Pid {
    rustix::process::getpid().into()
}

/// Reads all lists.
///
/// An orphan goes to the first thread that is not exiting (`find_alive_thread` in the kernel's `kernel/exit.c`): the main
/// thread, unless that has exited by itself. The children of a thread that exits go there too. So a child in another list
/// was started here.
///
/// The adopter's list is read last: a child whose thread exits during the scan is then in one list or in both, never in none,
/// which would lose the mark that it was started here.
pub(super) fn scan(reader: &mut Reader, known: &HashMap<Pid, u64>) -> Result<Scan, Error> {
    let me = me();
    let mut view = Scan::default();
    let mut threads = Vec::new();
    procfs::reader::numbers(&format!("/proc/{me}/task"), &mut threads)?;
    let adopter = adopter(reader, me, &threads)?;
    let mut pids = Vec::new();
    for thread in threads.iter().copied().filter(|thread| *thread != adopter) {
        // A thread that has exited meanwhile left its children to the adopter.
        reader.children(me, thread, &mut pids)?;
    }
    for pid in &pids {
        if let Some(stat) = reader.stat(*pid)? {
            view.elsewhere.push(Identity { pid: *pid, start: stat.start_ticks });
        }
    }
    view.listed.append(&mut pids);
    let complete = reader.children(me, adopter, &mut pids)?;
    for pid in &pids {
        // A zombie known since an earlier scan is checked again when it is reaped.
        if let Some(start) = known.get(pid) {
            view.zombies.push(Identity { pid: *pid, start: *start });
            continue;
        }
        let Some(stat) = reader.stat(*pid)? else { continue };
        if stat.has_ended() && stat.ppid == Some(me) {
            view.zombies.push(Identity { pid: *pid, start: stat.start_ticks });
        }
    }
    view.listed.append(&mut pids);
    // Checked last: if the main thread is alive now, it was alive while the lists were read. Any other adopter may have
    // changed a moment ago, and the lists prove nothing then.
    view.certain = complete && adopter == me && reader.thread_is_alive(me, me)?;
    Ok(view)
}

/// The thread whose list gets the orphans. `/proc/pid/task` has the kernel's own order.
fn adopter(reader: &mut Reader, me: Pid, threads: &[Pid]) -> Result<Pid, Error> {
    for thread in threads {
        if reader.thread_is_alive(me, *thread)? {
            return Ok(*thread);
        }
    }
    Ok(me)
}

/// The result of trying to reap a zombie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Ended(ExitStatus),
    /// Its owner was faster, or the pid is another process's by now.
    Gone,
}

/// Reaps exactly this process, by its pid, never any child.
///
/// The race: since the scan its owner may have waited, a new child of this process may have got the pid, and that child may
/// have exited. So the pidfd is opened first and the start compared after it: if the pid still belongs to the zombie then, it
/// did when the pidfd was opened, and a pidfd never changes its process.
pub(super) fn take(reader: &mut Reader, zombie: Identity) -> Result<Taken, Error> {
    let pid = zombie.pid.rustix();
    let pidfd = pidfd_open(pid, PidfdFlags::empty());
    let same = reader.stat(zombie.pid)?.is_some_and(|stat| stat.start_ticks == zombie.start && stat.has_ended());
    if !same {
        return Ok(Taken::Gone);
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let by_pid = || rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::Pid(pid), options));
    let taken = match &pidfd {
        Ok(pidfd) => {
            match rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)) {
                // pidfd_open is of Linux 5.3 and P_PIDFD of 5.4.
                Err(Errno::INVAL) => by_pid(),
                taken => taken,
            }
        }
        Err(_) => by_pid(),
    };
    match taken {
        Ok(Some(status)) => Ok(ExitStatus::from_waitid(&status).map_or(Taken::Gone, Taken::Ended)),
        // A child with another exit signal than SIGCHLD, which an orphan never has, does not answer without __WALL.
        Ok(None) | Err(Errno::CHILD) => Ok(Taken::Gone),
        Err(error) => Err(Error::Wait(error.into())),
    }
}

/// The start of a child, for a claim.
pub(super) fn start_of(reader: &mut Reader, pid: Pid) -> Option<u64> {
    reader.stat(pid).ok()?.map(|stat| stat.start_ticks)
}
