//! The child between fork and exec. **Only async-signal-safe system calls**: no allocation, no lock, no log line, because another
//! thread of the parent may have held any lock at the moment of the fork (`fork(2)`, NOTES; `signal-safety(7)`).

use super::report::{Report, Stage};
use super::{Ids, Leads, Limits, Placement, Plan};
use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::last_errno;
use crate::sys::retry::retry_transient;
use crate::sys::signal::disposition::{Disposition, set_disposition};
use crate::sys::signal::mask::{block, set_mask};
use crate::sys::signal::send::{kill, set_parent_death_signal};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::ffi::{CStr, c_char};

/// Makes the child's steps, and reports the one that fails.
pub(super) fn run(plan: &mut Plan<'_>, report_to: &OwnedFd, gate: Option<&(OwnedFd, OwnedFd)>) -> ! {
    let Err(report) = set_up(plan, gate);
    let _ = rustix::io::write(report_to, &report.to_bytes());
    // SAFETY: ends the child at once, without running the parent's exit handlers in it.
    unsafe { libc::_exit(127) };
}

fn set_up(plan: &mut Plan<'_>, gate: Option<&(OwnedFd, OwnedFd)>) -> Result<std::convert::Infallible, Report> {
    place(plan.placement)?;
    // As the parent's user, which may have the right to raise limits.
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
        unsafe { rustix::io::close(write.as_raw_fd()) };
        let _ = retry_transient(|| rustix::io::read(read, &mut [0_u8; 1][..]));
    }
    // Last of the steps that need a descriptor: the terminal's own may have one of the numbers.
    plan.passed.apply().map_err(|(number, error)| Report { stage: Stage::Descriptor, number, error })?;
    for (signals, disposition) in [(plan.default, Disposition::Default), (plan.ignore, Disposition::Ignore)] {
        for signal in signals.iter() {
            // KILL and STOP cannot be set, and nothing else fails here.
            let _ = set_disposition(signal, disposition);
        }
    }
    plan.environment.name_listener(plan.listen_pid, rustix::process::getpid().as_raw_pid());
    // A program that starts with every signal blocked could not be stopped.
    set_mask(plan.mask).map_err(|error| (Stage::Mask, error))?;
    let error = exec(plan);
    let _ = block(SignalSet::all());
    Err((Stage::Exec, error).into())
}

/// Puts the calling process into its process group or session. It was just forked, with all signals blocked.
pub(crate) fn place(placement: Placement<'_>) -> Result<(), (Stage, Errno)> {
    let group_failed = |error| (Stage::Group, error);
    let terminal_failed = |error| (Stage::Terminal, error);
    match placement.leads {
        Leads::Nothing => return Ok(()),
        Leads::Group => rustix::process::setpgid(None, None).map_err(group_failed)?,
        Leads::Session => drop(rustix::process::setsid().map_err(group_failed)?),
    }
    let Some(tty) = placement.terminal else { return Ok(()) };
    match placement.leads {
        Leads::Session => rustix::process::ioctl_tiocsctty(tty),
        // From a background group this raises TTOU, which is blocked here. The child does it, not the parent, so that the
        // program has the terminal from its first instruction on.
        Leads::Nothing | Leads::Group => rustix::termios::tcsetpgrp(tty, rustix::process::getpid()),
    }
    .map_err(terminal_failed)
}

fn limit(limits: Limits<'_>) -> Result<(), Report> {
    for (number, (resource, limit)) in (0..).zip(limits.resources) {
        let failed = |error| Report { stage: Stage::Limit, number, error };
        rustix::process::setrlimit(*resource, *limit).map_err(failed)?;
    }
    if let Some(mask) = limits.umask {
        rustix::process::umask(Mode::from_raw_mode(mask));
    }
    if let Some(nice) = limits.nice {
        rustix::process::setpriority_process(None, nice).map_err(|error| (Stage::Nice, error))?;
    }
    Ok(())
}

fn die_with(parent: Pid, signal: Signal) -> Result<(), (Stage, Errno)> {
    let failed = |error| (Stage::ParentDeath, error);
    set_parent_death_signal(signal).map_err(failed)?;
    // Request first, check second: one of the two notices a parent that dies in between. The parent has no number if this is
    // the first process of a new PID namespace, and cannot be checked then.
    if rustix::process::getppid().is_some_and(|now| Pid::from(now) != parent) {
        // All signals are blocked: it takes effect when the program has its own mask.
        kill(rustix::process::getpid().into(), signal).map_err(failed)?;
    }
    Ok(())
}

fn become_user(ids: &Ids) -> Result<(), (Stage, Errno)> {
    let failed = |error| (Stage::User, error);
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    // The calls for one thread: libc's would signal the parent's other threads, which do not exist here. Groups first: without
    // root they can no longer be set.
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

/// Tries the candidates in turn, as `execvp(3)` does: it goes on if a file does not exist, and remembers a refusal.
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
/// does not accept, for example another machine's, and a script whose first line, `#!`, names no interpreter that it accepts.
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
    last_errno()
}
