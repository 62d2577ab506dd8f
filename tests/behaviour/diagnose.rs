//! `rinit --diagnose`, run inside of containers that would and would not stop.

use std::process::Command;
use support::docker::{self, Container, Image};
use support::running::{Finished, run};
use support::{namespace, needs, probe_path, require, require_for_part, rinit_path, static_build, test};

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
        assert!(finished.out.first().is_some_and(|line| line.starts_with("healthy")), "{init}: {finished:?}");
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
fn processes_that_would_not_stop_are_named_with_the_reason() {
    require(namespace::available());
    let (rinit, probe) = (rinit(), probe_path());
    let directory = tempfile::tempdir().expect("a directory");
    // It reports when each of them has got as far as it will: three are ready, and the shell waits for its child.
    let script = format!(
        "trap 'exit 0' TERM; cd {}
         {probe} ignore TERM >1 & {probe} block TERM >2 & {probe} sleep >3 & stopped=$!
         sh -c 'trap : TERM; sleep 1000; :' & shell=$!
         until grep -q ready 1 && grep -q ready 2 && grep -q ready 3; do sleep 0.05; done; kill -STOP $stopped
         until child=$(cat /proc/$shell/task/$shell/children) && grep -q sleep /proc/${{child% }}/comm 2>&-; do sleep 0.05; done
         {rinit} --diagnose; status=$?; {rinit} --diagnose --json; exit $status",
        directory.path().display()
    );
    let finished = under_a_shell(&script);
    assert_eq!(finished.code, 1, "{finished:?}");
    let said = finished.out.join("\n");
    for (who, why) in [
        ("probe ignore TERM", "ignores SIGTERM"),
        ("probe block TERM", "blocks SIGTERM (may take it by sigwait or signalfd)"),
        ("probe sleep", "stopped (state T)"),
        ("sleep 1000", "a shell, which runs its trap only after its foreground child"),
    ] {
        let line = finished.out.iter().find(|line| line.contains(who) && line.contains(why));
        assert!(line.is_some(), "{who}, {why}: {said}");
    }
    let json = finished.out.last().expect("a line");
    for part in ["{\"healthy\":false", "\"reason\":\"ignores\"", "\"reason\":\"shell-waits\"", "\"zombies\":[]"] {
        assert!(json.contains(part), "{part}: {json}");
    }
}

#[test]
fn a_zombie_is_named_with_the_parent_that_does_not_wait() {
    require(namespace::available());
    require(needs::programs(&["python3"]));
    let script = format!(
        "import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
child = os.fork()
if child == 0: os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
sys.exit(subprocess.run(['{}', '--diagnose']).returncode)",
        rinit()
    );
    let mut command = Command::new("python3");
    command.args(["-c", &script]);
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!(finished.code, 1, "{finished:?}");
    let said = finished.out.join("\n");
    assert!(said.contains("handles SIGTERM") && said.contains("1 zombie"), "{said}");
    assert!(said.contains("'[python3]'") && said.contains("parent 1"), "{said}");
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
    assert!(healthy.exec(&["/rinit", "--diagnose"]).starts_with("healthy"));
    assert_eq!(healthy.stop(60), 143);
    let ill = Container::run(&image, &["--entrypoint", "/busybox"], &["sh", "-c", "/busybox sleep 1000; true"]);
    let (succeeded, output) = ill.try_exec(&["/rinit", "--diagnose"]);
    assert!(!succeeded && output.contains("loses SIGTERM"), "{output}");
    assert_eq!(ill.stop(1), 137, "and so it is");
}
