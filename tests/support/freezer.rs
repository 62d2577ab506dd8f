//! Control groups that can be frozen.

use crate::control_group::enter;
use crate::wait_until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A control group that can be frozen, removed with its guard.
pub struct Freezer {
    directory: PathBuf,
    version: u32,
}

impl Freezer {
    /// One of each version that this machine has.
    pub fn all() -> Vec<Self> {
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

    /// 1 or 2.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// A shell that enters it and becomes the program that its arguments name.
    pub fn entering(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &self.enter(), "sh"]);
        command
    }

    /// Does it, as a line for a shell.
    pub fn enter(&self) -> String {
        enter(&self.directory)
    }

    /// Freezes or thaws it, and waits until that is done.
    pub fn set(&self, frozen: bool) {
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

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
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
