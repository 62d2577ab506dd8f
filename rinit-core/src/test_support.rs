//! Real processes for the tests. They are started and stopped here, by pid.

use crate::pid::Pid;
use crate::process::walk::descendants;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::new(child.id().try_into().unwrap()).unwrap()
}

/// Waits until the condition holds, and fails after half a minute.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A shell and all below it, ended on drop.
pub(crate) struct Family(Child);

impl Family {
    pub(crate) fn start(script: &str) -> Self {
        Self::of(Command::new("/bin/sh").args(["-c", script]))
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let command = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Starts a shell as the first process of a PID namespace, below an `unshare`, which is the head of the family. `None` if
    /// this user may not make namespaces.
    pub(crate) fn in_namespace(script: &str) -> Option<Self> {
        let arguments = ["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"];
        if !can_unshare() {
            return None;
        }
        Some(Self::of(Command::new("unshare").args(arguments).arg(script)))
    }

    pub(crate) fn pid(&self) -> Pid {
        pid_of(&self.0)
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // Orphans that left the tree keep the group; those in a session of their own are found below the shell. The
        // shell first: it forks no more, and its children are known.
        let below = descendants(self.pid()).unwrap_or_default();
        let _ = crate::sys::kill_group(self.pid(), crate::signal::Signal::KILL);
        for process in below {
            let _ = crate::process::signal::signal_process(&process, crate::signal::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// A tool that is not there ends the test politely, but not in CI, where that would hide a failure.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "must not be skipped in CI: {why}");
    eprintln!("skipped: {why}");
}

/// Whether this user may make PID namespaces; says so where not.
pub(crate) fn can_unshare() -> bool {
    let probe = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    let possible = probe.is_ok_and(|status| status.success());
    if !possible {
        skip("no PID namespace can be made");
    }
    possible
}
