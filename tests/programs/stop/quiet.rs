//! A stop that goes well is silent.

use super::parts::{PYTHON, needs, script};
use super::{Init, Place, Stopped};
use std::time::Duration;
use support::procfs;
use support::wait_until;
use support::{require, test};

/// Runs until a stop is over within a second, after which an init may speak, and returns all that was said.
#[track_caller]
pub(super) fn said_by_a_quick_stop(
    init: &Init,
    place: Place,
    program: &[&str],
    is_ready: fn(i32) -> bool,
) -> Vec<String> {
    for _ in 0..20 {
        let mut running = init.start(place, program);
        wait_until("the program", || is_ready(running.pid()));
        let stopped = Stopped::by_term(&mut running);
        if stopped.took < Duration::from_millis(900) {
            assert_eq!(stopped.status, 143, "{stopped:#?}");
            return stopped.err;
        }
    }
    panic!("{}: no stop of {program:?} within a second", init.name);
}

fn sleeps(init: i32, count: usize) -> bool {
    let below = procfs::descendants(init);
    below.iter().filter(|process| procfs::command_line(process.pid) == ["sleep", "1000"]).count() == count
}

#[test]
fn thirty_obedient_processes() {
    require(needs(&["sh"]));
    let script = "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; wait";
    for init in [Init::rinit(&[]), Init::persona("tini", &["-s"]), Init::persona("dumb-init", &[])] {
        for place in Place::BOTH {
            let said = said_by_a_quick_stop(&init, *place, &["sh", "-c", script], |init| sleeps(init, 30));
            assert_eq!(said, [""; 0], "{} ({place:?})", init.name);
        }
    }
}

#[test]
fn shell_without_exec() {
    require(needs(&[PYTHON]));
    for place in Place::BOTH {
        let said =
            said_by_a_quick_stop(&Init::rinit(&[]), *place, &["sh", "-c", "sleep 1000; :"], |init| sleeps(init, 1));
        assert_eq!(said, [""; 0], "{place:?}");
    }
}

/// rinit reports a step that takes long: what happened before it, and which processes remain.
#[test]
fn slow_step_is_said_once() {
    require(needs(&[PYTHON]));
    std::thread::scope(|scope| {
        Place::BOTH.iter().for_each(|place| drop(scope.spawn(|| slow_step(*place))));
    });
}

fn slow_step(place: Place) {
    let program = format!("{PYTHON} -I {} 3 0 & exec sleep 1000", script("saver.py"));
    let mut running = Init::rinit(&[]).start(place, &["sh", "-c", &program]);
    running.out.wait("ready");
    let outcome = Stopped::by_term(&mut running).outcome(143, &["saved"]);
    assert_eq!(outcome.verdict, Ok(()), "{outcome:#?}");
    let said: Vec<_> = outcome.stopped.err.iter().filter(|line| line.starts_with("rinit: ")).collect();
    assert!((1..=2).contains(&said.len()), "{place:?}: {said:#?}");
    assert!(said[0].starts_with("rinit: main "), "what happened before: {said:#?}");
    assert!(said.iter().any(|line| line.contains("saver.py")), "the remaining process is not named: {said:#?}");
}
