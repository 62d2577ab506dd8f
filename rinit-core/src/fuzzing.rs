//! Entry points for the fuzz targets to code that parses foreign bytes. They are not part of the public interface.
//!
//! Each takes any input and must return: the caller only looks for panics, hangs and unbounded memory.
#![allow(missing_docs)]

use crate::child::spec::environment::ChildEnvironment;
use crate::diagnose::json::Json;
use crate::pid::Pid;
use crate::procfs;
use crate::procfs::stat::State;
use crate::survivor::Survivor;
use crate::survivor::reason::Reason;
use crate::sys::CStrings;
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Resolves any user with any databases.
///
/// # Panics
///
/// If the answer is an id that means "leave it as it is" to `setresuid(2)`, or root although no input names root.
pub fn user(spec: &str, passwd: &[u8], group: &[u8]) {
    let Ok(user) = crate::user::User::resolve_in(spec, passwd, group) else { return };
    assert_ne!(user.uid(), u32::MAX, "{spec:?}");
    assert!(user.gid() != u32::MAX && !user.groups().contains(&u32::MAX), "{spec:?}");
    assert!(user.groups().contains(&user.gid()), "{spec:?}");
    let is_zero = |field: &[u8]| !field.is_empty() && field.iter().all(|byte| *byte == b'0');
    let name = spec.split(':').next().unwrap_or_default().as_bytes();
    let says_root = |line: &[u8]| line.split(|byte| *byte == b':').nth(2).is_some_and(is_zero);
    let root_is_named = is_zero(name) || passwd.split(|byte| *byte == b'\n').any(says_root);
    assert!(user.uid() != 0 || root_is_named, "{spec:?} became root");
}

/// Makes a child's environment from inherited entries, for this pid and the child's.
///
/// # Panics
///
/// If anything changes except the entries that name this process in `LISTEN_PID`, which must name the child.
pub fn environment(inherited: &[OsString], own: u32, child: i32) {
    let entries = CStrings::new(inherited, "an entry").expect("no NUL");
    let made = ChildEnvironment::new(entries, [], own).expect("no NUL");
    let strings = made.entries;
    strings.name_listener(&made.listen_pid, child);
    let ours = format!("LISTEN_PID={own}");
    let theirs = format!("LISTEN_PID={child}");
    let wanted = inherited.iter().map(|entry| if *entry == *ours { theirs.as_bytes() } else { entry.as_bytes() });
    assert!(wanted.eq(strings.iter().map(CStr::to_bytes)), "{inherited:?}");
}

pub fn exec_head(file: &[u8]) {
    crate::child::exec_failure::parse_head(file);
}

/// Says why a process with that name and command line is still there, in words and in JSON.
///
/// # Panics
///
/// If the process could forge a line, or the rest of its own line.
pub fn survivor(cmdline: &[u8], comm: &[u8]) {
    let command = procfs::cmdline::display(cmdline, comm);
    let [pid, child] = [1, 2].map(|pid| Pid::new(pid).expect("a pid"));
    let reason = Reason::ShellWaits { child, command: command.clone() };
    let survivor =
        Survivor { pid, ppid: None, command, state: State::Sleeping, age: Duration::ZERO, uid: None, reason };
    let line = survivor.to_string();
    assert!(!line.chars().any(char::is_control), "not escaped: {line:?}");
    // Two quoted texts, in which every other quote is escaped.
    let mut bare = 0;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => drop(rest.next()),
            '\'' => bare += 1,
            _ => {}
        }
    }
    assert_eq!(bare, 4, "{line}");
    let json = Json::text(line).to_string();
    assert!(!json.chars().any(char::is_control), "not escaped: {json:?}");
}

/// Parses any bytes as `/proc/pid/stat`, and then as the name in a line that the kernel wrote.
///
/// # Panics
///
/// If the name, whose bytes the process chooses, has changed another field.
pub fn stat(bytes: &[u8]) {
    let _ = procfs::stat::Stat::parse(bytes);
    let fields = b") S 5 6 7 0 -1 4194560 243 334 0 0 0 0 0 0 20 0 3 0 198750 4464640 734 18446744073709551615\n";
    let stat = procfs::stat::Stat::parse(&[b"42 (", bytes, fields].concat()).expect("a stat line");
    assert_eq!(stat.comm, bytes);
    let numbers = (stat.pid.get(), stat.ppid.map(Pid::get), stat.pgrp, stat.session, stat.threads, stat.start_ticks);
    assert_eq!(numbers, (42, Some(5), 6, 7, 3, 198_750));
}

/// Parses any bytes as `/proc/pid/status`.
pub fn status(bytes: &[u8]) {
    let _ = procfs::status::Status::parse(bytes);
}

/// Shows any bytes as if they were `/proc/pid/cmdline`.
///
/// # Panics
///
/// If the line is too long or contains a control character.
pub fn cmdline(bytes: &[u8]) {
    let line = procfs::cmdline::display(bytes, bytes);
    assert!(line.chars().count() <= procfs::cmdline::WIDTH, "too long: {line}");
    assert!(!line.chars().any(char::is_control), "not escaped: {line:?}");
    let _ = procfs::cmdline::program_name(bytes);
}

/// Parses any bytes as files of `/proc` that only the kernel writes.
pub fn kernel_files(bytes: &[u8]) {
    let cgroups = procfs::cgroup::Cgroups::parse(bytes);
    let _ = cgroups.contains(&cgroups);
    let _ = procfs::cgroup::Hierarchy::that_freeze(bytes).iter().filter_map(|one| one.state_file(&cgroups)).count();
    let _ = procfs::cgroup::Frozen::parse(bytes);
    let _ = procfs::syscall::parse(bytes);
    let _ = procfs::fdinfo::parse(bytes);
}

/// Parses any bytes as `/proc/pid/task/tid/children`.
pub fn children(bytes: &[u8]) {
    let _ = procfs::children::parse(bytes).count();
}

/// Reads any bytes as messages between a controlling process and its contained rinit.
pub fn containment(bytes: &[u8]) {
    crate::contain::read_any(bytes);
}
