//! Containers in the shape of OpenStack Kolla's: a service that is not root, with helpers that are.

use super::host_image::{self, Entry, ORIGINAL, PERSONA, RINIT};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::docker::Image;
use support::procfs;
use support::running::kill;
use support::{installed, require, test, wait_until};

/// A process that is to outlive its container; its guard kills it.
struct Machine(String);

impl Machine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(format!("machine-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    fn pids(&self) -> Vec<i32> {
        procfs::all()
            .into_iter()
            .map(|one| one.pid)
            .filter(|pid| procfs::command_line(*pid).first() == Some(&self.0))
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.pids().into_iter().for_each(|pid| kill(pid, 9));
    }
}

/// rinit under both names, and the original.
fn inits() -> Vec<Entry> {
    let mut inits = vec![RINIT, PERSONA];
    if installed("dumb-init") {
        inits.push(ORIGINAL);
    }
    inits
}

const AS_SERVICE: &[&str] = &["--user", "1042:1042", "--group-add", "1043"];

/// Starts the service, has it read its configuration again, and stops it. Why the stop is not right, or how long it took.
pub(super) fn service(image: &Image, entry: Entry, options: &[&str]) -> Result<Duration, String> {
    let container = host_image::run(image, entry, &[AS_SERVICE, options].concat(), &["/kolla/start.sh"]);
    let lines =
        ["Running command: ", "configured: greeting = hello", "as uid 1042", "helper of uid 0", "daemon of uid 0"];
    lines.iter().for_each(|line| container.wait_log(line));
    container.signal("HUP");
    container.wait_log("reloaded: greeting = hello");
    let from = Instant::now();
    // Less than rinit's report of 5 s takes to be due: nothing that rinit may not signal is waited for.
    let status = container.stop(5);
    let took = from.elapsed();
    let logs = container.logs();
    let alone = entry.leaves_alone() || entry.path == PERSONA.path && options.contains(&"--pid=host");
    if !logs.contains("stopping\nstopped\n") {
        Err(format!("not stopped: {logs}"))
    } else if status == 137 {
        Err(format!("killed at the limit of 5 s: {logs}"))
    } else if status != 7 {
        Err(format!("status {status}, not 7: {logs}"))
    } else if !alone && !logs.contains("'sleep 1001'") {
        Err(format!("the daemon is not named: {logs}"))
    } else {
        Ok(took)
    }
}

/// How the service's container can be started.
pub(super) const KINDS: &[(&str, &[&str])] = &[
    ("user 1042, root helper and root daemon through sudo", &[]),
    ("the same with `--cap-drop KILL`", &["--cap-drop=KILL"]),
    ("the same with `--pid=host`", &["--pid=host"]),
];

/// Each in a container of its own, all at the same time.
fn everywhere(check: impl Fn(Entry) + Sync) {
    std::thread::scope(|scope| {
        for entry in inits() {
            let check = &check;
            scope.spawn(move || check(entry));
        }
    });
}

#[test]
fn service_with_a_root_helper() {
    require(host_image::available());
    let image = host_image::make();
    for (kind, options) in KINDS {
        everywhere(|entry| {
            let result = service(&image, entry, options);
            assert!(result.is_ok(), "{entry:?}, {kind}: {}", result.unwrap_err());
        });
    }
}

/// libvirt's container: in the host's PID namespace, with its control groups. Its machines live on when it is stopped or
/// replaced.
#[test]
fn machine_outlives_its_container() {
    require(host_image::available());
    let image = host_image::make();
    everywhere(|entry| {
        if entry.path == RINIT.path {
            return;
        }
        let machine = Machine::new();
        let program = format!("setsid /kolla/machine.sh {} & exec sleep 1000", machine.0);
        let options = ["--pid=host", "--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup"];
        let container = host_image::run(&image, entry, &options, &["/bin/sh", "-c", &program]);
        wait_until("the machine", || machine.pids().len() == 1);
        assert_eq!(container.stop(10), 143, "{entry:?}: {}", container.logs());
        assert_eq!(machine.pids().len(), 1, "{entry:?}: the machine was ended: {}", container.logs());
        assert_eq!(container.logs(), "", "{entry:?}");
    });
}

/// Main could not exit in the time in which the container could not run.
#[test]
fn paused_container_keeps_its_time() {
    require(host_image::available());
    let image = host_image::make();
    let entry = Entry { options: &["--grace", "6s", "--"], ..RINIT };
    let container = host_image::run(&image, entry, &[], &["/usr/bin/python3", "-I", "/kolla/saver.py", "2", "4"]);
    container.wait_log("ready");
    container.signal("TERM");
    container.wait_log("saving");
    container.pause();
    // More than is left of the grace time.
    std::thread::sleep(Duration::from_secs(8));
    container.unpause();
    let status = container.wait();
    let logs = container.logs();
    assert_eq!(status, 4, "{logs}");
    assert!(logs.contains("saved"), "{logs}");
}
