//! A cgroup (v2) for one job. It also holds processes that have escaped from the job's rinit.

use crate::error::{ContainmentError, Error};
use crate::pid::Pid;
use crate::sys::retry::sleep;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the processes of a killed cgroup may take to exit. Only a process that is stuck in the kernel takes longer.
const EMPTY_WITHIN: Duration = Duration::from_secs(5);

/// A cgroup that this process has made, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Makes a cgroup below another one, which must be writable and of version 2.
    pub(super) fn below(parent: &Path) -> Result<Self, Error> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("rinit-{}-{number}", Pid::this()));
        let failed = |source| Error::Containment(ContainmentError::Cgroup { directory: directory.clone(), source });
        fs::create_dir(&directory).map_err(failed)?;
        let cgroup = Self { directory: directory.clone() };
        // Linux 5.14 has it. Without it a fork bomb could not be killed in one step.
        fs::metadata(cgroup.file("cgroup.kill")).map_err(failed)?;
        Ok(cgroup)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Moves a process into it. Whatever the process starts from then on is in it, too.
    pub(super) fn add(&self, pid: Pid) -> Result<(), Error> {
        let file = self.file("cgroup.procs");
        let failed =
            |source| Error::Containment(ContainmentError::Cgroup { directory: self.directory.clone(), source });
        fs::write(file, pid.to_string()).map_err(failed)
    }

    /// Kills every process in it but this one, which moves to a cgroup beside it.
    pub(super) fn kill_all_but(&self, pid: Pid) -> io::Result<()> {
        let beside = self.beside();
        match fs::create_dir(&beside) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::write(beside.join("cgroup.procs"), pid.to_string())?;
        self.kill()
    }

    fn beside(&self) -> PathBuf {
        self.directory.with_extension("rinit")
    }

    /// Sends KILL to every process in it. The kernel does it in one step, which no fork escapes.
    pub(super) fn kill(&self) -> io::Result<()> {
        fs::write(self.file("cgroup.kill"), "1")
    }

    fn is_empty(&self) -> bool {
        // An unreadable file means that the cgroup is gone.
        fs::read_to_string(self.file("cgroup.events")).map_or(true, |events| events.contains("populated 0"))
    }

    /// Kills what is left in it and waits until it is empty; false if that takes too long.
    pub(super) fn clear(&self) -> bool {
        let deadline = Instant::now() + EMPTY_WITHIN;
        while !self.is_empty() {
            let _ = self.kill();
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(2));
        }
        true
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.clear();
        let _ = fs::remove_dir(&self.directory);
        let _ = fs::remove_dir(self.beside());
    }
}
