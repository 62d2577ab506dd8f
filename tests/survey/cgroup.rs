//! A control group for each container, as a container runtime makes one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A cgroup, removed with its guard, and all in it killed.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

/// Where the second version of the hierarchy is mounted.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut cgroup2 = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let place = words.nth(1)?;
        (words.next() == Some("cgroup2")).then(|| PathBuf::from(place))
    });
    cgroup2.next()
}

impl Cgroup {
    /// `None` where this machine does not let us make one.
    pub(crate) fn make(name: &str) -> Option<Self> {
        let path = hierarchy()?.join(name);
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let inner = self.0.join("inner");
        for group in [&inner, &self.0] {
            // A frozen process is killed all the same.
            let _ = fs::write(group.join("cgroup.kill"), "1");
        }
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let _ = fs::remove_dir(&inner);
            match fs::remove_dir(&self.0) {
                Err(error) if error.raw_os_error() == Some(16) && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}
