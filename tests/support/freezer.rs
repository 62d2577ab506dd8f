//! Control groups that can be frozen.

use crate::control_group::{ControlGroup, enter};
use crate::wait_until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A control group that can be frozen, removed with its guard.
pub struct Freezer(ControlGroup);

impl Freezer {
    /// One of each version that this machine has.
    pub fn all() -> Vec<Self> {
        let second = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let second = second.into_iter().find(|path| path.join("cgroup.controllers").exists());
        let first = Some(PathBuf::from("/sys/fs/cgroup/freezer")).filter(|path| path.join("cgroup.procs").exists());
        let roots = [(1, first), (2, second)].into_iter().filter_map(|(version, root)| Some((version, root?)));
        roots.filter_map(|(version, root)| ControlGroup::below(&root, version).ok().map(Self)).collect()
    }

    /// 1 or 2.
    pub const fn version(&self) -> u32 {
        self.0.version
    }

    /// A shell that enters it and becomes the program that its arguments name.
    pub fn entering(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &self.enter(), "sh"]);
        command
    }

    /// Does it, as a line for a shell.
    pub fn enter(&self) -> String {
        enter(&self.0.directory)
    }

    /// Freezes or thaws it, and waits until that is done.
    pub fn set(&self, frozen: bool) {
        let (file, value) = self.order(frozen);
        self.0.set(file, value).expect("freeze or thaw");
        let (file, line) = match self.version() {
            1 => (file, value.to_owned()),
            _ => ("cgroup.events", format!("frozen {value}")),
        };
        let state = || fs::read_to_string(self.directory().join(file)).unwrap_or_default();
        wait_until(&line, || state().lines().any(|it| it == line));
    }

    /// The file that orders it, and what is written there.
    const fn order(&self, frozen: bool) -> (&'static str, &'static str) {
        match (self.version(), frozen) {
            (1, true) => ("freezer.state", "FROZEN"),
            (1, false) => ("freezer.state", "THAWED"),
            (_, true) => ("cgroup.freeze", "1"),
            (_, false) => ("cgroup.freeze", "0"),
        }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // What a failed test has left in it is killed next, and does not die while it is frozen (version 1).
        let (file, value) = self.order(false);
        let _ = self.0.set(file, value);
    }
}
