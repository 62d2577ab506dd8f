//! Looking at the children, thread by thread, and taking one zombie.

use super::ledger::{Identity, Scan};
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::procfs;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

/// Whether there is anything to look for. Takes no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// Some child is a zombie. Which one is of no use: it is the same for ever, until somebody takes it.
    Zombies,
    None,
}

pub(super) fn hint() -> Result<Pending, Error> {
    match peek(WaitId::All) {
        Ok(Some(_)) => Ok(Pending::Zombies),
        Ok(None) | Err(Errno::CHILD) => Ok(Pending::None),
        Err(error) => Err(Error::Wait(error.into())),
    }
}

fn peek(id: WaitId<'_>) -> rustix::io::Result<Option<WaitIdStatus>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::io::retry_on_intr(|| rustix::process::waitid(id.clone(), options))
}

/// True if the process is a child that nobody has waited for.
pub(super) fn is_child(pid: Pid) -> bool {
    !matches!(peek(WaitId::Pid(pid.rustix())), Err(Errno::CHILD))
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
/// An orphan goes to the first thread that is not ending (`find_alive_thread` in the kernel's `kernel/exit.c`): the main
/// thread, as long as it has not ended by itself. The children of a thread that ends go there too. So what is in another list
/// was started here.
///
/// The adopter's list is read last: a child whose thread ends during the look is then in one list or in both, and never in
/// none, which would lose the mark that it was started here.
pub(super) fn look(reader: &mut Reader, known: &HashMap<Pid, u64>) -> Result<Scan, Error> {
    let me = me();
    let mut view = Scan::default();
    let mut threads = Vec::new();
    procfs::reader::numbers(&format!("/proc/{me}/task"), &mut threads)?;
    let adopter = adopter(reader, me, &threads)?;
    let mut pids = Vec::new();
    for thread in threads.iter().copied().filter(|thread| *thread != adopter) {
        // A thread that has ended meanwhile left its children to the adopter.
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
        // A zombie known since an earlier look is looked at again when it is taken.
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
    // Asked last: not ending now means not ending when the lists were read. Another adopter than the main thread may have
    // been another one a moment ago, and what the lists say is then no proof.
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

/// What became of a zombie that was to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Ended(ExitStatus),
    /// Its owner was faster, or the number is somebody else's by now.
    Gone,
}

/// Takes the status of this very process, by its pid and never of any child.
///
/// The race: between the look and now its owner may have waited, the number may have been given to a child of this process,
/// and that may have ended. The pidfd is opened first and the start compared after it: if the number still belongs to the
/// zombie then, it did when the pidfd was opened, and a pidfd never changes its process.
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
        Ok(Some(status)) => Ok(decode(&status).map_or(Taken::Gone, Taken::Ended)),
        // A child with another exit signal than SIGCHLD, which an orphan never has, does not answer without __WALL.
        Ok(None) | Err(Errno::CHILD) => Ok(Taken::Gone),
        Err(error) => Err(Error::Wait(error.into())),
    }
}

fn decode(status: &WaitIdStatus) -> Option<ExitStatus> {
    if let Some(code) = status.exit_status() {
        return Some(ExitStatus::Code(code as u8));
    }
    let signal = Signal::new(status.terminating_signal()?)?;
    Some(ExitStatus::Signal { signal, core_dumped: status.dumped() })
}

/// The start of a child, for a claim.
pub(super) fn start_of(reader: &mut Reader, pid: Pid) -> Option<u64> {
    reader.stat(pid).ok()?.map(|stat| stat.start_ticks)
}
