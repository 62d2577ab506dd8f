//! The example `process_manager`: the exclusive mode as PID 1, as a subreaper, and in a container `FROM scratch`.

use std::path::Path;
use std::process::Command;
use support::docker::{self, Container, Image};
use support::running::{Running, number_in};
use support::{example, namespace, probe_path, procfs, require, require_for_part, static_build, test, wait_until};

const HUP: i32 = 1;
const TERM: i32 = 15;
const KILL: i32 = 9;

fn everywhere(commands: &[&str], check: impl Fn(Running)) {
    let mut command = Command::new(example("process_manager"));
    command.args(commands);
    let as_subreaper = Running::start(command);
    check(as_subreaper);
    if require_for_part(namespace::available()).is_some() {
        let mut command = Command::new(example("process_manager"));
        command.args(commands);
        check(namespace::start(&command));
    }
}

/// Numbers after `started as`, of the nth start.
fn started(manager: &Running, name: &str, nth: usize) -> i32 {
    let line = manager.out.wait_nth(&format!("{name}: started as "), nth);
    number_in(&line.replace("started as ", "pid="), "pid")
}

/// A script for a command line that is split at white space.
fn script(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("write the script");
    format!("sh {}", path.display())
}

#[test]
fn a_crashed_program_is_started_again_and_a_finished_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let counts = directory.path().join("counts");
    // Crashes twice, by its status and by a signal; then it is done.
    let crashing = format!(
        "echo x >> {0}; case $(wc -l < {0}) in 1) exit 3;; 2) kill -ABRT $$;; *) rm {0}; exit 0;; esac",
        counts.display()
    );
    let crashing = script(directory.path(), "crashing", &crashing);
    let config = directory.path().join("programs.conf");
    std::fs::write(&config, format!("# what to run\n\n{crashing}\n  true\n")).expect("write");
    everywhere(&[&format!("@{}", config.display())], |mut manager| {
        let finished = manager.finished();
        let said = |text: &str| finished.out.iter().filter(|line| line.contains(text)).count();
        assert_eq!(finished.code, 0, "{finished:?}");
        assert_eq!((said("sh: started"), said("true: started")), (3, 1), "{finished:?}");
        assert_eq!((said("sh: again in 100ms"), said("sh: again in 200ms")), (1, 1), "{finished:?}");
        assert_eq!((said("status 3"), said("SIGABRT")), (1, 1), "{finished:?}");
        assert!(manager.left().is_empty());
    });
}

#[test]
fn a_failed_start_is_reported_and_tried_again() {
    everywhere(&["/no/such/program"], |mut manager| {
        manager.out.wait("/no/such/program: not found");
        manager.out.wait("again in 200ms");
        manager.signal(TERM);
        assert_eq!(manager.wait(), 1, "it did not end well");
    });
}

#[test]
fn signals_are_forwarded_and_all_stop_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let text =
        "trap 'echo $1 got HUP' HUP; trap 'echo $1 stops; exit 0' TERM; echo $1 runs; while :; do sleep 0.01; done";
    let command = script(directory.path(), "service", text);
    let (first, second) = (format!("{command} first"), format!("{command} second"));
    everywhere(&[&first, &second], |mut manager| {
        manager.out.wait("first runs");
        manager.out.wait("second runs");
        manager.signal(HUP);
        manager.out.wait("first got HUP");
        manager.out.wait("second got HUP");
        manager.signal(TERM);
        let finished = manager.finished();
        assert_eq!(finished.code, 0, "{finished:?}");
        let stops: Vec<_> = finished.out.iter().filter(|line| line.ends_with("stops")).collect();
        assert_eq!(stops, ["second stops", "first stops"]);
        assert!(manager.left().is_empty());
    });
}

#[test]
fn a_program_that_ignores_term_is_killed_with_its_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "trap '' TERM; sleep 1000 >/dev/null & echo helper=$!; wait";
    let stubborn = script(directory.path(), "stubborn", text);
    everywhere(&[&stubborn], |mut manager| {
        manager.out.wait("helper=");
        manager.signal(TERM);
        let finished = manager.finished();
        assert!(finished.out.iter().any(|line| line == "sh: killed by SIGKILL"), "{finished:?}");
        wait_until("the helper's end", || manager.left().is_empty());
    });
}

#[test]
fn orphans_are_reaped() {
    let probe = probe_path();
    everywhere(&[&format!("{probe} orphans 200 --exit 0"), "sleep 1000"], |mut manager| {
        manager.out.wait("sleep: started as ");
        manager.out.wait(&format!("{probe}: exited with status 0"));
        wait_until("the orphans to be reaped", || procfs::children(manager.pid()).len() == 1);
        manager.signal(TERM);
        assert_eq!(manager.wait(), 0);
    });
}

#[test]
fn no_program_outlives_a_killed_manager() {
    let mut command = Command::new(example("process_manager"));
    command.args(["sleep 1000", "sleep 1001"]);
    let mut manager = Running::start(command);
    let pids = [1, 2].map(|nth| started(&manager, "sleep", nth));
    manager.signal(KILL);
    assert_eq!(manager.wait(), -KILL);
    wait_until("their end", || !pids.into_iter().any(procfs::is_alive));
}

/// The manager, and a shell for its programs; no libc, no /etc.
const SCRATCH: &str = "FROM scratch
COPY process_manager /
COPY sh sleep true /bin/
COPY service /
";

#[test]
fn in_a_container_from_scratch() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let directory = tempfile::tempdir().expect("a directory");
    let service = directory.path().join("service");
    let text = "trap 'echo stops; exit 0' TERM; (true &); echo runs; while :; do sleep 0.05; done";
    std::fs::write(&service, text).expect("write");
    let manager = static_build::example("process_manager");
    let files = [
        ("process_manager", &*manager),
        ("sh", &*busybox),
        ("sleep", &*busybox),
        ("true", &*busybox),
        ("service", &*service),
    ];
    let image = Image::from_dockerfile(SCRATCH, &files);
    for options in [&[][..], &["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]] {
        let container = Container::run(&image, options, &["/process_manager", "sh /service", "sh -c true"]);
        container.wait_log("runs\n");
        container.wait_log("exited with status 0\n");
        wait_until("the orphan to be reaped", || {
            procfs::children(container.pid()).iter().all(|child| child.state != 'Z')
        });
        // 137 would say that Docker used force.
        assert_eq!(container.stop(60), 0, "{}", container.logs());
        assert!(container.logs().contains("stops\n"), "{}", container.logs());
    }
}
