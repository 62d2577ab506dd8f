//! Control groups of the tests' own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A control group. Dropping it kills what is left in it, and removes it.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    pub(crate) directory: PathBuf,
    /// 1 or 2.
    pub(crate) version: u32,
}

impl ControlGroup {
    /// Of whichever version has the controller.
    pub(crate) fn with(controller: &str) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (at, kind, options) = (words.next()?, words.next()?, words.next()?);
            let controlled = || fs::read_to_string(format!("{at}/cgroup.subtree_control")).unwrap_or_default();
            let (version, has_it) = match kind {
                "cgroup" => (1, options.split(',').any(|option| option == controller)),
                "cgroup2" => (2, controlled().split_whitespace().any(|it| it == controller)),
                _ => return None,
            };
            has_it.then(|| (PathBuf::from(at), version))
        });
        let (mount, version) = mount.ok_or_else(|| format!("no control group has the controller {controller}"))?;
        Self::below(&mount, version)
    }

    /// In this mounted hierarchy.
    pub(crate) fn below(mount: &Path, version: u32) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = mount.join(format!("rinit-test-{}-{number}", std::process::id()));
        fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(Self { directory, version })
    }

    /// Writes one of its files.
    pub(crate) fn set(&self, file: &str, value: impl ToString) -> Result<(), String> {
        fs::write(self.directory.join(file), value.to_string()).map_err(|error| format!("{file}: {error}"))
    }

    fn kill(&self) {
        for pid in fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default().lines() {
            if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(30);
        while fs::remove_dir(&self.directory).is_err() && Instant::now() < end {
            self.kill();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A line for a shell: it enters the control group and becomes the program that its arguments name.
pub(crate) fn enter(directory: &Path) -> String {
    format!("echo 0 >{}/cgroup.procs && exec \"$@\"", directory.display())
}
