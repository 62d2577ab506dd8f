//! What happens to the other processes when main has exited, in simple cases.

use support::rinit::Rinit;
use support::running::number_in;
use support::{namespace, procfs, require, test, wait_until};

#[test]
fn a_helper_finishes_its_cleaning_and_main_s_status_is_returned() {
    Rinit::new().probe(&["with-helper", "5", "slow-term", "300", "0"]).everywhere(|mut running| {
        running.out.wait_nth("ready", 2);
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 5);
        let said: Vec<_> = finished.out.iter().filter(|line| !line.starts_with("ready")).collect();
        assert_eq!(said, ["main got TERM", "cleaning", "done"], "the helper is asked when main has exited");
        assert_eq!(running.left().len(), 0);
    });
}

#[test]
fn the_same_without_a_requested_stop() {
    Rinit::new().probe(&["with-helper", "--at-once", "6", "slow-term", "300", "0"]).everywhere(|running| {
        let finished = running.finish();
        assert_eq!(finished.code, 6);
        assert!(finished.out.contains(&"done".to_owned()), "{:?}", finished.out);
    });
}

#[test]
fn the_same_when_main_is_killed() {
    Rinit::new().probe(&["with-helper", "6", "slow-term", "300", "0"]).everywhere(|running| {
        running.out.wait_nth("ready", 2);
        let main = procfs::children(running.pid()).first().expect("main").pid;
        support::running::kill(main, libc::SIGKILL);
        let finished = running.finish();
        assert_eq!(finished.code, 137);
        assert!(finished.out.contains(&"done".to_owned()), "{:?}", finished.out);
    });
}

#[test]
fn a_helper_that_ignores_term_is_killed_when_the_drain_time_is_over() {
    Rinit::with(&["--drain", "300ms"]).probe(&["with-helper", "--at-once", "4", "ignore", "TERM"]).everywhere(
        |mut running| {
            let finished = running.finished();
            assert_eq!(finished.code, 4);
            assert_eq!(running.left().len(), 0);
            let said = finished.err.join("\n");
            assert!(said.contains("ignores") && said.contains("TERM") && said.contains("KILL"), "{said}");
            assert!(finished.err.iter().all(|line| line.starts_with("rinit: ")), "{said}");
        },
    );
}

#[test]
fn sessions_orphans_and_forkers_are_terminated_and_reaped() {
    for more in [&[][..], &["--spin"]] {
        Rinit::with(&["--drain", "20s"]).probe(&[&["fork-tree", "tree"], more].concat()).everywhere(|mut running| {
            running.out.wait("tree");
            running.signal(15);
            let finished = running.finished();
            assert_eq!(finished.code, 143);
            assert_eq!(running.left().len(), 0);
            assert!(
                !finished.err.iter().any(|line| line.contains("SIGKILL")),
                "no process was killed: {:?}",
                finished.err
            );
        });
    }
}

#[test]
fn without_descendants_rinit_exits_at_once() {
    // With a drain longer than the tests' own deadline: it does not wait it out.
    let finished = Rinit::with(&["--drain", "1h"]).probe(&["exit", "3"]).start().finish();
    assert_eq!((finished.code, finished.err), (3, vec![]));
}

#[test]
fn on_main_exit_exit_leaves_at_once() {
    require(namespace::available());
    let run = Rinit::with(&["--on-main-exit", "exit"]).probe(&["with-helper", "--at-once", "4", "ignore", "TERM"]);
    // Under a subreaper the helper lives on.
    let mut running = run.start();
    assert_eq!(running.wait(), 4);
    assert_eq!(running.left().len(), 1);
    // When PID 1 exits the kernel kills all others.
    let mut running = run.as_pid_1().start();
    assert_eq!(running.wait(), 4);
    wait_until("the kernel to end the namespace", || running.left().is_empty());
}

#[test]
fn on_main_exit_wait_terminates_nothing_until_a_stop_is_requested() {
    require(namespace::available());
    Rinit::with(&["--on-main-exit", "wait"])
        .probe(&["with-helper", "--at-once", "4", "signals", "--exit-on", "TERM:0"])
        .everywhere(|mut running| {
            let lines = running.out.wait("ready");
            let helper = number_in(&lines, "pid");
            assert!(helper > 0);
            wait_until("main to be reaped", || procfs::descendants(running.pid()).len() == 1);
            // Signals are forwarded to the processes that remain.
            running.signal(10);
            running.out.wait("got 10 ");
            assert!(
                !running.out.all().iter().any(|line| line.starts_with("got 15 ")),
                "TERM came before a stop was requested"
            );
            running.signal(15);
            running.out.wait("got 15 ");
            assert_eq!(running.wait(), 4);
        });
}
