//! Fork bombs at the limit of their control group: a stop keeps its time, and nothing is left.
//!
//! A bomb takes the processor from the process that is to end it: earlier versions took 26 to 61 s for a grace of 4 s. The bounds here
//! are multiples of the times that were asked for, and one of a few attempts must keep them: a bomb beside other work of the machine
//! has no time of its own.

use rinit_core::contain::ContainSpec;
use rinit_core::{ChildSpec, Stdio};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::pids::Pids;
use support::running::Running;
use support::{namespace, needs, probe_path, procfs, require, require_for_part, rinit, rinit_path, test, wait_until};

const LIMIT: u32 = 1000;
const ATTEMPTS: usize = 3;
const GRACE: Duration = Duration::from_secs(4);

/// Repeats it until it keeps the bound; the last attempt fails.
#[track_caller]
fn within(bound: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.len() < ATTEMPTS {
        let took = attempt();
        println!("took {:.1} s", took.as_secs_f64());
        if took < bound {
            return;
        }
        times.push(took);
    }
    panic!("not within {bound:?}: {times:?}");
}

fn wait_for_bomb(pids: &Pids) {
    wait_until("the bomb to reach its limit", || pids.count() > LIMIT * 9 / 10);
}

/// A stop of rinit over a bomb, from SIGTERM to rinit's exit. Without CAP_SYS_NICE rinit is a process among a thousand.
fn stop(as_pid_1: bool, may_raise: bool) -> Duration {
    let pids = Pids::limited_to(LIMIT).expect("a control group");
    let grace = format!("{}s", GRACE.as_secs());
    let mut inner = rinit(["--grace", &grace, "--"]);
    let enter = pids.enter();
    inner.args(["sh", "-c", &enter, "sh", probe_path(), "bomb", "4"]);
    if !may_raise {
        let mut without = Command::new("setpriv");
        without.args(["--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"]);
        without.arg(inner.get_program()).args(inner.get_args());
        inner = without;
    }
    // Both alike, so that they fight for the processor as before, and the machine lives on beside them.
    let mut nice = Command::new("nice");
    nice.args(["-n", "10"]).arg(inner.get_program()).args(inner.get_args());
    let inner = nice;
    let mut running = if as_pid_1 { namespace::start(&inner) } else { Running::start(inner) };
    wait_for_bomb(&pids);
    let from = Instant::now();
    running.signal(15);
    // Not `Running::wait`, which reads all of /proc.
    wait_until("rinit to exit", || !running.is_running());
    let took = from.elapsed();
    assert_eq!(running.wait(), 137, "{:?}", running.err.all());
    assert!(took >= GRACE, "{took:?}");
    pids.wait_until_empty();
    took
}

#[test]
fn a_bomb_below_pid_1_is_over_soon_after_the_grace() {
    require(needs::root());
    require(namespace::available());
    require(needs::programs(&["setpriv"]));
    require(Pids::limited_to(LIMIT).map(drop));
    for may_raise in [true, false] {
        within(3 * GRACE, || stop(true, may_raise));
    }
}

#[test]
fn a_bomb_below_a_subreaper_is_over_soon_after_the_grace() {
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    require(Pids::limited_to(LIMIT).map(drop));
    within(3 * GRACE, || stop(false, false));
}

/// A contained bomb, from the kill to the end of the wait, and then again by a drop.
fn kill(spec: impl Fn(ChildSpec) -> ContainSpec) -> Duration {
    let pids = Pids::limited_to(LIMIT).expect("a control group");
    let enter = pids.enter();
    let bomb = || ChildSpec::new("sh").args(["-c", &enter, "sh", probe_path(), "bomb", "4"]).stdin(Stdio::null());
    let mut job = spec(bomb()).start().expect("the job starts");
    wait_for_bomb(&pids);
    let from = Instant::now();
    job.kill().expect("kill");
    let report = job.wait().expect("a report");
    let took = from.elapsed();
    assert_eq!(report.exit_code(), 137);
    pids.wait_until_empty();
    let job = spec(bomb()).start().expect("the job starts");
    wait_for_bomb(&pids);
    let from = Instant::now();
    drop(job);
    pids.wait_until_empty();
    took.max(from.elapsed())
}

/// This process, the rinit and the bomb alike.
fn be_nice() {
    rustix::process::nice(10).expect("nice");
}

/// A drop gives up after thirty seconds.
const SOON: Duration = Duration::from_secs(10);

#[test(own_process)]
fn a_contained_bomb_is_over_soon_after_the_kill() {
    be_nice();
    require(needs::root());
    require(Pids::limited_to(LIMIT).map(drop));
    within(SOON, || kill(|bomb| bomb.contain().rinit(rinit_path())));
    assert!(procfs::children(std::process::id() as i32).is_empty(), "a child is left");
}

#[test(own_process)]
fn a_contained_bomb_with_a_cgroup_is_over_soon_after_the_kill() {
    be_nice();
    require(needs::root());
    require(Pids::limited_to(LIMIT).map(drop));
    let Some(parent) = require_for_part(Parent::new()) else { return };
    within(SOON, || kill(|bomb| bomb.contain().rinit(rinit_path()).cgroup(&parent.0)));
    let left = || std::fs::read_dir(&parent.0).expect("the cgroup").flatten().filter(|entry| entry.path().is_dir());
    assert_eq!(left().count(), 0, "a cgroup is left");
}

/// A cgroup v2 directory for those of jobs, removed at the end.
struct Parent(PathBuf);

impl Parent {
    fn new() -> Result<Self, String> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists());
        let root = root.ok_or("no cgroup v2 file system is mounted")?;
        let parent = Self(root.join(format!("rinit-test-bombs-{}", std::process::id())));
        std::fs::create_dir(&parent.0).map_err(|error| format!("{}: {error}", parent.0.display()))?;
        match parent.0.join("cgroup.kill").exists() {
            true => Ok(parent),
            false => Err("this kernel has no cgroup.kill".to_owned()),
        }
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}
