//! Old kernels and seccomp filters: rinit has a plainer way for each system call that may be missing or refused.
//!
//! The whole suite can be run so: `RINIT_TEST_REFUSE=all:EPERM cargo test --workspace` (see `support::refusal`).

use std::process::Command;
use support::running::{Running, number_in, run};
use support::{namespace, probe, probe_path, procfs, require, rinit_path, static_build, test, wait_until};

/// What rinit can do without as PID 1, one by one and together: `all` are those that it can do without anywhere.
const CALLS: [&str; 11] = [
    "pidfd_open",
    "pidfd_send_signal",
    "waitid_pidfd",
    "close_range",
    "signalfd",
    "clone3",
    "subreaper",
    "pwritev2",
    "rt_sigqueueinfo",
    "all",
    "all,subreaper,rt_sigqueueinfo",
];
/// A filter's usual answer, and that of an old kernel or of Docker's filter to a call that it does not know.
const ERRORS: [&str; 2] = ["EPERM", "ENOSYS"];

/// `rinit OPTIONS -- probe PROGRAM` without the system call.
fn without(call: &str, error: &str, options: &[&str], program: &[&str]) -> Command {
    let rinit = rinit_path();
    let words = ["refuse", &format!("{call}:{error}"), "--", rinit.to_str().expect("UTF-8")].map(str::to_owned);
    let mut command = probe(words);
    command.args(options).args(["--", probe_path()]).args(program);
    command
}

/// As PID 1, which needs no subreaper: nothing is missing.
#[test]
fn each_has_another_way_after_eperm() {
    each_has_another_way("EPERM");
}

#[test]
fn each_has_another_way_after_enosys() {
    each_has_another_way("ENOSYS");
}

#[track_caller]
fn each_has_another_way(error: &str) {
    require(namespace::available());
    for call in CALLS {
        println!("{call} {error}");
        // Sessions, orphans and a forker are found, terminated and reaped.
        let mut running =
            namespace::start(&without(call, error, &["--drain", "1h"], &["fork-tree", "refused", "--spin"]));
        running.out.wait("tree");
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, running.left().len()), (143, 0), "{:?}", finished.err);
        // Only a process that ignores SIGTERM is named and killed.
        let program = ["with-helper", "5", "ignore", "TERM", "+", "slow-term", "50", "0"];
        let mut running = namespace::start(&without(call, error, &["--drain", "1s"], &program));
        running.out.wait_nth("ready", 3);
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, running.left().len()), (5, 0), "{:?}", finished.err);
        assert!(finished.out.contains(&"done".to_owned()), "{:?}", finished.out);
        let said = finished.err.join("\n");
        assert!(said.contains("killing (SIGKILL) 1 process") && said.contains("ignores SIGTERM"), "{said}");
    }
}

#[test]
fn a_queued_value_arrives_or_at_least_its_signal() {
    require(namespace::available());
    for error in ERRORS {
        let running = namespace::start(&without("rt_sigqueueinfo", error, &[], &["signals"]));
        running.out.wait("ready");
        support::running::queue(running.pid(), 34, 7);
        running.out.wait("got 34 ");
        running.signal(15);
        running.signal(15);
        running.out.wait("got 15 ");
    }
}

#[test]
fn inherited_descriptors_are_closed() {
    for error in ERRORS {
        let mut command = probe(["launch", "--open", "3-20", "--"]);
        let inner = without("close_range", error, &[], &["signals"]);
        command.arg(inner.get_program()).args(inner.get_args());
        let running = Running::start(command);
        let main = number_in(&running.out.wait("ready"), "pid");
        // Its own is the pidfd of main, by which it reaches main's group.
        let is_own = |what: &str| what.contains("pidfd");
        wait_until("the descriptors to be closed", || {
            procfs::descriptors(running.pid()).iter().all(|(fd, what)| *fd < 3 || is_own(what))
        });
        assert!(procfs::descriptors(main).iter().any(|(fd, _)| *fd == 20), "main keeps them");
    }
}

/// There is no other way to receive signals, and a log with ten such lines a second is of no use. Main's end is noticed.
#[test]
fn a_lasting_error_is_reported_once() {
    for (calls, pauses) in [("rt_sigtimedwait", 5), ("rt_sigtimedwait,nanosleep", 0)] {
        let mut command = probe(["refuse", calls, "--"]);
        command.arg(rinit_path()).args(["--", "sh", "-c", "echo ready; read line; exit 6"]);
        let mut running = Running::start(command);
        running.out.wait("ready");
        running.err.wait("waiting for signals: ");
        let before = procfs::waits(running.pid()).unwrap_or_default();
        wait_until("it to have tried again", || procfs::waits(running.pid()) >= Some(before + pauses));
        running.type_in("\n");
        let finished = running.finish();
        assert_eq!((finished.code, finished.err.len()), (6, 1), "{:?}", finished.err);
    }
}

/// Nothing tells when the child is the program, and there is not even a sleep to wait for it. Static programs: a loader reads.
#[test]
fn a_start_that_nothing_tells_of() {
    let busybox = require(static_build::busybox());
    let mut command = probe(["refuse", "read,poll,nanosleep:EPERM", "--"]);
    command.arg(&static_build::programs().rinit).arg("--").arg(&busybox).args(["sh", "-c", "exit 6"]);
    let finished = run(command);
    assert_eq!((finished.code, &*finished.err), (6, &[][..]), "{:?}", finished.err);
}

/// Outside of PID 1 there is no other way to be the parent of orphans. Main is not the worse for it: rinit says what it
/// cannot do, and does the rest. Only `--subreaper` makes the start fail.
#[test]
fn a_subreaper_that_cannot_be() {
    for error in ERRORS {
        let finished = run(without("subreaper", error, &[], &["exit", "7"]));
        assert_eq!((finished.code, finished.err.len()), (7, 1), "{:?}", finished.err);
        assert!(finished.err[0].starts_with("rinit: cannot become a subreaper: "), "{:?}", finished.err);
        assert!(finished.err[0].contains("orphans"), "{:?}", finished.err);
        let finished = run(without("subreaper", error, &["--no-subreaper"], &["exit", "7"]));
        assert_eq!((finished.code, finished.err), (7, vec![]));
        let finished = run(without("subreaper", error, &["-s"], &["exit", "7"]));
        assert_eq!((finished.code, finished.err.len()), (125, 1), "{:?}", finished.err);
        // A stop still reaches every process below main or below a child of rinit.
        let mut running = Running::start(without("subreaper", error, &[], &["signals", "--exit-on", "TERM:4"]));
        running.out.wait("ready");
        running.signal(15);
        assert_eq!(running.wait(), 4);
    }
}
