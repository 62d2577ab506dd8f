//! Zombies that a tracer holds: they have exited, and `wait4(2)` does not give them before the tracer has waited for them
//! (`ptrace(2)`).

use super::Descendants;
use crate::exit_status::{self, ExitStatus, has_exited_once};
use crate::pid::Pid;
use crate::process::{Process, walk};
use crate::procfs::reader::{Reader, numbers};
use crate::procfs::stat::{self, State};
use crate::survivor;
use crate::survivor::Survivor;
use crate::survivor::gather::Gatherer;
use crate::survivor::reason::Reason;
use rustix::process::{WaitId, WaitIdOptions};
use std::io::ErrorKind;

impl Descendants {
    /// The children that have exited, and that this process cannot reap: a debugger traces them and has not waited for them
    /// (`ptrace(2)`). Until then `wait4(2)` says that there are children, of which none has exited.
    pub(super) fn held_by_tracers(&self) -> Vec<Process> {
        let mut reader = self.reader();
        let mut children = walk::children(self.me, &mut reader).unwrap_or_default();
        children.retain(|child| has_exited(child, &mut reader) && !can_be_reaped(child.pid));
        children
    }

    /// True if nothing of the tree runs any more, and zombies remain that a tracer holds.
    pub(in crate::init) fn only_tracers_hold(&mut self) -> bool {
        self.living().is_ok_and(|living| living.is_empty()) && !self.held_by_tracers().is_empty()
    }
}

/// True if nothing of it runs any more. A thread that has exited counts until its tracer has waited for it.
pub(super) fn has_exited(process: &Process, reader: &mut Reader) -> bool {
    if process.state != State::Zombie || process.has_ended() {
        return process.has_ended();
    }
    let states = states_of_threads(process.pid, reader);
    !states.is_empty() && states.iter().all(|state| matches!(state, State::Zombie | State::Dead))
}

/// The states of a process's threads.
pub(super) fn states_of_threads(pid: Pid, reader: &mut Reader) -> Vec<State> {
    let state = |thread| reader.thread_status(pid, thread).ok().flatten().and_then(|status| status.state);
    threads(pid).into_iter().filter_map(state).collect()
}

/// The numbers of a process's threads; empty if it is gone, or hidden.
fn threads(pid: Pid) -> Vec<Pid> {
    let mut threads = Vec::new();
    let _ = numbers(&format!("/proc/{pid}/task"), &mut threads);
    threads
}

/// False for a child that has not exited, as far as `wait4(2)` says.
pub(super) fn can_be_reaped(child: Pid) -> bool {
    has_exited_once(WaitId::Pid(child.rustix()), WaitIdOptions::empty()) != Ok(false)
}

/// How a child exited for which [`is_zombie`] is true; `None` if its tracer holds it and this user may not read it.
pub(in crate::init) fn status_of_zombie(child: Pid) -> Option<ExitStatus> {
    // Its tracer may let go of it after the first look.
    status_in_proc(child).or_else(|| exit_status::of_exited(WaitId::Pid(child.rustix())))
}

fn status_in_proc(child: Pid) -> Option<ExitStatus> {
    let mut reader = Reader::new();
    let status = stat::exit_status(reader.read(format_args!("/proc/{child}/stat"), 4096).ok().flatten()?)?;
    // A user who may not trace it reads 0. Such a user may not read this link either, which a zombie lacks.
    let is_true =
        || std::fs::read_link(format!("/proc/{child}/exe")).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    (status != ExitStatus::Code(0) || is_true()).then_some(status)
}

/// True for a child that has exited, whether its tracer has waited for it or not.
pub(in crate::init) fn is_zombie(child: Pid) -> bool {
    let process = Process::read(child).ok().flatten();
    process.is_some_and(|process| has_exited(&process, &mut Reader::new()))
}

/// True for a child that has exited, and whose tracer has not waited for it.
pub(in crate::init) fn is_held(child: Pid) -> bool {
    is_zombie(child) && !can_be_reaped(child)
}

/// Describes a zombie that a tracer holds.
pub(super) fn describe_held(gatherer: &mut Gatherer, zombie: &Process) -> Option<Survivor> {
    let facts = gatherer.gather(zombie, None, None)?;
    // The tracer may hold a thread that is not the first.
    let of_thread = |thread| gatherer.reader.thread_status(zombie.pid, thread).ok().flatten()?.tracer;
    let tracer = threads(zombie.pid).into_iter().find_map(of_thread);
    Some(survivor::describe(zombie, &facts, Reason::TracedZombie { tracer }))
}
