//! An init as PID 1 of a namespace of its own, with the probe's `load` as its main.

use crate::contender::{Contender, as_in_a_container};
use rustix::event::{PollFd, PollFlags, poll};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::running::kill;
use support::{deadline, namespace, procfs, static_build, wait_for, wait_until};

pub(crate) const USR1: i32 = 10;
pub(crate) const USR2: i32 = 12;
pub(crate) const TERM: i32 = 15;
pub(crate) const CONT: i32 = 18;
pub(crate) const STOP: i32 = 19;

/// Killed with all its processes when it is dropped.
pub(crate) struct Session {
    unshare: Child,
    unread: Vec<u8>,
    /// The init's pid; that of the program where there is no init.
    pub(crate) init: i32,
    /// Main's pid.
    pub(crate) main: i32,
}

impl Session {
    /// Returns when main is ready.
    pub(crate) fn start(contender: &Contender, live: usize, batch: usize) -> Self {
        let mut inner = contender.command(&static_build::programs().probe);
        inner.args(["load", "--live", &live.to_string(), "--batch", &batch.to_string()]);
        let mut command: Command = namespace::as_pid_1(&inner);
        // What is cleared does not come over from the command inside.
        as_in_a_container(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let unshare = command.spawn().expect("start unshare");
        let mut session = Self { unshare, unread: Vec::new(), init: 0, main: 0 };
        let ready = session.line();
        assert!(ready.starts_with("ready"), "{}: {ready}", contender.name);
        let outer = i32::try_from(session.unshare.id()).expect("a pid");
        let first_child = |pid| wait_for("a child", || children(pid).first().copied());
        session.init = first_child(outer);
        session.main = if contender.path.is_some() { first_child(session.init) } else { session.init };
        session
    }

    /// The next line that main prints.
    pub(crate) fn line(&mut self) -> String {
        let end = Instant::now() + deadline();
        loop {
            if let Some(at) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = self.unread.drain(..=at).collect::<Vec<_>>();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            assert!(Instant::now() < end, "main says nothing");
            self.read(Duration::from_secs(1));
        }
    }

    /// True when a line is there, without waiting for it.
    pub(crate) fn has_line(&mut self) -> bool {
        self.read(Duration::ZERO);
        self.unread.contains(&b'\n')
    }

    fn read(&mut self, timeout: Duration) {
        let Some(out) = &self.unshare.stdout else { return };
        let mut polled = [PollFd::new(out, PollFlags::IN)];
        let timeout = timeout.try_into().expect("a short time");
        if poll(&mut polled, Some(&timeout)).is_ok_and(|count| count > 0) {
            let mut buffer = [0; 4096];
            let count = rustix::io::read(out, &mut buffer).expect("read what main says");
            assert!(count > 0, "main has ended");
            self.unread.extend(buffer.iter().take(count));
        }
    }

    /// Waits until the init does nothing for some milliseconds.
    pub(crate) fn settle(&self) {
        let mut before = f64::NAN;
        wait_until("the init to come to rest", || {
            std::thread::sleep(Duration::from_millis(10));
            let now = processor_ns(self.init);
            std::mem::replace(&mut before, now) == now
        });
    }

    /// The time in nanoseconds from a signal to the init until main has it.
    pub(crate) fn signal_takes(&mut self) -> f64 {
        let sent = now_ns();
        kill(self.init, USR1);
        let line = self.line();
        let arrived: i64 = line.strip_prefix("at ").and_then(|ns| ns.parse().ok()).expect("a time");
        (arrived - sent) as f64
    }

    /// Sends TERM to the init, and returns the time until the namespace is gone.
    pub(crate) fn stop(mut self) -> Duration {
        let from = Instant::now();
        kill(self.init, TERM);
        let pid = rustix::process::Pid::from_child(&self.unshare);
        let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("pidfd_open");
        let timeout = deadline().try_into().expect("a short time");
        let ended = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).expect("poll");
        assert!(ended > 0, "it does not end");
        let took = from.elapsed();
        self.unshare.wait().expect("wait for unshare");
        took
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // With unshare goes the namespace (--kill-child).
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        // Of tens of thousands the last are still going when unshare has gone: they must not disturb the next measurement.
        if self.init != 0 {
            wait_until("the namespace to end", || procfs::read(self.init).is_none_or(|it| it.state == 'Z'));
        }
    }
}

/// The monotonic clock.
pub(crate) fn now_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Children in the order in which they came, zombies included; from the kernel's own list, as looking through all of /proc
/// takes too long here.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Processor time of a single-threaded process in nanoseconds.
pub(crate) fn processor_ns(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(f64::NAN)
}
