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
    assert_eq!(survivor(child, None).reason, Reason::Ignores(Signal::TERM), "asked by its parent, perhaps");
    eventually("asleep", || survivor(child, None).state == State::Sleeping);
    let line = survivor(child, Some(Signal::TERM)).to_string();
    let start = format!("pid {child} (ppid {}) 'sleep 600' state S, age ", family.pid());
    assert!(line.starts_with(&start) && line.ends_with("s: ignores SIGTERM"), "{line}");
}

#[test]
fn a_shell_that_waits_with_a_trap() {
    for (shell, is_known) in [("bash", false), ("dash", true)] {
        let Ok(which) = Command::new(shell).args(["-c", ":"]).status() else { continue };
        assert!(which.success());
        let (family, child) = with_child(&format!("exec {shell} -c 'trap \"exit 3\" TERM; sleep 600; :'"));
        let process = Process::read(family.pid()).unwrap().unwrap();
        let told = signal_process(&process, Signal::TERM).unwrap();
        assert_eq!(told, Delivery::Delivered);
        let command = "sleep 600".to_owned();
        let waits = Reason::ShellWaits { child, command: command.clone() };
        eventually_is(family.pid(), &if is_known { waits } else { Reason::ShellMayWait { child, command } });
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
    // `exec sleep` never waits for the child that the shell before it had.
    let family = Family::start(": & exec sleep 600");
    let zombie = Reason::Zombie { parent: Some(family.pid()) };
    eventually("a zombie", || {
        let below = descendants(family.pid()).unwrap();
        let survivors = below.iter().filter_map(|process| examine(process, Some(Signal::TERM)));
        survivors.into_iter().any(|survivor| survivor.reason == zombie && survivor.command == "[sh]")
    });
}

#[test]
fn a_zombie_that_this_process_is_about_to_reap_is_none() {
    let mut child = Command::new("true").spawn().unwrap();
    let process = Process::read(crate::test_support::pid_of(&child)).unwrap().unwrap();
    eventually("it has exited", || examine(&process, Some(Signal::TERM)).is_none());
    child.wait().unwrap();
}

#[test]
fn a_full_pipe_is_named() {
    if Command::new("perl").args(["-e", "1"]).status().is_err() {
        return;
    }
    let script = r#"exec perl -e 'pipe R, W; $SIG{TERM} = sub { syswrite W, "x" x 1e6 }; sleep 600'"#;
    let family = Family::start(script);
    let process = Process::read(family.pid()).unwrap().unwrap();
    eventually("a handler", || survivor(family.pid(), Some(Signal::TERM)).reason == Reason::Handles(Signal::TERM));
    signal_process(&process, Signal::TERM).unwrap();
    eventually_is(family.pid(), &Reason::FullPipe(Signal::TERM));
}

#[test]
fn the_culprit_comes_first_and_before_its_children() {
    let me = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    let one = |pid, ppid, reason| Survivor {
        pid: Pid::new(pid).unwrap(),
        ppid: Pid::new(ppid),
        reason,
        ..examine(&me, None).unwrap()
    };
    let term = Signal::TERM;
    let may_wait = Reason::ShellMayWait { child: Pid::new(6).unwrap(), command: "x".into() };
    let mut survivors = vec![
        one(3, 9, Reason::Ignores(term)),
        one(4, 1, Reason::NotAsked),
        one(5, 1, may_wait),
        one(6, 5, Reason::Handles(term)),
        one(9, 5, Reason::Ignores(term)),
    ];
    let sorted = |survivors: &mut [Survivor], stop_age| {
        culprits_first(survivors, stop_age);
        survivors.iter().map(|one| one.pid.get()).collect::<Vec<_>>()
    };
    assert_eq!(sorted(&mut survivors, Duration::ZERO), [9, 3, 6, 5, 4]);
    // 9 and 3 have started since.
    for one in survivors.iter_mut().filter(|one| [3, 9].contains(&one.pid.get())) {
        one.age = Duration::ZERO;
    }
    assert_eq!(sorted(&mut survivors, Duration::from_nanos(1)), [6, 5, 4, 9, 3]);
    // Parents that reused numbers have put in a ring.
    let mut ring = vec![one(3, 9, Reason::NotAsked), one(9, 3, Reason::NotAsked)];
    culprits_first(&mut ring, Duration::ZERO);
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
