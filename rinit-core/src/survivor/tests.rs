//! Reasons of real processes.

use super::*;
use crate::process::signal::{Delivery, signal_process};
use crate::process::walk::descendants;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::test_support::{Family, eventually};
use proptest::prelude::*;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn survivor(pid: Pid, told: Option<Signal>) -> Survivor {
    examine(&Process::read(pid).unwrap().expect("it lives"), told).expect("it lives")
}

/// Waits for the reason: a shell blocks signals for a moment around each fork, and a process may be in state D while
/// it starts.
#[track_caller]
fn eventually_is(pid: Pid, reason: &Reason) {
    eventually(&format!("{reason:?}"), || survivor(pid, Some(Signal::TERM)).reason == *reason);
}

/// Waits until the shell has got as far as having a child that has become `sleep`.
fn with_child(script: &str) -> (Family, Pid) {
    let family = Family::start(script);
    let mut child = None;
    eventually("a sleep below the shell", || {
        let below = descendants(family.pid()).unwrap();
        child = below.iter().find(|process| process.comm == b"sleep").map(|process| process.pid);
        child.is_some()
    });
    let child = child.unwrap();
    (family, child)
}

#[test]
fn a_shell_that_ignores() {
    let (family, child) = with_child("trap '' TERM; sleep 600; :");
    for pid in [family.pid(), child] {
        eventually_is(pid, &Reason::Ignores(Signal::TERM));
    }
    assert_eq!(survivor(child, None).reason, Reason::NeverTold);
    eventually("asleep", || survivor(child, None).state == State::Sleeping);
    let line = survivor(child, Some(Signal::TERM)).to_string();
    let start = format!("pid {child} (ppid {}) 'sleep 600' state S, age ", family.pid());
    assert!(line.starts_with(&start) && line.ends_with("s: ignores SIGTERM"), "{line}");
}

#[test]
fn a_shell_that_waits_with_a_trap() {
    for shell in ["sh", "bash", "dash"] {
        let Ok(which) = Command::new(shell).args(["-c", ":"]).status() else { continue };
        assert!(which.success());
        let (family, child) = with_child(&format!("exec {shell} -c 'trap \"exit 3\" TERM; sleep 600; :'"));
        let process = Process::read(family.pid()).unwrap().unwrap();
        let told = signal_process(&process, Signal::TERM).unwrap();
        assert_eq!(told, Delivery::Delivered);
        eventually_is(family.pid(), &Reason::ShellWaits { child, command: "sleep 600".into() });
    }
}

#[test]
fn a_shell_in_its_wait_builtin_handles() {
    let (family, _) = with_child("trap : TERM; sleep 600 & while :; do wait; done");
    eventually_is(family.pid(), &Reason::Handles(Signal::TERM));
}

#[test]
fn a_process_that_blocks() {
    // The mask of this thread goes to the child by fork and exec; std clears it only where told so.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec sleep 600"]);
    let child = std::thread::spawn(move || {
        sys::block(SignalSet::only(Signal::TERM)).unwrap();
        Family::of(command.arg0("sh"))
    });
    let family = child.join().unwrap();
    eventually("sleep with TERM blocked", || {
        let survivor = survivor(family.pid(), Some(Signal::TERM));
        survivor.command == "sleep 600" && survivor.reason == Reason::Blocks(Signal::TERM)
    });
    let process = Process::read(family.pid()).unwrap().unwrap();
    signal_process(&process, Signal::TERM).unwrap();
    eventually_is(family.pid(), &Reason::Blocks(Signal::TERM));
}

#[test]
fn a_stopped_process() {
    let (_family, child) = with_child("sleep 600 & wait");
    let process = Process::read(child).unwrap().unwrap();
    signal_process(&process, Signal::STOP).unwrap();
    eventually("stopped", || survivor(child, None).state == State::Stopped);
    signal_process(&process, Signal::TERM).unwrap();
    eventually_is(child, &Reason::Stopped(Signal::TERM));
    // Let go, it ends.
    signal_process(&process, Signal::CONT).unwrap();
    eventually("gone", || examine(&process, Some(Signal::TERM)).is_none());
}

#[test]
fn a_zombie() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = crate::test_support::pid_of(&child);
    let me = rustix::process::getpid().into();
    let zombie = Reason::Zombie { parent: Some(me) };
    eventually("a zombie", || survivor(pid, Some(Signal::TERM)).reason == zombie);
    assert_eq!(survivor(pid, None).command, "[true]");
    child.wait().unwrap();
}

#[test]
fn the_init_of_a_namespace() {
    let Some(namespace) = Family::in_namespace("sleep 600; :") else { return };
    eventually("an init without a handler", || {
        let below = descendants(namespace.pid()).unwrap();
        let reasons = below.iter().filter_map(|process| examine(process, Some(Signal::TERM)));
        reasons.into_iter().any(|survivor| survivor.reason == Reason::NamespaceInit(Signal::TERM))
    });
}

#[test]
fn a_process_that_is_gone_or_another_one() {
    let me = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    assert!(examine(&me, None).is_some());
    assert_eq!(examine(&Process { start_ticks: me.start_ticks + 1, ..me }, None), None);
}

#[test]
fn a_quote_does_not_end_the_command() {
    let me = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    let command = "x' state S, age 0s: fine".to_string();
    let line = Survivor { command, ..examine(&me, None).unwrap() }.to_string();
    assert!(line.contains("'x\\' state S"), "{line}");
}

#[test]
fn ages() {
    for (seconds, text) in [(0, "0s"), (59, "59s"), (65, "1m05s"), (3600, "1h00m"), (90_000, "1d01h")] {
        assert_eq!(Age(Duration::from_secs(seconds)).to_string(), text);
    }
    let me = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    assert!(age(me.start_ticks) < Duration::from_secs(3600));
    assert_eq!(from_ticks(250, 100), Duration::from_millis(2500));
}

proptest! {
    #[test]
    fn any_ticks_make_an_age(ticks: u64, per_second: u64) {
        let _ = from_ticks(ticks, per_second);
        let _ = Age(age(ticks)).to_string();
    }
}
