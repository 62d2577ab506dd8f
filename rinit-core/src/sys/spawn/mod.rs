//! Starts a program: the plan, and the parent's side of `fork(2)`.
//!
//! `std::process::Command` cannot be used: it passes the blocked mask of this process to the child, resets SIGPIPE and clears the
//! supplementary groups in its own way. The child is a plain copy. One that shared this memory (`CLONE_VM`) would save its page
//! tables, but before Linux 5.16 a core dump of the child kills every process that shares its memory, and with `CLONE_VFORK` a
//! slow `execve(2)` would stop the loop.

pub(super) mod c_strings;
mod child;
mod report;

pub(crate) use child::place;
pub(crate) use report::{Failure, Stage};

use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::fd::close::close_all_but;
use crate::sys::fd::remap::{Passed, pipe};
use crate::sys::last_errno;
use crate::sys::retry::retry_transient;
use crate::sys::signal::mask::{block, set_mask};
use crate::sys::signal::send::kill;
use c_strings::CStrings;
use report::{read_report, wait_for_report};
use rustix::event::PollFlags;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io;
use rustix::process::{Gid, Resource, Rlimit};
use std::ffi::CStr;

/// The group, session and terminal of the child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement<'a> {
    pub(crate) leads: Leads,
    /// The terminal that it gets: as its controlling one if it leads a session, else by its group in the foreground.
    pub(crate) terminal: Option<BorrowedFd<'a>>,
}

/// The group or session that the child leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    /// It stays in the parent's group, and touches no terminal.
    Nothing,
    Group,
    Session,
}

/// The user that the child becomes.
#[derive(Debug)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<Gid>,
}

/// What the child sets instead of what it inherits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) resources: &'a [(Resource, Rlimit)],
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
}

/// Everything the child needs, prepared before the fork.
pub(crate) struct Plan<'a> {
    /// The files to try in turn, as `execvp(3)` does.
    pub(crate) candidates: CStrings<'a>,
    pub(crate) arguments: &'a CStrings<'a>,
    /// `/bin/sh`, a place for the script, then the arguments from the second on: for a script without `#!`.
    pub(crate) shell_arguments: CStrings<'a>,
    pub(crate) environment: CStrings<'a>,
    /// Indexes of environment entries `LISTEN_PID=`, whose value becomes the child's own pid.
    pub(crate) listen_pid: &'a [usize],
    pub(crate) directory: Option<&'a CStr>,
    pub(crate) ids: Option<&'a Ids>,
    pub(crate) placement: Placement<'a>,
    pub(crate) passed: &'a Passed,
    pub(crate) limits: Limits<'a>,
    /// A signal for the end of the parent, and the parent.
    pub(crate) parent_death: Option<(Signal, Pid)>,
    pub(crate) ignore: SignalSet,
    pub(crate) default: SignalSet,
    pub(crate) mask: SignalSet,
    /// The child waits before it becomes the program, until [`Starting::release`] or the close of all descriptors.
    pub(crate) is_gated: bool,
}

/// Starts the child and waits until it has become the program, or says why it could not.
pub(crate) fn spawn(plan: &mut Plan<'_>) -> Result<Pid, Failure> {
    start(plan)?.finish()
}

/// Starts the child, and does not wait for its `execve(2)`, which may take long: the file may lie on a network file system
/// that does not answer, or under another process's lease (`fcntl(2)`).
///
/// All signals are blocked around the fork, and the child unblocks them last: one that arrives between fork and exec
/// stays pending and is delivered to the program, as it would be without rinit, never to this process's handlers.
pub(crate) fn start(plan: &mut Plan<'_>) -> Result<Starting, Failure> {
    let (report, write) = pipe().map_err(Failure::here(Stage::Pipe))?;
    let write = plan.passed.out_of_the_way(write).map_err(Failure::here(Stage::Pipe))?;
    let new_gate = || -> io::Result<_> {
        let (read, write) = pipe()?;
        Ok((plan.passed.out_of_the_way(read)?, plan.passed.out_of_the_way(write)?))
    };
    // If no descriptor is left, the child does not wait: a main that starts early is better than none.
    let gate = if plan.is_gated { new_gate().ok() } else { None };
    let mask = block(SignalSet::all()).map_err(Failure::here(Stage::Mask))?;
    // SAFETY: the child calls only `child::run`, which makes async-signal-safe calls and ends in execve or _exit.
    let forked = unsafe { fork() };
    if forked == 0 {
        child::run(plan, &write, gate.as_ref());
    }
    let pid = i32::try_from(forked).ok().and_then(Pid::new).ok_or_else(last_errno);
    let restored = set_mask(mask);
    let pid = pid.map_err(Failure::here(Stage::Fork))?;
    let starting = Starting { pid, report, gate: gate.map(|(_, write)| write) };
    match restored {
        Ok(_) => Ok(starting),
        // This process could no longer take its own signals: no child is left behind.
        Err(error) => {
            if retry_transient(|| kill(pid, Signal::KILL)).is_ok() {
                reap(pid);
            }
            Err(Failure::here(Stage::Mask)(error))
        }
    }
}

/// `fork(2)` by the system call alone: libc's function also blocks and restores signals and repairs its own state in the child, which
/// the child does not use, and runs the handlers of `pthread_atfork(3)`, which may wait for a lock. `posix_spawn(3)` runs none either.
///
/// # Safety
///
/// As for `fork(2)` in a process with threads: the child may make async-signal-safe system calls alone, until it ends in `execve(2)`
/// or `_exit(2)`. What libc knows of the thread's number is wrong in it.
unsafe fn fork() -> libc::c_long {
    let exit_signal = libc::c_long::from(libc::SIGCHLD);
    // s390x takes the stack first.
    let (first, second) = if cfg!(target_arch = "s390x") { (0, exit_signal) } else { (exit_signal, 0) };
    // SAFETY: without CLONE_VM the child has a copy of the memory, and without a stack of its own it goes on at the same place of that
    // copy. No other argument is used.
    unsafe { libc::syscall(libc::SYS_clone, first, second, 0_usize, 0_usize, 0_usize) }
}

/// A child that has not executed its program yet.
#[derive(Debug)]
pub(crate) struct Starting {
    pid: Pid,
    report: OwnedFd,
    /// The child waits until this is closed.
    gate: Option<OwnedFd>,
}

/// The progress of a child.
#[derive(Debug)]
pub(crate) enum Progress {
    Pending,
    /// It is the program, or was killed before and is reaped like any other child.
    Started,
    /// It could not become the program, and exits.
    Failed(Failure),
}

impl Starting {
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// Readable when [`Starting::progress`] is no longer pending.
    pub(crate) fn report(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// Makes [`Starting::progress`] return at once.
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        io::ioctl_fionbio(&self.report, true)
    }

    /// Closes every descriptor from `first` up but for the report, which lets the child go on.
    pub(crate) fn close_from(&mut self, first: RawFd) {
        let mut kept = [self.report.as_raw_fd(), self.gate.as_ref().map_or(-1, AsRawFd::as_raw_fd)];
        kept.sort_unstable();
        close_all_but(first, kept.strip_prefix(&[-1]).unwrap_or(&kept));
        // Last and by itself: a list of descriptors that cannot be read must not keep the child waiting for ever.
        self.gate = None;
    }

    pub(crate) fn progress(&self) -> Progress {
        match read_report(&self.report) {
            Ok(None) => Progress::Started,
            Ok(Some(failure)) => Progress::Failed(failure),
            Err(error) if error == io::Errno::AGAIN => Progress::Pending,
            // The report cannot be read: only the exit status remains.
            Err(_) => Progress::Started,
        }
    }

    /// Reaps a child that has failed: it is exiting.
    pub(crate) fn reap(&self) {
        reap(self.pid);
    }

    /// Waits for the `execve(2)`.
    fn finish(mut self) -> Result<Pid, Failure> {
        self.gate = None;
        let report = match wait_for_report(&self.report, self.pid) {
            // Hang-up without data: execve succeeded and closed the pipe.
            Some(PollFlags::HUP) => Ok(None),
            Some(_) | None => read_report(&self.report),
        };
        let failure = match report {
            Ok(None) => return Ok(self.pid),
            Ok(Some(failure)) => failure,
            Err(error) => Failure::here(Stage::Pipe)(error),
        };
        self.reap();
        Err(failure)
    }
}

/// Reaps a child of this module's own by its pid.
fn reap(pid: Pid) {
    let _ = retry_transient(|| rustix::process::waitpid(Some(pid.rustix()), rustix::process::WaitOptions::empty()));
}
