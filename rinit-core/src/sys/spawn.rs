//! `fork(2)`, the child's set-up, `execve(2)`.
//!
//! `std::process::Command` cannot be used: it hands on the blocked mask of this process, resets SIGPIPE and clears the
//! supplementary groups in its own way. Between fork and exec the child makes only async-signal-safe system calls: no
//! allocation, no lock, no log line, since another thread may have held any lock at the moment of the fork
//! (`fork(2)`, NOTES; `signal-safety(7)`).

use super::c_strings::CStrings;
use super::disposition::{Disposition, set_disposition};
use super::kill::kill;
use super::mask::{block, set_mask};
use crate::patience::patiently;
use crate::{Pid, Signal, SignalSet};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
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

/// Everything the child needs, prepared before the fork.
pub(crate) struct Plan<'a> {
    /// The files to try in turn, as `execvp(3)` does.
    pub(crate) candidates: CStrings,
    pub(crate) arguments: CStrings,
    /// `/bin/sh`, a place for the script, then the arguments from the second on: for a script without `#!`.
    pub(crate) shell_arguments: CStrings,
    pub(crate) environment: CStrings,
    /// Index of an environment entry `LISTEN_PID=` whose value becomes the child's own pid.
    pub(crate) listen_pid: Option<usize>,
    pub(crate) directory: Option<&'a CStr>,
    pub(crate) ids: Option<&'a Ids>,
    pub(crate) placement: Placement<'a>,
    pub(crate) ignore: SignalSet,
    pub(crate) default: SignalSet,
    pub(crate) mask: SignalSet,
}

/// The step at which the child failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Fork,
    Pipe,
    Group,
    Terminal,
    Directory,
    User,
    UserNotFinal,
    Exec,
}

impl Stage {
    const CHILD: [Self; 6] = [Self::Group, Self::Terminal, Self::Directory, Self::User, Self::UserNotFinal, Self::Exec];
}

/// Lowest descriptor of the pipe: with standard descriptors closed a new one would take their place, and a message of
/// this process, or output of the child, would land in the pipe.
const ABOVE_STDIO: i32 = 3;

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((raise(read)?, raise(write)?))
}

fn raise(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= ABOVE_STDIO { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, ABOVE_STDIO)?) }
}

/// Starts the child and waits until it has become the program, or says why it could not.
///
/// All signals are blocked around the fork, and the child unblocks them last: one that arrives between fork and exec
/// stays pending and meets the program as it would have met it without us, never this process's handlers.
pub(crate) fn spawn(plan: &mut Plan<'_>) -> Result<Pid, (Stage, io::Error)> {
    let (read, write) = pipe().map_err(|error| (Stage::Pipe, error))?;
    let mask = block(SignalSet::all()).map_err(|error| (Stage::Fork, error))?;
    // SAFETY: the child calls only `child`, which makes async-signal-safe calls and ends in execve or _exit.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        let (stage, error) = child(plan);
        let [a, b, c, d] = error.raw_os_error().to_ne_bytes();
        let _ = rustix::io::write(&write, &[stage as u8, a, b, c, d]);
        // SAFETY: ends the child at once, without running the parent's exit handlers in it.
        unsafe { libc::_exit(127) };
    }
    let fork_error = io::Error::last_os_error();
    let restored = set_mask(mask);
    let Some(pid) = Pid::new(forked) else { return Err((Stage::Fork, fork_error)) };
    drop(write);
    wait_for_report(&read, pid);
    let failure = read_report(&read);
    if let Some(failure) = failure {
        // The child has failed and is ending; it is ours alone, so its zombie is taken by pid.
        let _ = rustix::io::retry_on_intr(|| {
            rustix::process::waitpid(Some(pid.rustix()), rustix::process::WaitOptions::empty())
        });
        return Err(failure);
    }
    restored.map_err(|error| (Stage::Fork, error))?;
    Ok(pid)
}

/// How long the child may take before somebody looks whether it was stopped.
const LOOK_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Waits for the child's report or its end.
///
/// A ^Z that is typed while the child has the terminal but is not the program yet stops it on its way, with the signals
/// unblocked for execve. The parent would wait here for ever, and no key could help: the stop is taken back.
fn wait_for_report(read: &OwnedFd, pid: Pid) {
    use rustix::process::{WaitId, WaitIdOptions};
    let mut fds = [PollFd::new(read, PollFlags::IN)];
    while patiently(|| Ok(poll(&mut fds, Some(&LOOK_AFTER))?)).is_ok_and(|ready| ready == 0) {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let stopped = rustix::process::waitid(WaitId::Pid(pid.rustix()), options).ok().flatten();
        let by = stopped.and_then(|status| status.stopping_signal());
        // A STOP is somebody's own doing, who will continue it.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].map(Some).contains(&by) {
            let _ = kill(pid, Signal::CONT);
        }
    }
}

/// Reads the child's report; the end of the pipe means that `execve` has closed it.
fn read_report(read: &OwnedFd) -> Option<(Stage, io::Error)> {
    let mut bytes = [0_u8; 5];
    // Five bytes are written at once, and pipes keep that together (`pipe(7)`, PIPE_BUF).
    let count = patiently(|| Ok(rustix::io::read(read, &mut bytes[..])?)).unwrap_or(0);
    if count < bytes.len() {
        return None;
    }
    let stage = Stage::CHILD.into_iter().find(|stage| *stage as u8 == bytes[0]).unwrap_or(Stage::Exec);
    let errno = i32::from_ne_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    Some((stage, io::Error::from_raw_os_error(errno)))
}

/// The child's steps; returns only when one failed.
fn child(plan: &mut Plan<'_>) -> (Stage, Errno) {
    let Err(failure) = set_up(plan);
    failure
}

fn set_up(plan: &mut Plan<'_>) -> Result<std::convert::Infallible, (Stage, Errno)> {
    place(plan.placement)?;
    if let Some(ids) = plan.ids {
        become_user(ids)?;
    }
    // As the user, so that a directory which only root may enter is refused here and not entered by accident.
    if let Some(directory) = plan.directory {
        rustix::process::chdir(directory).map_err(|error| (Stage::Directory, error))?;
    }
    for (signals, disposition) in [(plan.default, Disposition::Default), (plan.ignore, Disposition::Ignore)] {
        for signal in signals.signals() {
            // KILL and STOP cannot be set, and nothing else fails here.
            let _ = set_disposition(signal, disposition);
        }
    }
    if let Some(index) = plan.listen_pid {
        let pid = rustix::process::getpid().as_raw_pid();
        write_listen_pid(plan.environment.pointers()[index], pid);
    }
    let _ = set_mask(plan.mask);
    let error = exec(plan);
    let _ = block(SignalSet::all());
    Err((Stage::Exec, error))
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
    if uid_back || gid_back { Err((Stage::UserNotFinal, Errno::PERM)) } else { Ok(()) }
}

/// Room for any pid behind `LISTEN_PID=`.
pub(crate) const LISTEN_PID_ROOM: &str = "LISTEN_PID=0000000000";

/// Writes the decimal pid over the zeros of [`LISTEN_PID_ROOM`]; the parent cannot know it before the fork.
fn write_listen_pid(entry: *mut c_char, pid: i32) {
    let name = "LISTEN_PID=".len();
    let mut digits = [0_u8; 10];
    let mut rest = pid.unsigned_abs();
    let mut count = 0;
    while rest > 0 && count < digits.len() {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    for (at, digit) in digits[..count].iter().rev().chain([&0]).enumerate() {
        // SAFETY: the entry is a copy of LISTEN_PID_ROOM, which has ten digits and a NUL behind the name; at most ten
        // digits and a NUL are written.
        unsafe { entry.add(name + at).write(*digit as c_char) };
    }
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
