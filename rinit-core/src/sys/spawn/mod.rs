//! `fork(2)`, the child's set-up, `execve(2)`.
//!
//! `std::process::Command` cannot be used: it hands on the blocked mask of this process, resets SIGPIPE and clears the
//! supplementary groups in its own way. Between fork and exec the child makes only async-signal-safe system calls: no
//! allocation, no lock, no log line, since another thread may have held any lock at the moment of the fork
//! (`fork(2)`, NOTES; `signal-safety(7)`).

pub(super) mod c_strings;

use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::fd::close::close_all_but;
use crate::sys::fd::remap::{Passed, pipe};
use crate::sys::retry::retry_transient;
use crate::sys::signal::disposition::{Disposition, set_disposition};
use crate::sys::signal::mask::{block, set_mask};
use crate::sys::signal::send::{kill, set_parent_death_signal};
use c_strings::CStrings;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid};
use std::ffi::{CStr, c_char};
use std::io;

/// Where the child stands among groups, sessions and terminals.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Placement<'a> {
    /// Its own process group, and no terminal touched.
    Group,
    /// Its own process group, put into the foreground of this terminal.
    Foreground(BorrowedFd<'a>),
    /// Its own session, without a terminal.
    Session,
    /// Its own session, with this terminal as the controlling one.
    SessionWithTerminal(BorrowedFd<'a>),
    /// The parent's group.
    Inherit,
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

/// The step at which the child failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Fork,
    Pipe,
    Mask,
    Group,
    Terminal,
    Limit,
    Directory,
    User,
    PrivilegesRetained,
    Descriptor,
    ParentDeath,
    Exec,
}

impl Stage {
    const CHILD: [Self; 10] = [
        Self::Mask,
        Self::Group,
        Self::Terminal,
        Self::Limit,
        Self::Directory,
        Self::User,
        Self::PrivilegesRetained,
        Self::Descriptor,
        Self::ParentDeath,
        Self::Exec,
    ];
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// The descriptor, where [`Stage::Descriptor`] failed.
    pub(crate) number: RawFd,
    pub(crate) source: io::Error,
}

impl Failure {
    fn here(stage: Stage) -> impl Fn(io::Error) -> Self {
        move |source| Self { stage, number: -1, source }
    }
}

/// What the child writes to the parent: which step failed, and how.
#[derive(Clone, Copy)]
struct Report {
    stage: Stage,
    number: RawFd,
    error: Errno,
}

impl From<(Stage, Errno)> for Report {
    fn from((stage, error): (Stage, Errno)) -> Self {
        Self { stage, number: -1, error }
    }
}

impl Report {
    const SIZE: usize = 9;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.error.raw_os_error().to_ne_bytes();
        let [e, f, g, h] = self.number.to_ne_bytes();
        [self.stage as u8, a, b, c, d, e, f, g, h]
    }

    fn parse([stage, a, b, c, d, e, f, g, h]: [u8; Self::SIZE]) -> Failure {
        Failure {
            stage: Stage::CHILD.into_iter().find(|known| *known as u8 == stage).unwrap_or(Stage::Exec),
            number: RawFd::from_ne_bytes([e, f, g, h]),
            source: io::Error::from_raw_os_error(i32::from_ne_bytes([a, b, c, d])),
        }
    }
}

/// Starts the child and waits until it has become the program, or says why it could not.
pub(crate) fn spawn(plan: &mut Plan<'_>) -> Result<Pid, Failure> {
    start(plan)?.finish()
}

/// Starts the child, and does not wait for its `execve(2)`, which may take long: the file may lie on a network file system
/// that does not answer, or under another process's lease (`fcntl(2)`).
///
/// All signals are blocked around the fork, and the child unblocks them last: one that arrives between fork and exec
/// stays pending and meets the program as it would have met it without us, never this process's handlers.
pub(crate) fn start(plan: &mut Plan<'_>) -> Result<Starting, Failure> {
    let (report, write) = pipe().map_err(Failure::here(Stage::Pipe))?;
    let write = plan.passed.out_of_the_way(write).map_err(Failure::here(Stage::Pipe))?;
    let new_gate = || -> io::Result<_> {
        let (read, write) = pipe()?;
        Ok((plan.passed.out_of_the_way(read)?, plan.passed.out_of_the_way(write)?))
    };
    // Without a descriptor left the child does not wait: better a main that is early than none.
    let gate = if plan.is_gated { new_gate().ok() } else { None };
    let mask = block(SignalSet::all()).map_err(Failure::here(Stage::Mask))?;
    // SAFETY: the child calls only `child`, which makes async-signal-safe calls and ends in execve or _exit.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        child(plan, &write, gate.as_ref());
    }
    let pid = Pid::new(forked).ok_or_else(io::Error::last_os_error);
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

/// A child on its way to its program.
#[derive(Debug)]
pub(crate) struct Starting {
    pid: Pid,
    report: OwnedFd,
    /// The child waits until this is closed.
    gate: Option<OwnedFd>,
}

/// How far a child is on its way.
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
        Ok(rustix::io::ioctl_fionbio(&self.report, true)?)
    }

    /// Closes every descriptor from `first` up but for the report, which lets the child go on.
    pub(crate) fn close_from(&mut self, first: RawFd) {
        // Closed below, and not a second time by its owner.
        let _ = self.gate.take().map(IntoRawFd::into_raw_fd);
        close_all_but(first, self.report.as_raw_fd());
    }

    pub(crate) fn progress(&self) -> Progress {
        match read_report(&self.report) {
            Ok(None) => Progress::Started,
            Ok(Some(failure)) => Progress::Failed(failure),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Pending,
            // It cannot be asked: its exit status has to do.
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
    let _ =
        retry_transient(|| Ok(rustix::process::waitpid(Some(pid.rustix()), rustix::process::WaitOptions::empty())?));
}

/// How long the child may take before the parent checks whether it was stopped.
const CHECK_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Waits for the child's report or its end: what `poll(2)` says of the pipe then, if it can be asked.
///
/// A ^Z that is typed while the child has the terminal but is not the program yet stops it on its way, with the signals
/// unblocked for execve. The parent would wait here for ever, and no key could help: the stop is taken back.
fn wait_for_report(read: &OwnedFd, pid: Pid) -> Option<PollFlags> {
    use rustix::process::{WaitId, WaitIdOptions};
    let mut fds = [PollFd::new(read, PollFlags::IN)];
    while retry_transient(|| Ok(poll(&mut fds, Some(&CHECK_AFTER))?)).ok()? == 0 {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let stopped = rustix::process::waitid(WaitId::Pid(pid.rustix()), options).ok().flatten();
        let by = stopped.and_then(|status| status.stopping_signal());
        // A STOP is somebody's own doing, who will continue it.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].map(Some).contains(&by) {
            let _ = kill(pid, Signal::CONT);
        }
    }
    Some(fds[0].revents())
}

/// Reads the child's report; the end of the pipe means that `execve` has closed it.
fn read_report(read: &OwnedFd) -> io::Result<Option<Failure>> {
    let mut bytes = [0_u8; Report::SIZE];
    // It is written at once, and pipes keep that together (`pipe(7)`, PIPE_BUF).
    let count = retry_transient(|| Ok(rustix::io::read(read, &mut bytes[..])?))?;
    Ok((count == bytes.len()).then(|| Report::parse(bytes)))
}

/// The child's steps, and its report if one fails.
fn child(plan: &mut Plan<'_>, report_to: &OwnedFd, gate: Option<&(OwnedFd, OwnedFd)>) -> ! {
    let Err(report) = set_up(plan, gate);
    let _ = rustix::io::write(report_to, &report.to_bytes());
    // SAFETY: ends the child at once, without running the parent's exit handlers in it.
    unsafe { libc::_exit(127) };
}

fn set_up(plan: &mut Plan<'_>, gate: Option<&(OwnedFd, OwnedFd)>) -> Result<std::convert::Infallible, Report> {
    place(plan.placement)?;
    // As this process's user, who may be allowed more.
    limit(plan.limits)?;
    if let Some(ids) = plan.ids {
        become_user(ids)?;
    }
    // As the user, so that a directory which only root may enter is refused here and not entered by accident.
    if let Some(directory) = plan.directory {
        rustix::process::chdir(directory).map_err(|error| (Stage::Directory, error))?;
    }
    // Behind the change of user, which clears it (`PR_SET_PDEATHSIG(2const)`).
    if let Some((signal, parent)) = plan.parent_death {
        die_with(parent, signal)?;
    }
    if let Some((read, write)) = gate {
        // SAFETY: the child's own copy, which nothing uses or closes again: the child ends in execve or _exit. Open, it
        // would keep the end of file from the child itself.
        unsafe { libc::close(write.as_raw_fd()) };
        let _ = retry_transient(|| Ok(rustix::io::read(read, &mut [0_u8; 1][..])?));
    }
    // Last of what needs a descriptor: the terminal's own may be at one of the numbers.
    plan.passed.apply().map_err(|(number, error)| Report { stage: Stage::Descriptor, number, error })?;
    for (signals, disposition) in [(plan.default, Disposition::Default), (plan.ignore, Disposition::Ignore)] {
        for signal in signals.iter() {
            // KILL and STOP cannot be set, and nothing else fails here.
            let _ = set_disposition(signal, disposition);
        }
    }
    plan.environment.name_listener(plan.listen_pid, rustix::process::getpid().as_raw_pid());
    // A program that starts with every signal blocked could not be stopped.
    let failed = |error: io::Error| (Stage::Mask, Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
    set_mask(plan.mask).map_err(failed)?;
    let error = exec(plan);
    let _ = block(SignalSet::all());
    Err((Stage::Exec, error).into())
}

/// Puts the calling process, a child that was just forked with all signals blocked, where it belongs.
pub(crate) fn place(placement: Placement<'_>) -> Result<(), (Stage, Errno)> {
    let group_failed = |error| (Stage::Group, error);
    let terminal_failed = |error| (Stage::Terminal, error);
    match placement {
        Placement::Inherit => {}
        Placement::Group => rustix::process::setpgid(None, None).map_err(group_failed)?,
        Placement::Foreground(tty) => {
            rustix::process::setpgid(None, None).map_err(group_failed)?;
            // From a background group this would raise TTOU, which is blocked here and so does no harm. The child does
            // it and not the parent: when the program runs its first instruction, the terminal is already its own.
            rustix::termios::tcsetpgrp(tty, rustix::process::getpid()).map_err(terminal_failed)?;
        }
        Placement::Session => {
            rustix::process::setsid().map_err(group_failed)?;
        }
        Placement::SessionWithTerminal(tty) => {
            rustix::process::setsid().map_err(group_failed)?;
            rustix::process::ioctl_tiocsctty(tty).map_err(terminal_failed)?;
        }
    }
    Ok(())
}

fn limit(limits: Limits<'_>) -> Result<(), (Stage, Errno)> {
    let failed = |error| (Stage::Limit, error);
    for (resource, limit) in limits.resources {
        rustix::process::setrlimit(*resource, *limit).map_err(failed)?;
    }
    if let Some(mask) = limits.umask {
        rustix::process::umask(Mode::from_raw_mode(mask));
    }
    if let Some(nice) = limits.nice {
        rustix::process::setpriority_process(None, nice).map_err(failed)?;
    }
    Ok(())
}

fn die_with(parent: Pid, signal: Signal) -> Result<(), (Stage, Errno)> {
    let failed = |error: io::Error| (Stage::ParentDeath, Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
    set_parent_death_signal(signal).map_err(failed)?;
    // The request comes first and the look second: a parent that ends in between is seen by one of the two. It has no
    // number where this is the first process of a new PID namespace, and then cannot be looked for.
    if rustix::process::getppid().is_some_and(|now| Pid::from(now) != parent) {
        // Blocked as yet: it takes effect when the program has its own mask.
        kill(rustix::process::getpid().into(), signal).map_err(failed)?;
    }
    Ok(())
}

fn become_user(ids: &Ids) -> Result<(), (Stage, Errno)> {
    let failed = |error| (Stage::User, error);
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    // The thread calls and not libc's, which would signal the parent's other threads, copied here only as memory. Groups
    // first: without root they can no longer be set.
    rustix::thread::set_thread_groups(&ids.groups).map_err(failed)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(failed)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(failed)?;
    // The proof: becoming root again must fail. It would not where securebits or file capabilities kept CAP_SETUID.
    let root = (Uid::ROOT, Gid::ROOT);
    let uid_back = !uid.is_root() && rustix::thread::set_thread_res_uid(root.0, root.0, root.0).is_ok();
    let gid_back =
        !uid.is_root() && !gid.is_root() && rustix::thread::set_thread_res_gid(root.1, root.1, root.1).is_ok();
    if uid_back || gid_back { Err((Stage::PrivilegesRetained, Errno::PERM)) } else { Ok(()) }
}

/// Tries the candidates in turn, as `execvp(3)` does: goes on where a file is not there, remembers that one was refused.
///
/// It also goes on where a directory of PATH is a loop of links or has too long a name, as shells do: no program is there.
fn exec(plan: &mut Plan<'_>) -> Errno {
    let mut refused = None;
    let mut last = Errno::NOENT;
    for index in 0..plan.candidates.pointers().len() {
        let file = plan.candidates.pointers()[index];
        last = execve(file, plan.arguments.as_ptr(), plan.environment.as_ptr());
        match last {
            Errno::NOEXEC if is_for_shell(file) => {
                // A script without `#!`: execvp gives it to the shell, and users of the peers rely on that.
                let place = plan.shell_arguments.swap(1, file);
                let shell = plan.shell_arguments.pointers()[0];
                let error = execve(shell, plan.shell_arguments.as_ptr(), plan.environment.as_ptr());
                plan.shell_arguments.swap(1, place);
                return if error == Errno::NOENT { Errno::NOEXEC } else { error };
            }
            Errno::ACCESS => refused = Some(last),
            Errno::LOOP | Errno::NAMETOOLONG => refused = refused.or(Some(last)),
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
            _ => return last,
        }
    }
    refused.unwrap_or(last)
}

/// False for a file that the shell cannot run either, and would only complain about in its own words: a program that the kernel
/// does not take, for example another machine's, and a script whose first line, `#!`, names no interpreter that it takes.
fn is_for_shell(file: *const c_char) -> bool {
    // SAFETY: the file is a NUL-terminated string owned by the plan.
    let path = unsafe { CStr::from_ptr(file) };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let mut magic = [0_u8; 4];
    let read = rustix::fs::open(path, flags, Mode::empty()).and_then(|fd| rustix::io::read(&fd, &mut magic[..]));
    read.is_err() || magic != *b"\x7fELF" && !magic.starts_with(b"#!")
}

fn execve(file: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> Errno {
    // SAFETY: the file is a NUL-terminated string and the arrays are NULL-terminated arrays of such strings, all owned by
    // the plan, which outlives the call.
    unsafe { libc::execve(file, arguments, environment) };
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOEXEC)
}
