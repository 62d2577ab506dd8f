//! `fork(2)`, the child's set-up, `execve(2)`.
//!
//! `std::process::Command` cannot be used: it hands on the blocked mask of this process, resets SIGPIPE and clears the
//! supplementary groups in its own way. Between fork and exec the child makes only async-signal-safe system calls: no
//! allocation, no lock, no log line, since another thread may have held any lock at the moment of the fork
//! (`fork(2)`, NOTES; `signal-safety(7)`).

pub(super) mod c_strings;
mod vfork;

use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::fd::remap::{Passed, pipe};
use crate::sys::retry::{retry_transient, sleep};
use crate::sys::signal::disposition::{Disposition, set_disposition};
use crate::sys::signal::mask::{block, set_mask};
use crate::sys::signal::send::{kill, set_parent_death_signal};
use c_strings::CStrings;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::ptr;
use std::time::{Duration, Instant};
use vfork::ChildStack;

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
    /// A signal for the end of the parent, and the parent.
    pub(crate) parent_death: Option<(Signal, Pid)>,
    pub(crate) ignore: SignalSet,
    pub(crate) default: SignalSet,
    pub(crate) mask: SignalSet,
    /// No handler of this process's can run in the child, so that it may use the same memory.
    pub(crate) shares_memory: bool,
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
    Directory,
    User,
    PrivilegesRetained,
    Descriptor,
    ParentDeath,
    Exec,
}

impl Stage {
    const CHILD: [Self; 9] = [
        Self::Mask,
        Self::Group,
        Self::Terminal,
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
///
/// All signals are blocked around the fork, and the child unblocks them last: one that arrives between fork and exec
/// stays pending and meets the program as it would have met it without us, never this process's handlers.
pub(crate) fn spawn(plan: &mut Plan<'_>) -> Result<Pid, Failure> {
    let (read, write) = pipe().map_err(Failure::here(Stage::Pipe))?;
    let write = plan.passed.out_of_the_way(write).map_err(Failure::here(Stage::Pipe))?;
    let mask = block(SignalSet::all()).map_err(Failure::here(Stage::Mask))?;
    let mut work = Work { plan, report_to: write.as_raw_fd() };
    let child = Child::start(&mut work);
    let restored = set_mask(mask);
    let Child { pid, stack } = child.map_err(Failure::here(Stage::Fork))?;
    drop(write);
    let ready = wait_for_report(&read, pid);
    let report = match ready {
        // Its end is in sight, and nothing before it.
        Some(PollFlags::HUP) => Ok(None),
        Some(_) => read_report(&read),
        None => read_report(&read).or_else(|_| {
            // Neither could be asked. By now the child is its program, or has ended and is waited for like any other.
            let from = Instant::now();
            while from.elapsed() < LONG_ENOUGH {
                // Until then it may be in this memory: where no sleep is to be had either, the time passes all the same.
                sleep(LONG_ENOUGH);
            }
            Ok(None)
        }),
    };
    let failure = match (report, restored) {
        // The end of the pipe says that the child is in this memory no longer: the kernel takes it out before it closes the
        // pipe.
        (Ok(None), Ok(_)) => return Ok(pid),
        // The child has failed and is ending.
        (Ok(Some(failure)), _) => failure,
        (Err(error), _) => Failure::here(Stage::Pipe)(error),
        // The program runs, but this process could no longer take its own signals: no child is left behind.
        (Ok(None), Err(error)) => {
            if retry_transient(|| kill(pid, Signal::KILL)).is_err() {
                // To wait for it would be to wait for its own end.
                return Err(Failure::here(Stage::Mask)(error));
            }
            Failure::here(Stage::Mask)(error)
        }
    };
    // It is ours alone, so its zombie is taken by pid. One that has reported is in this memory until then.
    let _ =
        retry_transient(|| Ok(rustix::process::waitpid(Some(pid.rustix()), rustix::process::WaitOptions::empty())?));
    drop(stack);
    Err(failure)
}

/// How long the child may take before somebody looks whether it was stopped.
const LOOK_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// Far more than the child's few system calls take.
const LONG_ENOUGH: Duration = Duration::from_millis(100);

/// Waits for the child's report or its end: what `poll(2)` says of the pipe then, if it can be asked.
///
/// A ^Z that is typed while the child has the terminal but is not the program yet stops it on its way, with the signals
/// unblocked for execve. The parent would wait here for ever, and no key could help: the stop is taken back.
fn wait_for_report(read: &OwnedFd, pid: Pid) -> Option<PollFlags> {
    use rustix::process::{WaitId, WaitIdOptions};
    let mut fds = [PollFd::new(read, PollFlags::IN)];
    while retry_transient(|| Ok(poll(&mut fds, Some(&LOOK_AFTER))?)).ok()? == 0 {
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

/// What the child works with. It may do so in this very memory, and is then not to be disturbed.
struct Work<'a, 'b> {
    plan: &'a mut Plan<'b>,
    /// A number and not a value of the parent's, which closes its own while the child still needs it.
    report_to: RawFd,
}

/// A child on its way to its program.
struct Child {
    pid: Pid,
    /// What it runs on, if it shares this process's memory. Not to be dropped before it has left that.
    stack: Option<ChildStack>,
}

impl Child {
    /// Until the child has left this memory, the caller must neither touch nor drop the work.
    fn start(work: &mut Work<'_, '_>) -> io::Result<Self> {
        // A process with another user's rights in this memory would open it to that user's other processes (`ptrace(2)`).
        if work.plan.shares_memory && work.plan.ids.is_none() {
            // Where that is refused, by a seccomp filter for example, the child gets a copy.
            if let Ok(child) = Self::start_in_this_memory(work) {
                return Ok(child);
            }
        }
        // SAFETY: the child calls only `child`, which makes async-signal-safe calls and ends in execve or _exit.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            child(work);
        }
        Pid::new(forked).map(|pid| Self { pid, stack: None }).ok_or_else(io::Error::last_os_error)
    }

    fn start_in_this_memory(work: &mut Work<'_, '_>) -> io::Result<Self> {
        let stack = ChildStack::new()?;
        // SAFETY: `spawn` keeps the stack and the work, whose plan leads to all that the child reads, until the child has
        // left this memory. The child's calls are async-signal-safe, and `start` has seen to it that it stays this user.
        let pid = unsafe { stack.start(child_in_this_memory, ptr::from_mut(work).cast()) }?;
        Pid::new(pid).map(|pid| Self { pid, stack: Some(stack) }).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

extern "C" fn child_in_this_memory(work: *mut c_void) -> c_int {
    // SAFETY: `start_in_this_memory` passes this, and leaves it alone.
    child(unsafe { &mut *work.cast::<Work<'_, '_>>() })
}

/// The child's steps, and its report where one fails.
fn child(work: &mut Work<'_, '_>) -> ! {
    let Err(report) = set_up(work.plan);
    // SAFETY: the child's own copy of the descriptor, which it has not closed.
    let report_to = unsafe { BorrowedFd::borrow_raw(work.report_to) };
    let _ = rustix::io::write(report_to, &report.to_bytes());
    // SAFETY: ends the child at once, without running the parent's exit handlers in it.
    unsafe { libc::_exit(127) };
}

fn set_up(plan: &mut Plan<'_>) -> Result<std::convert::Infallible, Report> {
    place(plan.placement)?;
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
fn exec(plan: &mut Plan<'_>) -> Errno {
    let mut refused = None;
    let mut last = Errno::NOENT;
    for index in 0..plan.candidates.pointers().len() {
        let file = plan.candidates.pointers()[index];
        last = execve(file, plan.arguments.as_ptr(), plan.environment.as_ptr());
        match last {
            Errno::NOEXEC if !is_elf(file) => {
                // A script without `#!`: execvp gives it to the shell, and users of the peers rely on that.
                let place = plan.shell_arguments.swap(1, file);
                let shell = plan.shell_arguments.pointers()[0];
                let error = execve(shell, plan.shell_arguments.as_ptr(), plan.environment.as_ptr());
                plan.shell_arguments.swap(1, place);
                return if error == Errno::NOENT { Errno::NOEXEC } else { error };
            }
            Errno::ACCESS => refused = Some(last),
            Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT => {}
            _ => return last,
        }
    }
    refused.unwrap_or(last)
}

/// True for a program that the kernel would not take, for example another machine's: as a script it would only give the
/// shell's complaint about a syntax error.
fn is_elf(file: *const c_char) -> bool {
    // SAFETY: the file is a NUL-terminated string owned by the plan.
    let path = unsafe { CStr::from_ptr(file) };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let mut magic = [0_u8; 4];
    let read = rustix::fs::open(path, flags, Mode::empty()).and_then(|fd| rustix::io::read(&fd, &mut magic[..]));
    read.is_ok() && magic == *b"\x7fELF"
}

fn execve(file: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> Errno {
    // SAFETY: the file is a NUL-terminated string and the arrays are NULL-terminated arrays of such strings, all owned by
    // the plan, which outlives the call.
    unsafe { libc::execve(file, arguments, environment) };
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOEXEC)
}
