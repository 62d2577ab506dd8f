//! A container that was frozen: the time in which nothing in it could run does not count.

use super::parts::{PYTHON, TERM, after, needs_root, script};
use super::{Init, Place, Stopped};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::running::Running;
use support::wait_until;
use support::{require, test};

/// More than each time that these tests give rinit.
const FROZEN: Duration = Duration::from_secs(8);

/// A control group that can be frozen, removed with its guard.
struct Freezer {
    directory: PathBuf,
    version: u32,
}

impl Freezer {
    /// One of each version that this machine has.
    fn all() -> Vec<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let second = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let second = second.into_iter().find(|path| path.join("cgroup.controllers").exists());
        let first = Some(PathBuf::from("/sys/fs/cgroup/freezer")).filter(|path| path.join("cgroup.procs").exists());
        let roots = [(1, first), (2, second)].into_iter().filter_map(|(version, root)| Some((version, root?)));
        let make = |(version, root): (u32, PathBuf)| {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let directory = root.join(format!("rinit-test-{}-{number}", std::process::id()));
            fs::create_dir(&directory).is_ok().then_some(Self { directory, version })
        };
        roots.filter_map(make).collect()
    }

    /// Starts an init in it.
    fn start(&self, init: &Init, place: Place, program: &[&str]) -> Running {
        let enter = format!("echo 0 >{}/cgroup.procs && exec \"$@\"", self.directory.display());
        place.start(&after(&["sh", "-c", &enter, "sh"], &init.command(program)))
    }

    fn set(&self, frozen: bool) {
        let (file, value) = match (self.version, frozen) {
            (1, true) => ("freezer.state", "FROZEN"),
            (1, false) => ("freezer.state", "THAWED"),
            (_, true) => ("cgroup.freeze", "1"),
            (_, false) => ("cgroup.freeze", "0"),
        };
        fs::write(self.directory.join(file), value).expect("freeze or thaw");
        let (file, line) = match (self.version, frozen) {
            (1, _) => ("freezer.state", value.to_owned()),
            _ => ("cgroup.events", format!("frozen {value}")),
        };
        let state = || fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        wait_until(&line, || state().lines().any(|it| it == line));
    }

    /// Frozen for longer than any of the times. It is the time that is tested: there is no condition to wait for.
    fn freeze_for_long(&self) {
        self.set(true);
        std::thread::sleep(FROZEN);
        self.set(false);
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // It is empty when the last zombie in it is gone.
        let end = Instant::now() + Duration::from_secs(10);
        while fs::remove_dir(&self.directory).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
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

/// It is said once that the container was frozen.
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
    let running = freezer.start(&init, place, &[PYTHON, "-I", &script("saver.py"), "2", "4"]);
    running.out.wait("ready");
    running.signal(TERM);
    check(freezer, place, running);
}

fn drain(freezer: &Freezer, place: Place) {
    let init = Init::rinit(&["--drain", "6s"]);
    let program = format!("{PYTHON} -I {} 2 0 & read go; exit 4", script("saver.py"));
    let mut running = freezer.start(&init, place, &["sh", "-c", &program]);
    running.out.wait("ready");
    running.type_in("go\n");
    check(freezer, place, running);
}

/// What is asked to stop is frozen while it saves, and still gets its time.
#[track_caller]
fn check(freezer: &Freezer, place: Place, mut running: Running) {
    let from = Instant::now();
    running.out.wait("saving");
    freezer.freeze_for_long();
    let stopped = Stopped::wait(&mut running, from, Duration::from_secs(60));
    assert_eq!((stopped.status, stopped.printed("saved")), (4, true), "v{} {place:?}: {stopped:#?}", freezer.version);
    assert_noticed(&stopped);
}
