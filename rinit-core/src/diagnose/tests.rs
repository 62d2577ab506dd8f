//! Diagnoses of real namespaces: this test program runs itself once more inside, as `docker exec` would run rinit.

use super::*;
use crate::process::signal::{Delivery, signal_process};
use crate::process::walk::descendants;
use crate::procfs::stat::State;
use crate::test_support::{Family, can_unshare, eventually};
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
    has(
        &text,
        &["will not stop: ", "docker stop", "full timeout", "'sleep 600': loses SIGTERM", "what helps: run it under"],
    );
    has(
        &json,
        &[r#"{"schema":1,"stops":false,"reason":"namespace-init","shared":false"#, r#""notes":[],"zombies":[]"#],
    );
    has(&json, &[r#""findings":[{"pid":1"#, r#""command":"sleep 600","arguments":["sleep","600"]"#]);
}

#[test]
fn a_handler_says_nothing() {
    let Some((json, text)) = diagnose_script("trap : TERM; sleep 600 & while :; do wait; done", 1) else { return };
    has(&text, &["cannot be told: ", "has a handler for SIGTERM; only a stop shows"]);
    has(&json, &[r#""stops":null,"reason":"handles""#, r#""findings":[],"undecided":[{"pid":1"#]);
}

#[test]
fn a_refusal_below_a_handler_is_a_note_and_zombies_are_grouped() {
    // `exec sleep` never waits for the children that the shell before it had.
    let script = r#"trap : TERM
        (trap '' TERM; exec sleep 601) &
        sh -c 'kill -STOP $$; exec sleep 602' &
        sh -c ': & : & : & exec sleep 603' &
        while :; do wait; done"#;
    let Some((json, text)) = diagnose_script(script, 6) else { return };
    has(&text, &["cannot be told: ", "; 3 zombies\n", "Does not act on SIGTERM"]);
    has(&text, &["'sleep 601' state S", ": ignores SIGTERM", "exec sleep 602' state T", ": stopped (state T)"]);
    has(&text, &["3 zombies '[sh]' (pid ", "'sleep 603' has not reaped them", "under an init"]);
    has(
        &json,
        &[r#""reason":"ignores""#, r#""reason":"stopped""#, r#""command":"sleep 603"},"tracer":null"#, r#""count":3"#],
    );
    assert!(!text.contains("inside"), "{text}");
}

/// Both are in this program's mount namespace, and as deep in PID namespaces.
#[test]
fn another_process_is_judged_in_its_own_namespace() {
    let start = || Family::of(Command::new("unshare").args(["--pid", "--fork", "--kill-child", "sleep", "600"]));
    if !can_unshare() {
        return;
    }
    let sleep_below = |family: &Family| {
        let mut found = None;
        eventually("sleep started", || {
            let below = descendants(family.pid()).unwrap();
            found = below.iter().find(|process| process.comm == b"sleep").map(|process| process.pid);
            found.is_some()
        });
        found.unwrap()
    };
    let (one, other) = (start(), start());
    for family in [&one, &other] {
        let pid = sleep_below(family);
        let diagnosis = diagnose_container_of(pid).unwrap();
        assert_eq!(diagnosis.first.process.pid, pid, "{diagnosis}");
        assert!(diagnosis.stops == Some(false) && !diagnosis.shared, "{diagnosis}");
    }
}

fn finding(pid: i32, command: &str, reason: Reason) -> Finding {
    let me = Process::read(rustix::process::getpid().into()).unwrap().unwrap();
    let survivor = crate::survivor::examine(&me, None).unwrap();
    let pid = Pid::new(pid).unwrap();
    let process = Survivor { pid, command: command.into(), reason, ..survivor };
    Finding { process, arguments: vec![command.into()], remedy: None }
}

fn sample(stops: Option<bool>, reason: Reason) -> Diagnosis {
    let first = finding(1, "in'it", reason);
    Diagnosis {
        stops,
        first,
        first_inside: None,
        shared: false,
        findings: vec![],
        undecided: vec![],
        notes: vec![],
        zombies: vec![],
        main: None,
        hidden: false,
        role: None,
    }
}

#[test]
fn the_first_line_is_the_verdict() {
    let handles = || Reason::Handles(Signal::TERM);
    for (stops, start, json) in [
        (Some(true), "will stop: ", r#""stops":true,"#),
        (Some(false), "will not stop: ", r#""stops":false,"#),
        (None, "cannot be told: ", r#""stops":null,"#),
    ] {
        let diagnosis = sample(stops, handles());
        assert!(diagnosis.to_string().starts_with(start), "{diagnosis}");
        assert!(diagnosis.to_string().contains("PID 1 'in\\'it': "), "{diagnosis}");
        assert!(!diagnosis.to_string().contains('\x1b'), "{diagnosis}");
        assert!(diagnosis.to_terminal().starts_with("\x1b[1;"), "{}", diagnosis.to_terminal());
        assert!(diagnosis.to_json().contains(json));
    }
    let shared = Diagnosis { shared: true, ..sample(None, handles()) };
    assert!(shared.to_string().contains("namespace is shared; this container's first process is pid 1"), "{shared}");
    let inside = Diagnosis { first_inside: Pid::new(7), hidden: true, ..sample(None, handles()) };
    has(&inside.to_string(), &["PID 7 (pid 1 here)", "hidden from this user"]);
}

#[test]
fn zombies_of_one_parent_are_one_line() {
    let zombie = |pid| Zombie { pid: Pid::new(pid).unwrap(), command: "[x]".into(), age: Duration::ZERO };
    let parent = || Some(ZombieParent { pid: Pid::INIT, command: "app".into() });
    let many =
        Zombies { parent: parent(), tracer: None, parent_is_init: false, zombies: (100..130).map(zombie).collect() };
    let line = "30 zombies '[x]' (pid 100, 101, 102, 103, 104, ...): parent 1 'app' has not reaped them";
    assert_eq!(many.to_string(), line);
    let one = Zombies { parent: None, tracer: None, parent_is_init: false, zombies: vec![zombie(9)] };
    assert_eq!(one.to_string(), "1 zombie '[x]' (pid 9): the parent, outside of the container, has not reaped it");
    let traced = Zombies { parent: parent(), tracer: parent(), parent_is_init: false, zombies: vec![zombie(9)] };
    let said = "1 zombie '[x]' (pid 9): the process 1 'app', which traces it, has not waited for it";
    assert_eq!(traced.to_string(), said);
    let of_init = Zombies { parent: parent(), tracer: None, parent_is_init: true, zombies: vec![zombie(9)] };
    let said = of_init.to_string();
    assert!(said.contains("the init 1 'app' cannot reap it yet; a debugger outside"), "{said}");
    let diagnosis = Diagnosis { zombies: vec![many, one], ..sample(Some(true), Reason::Ending(Signal::TERM)) };
    has(&diagnosis.to_string(), &["; 31 zombies\n", line]);
    has(&diagnosis.to_json(), &[r#""count":30"#, r#""parent":null"#]);
}

#[test]
fn this_machine_can_be_diagnosed() {
    let Ok(diagnosis) = diagnose() else { return };
    let me = rustix::process::getpid().into();
    assert!(diagnosis.findings.iter().chain(&diagnosis.notes).all(|finding| finding.process.pid != me));
    let me = diagnose_container_of(me).unwrap();
    assert_eq!(me.first.process.pid, diagnosis.first.process.pid);
    let error = diagnose_container_of(Pid::new(i32::MAX).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("cannot diagnose: there is no process"), "{error}");
}
