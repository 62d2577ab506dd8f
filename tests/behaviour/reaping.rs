//! Every orphan is reaped, and main's status is not lost among them.

use support::rinit::Rinit;
use support::running::{Running, number_in};
use support::{namespace, probe_path, procfs, require, rinit, test, wait_until};

/// Only main is left below, and no zombie.
#[track_caller]
fn wait_until_only_main(running: &Running) {
    let init = running.pid();
    wait_until("no process but main to be left", || procfs::descendants(init).len() == 1);
    assert_eq!(procfs::zombies(init).len(), 0);
}

#[test]
fn ten_thousand_orphans_as_pid_1() {
    require(namespace::available());
    let mut running = Rinit::new().probe(&["orphans", "10000"]).as_pid_1().start();
    running.out.wait("made 10000");
    wait_until_only_main(&running);
    running.signal(15);
    let finished = running.finished();
    assert_eq!((finished.code, finished.err), (143, vec![]));
}

#[test]
fn ten_thousand_orphans_as_a_subreaper() {
    let mut running = Rinit::new().probe(&["orphans", "10000"]).start();
    running.out.wait("made 10000");
    wait_until_only_main(&running);
    running.signal(15);
    let finished = running.finished();
    assert_eq!((finished.code, finished.err), (143, vec![]), "silent, without a flag");
}

#[test]
fn main_s_status_among_thousands_in_the_same_batch() {
    require(namespace::available());
    for round in 0..5 {
        let code = 10 + round;
        let arguments = ["--", probe_path(), "orphans", "2000", "--together", "--exit", &code.to_string()];
        assert_eq!(Running::start(rinit(arguments)).finish().code, code);
        assert_eq!(namespace::rinit(&arguments).finish().code, code);
    }
}

/// What a wrapper started by `clone(2)` before it executed rinit. Such a child's status needs `__WALL` (`wait(2)`).
#[test]
fn a_child_with_another_exit_signal_is_reaped() {
    for signal in ["0", "USR1", "CHLD"] {
        Rinit::new().probe(&["signals"]).in_state(&["--helper", signal]).everywhere(|running| {
            running.out.wait("ready");
            let init = running.pid();
            // Main leads a group of its own.
            let helper = procfs::children(init).into_iter().find(|child| child.group != child.pid);
            running.kill_one(helper.expect("the helper").pid);
            wait_until_only_main(&running);
        });
    }
}

#[test]
fn a_child_with_another_exit_signal_is_asked_to_stop_after_main() {
    for signal in ["0", "USR1", "CHLD"] {
        Rinit::with(&["-w"]).probe(&["exit", "7"]).in_state(&["--helper", signal]).everywhere(|mut running| {
            let finished = running.finished();
            assert_eq!(finished.code, 7);
            assert!(finished.err.iter().any(|line| line.contains("killed by SIGTERM")), "{signal}: {:?}", finished.err);
            assert!(running.left().is_empty());
        });
    }
}

#[test]
fn orphans_come_to_a_subreaper_without_a_flag() {
    for options in [&[][..], &["-s"]] {
        let words = [options, &["--", probe_path(), "orphans", "5", "--live", "1000000"]].concat();
        let running = Running::start(rinit(words));
        running.out.wait("made 5");
        wait_until("main and its orphans to be rinit's children", || procfs::children(running.pid()).len() == 6);
        assert_eq!(running.err.all(), Vec::<String>::new());
    }
}

#[test]
fn no_subreaper_leaves_orphans_to_others() {
    require(namespace::available());
    let rinit = support::rinit_path().to_str().expect("UTF-8").to_owned();
    let inner = [rinit.as_str(), "--no-subreaper", "--", probe_path(), "orphans", "5", "--live", "1000000"];
    let running = namespace::rinit(&[&["--"], &inner[..]].concat());
    running.out.wait("made 5");
    // The outer one, PID 1, has the inner one and all the orphans.
    wait_until("the orphans to be PID 1's children", || procfs::children(running.pid()).len() == 6);
}

#[test]
fn warn_on_reap_names_each_orphan_but_not_main() {
    require(namespace::available());
    for option in ["-w", "--warn-on-reap"] {
        let mut running = Rinit::with(&[option]).probe(&["orphans", "5"]).as_pid_1().start();
        running.out.wait("made 5");
        running.err.wait_nth("orphan", 5);
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.err.len(), 5, "{:?}", finished.err);
        assert!(finished.err.iter().all(|line| line.starts_with("rinit: ")), "{:?}", finished.err);
    }
}

#[test]
fn a_flood_of_orphans_delays_no_signal() {
    require(namespace::available());
    // A shell makes orphans without a pause; rinit must still forward the signal to main.
    let script = "while :; do (sleep 0 &) ; done & exec \"$0\" signals --exit-on USR1:6";
    let mut running = Rinit::with(&["--drain", "1s"]).program(&["sh", "-c", script, probe_path()]).as_pid_1().start();
    let ready = running.out.wait("ready");
    assert_eq!(number_in(&ready, "ppid"), 1);
    running.signal(10);
    running.out.wait("got 10 ");
    assert_eq!(running.wait(), 6);
}

#[test]
fn signals_that_come_all_the_time_starve_no_orphan() {
    require(namespace::available());
    // HUP comes before CHLD by its number: the kernel hands out the lowest first.
    let flood = "while :; do kill -HUP 1; done & ";
    let script = format!("trap '' HUP; {flood} {flood} {flood} exec \"$0\" orphans 5000");
    let mut running = Rinit::with(&["--drain", "1s"]).program(&["sh", "-c", &script, probe_path()]).as_pid_1().start();
    running.out.wait("made 5000");
    wait_until("only main to be left, and those below it", || procfs::children(running.pid()).len() == 1);
    running.signal(15);
    assert_eq!(running.wait(), 143);
}
