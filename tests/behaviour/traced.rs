//! Debuggers: what a process that traces others does to a stop.

use std::process::Command;
use support::rinit::Rinit;
use support::running::{Finished, Running, child_of, kill, number_in, run};
use support::{
    namespace, needs, probe, probe_path, procfs, require, require_for_part, rinit_path, test, wait_for, wait_until,
};

/// A debugger outside of the tree that attaches to this process, and waits for nothing that happens to it.
fn traced(pid: i32) -> Running {
    let tracer = Running::start(probe(["trace", &pid.to_string()]));
    tracer.out.wait("ready");
    tracer
}

fn main_of(running: &Running) -> i32 {
    procfs::children(running.pid()).first().expect("main").pid
}

/// Main exits when it reads a line, and this debugger holds it as a zombie.
fn hold_exited_main(running: &mut Running) -> (i32, Running) {
    running.out.wait("ready");
    let main = main_of(running);
    let tracer = traced(main);
    running.type_in("go on\n");
    wait_for_zombie(main);
    (main, tracer)
}

fn wait_for_zombie(pid: i32) {
    wait_until("a zombie", || procfs::read(pid).is_some_and(|process| process.state == 'Z'));
}

/// rinit exits with this code, and names the debugger. Returns what it printed.
#[track_caller]
fn blames(finished: &Finished, code: i32, tracer: &Running) -> String {
    let said = finished.err.join("\n");
    assert_eq!(finished.code, code, "{said}");
    assert!(said.contains(&format!("the process {}, which traces it, has not waited for it", tracer.pid())), "{said}");
    said
}

/// Main's exit status is its own, and its helper need not wait for the last call.
#[test]
fn a_main_that_its_tracer_holds_as_a_zombie_is_named_and_left() {
    let run = Rinit::with(&["-v", "--last-call", "1h"]).shell("sleep 1000 & echo ready; read line; exit 3");
    let mut running = run.start();
    let (_, tracer) = hold_exited_main(&mut running);
    running.signal(15);
    let said = blames(&running.finished(), 3, &tracer);
    assert!(said.contains("leaving 1 process") && said.contains(&format!("kill {}", tracer.pid())), "{said}");
}

/// As PID 1 the kernel keeps the namespace until the debugger lets go: rinit has said why.
#[test]
fn a_tracer_outside_of_the_namespace_is_blamed_by_pid_1() {
    require(namespace::available());
    // New kernels show the exit status of such a process only with CAP_SYS_PTRACE.
    require(needs::root());
    let mut running = Rinit::new().shell("echo ready; read line; exit 3").as_pid_1().start();
    let (_, tracer) = hold_exited_main(&mut running);
    running.signal(15);
    running.err.wait("leaving 1 process");
    running.err.wait("a process outside of the PID namespace, which traces it, has not waited for it");
    drop(tracer);
    assert_eq!(running.wait(), 3);
}

/// `/proc` shows the status only to a process that may trace main. Exit status 137 then says nothing of main, and rinit says so.
#[test]
fn the_status_of_a_held_main_that_may_not_be_read_is_said_to_be_unknown() {
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "--"]).arg(rinit_path());
    command.args(["--user", "65534:65534", "--", "sh", "-c", "echo ready; read line; exit 3"]);
    let mut running = Running::start(command);
    let (main, tracer) = hold_exited_main(&mut running);
    running.signal(15);
    let said = blames(&running.finished(), 137, &tracer);
    let unknown = format!("main (pid {main}) has exited, and its exit status is not known");
    assert!(said.contains(&unknown) && said.contains("CAP_SYS_PTRACE"), "{said}");
}

#[test]
fn an_orphan_that_its_tracer_holds_as_a_zombie_does_not_hold_up_the_drain() {
    let script = "setsid sleep 1000 & echo pid=$!; read line; exit 4";
    let mut running = Rinit::with(&["--drain", "1h"]).shell(script).start();
    let orphan = number_in(&running.out.wait("pid="), "pid");
    let tracer = traced(orphan);
    kill(orphan, 9);
    wait_for_zombie(orphan);
    running.type_in("go on\n");
    blames(&running.finished(), 4, &tracer);
}

/// The first thread is a zombie in any case. The other one is dead too, but its tracer holds it.
#[test]
fn a_thread_that_its_tracer_holds_counts_as_exited() {
    let mut running = Rinit::new().probe(&["leader-gone", "0"]).start();
    running.out.wait("ready");
    let main = main_of(&running);
    let threads = std::fs::read_dir(format!("/proc/{main}/task")).expect("threads");
    let mut threads = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let thread: i32 = threads.find(|thread| *thread != main).expect("a second thread");
    let tracer = traced(thread);
    kill(main, 9);
    wait_until("the thread to exit", || procfs::field(thread, "State").is_some_and(|state| state.starts_with('Z')));
    running.signal(15);
    blames(&running.finished(), 137, &tracer);
}

/// KILL ends a process that a debugger holds, and the debugger holds what is left. rinit leaves soon after, not after five seconds.
#[test]
fn a_main_that_was_killed_under_its_tracer_is_left() {
    let mut running = Rinit::with(&["--grace", "1s"]).probe(&["ignore", "TERM"]).start();
    running.out.wait("ready");
    let tracer = traced(main_of(&running));
    running.signal(15);
    let said = blames(&running.finished(), 137, &tracer);
    assert!(said.contains("killing (SIGKILL) 1 process"), "{said}");
}

/// An init as PID 1, whose main has left it an orphan, and asks rinit for a diagnosis when it reads a line. Returns the orphan's
/// number as well.
fn with_orphan(init: &str) -> (Running, i32) {
    let script = "(sleep 1000 &); echo ready; read line; $0 --diagnose; echo status $?; read line";
    let rinit = rinit_path().display().to_string();
    let mut command = Command::new(if init == "rinit" { &rinit } else { init });
    command.args(["--", "sh", "-c", script, &rinit]);
    let running = namespace::start(&command);
    running.out.wait("ready");
    let orphan = wait_for("the orphan", || {
        let children = procfs::children(running.pid());
        children.iter().map(|child| child.pid).find(|pid| procfs::command_line(*pid) == ["sleep", "1000"])
    });
    (running, orphan)
}

/// Waits until PID 1 has exited: it has no memory any more. The kernel keeps it while it waits for the namespace.
fn wait_for_held_end(running: &mut Running) {
    wait_until("PID 1 to exit", || procfs::command_line(running.pid()).is_empty());
    wait_until("its children to exit", || procfs::children(running.pid()).iter().all(|child| child.state == 'Z'));
    assert!(running.is_running(), "the namespace is gone");
}

fn asked_from_outside(running: &Running) -> Finished {
    run(support::rinit(["--diagnose", "--pid", &running.pid().to_string()]))
}

/// `--diagnose` does not promise that such a container stops. Inside, only the init's zombie shows the debugger.
#[test]
fn a_diagnosis_counts_what_a_debugger_outside_holds() {
    require(namespace::available());
    require(needs::root());
    for (init, is_zombie) in [("rinit", true), ("tini", true), ("tini", false)] {
        if init != "rinit" && require_for_part(needs::programs(&[init])).is_none() {
            continue;
        }
        let (mut running, orphan) = with_orphan(init);
        assert_eq!(asked_from_outside(&running).code, 0, "{init}");
        let tracer = traced(orphan);
        if is_zombie {
            kill(orphan, 9);
            wait_for_zombie(orphan);
        }
        let finished = asked_from_outside(&running);
        let said = finished.out.join("\n");
        assert_eq!(finished.code, 2, "{init}: {finished:?}");
        let (reason, remedy) = match is_zombie {
            true => ("which traces it, has not waited for it", "let the debugger go on or exit"),
            false => ("SIGTERM waits for the debugger", "detach the debugger"),
        };
        for part in ["Depends on:\n", reason, remedy] {
            assert!(said.contains(part), "{init}: {part}: {said}");
        }
        if is_zombie {
            running.type_in("ask\n");
            running.out.wait("status 2");
            running.out.wait("a debugger outside of the PID namespace may trace it");
        }
        running.signal(15);
        wait_for_held_end(&mut running);
        drop(tracer);
        running.wait();
    }
}

/// The probe as a process of `docker exec`.
fn inside(running: &Running, words: &[&str]) -> Running {
    let mut nsenter = Command::new("nsenter");
    nsenter.args(["-t", &running.pid().to_string(), "--pid", "--mount", "--", probe_path()]).args(words);
    let session = Running::start(nsenter);
    session.out.wait("ready");
    session
}

/// The end of the namespace kills such a debugger.
#[test]
fn a_diagnosis_does_not_count_what_a_debugger_inside_holds() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["tini", "nsenter"]));
    let (mut running, orphan) = with_orphan("tini");
    let numbers = procfs::field(orphan, "NSpid").expect("NSpid");
    let number = numbers.split_whitespace().last().expect("a number");
    let _tracer = inside(&running, &["trace", number]);
    kill(orphan, 9);
    wait_for_zombie(orphan);
    let finished = asked_from_outside(&running);
    assert_eq!(finished.code, 0, "{finished:?}");
    running.signal(15);
    running.wait();
}

/// No process waits for a process of `docker exec`, but the kernel does.
#[test]
fn a_diagnosis_counts_a_session_that_a_debugger_outside_holds() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["tini", "nsenter"]));
    let (mut running, _) = with_orphan("tini");
    let session = inside(&running, &["sleep"]);
    let pid = child_of(session.pid(), "the session");
    assert_eq!(asked_from_outside(&running).code, 0);
    let tracer = traced(pid);
    let finished = asked_from_outside(&running);
    assert_eq!(finished.code, 2, "{finished:?}");
    assert!(finished.out.join("\n").contains(&format!("Depends on:\n  pid {pid} ")), "{finished:?}");
    running.signal(15);
    wait_for_held_end(&mut running);
    drop(tracer);
    running.wait();
}
