//! Tests with trees of real processes.

use super::*;
use crate::test_support::{Family, eventually, pid_of};
use std::process::Command;

const FAMILY: &str = "sleep 600 & setsid sleep 601 & wait";
/// The same with a daemon: double-forked, in its own session.
const FAMILY_WITH_DAEMON: &str = "sleep 600 & setsid sleep 601 & (setsid sh -c 'sleep 602 & wait' &) ; wait";

fn has_all(of: Pid, commands: &[&str]) -> bool {
    let found = descendants(of).unwrap();
    let command = |process: &Process| {
        let words = procfs::reader::arguments(&mut procfs::bounded::BoundedReader::new(), process.pid).known();
        procfs::cmdline::display(&words.unwrap_or_default(), &process.comm)
    };
    let found: Vec<String> = found.iter().map(command).collect();
    commands.iter().all(|command| found.iter().any(|found| found == command))
}

#[test]
fn other_sessions_are_found_by_both_ways() {
    let family = Family::start(FAMILY);
    for of in [family.pid(), rustix::process::getpid().into()] {
        eventually("two sleeps below", || has_all(of, &["sleep 600", "sleep 601"]));
    }
    let set = |map: crate::pid::PidMap<Process>| {
        let mut all: Vec<_> =
            map.into_values().map(|process| (process.pid, process.ppid, process.start_ticks)).collect();
        all.sort_unstable();
        all
    };
    eventually("a tree at rest", || {
        let walked = walk::descendants_of(family.pid(), &mut Reader::new()).unwrap();
        let scanned = scan::descendants_of(family.pid(), &mut Reader::new()).unwrap();
        set(walked) == set(scanned)
    });
}

#[test]
fn double_forked_processes_are_found_below_their_adopter() {
    // The first process of a PID namespace adopts, as an init or a subreaper does.
    let Some(namespace) = Family::in_namespace(FAMILY_WITH_DAEMON) else { return };
    eventually("three sleeps below", || has_all(namespace.pid(), &["sleep 600", "sleep 601", "sleep 602"]));
}

#[test]
fn a_foreign_proc_is_refused() {
    const INSIDE: &str = "RINIT_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        // PID 1 of a new namespace, under the old one's /proc, whose "1" is the host's init.
        assert!(matches!(descendants(Pid::INIT), Err(Error::Proc { .. })));
        assert!(matches!(Process::read(Pid::INIT), Err(Error::Proc { .. })));
        return;
    }
    if !crate::test_support::can_unshare() {
        return;
    }
    // This very test once more, inside.
    let test = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(["--pid", "--fork", "--kill-child"]).arg(test);
    inside.args(["--exact", "process::tests::a_foreign_proc_is_refused"]).env(INSIDE, "1");
    let output = inside.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
fn odd_names_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("a) R (b\n c");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut child = loop {
        // Another test's fork may hold the copy open for writing for a moment.
        match Command::new(&program).arg("600").spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    let pid = pid_of(&child);
    let me = rustix::process::getpid().into();
    for process in [Process::read(pid).unwrap(), descendants(me).unwrap().into_iter().find(|p| p.pid == pid)] {
        let process = process.expect("it lives");
        assert_eq!(process.comm, b"a) R (b\n c");
        assert_eq!(process.ppid, Some(me));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn zombies_are_found_and_recognised() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = pid_of(&child);
    eventually("a zombie", || {
        let found = descendants(rustix::process::getpid().into()).unwrap();
        found.iter().any(|process| process.pid == pid && process.has_ended())
    });
    child.wait().unwrap();
    assert!(descendants(pid).unwrap().is_empty());
}

#[test]
fn a_forking_family_does_not_hold_the_reader() {
    let family = Family::start("sleep 600 & while :; do (:) & (: | :) ; done");
    let started = std::time::Instant::now();
    eventually("the one that stays", || {
        let found = descendants(family.pid()).unwrap();
        found.iter().any(|process| process.comm == b"sleep")
    });
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn those_below_pid_1_have_parents() {
    // A process with ppid 0 has entered the namespace from outside, or is a thread of the kernel.
    let descendants = descendants(Pid::INIT).unwrap();
    assert!(descendants.iter().all(|process| process.pid != Pid::INIT && process.ppid.is_some()));
    assert!(descendants.iter().any(|process| process.pid == rustix::process::getpid().into()));
}
