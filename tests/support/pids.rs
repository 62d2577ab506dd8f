//! Control groups that limit the number of processes.

use crate::freezer::enter;
use crate::wait_until;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A control group with a limit for processes. Dropping it kills what is left in it, and removes it.
#[derive(Debug)]
pub struct Pids(PathBuf);

impl Pids {
    /// Of whichever version has the controller.
    ///
    /// # Errors
    ///
    /// Why it cannot be made here.
    pub fn limited_to(most: u32) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (at, kind, options) = (words.next()?, words.next()?, words.next()?);
            let controlled = || fs::read_to_string(format!("{at}/cgroup.subtree_control")).unwrap_or_default();
            let has_pids = match kind {
                "cgroup" => options.split(',').any(|option| option == "pids"),
                "cgroup2" => controlled().split_whitespace().any(|controller| controller == "pids"),
                _ => false,
            };
            has_pids.then(|| PathBuf::from(at))
        });
        let mount = mount.ok_or("no control group limits the number of processes")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = mount.join(format!("rinit-test-pids-{}-{number}", std::process::id()));
        fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let this = Self(directory);
        fs::write(this.0.join("pids.max"), most.to_string()).map_err(|error| error.to_string())?;
        Ok(this)
    }

    /// A line for a shell: it enters it and becomes the program that its arguments name.
    #[must_use]
    pub fn enter(&self) -> String {
        enter(&self.0)
    }

    /// Processes and threads that are in it.
    #[must_use]
    pub fn count(&self) -> u32 {
        let count = fs::read_to_string(self.0.join("pids.current")).expect("pids.current");
        count.trim().parse().expect("a number")
    }

    fn kill(&self) {
        for pid in fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
            if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// Waits until nothing is in it.
    #[track_caller]
    pub fn wait_until_empty(&self) {
        wait_until("the control group to be empty", || self.count() == 0);
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        // Nothing new is born in it while it is emptied.
        let _ = fs::write(self.0.join("pids.max"), "0");
        let end = Instant::now() + Duration::from_secs(30);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < end {
            self.kill();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
