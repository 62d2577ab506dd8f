//! A container that was frozen: the time in which nothing in it could run does not count.

use super::parts::{PYTHON, TERM, after, needs_root, script};
use super::{Init, Place, Stopped};
use std::time::{Duration, Instant};
use support::freezer::Freezer;
use support::running::Running;
use support::{require, test};

/// More than each time that these tests give rinit.
const FROZEN: Duration = Duration::from_secs(8);

/// Starts an init in a control group.
fn start(freezer: &Freezer, init: &Init, place: Place, program: &[&str]) -> Running {
    place.start(&after(&["sh", "-c", &freezer.enter(), "sh"], &init.command(program)))
}

/// Frozen for longer than any of the times. It is the time that is tested: there is no condition to wait for.
fn freeze_for_long(freezer: &Freezer) {
    freezer.set(true);
    std::thread::sleep(FROZEN);
    freezer.set(false);
}

/// In each kind of control group, as PID 1 and as a subreaper, all at the same time.
fn everywhere(check: impl Fn(&Freezer, Place) + Sync) {
    let freezers: Vec<_> =
        Place::BOTH.iter().flat_map(|place| Freezer::all().into_iter().map(|it| (it, *place))).collect();
    assert!(!freezers.is_empty(), "no control group can be made");
    std::thread::scope(|scope| {
        for (freezer, place) in &freezers {
            let check = &check;
            scope.spawn(move || check(freezer, *place));
        }
    });
}

/// rinit says once that the container was frozen.
#[track_caller]
fn assert_noticed(stopped: &Stopped) {
    let own = stopped.err.iter().filter(|line| line.starts_with("rinit: "));
    let count = own.filter(|line| ["frozen", "froze", "paused"].iter().any(|word| line.contains(word))).count();
    assert_eq!(count, 1, "{stopped:#?}");
}

/// Both side by side: each lasts as long as the freeze.
#[test]
fn grace_and_drain_time_stand_still() {
    require(needs_root(&[PYTHON]));
    std::thread::scope(|scope| {
        scope.spawn(|| everywhere(grace));
        scope.spawn(|| everywhere(drain));
    });
}

fn grace(freezer: &Freezer, place: Place) {
    let init = Init::rinit(&["--grace", "6s"]);
    let running = start(freezer, &init, place, &[PYTHON, "-I", &script("saver.py"), "2", "4"]);
    running.out.wait("ready");
    running.signal(TERM);
    check(freezer, place, running);
}

fn drain(freezer: &Freezer, place: Place) {
    let init = Init::rinit(&["--drain", "6s"]);
    let program = format!("{PYTHON} -I {} 2 0 & read go; exit 4", script("saver.py"));
    let mut running = start(freezer, &init, place, &["sh", "-c", &program]);
    running.out.wait("ready");
    running.type_in("go\n");
    check(freezer, place, running);
}

/// What is asked to stop is frozen while it saves, and still gets its time.
#[track_caller]
fn check(freezer: &Freezer, place: Place, mut running: Running) {
    let from = Instant::now();
    running.out.wait("saving");
    freeze_for_long(freezer);
    let stopped = Stopped::wait(&mut running, from, Duration::from_secs(60));
    assert_eq!((stopped.status, stopped.printed("saved")), (4, true), "v{} {place:?}: {stopped:#?}", freezer.version());
    assert_noticed(&stopped);
}
