//! Diagnoses of real namespaces: this test program runs itself once more inside, as `docker exec` would run rinit.

use super::*;
use crate::process::signal::{Delivery, signal_process};
use crate::process::walk::descendants;
use crate::test_support::{Family, eventually};
use std::process::Command;

/// Set where this program is to print a diagnosis and not to test: to the file for the JSON.
const INSIDE: &str = "RINIT_TEST_DIAGNOSE";

/// The part that runs inside; outside it does nothing.
#[test]
fn inside() {
    let Some(file) = std::env::var_os(INSIDE) else { return };
    let diagnosis = diagnose().unwrap();
    std::fs::write(&file, format!("{}\n{diagnosis}", diagnosis.to_json())).unwrap();
}

/// Starts the script as PID 1 of a namespace, waits until `ready` processes are below it, and diagnoses from inside.
/// JSON and text; `None` where no namespace can be made.
fn diagnose_script(script: &str, ready: usize) -> Option<(String, String)> {
    let namespace = Family::in_namespace(script)?;
    let mut init = None;
    eventually("all started", || {
        let below = descendants(namespace.pid()).unwrap();
        init = below.iter().find(|process| process.ppid == Some(namespace.pid())).cloned();
        // What the scripts have when they have done their part: sleeps, zombies, stopped ones.
        let settled = |p: &&Process| p.comm == b"sleep" || p.has_ended() || p.state == State::Stopped;
        below.iter().filter(settled).count() >= ready
    });
    let init = init.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("diagnosis");
    let mut exec = Command::new("nsenter");
    exec.args(["--target", &init.pid.to_string(), "--pid", "--mount"]).arg(std::env::current_exe().unwrap());
    exec.args(["--exact", "diagnose::tests::inside"]).env(INSIDE, &file);
    let output = exec.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // Nothing was changed: PID 1 lives as before.
    assert!(!Process::read(init.pid).unwrap().unwrap().has_ended());
    assert_eq!(signal_process(&init, Signal::KILL).unwrap(), Delivery::Delivered);
    let written = std::fs::read_to_string(file).unwrap();
    let (json, text) = written.split_once('\n').unwrap();
    Some((json.to_string(), text.to_string()))
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_init_without_a_handler_loses_the_signal() {
    let Some((json, text)) = diagnose_script("exec sleep 600", 1) else { return };
    has(&text, &["findings: PID 1 will not stop", "'sleep 600' loses SIGTERM", "docker stop", "full timeout"]);
    has(&json, &[r#""healthy":false"#, r#""term":"loses","stops":false"#, r#""refusing":[],"zombies":[]"#]);
}

#[test]
fn an_init_that_handles_is_healthy() {
    let Some((json, text)) = diagnose_script("trap : TERM; sleep 600 & while :; do wait; done", 1) else { return };
    has(&text, &["healthy: ", "handles SIGTERM"]);
    has(&json, &[r#""healthy":true"#, r#""term":"handles","stops":true"#]);
}

#[test]
fn a_shell_that_waits_does_not_stop() {
    let Some((json, text)) = diagnose_script("trap 'exit 0' TERM; sleep 600; :", 1) else { return };
    has(&text, &["findings: PID 1 will not stop", "is a shell", "'sleep 600' ends"]);
    has(&json, &[r#""term":"shell-waits","stops":false"#]);
}

#[test]
fn those_who_refuse_and_zombies_are_named_with_their_reason() {
    // `exec sleep` never waits for the child that the shell before it had.
    let script = r#"trap : TERM
        (trap '' TERM; exec sleep 601) &
        sh -c 'kill -STOP $$; exec sleep 602' &
        sh -c ': & exec sleep 603' &
        while :; do wait; done"#;
    let Some((json, text)) = diagnose_script(script, 4) else { return };
    has(&text, &["findings: 2 processes would not end by SIGTERM, 1 zombie\n", "handles SIGTERM"]);
    has(&text, &["'sleep 601' state S", ": ignores SIGTERM", "exec sleep 602' state T", ": stopped (state T)"]);
    has(&text, &["'[sh]' started", "'sleep 603' does not wait for it"]);
    has(&json, &[r#""reason":"ignores""#, r#""reason":"stopped""#, r#""command":"sleep 603"}}"#]);
    assert!(!text.contains("inside"), "{text}");
}

fn sample(init: Reason) -> Diagnosis {
    let process = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    let survivor = crate::survivor::examine(&process, None).unwrap();
    let init = Survivor { pid: Pid::INIT, command: "in'it".into(), reason: init, ..survivor };
    Diagnosis { init, init_is_self: false, refusing: vec![], zombies: vec![] }
}

#[test]
fn what_counts_as_a_finding() {
    for (reason, finding) in [
        (Reason::Handles(Signal::TERM), false),
        (Reason::Blocks(Signal::TERM), false),
        (Reason::Unknown, false),
        (Reason::NamespaceInit(Signal::TERM), true),
        (Reason::Ignores(Signal::TERM), true),
        (Reason::Stopped(Signal::TERM), true),
        (Reason::StuckInKernel { at: None }, true),
    ] {
        let diagnosis = sample(reason);
        assert_eq!(diagnosis.findings(), finding, "{diagnosis}");
        assert_eq!(diagnosis.to_string().starts_with("findings: PID 1"), finding, "{diagnosis}");
        assert!(diagnosis.to_string().contains("'in\\'it'"), "{diagnosis}");
    }
    let itself = Diagnosis { init_is_self: true, ..sample(Reason::NamespaceInit(Signal::TERM)) };
    assert!(!itself.findings());
    assert!(itself.to_json().contains(r#""term":"self","stops":true"#));
    let zombie = Zombie { pid: Pid::INIT, command: "[x]".into(), age: Duration::ZERO, parent: None };
    let with_zombie = Diagnosis { zombies: vec![zombie], ..sample(Reason::Handles(Signal::TERM)) };
    assert!(with_zombie.findings());
    assert!(with_zombie.to_string().starts_with("findings: 1 zombie\n"), "{with_zombie}");
    assert!(with_zombie.to_json().contains(r#""parent":null"#));
}

#[test]
fn this_machine_can_be_diagnosed() {
    let diagnosis = diagnose().unwrap();
    let me = rustix::process::getpid().into();
    assert!(diagnosis.refusing.iter().all(|survivor| survivor.pid != me));
}
