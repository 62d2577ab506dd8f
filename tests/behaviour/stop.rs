//! A requested stop: which process is signalled when, which is killed, and what is reported.

use std::process::Command;
use support::rinit::Rinit;
use support::running::{Running, number_in};
use support::{
    namespace, needs, probe_path, procfs, require, require_for_part, rinit, rinit_path, skip, test, wait_for,
    wait_until,
};

#[test]
fn a_main_that_ignores_term_is_named_and_killed_when_the_grace_time_is_over() {
    Rinit::with(&["--grace", "2s"]).probe(&["ignore", "TERM"]).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        running.err.wait("SIGTERM");
        let finished = running.finished();
        assert_eq!(finished.code, 137);
        let said = finished.err.join("\n");
        let killing = said.find("time is up (--grace), killing (SIGKILL) 1 process").expect("the heading");
        assert!(said.rfind("ignores SIGTERM").is_some_and(|at| at > killing), "{said}");
        assert!(said.contains("ignore TERM' state S"), "the command is named: {said}");
        assert_eq!(running.left().len(), 0);
    });
}

#[test]
fn without_grace_survivors_are_named_and_nothing_is_killed() {
    Rinit::new().probe(&["ignore", "TERM"]).everywhere(|mut running| {
        let main = number_in(&running.out.wait("ready"), "pid");
        running.signal(15);
        running.err.wait("still waiting for 1 process;");
        running.err.wait("ignores SIGTERM");
        assert!(running.is_running());
        let main = procfs::children(running.pid()).first().map_or(main, |main| main.pid);
        support::running::kill(main, 9);
        assert_eq!(running.wait(), 137);
    });
}

#[test]
fn a_process_that_stands_for_main_is_asked_once_and_then_killed() {
    // Main exits at once, under `wait`: the process that is left stands for it.
    let run = Rinit::with(&["--on-main-exit", "wait", "--grace", "2s"]);
    run.probe(&["with-helper", "--at-once", "0", "signals"]).everywhere(|mut running| {
        running.out.wait("ready");
        wait_until("main to be reaped", || procfs::descendants(running.pid()).len() == 1);
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 0);
        let terms = finished.out.iter().filter(|line| line.starts_with("got 15 ")).count();
        assert_eq!(terms, 1, "one TERM, then KILL: {:?}", finished.out);
        assert!(finished.err.join("\n").contains("takes SIGTERM by sigwait"), "{:?}", finished.err);
    });
}

/// It works after that, and so it neither waits for the signal nor has it pending.
#[test]
fn a_process_that_has_taken_the_signal_is_not_said_to_block_it() {
    let script = format!("{} leader-gone 0 --after 2500 & wait", probe_path());
    Rinit::new().shell(&script).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        let report = finished.err.join("\n");
        assert!(report.contains("takes SIGTERM by sigwait or signalfd and is still running"), "{report}");
    });
}

#[test]
fn a_stop_is_held_back_until_a_second_one() {
    Rinit::with(&["--stop-delay", "1h"]).probe(&["signals", "--exit-on", "TERM:6"]).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        running.signal(1);
        running.out.wait("got 1 ");
        // HUP has the lower number and may have overtaken TERM in rinit's queue; by a second round trip TERM is taken.
        running.signal(10);
        running.out.wait("got 10 ");
        assert!(!running.out.all().iter().any(|line| line.starts_with("got 15 ")), "TERM came too early");
        running.signal(2);
        assert_eq!(running.wait(), 6);
    });
}

#[test]
fn a_stop_is_held_back_until_its_time() {
    let mut command = rinit(["--", probe_path(), "signals", "--exit-on", "TERM:6"]);
    command.env("RINIT_STOP_DELAY", "300ms");
    let mut running = Running::start(command);
    running.out.wait("ready");
    running.signal(15);
    assert_eq!(running.wait(), 6);
}

#[test]
fn another_signal_can_request_a_stop() {
    let mut running =
        Rinit::with(&["--stop-signal", "USR1", "--grace", "300ms"]).probe(&["ignore", "USR1", "TERM"]).start();
    running.out.wait("ready");
    running.signal(10);
    let finished = running.finished();
    assert_eq!(finished.code, 137);
    assert!(finished.err.join("\n").contains("ignores SIG"), "{:?}", finished.err);
}

#[test]
fn a_shell_that_waits_for_its_child_is_recognised() {
    let script = "trap 'exit 3' TERM; echo ready; sleep 1000; :";
    // Between its fork and its exec the sleep is still a shell, whose handler takes a SIGTERM without effect.
    let sleeps = |running: &Running| {
        let below = procfs::descendants(running.pid());
        below.iter().any(|process| procfs::command_line(process.pid) == ["sleep", "1000"])
    };
    let mut running = Rinit::with(&["--grace", "8s"]).shell(script).start();
    running.out.wait("ready");
    wait_until("the sleep", || sleeps(&running));
    running.signal(15);
    let hint = running.err.wait("a shell, which runs its trap only after its foreground child");
    assert!(hint.contains("sleep 1000") && hint.contains("exec"), "{hint}");
    // At the last call the sleep is sent SIGTERM, too, so that the trap runs after all.
    assert_eq!(running.wait(), 3);
    // And with the hint followed: at once.
    let mut running = Rinit::with(&["-g"]).shell(script).start();
    running.out.wait("ready");
    wait_until("the sleep", || sleeps(&running));
    running.signal(15);
    assert_eq!(running.finished().code, 3);
}

#[test]
fn a_shell_that_polls_since_it_was_asked_waits_for_no_command() {
    // The trap ends nothing: the loop goes on with commands that are younger than the stop.
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.2; done";
    for shell in ["dash", "bash"] {
        if require_for_part(needs::programs(&[shell])).is_none() {
            continue;
        }
        Rinit::with(&["--grace", "10s"]).program(&[shell, "-c", script]).everywhere(|mut running| {
            running.out.wait("ready");
            running.signal(15);
            // At 5 s.
            let line = running.err.wait(&format!("'{shell} -c trap"));
            assert!(line.contains("handles SIGTERM and is still running"), "{line}");
            let main = procfs::children(running.pid()).first().expect("main").pid;
            support::running::kill(main, libc::SIGKILL);
            running.wait();
        });
    }
}

#[test]
fn a_stopped_process_gets_its_chance() {
    Rinit::new().probe(&["with-helper", "4", "slow-term", "1", "0"]).everywhere(|mut running| {
        running.out.wait_nth("ready", 2);
        let helper = procfs::descendants(running.pid()).last().expect("the helper").pid;
        support::running::kill(helper, libc::SIGSTOP);
        wait_until("it to stop", || procfs::read(helper).is_some_and(|process| process.state == 'T'));
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 4);
        assert!(finished.out.contains(&"done".to_owned()), "{:?}", finished.out);
    });
}

#[test]
fn a_refused_signal_is_reported_once_and_the_stop_goes_on() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    // Without a grace, too: for a while it says what is wrong, but it does not become as unstoppable as main.
    for options in [&["--grace", "1s"][..], &[]] {
        let mut command = Command::new("setpriv");
        // The probe lies under a directory that only root may enter; the shell is everywhere.
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        command.args(["--bounding-set=-kill", "--inh-caps=-kill", "--"]).arg(rinit_path()).args(options);
        command.args(["--user", "65534:65534", "--workdir", "/", "--", "sh", "-c", script]);
        let mut running = namespace::start(&command);
        running.out.wait("ready");
        for _ in 0..3 {
            running.signal(1);
        }
        running.signal(15);
        let finished = running.finished();
        // As PID 1 rinit exits, and the kernel then kills processes that rinit may not signal.
        assert_eq!(finished.code, 137);
        let said = finished.err.join("\n");
        let main = finished.err.iter().filter(|line| line.contains("to pid 2: it runs as uid 65534")).count();
        assert_eq!(main, 1, "said once for main: {said}");
        assert!(said.contains("CAP_KILL") && said.contains("that rinit cannot terminate"), "{said}");
        // Main was not asked, and it got no signal that a rewrite could replace.
        assert!(!said.contains("asked to stop (SIGTERM") && !said.contains("rewrite it"), "{said}");
        wait_until("the kernel to end the namespace", || running.left().is_empty());
    }
}

#[test]
fn without_proc_all_descendants_are_still_terminated() {
    require(namespace::available());
    require(needs::root());
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child=KILL", "--mount", "--", "sh", "-c"]);
    let fifo = tempfile::tempdir().expect("a directory");
    let script = format!(
        "mount -t tmpfs none /proc && mkfifo {0}/ready && exec {1} --drain 20s -- sh -c '
            (trap \"sleep 0.3; echo done; exit 0\" TERM; echo > {0}/ready; while :; do sleep 0.05; done) &
            setsid sleep 1000 & (sleep 1000 &)
            read -r ready < {0}/ready; exit 5'",
        fifo.path().display(),
        rinit_path().display()
    );
    command.arg(script);
    let mut running = Running::start(command);
    let finished = running.finished();
    assert_eq!(finished.code, 5);
    assert!(finished.out.contains(&"done".to_owned()), "{:?}", finished.out);
    assert_eq!(running.left().len(), 0);
}

/// A process that joins the namespace from outside, as `docker exec` does; its parent is not in there.
fn joins(running: &Running, words: &[&str]) -> Running {
    let mut command = Command::new("nsenter");
    command.args(["--target", &running.pid().to_string(), "--pid", "--mount", "--"]).args(words);
    Running::start(command)
}

#[test]
fn a_process_that_joined_from_outside_is_left_alone() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["nsenter"]));
    let mut running = Rinit::with(&["--to", "all"]).probe(&["with-helper", "0", "signals"]).as_pid_1().start();
    running.out.wait_nth("ready", 2);
    let mut guest = joins(&running, &[probe_path(), "signals"]);
    guest.out.wait("ready");
    // A resize: its default action terminates no process.
    running.signal(28);
    running.out.wait("got 28 ");
    running.signal(15);
    running.out.wait("got 15 ");
    // TERM has terminated main, and a helper of this kind needs a second TERM. The guest has received nothing all the time.
    wait_until("main to be reaped", || procfs::children(running.pid()).len() == 1);
    assert_eq!(guest.out.all().len(), 1, "{:?}", guest.out.all());
    assert!(guest.is_running());
    running.signal(15);
    assert_eq!(running.wait(), 0);
}

/// The parts of the kernel's version that matter here.
fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().expect("UTF-8").split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|number| number.parse().ok()).expect("a version");
    (number(), number())
}

#[test]
fn a_reused_pid_hits_no_unrelated_process() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["nsenter"]));
    const PID_MAX: &str = "/proc/sys/kernel/pid_max";
    // Before Linux 6.14 the limit was the machine's, also where a namespace wrote it: found out before it is written.
    if kernel() < (6, 14) {
        skip("before Linux 6.14 the kernel has one pid_max for all namespaces");
    }
    let outside = std::fs::read_to_string(PID_MAX).unwrap_or_default();
    let mut try_it = Command::new("sh");
    try_it.args(["-c", &format!("echo 400 > {PID_MAX}; cat {PID_MAX}")]);
    let inside = support::running::run(namespace::as_pid_1(&try_it));
    assert_eq!(inside.out, ["400"]);
    assert_eq!(std::fs::read_to_string(PID_MAX).unwrap_or_default(), outside, "of the namespace alone");
    // Everything below main ignores USR1 and lives shortly, so that pids go round; the guests outside of the tree die of
    // USR1, and would say so.
    let forker = "trap '' USR1; echo ready; while :; do /bin/true & /bin/true; done";
    let mut command = Command::new("sh");
    let script = format!("echo 400 > {PID_MAX}; exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(rinit_path()).args(["--to", "all", "--", "sh", "-c", forker]);
    let mut running = namespace::start(&command);
    running.out.wait("ready");
    let guests = "echo ready; for i in $(seq 2000); do /bin/true || echo hit $?; done; echo end";
    let guest = joins(&running, &["sh", "-c", guests]);
    guest.out.wait("ready");
    let mut sent = 0;
    while !guest.out.all().iter().any(|line| line == "end") && sent < 200_000 {
        running.signal(10);
        sent += 1;
    }
    let said = guest.finish().out;
    assert_eq!(said, ["ready", "end"], "after {sent} signals");
    running.signal(15);
    wait_for("the end", || (!running.is_running()).then_some(()));
}

/// Beside one busy process a thread of that policy gets a thousandth of the processor, whatever its priority is.
#[test]
fn rinit_leaves_the_idle_policy_for_a_stop() {
    require(needs::root());
    require(needs::programs(&["chrt"]));
    let mut command = Command::new("chrt");
    command.args(["--idle", "0"]).arg(rinit_path()).args(["--grace", "3s", "--", probe_path(), "ignore", "TERM"]);
    let mut running = Running::start(command);
    running.out.wait("ready");
    // Field 41 of /proc/pid/stat, of which the name, which has no space here, is the second.
    let policy = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.split(' ').nth(40).map(str::to_owned)
    };
    const IDLE: &str = "5";
    assert_eq!(policy(running.pid()).as_deref(), Some(IDLE));
    running.signal(15);
    wait_until("another policy", || policy(running.pid()).as_deref() == Some("0"));
    let main = procfs::children(running.pid()).first().expect("main").pid;
    assert_eq!(policy(main).as_deref(), Some(IDLE), "main keeps what it was started with");
    assert_eq!(running.wait(), 137);
}
