//! `rinit --diagnose`, run in containers that would and would not stop.

use std::process::Command;
use support::docker::{self, Container, Image};
use support::freezer::Freezer;
use support::rinit::Rinit;
use support::running::{Finished, Running, child_of, run};
use support::{namespace, needs, probe, probe_path, require, require_for_part, rinit_path, static_build, test};

fn rinit() -> String {
    rinit_path().display().to_string()
}

/// Runs a shell script as PID 1, without an init.
fn under_a_shell(script: &str) -> Finished {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    run(namespace::as_pid_1(&command))
}

#[test]
fn an_init_is_healthy() {
    require(namespace::available());
    let inner = format!("sleep 1000 & {} --diagnose", rinit());
    for init in ["rinit", "tini", "dumb-init", "catatonit"] {
        let path = if init == "rinit" { rinit() } else { init.to_owned() };
        if init != "rinit" && require_for_part(needs::programs(&[init])).is_none() {
            continue;
        }
        let mut command = Command::new(path);
        command.args(["--", "sh", "-c", &inner]);
        let finished = run(namespace::as_pid_1(&command));
        assert_eq!(finished.code, 0, "{init}: {finished:?}");
        assert!(finished.out.first().is_some_and(|line| line.starts_with("will stop: ")), "{init}: {finished:?}");
        let forwards = format!("{init}, which forwards SIGTERM to main (pid 2 'sh -c sleep 1000 &");
        assert!(finished.out.iter().any(|line| line.contains(&forwards)), "{init}: {finished:?}");
    }
}

#[test]
fn a_shell_without_a_trap_loses_term() {
    require(namespace::available());
    // Not the last command: the shell would exec it.
    let finished = under_a_shell(&format!("{} --diagnose; exit $?", rinit()));
    assert_eq!(finished.code, 1);
    let said = finished.out.join("\n");
    assert!(said.contains("loses SIGTERM") && said.contains("docker stop"), "{said}");
}

#[test]
fn a_process_that_refuses_below_a_handler_is_a_note_with_the_reason() {
    require(namespace::available());
    let (rinit, probe) = (rinit(), probe_path());
    let script = format!(
        "trap 'exit 0' TERM; {probe} ignore TERM & ignores=$!; {probe} block TERM & blocks=$!; {probe} sleep & stopped=$!
         until grep -qs '^SigIgn:.*4...$' /proc/$ignores/status && grep -qs '^SigBlk:.*4...$' /proc/$blocks/status &&
             grep -qs '^Name:.probe' /proc/$stopped/status; do sleep 0.05; done; kill -STOP $stopped
         {rinit} --diagnose; status=$?; {rinit} --diagnose --json; exit $status"
    );
    let finished = under_a_shell(&script);
    assert_eq!(finished.code, 2, "{finished:?}");
    let said = finished.out.join("\n");
    assert!(finished.out.iter().any(|line| line.starts_with("cannot be told: ")), "{said}");
    for (who, why) in [
        ("probe ignore TERM", "ignores SIGTERM"),
        ("probe block TERM", "blocks SIGTERM and does not take it by sigwait or signalfd"),
        ("probe sleep", "stopped (state T)"),
    ] {
        let line = finished.out.iter().find(|line| line.contains(who) && line.contains(why));
        assert!(line.is_some(), "{who}, {why}: {said}");
    }
    let json = finished.out.last().expect("a line");
    for part in ["{\"schema\":1,\"stops\":null", "\"findings\":[]", "\"reason\":\"ignores\"", "\"zombies\":[]"] {
        assert!(json.contains(part), "{part}: {json}");
    }
    let arguments = format!("\"arguments\":[\"{probe}\",\"ignore\",\"TERM\"]");
    assert!(json.contains(&arguments), "{arguments}: {json}");
}

#[test]
fn main_that_ignores_term_is_named_before_its_child() {
    require(namespace::available());
    let mut command = Command::new(rinit_path());
    let inner = format!("trap '' TERM; sleep 1000 & {} --diagnose", rinit());
    command.args(["--", "sh", "-c", &inner]);
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!(finished.code, 1, "{finished:?}");
    let said = finished.out.join("\n");
    let place = |part: &str| said.find(part).unwrap_or_else(|| panic!("{part:?} is not in {said}"));
    assert!(said.starts_with("will not stop: "), "{said}");
    assert!(place("Keeps it from stopping:") < place("  pid 2 (ppid 1) 'sh -c trap"), "{said}");
    assert!(place("  pid 2 (ppid 1)") < place("(ppid 2) 'sleep 1000'"), "{said}");
}

#[test]
fn a_grace_kills_a_process_that_ignores_term() {
    require(namespace::available());
    let mut command = Command::new(rinit_path());
    let inner = format!("trap '' TERM; {} --diagnose", rinit());
    command.args(["--grace", "3", "--", "sh", "-c", &inner]);
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!(finished.code, 0, "{finished:?}");
}

/// A shell starts a helper and then becomes the init: the helper is the init's oldest child.
#[test]
fn a_helper_that_is_older_than_main_is_not_main() {
    require(namespace::available());
    let rinit = rinit();
    for init in [&*rinit, "tini", "dumb-init", "catatonit"] {
        if init != rinit && require_for_part(needs::programs(&[init])).is_none() {
            continue;
        }
        let beside = |helper: &str, main: &str| {
            let finished = under_a_shell(&format!(
                "({helper}; exec sleep 1000) & exec {init} -- sh -c '{main}{rinit} --diagnose; exit $?'"
            ));
            (finished.code, finished.out)
        };
        let (code, said) = beside(":", "trap \"\" TERM; ");
        // Main may wait for the helper, where the init asks that, too.
        let asks_helper = init == rinit || init == "dumb-init";
        assert_eq!(code, if asks_helper { 2 } else { 1 }, "{init}: {said:?}");
        assert!(
            said.iter().any(|line| line.contains("pid 3 (ppid 1) 'sh -c trap") && line.contains("ignores SIGTERM")),
            "{init}: {said:?}"
        );
        // rinit waits for it.
        let (code, said) = beside("trap \"\" TERM", "");
        assert_eq!(code, if init == rinit { 2 } else { 0 }, "{init}: {said:?}");
    }
}

#[test]
fn a_last_call_that_comes_too_late_counts() {
    require(namespace::available());
    let rinit = rinit();
    for (options, variable, code) in
        [(&["--last-call", "30s"][..], "", 2), (&[], "30s", 2), (&["--last-call", "5s"], "30s", 0), (&[], "", 0)]
    {
        // What yes leaves in the pipe keeps rinit from asking sleep before the last call.
        let find = "file=$(grep -lsx sleep /proc/[0-9]*/comm)";
        let ask = format!(
            "(until {find}; do :; done; {rinit} --diagnose; echo $? >&2; {find}; file=${{file%/comm}}; kill ${{file#/proc/}}) &"
        );
        let mut command = Command::new(rinit_path());
        command.args(options).args(["--", "sh", "-c"]).arg(format!("{ask} yes | sleep 300; :"));
        command.env("RINIT_LAST_CALL", variable);
        let finished = run(namespace::as_pid_1(&command));
        assert!(finished.err.contains(&code.to_string()), "{options:?}, {variable:?}: {finished:?}");
        let reader = "(ppid 2) 'sleep 300'";
        assert_eq!(finished.out.iter().any(|line| line.contains(reader)), code == 2, "{finished:?}");
    }
}

/// dash shows whether it waits in the foreground.
#[test]
fn a_trap_behind_a_command_in_the_foreground_is_found_in_dash() {
    require(namespace::available());
    require(needs::programs(&["dash"]));
    let diagnose = |script: &str| {
        let mut command = Command::new("dash");
        // The shell that is judged is PID 1. The diagnosis is started before, and waits for the child.
        let rinit = rinit();
        let wait = "until grep -qsx sleep /proc/[0-9]*/comm; do sleep 0.05; done";
        command.args(["-c", &format!("(trap '' INT QUIT; {wait}; sleep 0.3; exec {rinit} --diagnose) & {script}")]);
        let finished = run(namespace::as_pid_1(&command));
        finished.out.join("\n")
    };
    let said = diagnose("trap 'exit 0' TERM; sleep 3; :");
    assert!(said.contains("runs its trap only after its foreground child"), "{said}");
    let said = diagnose("trap 'exit 0' TERM; sleep 3 & wait");
    assert!(said.starts_with("cannot be told: ") && said.contains("only a stop shows"), "{said}");
}

/// dash as PID 1 of a namespace, with a trap and a sleep in the foreground. Returns what `--diagnose --pid` says about it, as root.
fn asked_of_dash(sleep: &str, meanwhile: impl FnOnce(i32)) -> Finished {
    let script = format!("trap 'exit 0' TERM; echo ready; {sleep} 1000; :");
    let mut command = Command::new("dash");
    command.args(["-c", &script]);
    let running = namespace::start(&command);
    running.out.wait("ready");
    child_of(running.pid(), "sleep");
    meanwhile(running.pid());
    run(support::rinit(["--diagnose", "--pid", &running.pid().to_string()]))
}

#[test]
fn a_trap_behind_a_long_sleep_does_not_run() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["dash"]));
    let finished = asked_of_dash("sleep", |_| ());
    let said = finished.out.join("\n");
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(said.contains("runs its trap only after its foreground child"), "{said}");
}

/// A process of `docker exec` may terminate the sleep.
#[test]
fn a_process_beside_the_first_one_may_let_the_trap_run() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["dash", "nsenter"]));
    let mut beside = None;
    let finished = asked_of_dash("sleep", |first| {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["-t", &first.to_string(), "--pid", "--mount", "--", probe_path(), "sleep"]);
        let running = Running::start(nsenter);
        running.out.wait("ready");
        beside = Some(running);
    });
    assert_eq!(finished.code, 2, "{finished:?}");
    drop(beside);
}

/// Another program than coreutils' may have the name, and exit when it likes.
#[test]
fn a_program_with_the_name_of_sleep_may_exit_at_any_time() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["dash", "perl"]));
    let directory = tempfile::tempdir().expect("a directory");
    let sleep = directory.path().join("sleep");
    std::fs::copy("/usr/bin/perl", &sleep).expect("a copy");
    let script = directory.path().join("1000");
    std::fs::write(&script, "sleep 1 while 1").expect("a script");
    let finished = asked_of_dash(&format!("cd {}; ./sleep", directory.path().display()), |_| ());
    assert_eq!(finished.code, 2, "{finished:?}");
}

#[test]
fn facts_that_may_not_be_read_are_unknown_and_the_remedy_is_named() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv", "tini"]));
    // tini as uid 1000; asked as root without CAP_SYS_PTRACE, as `docker exec -u 0` does it.
    let inner = format!("sleep 0.3; {} --diagnose; echo $? >&2; kill 1", rinit());
    let script = format!(
        "setpriv --bounding-set -sys_ptrace sh -c '{inner}' & exec setpriv --reuid 1000 --clear-groups tini -- sleep 1000"
    );
    let finished = under_a_shell(&script);
    let said = finished.out.join("\n");
    assert!(finished.err.iter().any(|line| line == "2"), "{finished:?}");
    assert!(said.starts_with("cannot be told: "), "{said}");
    assert!(said.contains("may not read how uid 1000 takes its signals") && said.contains("exec -u 1000"), "{said}");
}

#[test]
fn zombies_are_one_line_with_the_parent_that_does_not_wait() {
    require(namespace::available());
    require(needs::programs(&["python3"]));
    let script = format!(
        "import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for _ in range(30):
    child = os.fork()
    if child == 0: os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
sys.exit(subprocess.run(['{}', '--diagnose']).returncode)",
        rinit()
    );
    let mut command = Command::new("python3");
    command.args(["-c", &script]);
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!(finished.code, 2, "zombies say nothing about a stop: {finished:?}");
    let zombies: Vec<_> = finished.out.iter().filter(|line| line.contains("zombies '")).collect();
    assert_eq!(zombies.len(), 1, "{finished:?}");
    assert!(zombies[0].contains("30 zombies '[python3]'") && zombies[0].contains("parent 1"), "{finished:?}");
    assert!(finished.out[0].ends_with("; 30 zombies"), "{finished:?}");
}

/// A program whose first thread has exited: `/proc/PID` shows a zombie without arguments, descriptors and namespaces. It runs the
/// diagnosis itself, in another thread.
fn without_first_thread() -> Vec<String> {
    [probe_path(), "leader-gone", "--run", &rinit(), "--diagnose"].map(str::to_owned).to_vec()
}

#[test]
fn a_first_process_whose_first_thread_has_exited_is_diagnosed() {
    require(namespace::available());
    let words = without_first_thread();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let finished = run(namespace::as_pid_1(&command));
    let said = finished.out.join("\n");
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(said.contains("leader-gone --run") && said.contains("loses SIGTERM"), "{said}");
}

#[test]
fn a_first_process_whose_first_thread_has_exited_is_diagnosed_from_outside() {
    require(namespace::available());
    let running = Running::start(namespace::as_pid_1(&probe(["leader-gone", "--run", probe_path(), "sleep"])));
    running.out.wait("ready");
    let first = child_of(running.pid(), "PID 1");
    let finished = run(support::rinit(["--diagnose", "--pid", &first.to_string()]));
    let said = finished.out.join("\n");
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(said.contains(&format!("PID 1 (pid {first} here)")) && said.contains("leader-gone --run"), "{said}");
}

#[test]
fn main_and_a_helper_whose_first_threads_have_exited_are_named_by_their_arguments() {
    require(namespace::available());
    for init in [&*rinit(), "tini"] {
        if init == "tini" && require_for_part(needs::programs(&[init])).is_none() {
            continue;
        }
        let mut command = Command::new(init);
        command.arg("--").args(without_first_thread());
        let finished = run(namespace::as_pid_1(&command));
        assert_eq!(finished.code, 0, "{init}: {finished:?}");
        let main = format!("main (pid 2 '{} leader-gone --run", probe_path());
        assert!(finished.out.iter().any(|line| line.contains(&main)), "{init}: {finished:?}");
    }
    // The helper takes TERM by sigwait: only a stop shows what it does.
    let (probe, diagnose) = (probe_path(), rinit());
    let script = format!(
        "{probe} leader-gone 0 & until grep -qs '^State:.Z' /proc/$!/status; do :; done; {diagnose} --diagnose"
    );
    let finished = Rinit::new().shell(&script).as_pid_1().run();
    let helper = format!("'{probe} leader-gone 0' state Z");
    assert_eq!(finished.code, 2, "{finished:?}");
    assert!(finished.out.iter().any(|line| line.contains(&helper) && line.contains("by sigwait")), "{finished:?}");
}

/// Version 1 shows the root group for a thread that has exited. Version 2 lets a signal terminate a frozen process.
#[test]
fn a_frozen_main_whose_first_thread_has_exited_is_frozen() {
    require(namespace::available());
    require(needs::root());
    let freezers = Freezer::all();
    assert!(!freezers.is_empty(), "no control group can be made");
    for freezer in freezers {
        let enter = freezer.enter();
        let main = ["sh", "-c", &enter, "sh", probe_path(), "leader-gone", "--run", probe_path(), "sleep"];
        let running = Rinit::new().program(&main).as_pid_1().start();
        running.out.wait("ready");
        freezer.set(true);
        let finished = run(support::rinit(["--diagnose", "--pid", &running.pid().to_string()]));
        // Before an assertion: KILL has to act on it.
        freezer.set(false);
        let (is_first, said) = (freezer.version() == 1, finished.out.join("\n"));
        assert_eq!(finished.code, i32::from(is_first), "version {}: {finished:?}", freezer.version());
        assert_eq!(said.contains("frozen with its control group"), is_first, "{said}");
    }
}

#[test]
fn the_diagnosis_as_pid_1_is_none() {
    require(namespace::available());
    let mut command = Command::new(rinit_path());
    command.arg("--diagnose");
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!((finished.code, finished.out.len(), finished.err.len()), (125, 0, 1), "{finished:?}");
    assert!(
        finished.err[0].contains("is this diagnosis itself") && finished.err[0].contains("docker exec"),
        "{finished:?}"
    );
}

#[test]
fn a_container_is_diagnosed_from_outside_by_a_pid() {
    require(namespace::available());
    require(needs::programs(&["pgrep"]));
    // And with a zombie that is none of the container's.
    let script = format!(
        "(sleep 0 & exec sleep 1000) & until grep -qs ' (sleep) Z ' /proc/[0-9]*/stat; do sleep 0.05; done
         unshare --pid --fork --kill-child --mount-proc -- {0} -- sleep 1000 &
         until pid=$(pgrep -P $! -x rinit); do sleep 0.05; done
         {0} --diagnose --json --pid $pid; echo $?; {0} --diagnose --pid 999999; echo $?; kill %1",
        rinit()
    );
    let finished = under_a_shell(&script);
    let said = finished.out.join("\n");
    assert!(said.contains("\"stops\":true") && said.contains("\"inside_pid\":1,") && said.contains("\n0\n"), "{said}");
    assert!(said.contains("\"zombies\":[]"), "{said}");
    assert!(
        said.ends_with("\n125") && finished.err.iter().any(|line| line.contains("no process 999999")),
        "{finished:?}"
    );
}

#[test]
fn a_proc_of_another_namespace_is_reported() {
    require(namespace::available());
    require(needs::root());
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child=KILL", "--"]).arg(rinit_path()).arg("--diagnose");
    let finished = run(command);
    assert_eq!((finished.code, finished.out.len(), finished.err.len()), (125, 0, 1), "{finished:?}");
    assert!(finished.err[0].contains("/proc") && finished.err[0].contains("namespace"), "{:?}", finished.err);
}

#[test]
fn by_docker_exec_from_scratch() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let rinit = &static_build::programs().rinit;
    let image =
        Image::from_dockerfile("FROM scratch\nCOPY rinit busybox /\n", &[("rinit", rinit), ("busybox", &busybox)]);
    let healthy = Container::run(&image, &["--entrypoint", "/rinit"], &["--", "/busybox", "sleep", "1000"]);
    assert!(healthy.exec(&["/rinit", "--diagnose"]).starts_with("will stop: "));
    assert_eq!(healthy.stop(60), 143);
    let ill = Container::run(&image, &["--entrypoint", "/busybox"], &["sh", "-c", "/busybox sleep 1000; true"]);
    let (succeeded, output) = ill.try_exec(&["/rinit", "--diagnose"]);
    assert!(!succeeded && output.contains("loses SIGTERM"), "{output}");
    assert_eq!(ill.stop(1), 137, "and so it is");
}
