//! The load: threads that start children in every way there is and check each status, while others make orphans.

use rinit_core::cooperative::claim_with;
use rinit_core::{ChildSpec, ExitStatus, Reaper, Signal, claim};
use rustix::event::{PollFd, PollFlags};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The exit code of every orphan, and of no other process: so an adopted zombie differs from one that a thread waits for.
pub(crate) const ORPHAN: i32 = 201;

const ORPHANS_AT_ONCE: u64 = 50;

/// How the process under test starts its children.
pub(crate) enum Way<'a> {
    /// As if there were no rinit.
    Std,
    /// Those that are waited for late are claimed; the others as above.
    Claimed,
    /// By `ChildSpec` and nothing else.
    Exclusive(&'a Reaper),
}

/// What the load has seen.
#[derive(Default)]
pub(crate) struct Tally {
    stop: AtomicBool,
    right: AtomicU64,
    lost: AtomicU64,
    orphans: AtomicU64,
    too_late: AtomicU64,
}

impl Tally {
    pub(super) fn note(&self, right: bool) {
        let counter = if right { &self.right } else { &self.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn runs(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Ends the load.
    pub(super) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Statuses that arrived and were right.
    pub(crate) fn right(&self) -> u64 {
        self.right.load(Ordering::Relaxed)
    }

    /// Statuses that did not arrive, or were another's.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn orphans(&self) -> u64 {
        self.orphans.load(Ordering::Relaxed)
    }

    /// Statuses of unclaimed children that the machine did not let this process wait for in the time that it has for that.
    pub(crate) fn too_late(&self) -> u64 {
        self.too_late.load(Ordering::Relaxed)
    }
}

/// A child that will be waited for.
enum Started {
    Std(std::process::Child),
    Rinit(rinit_core::Child),
}

impl Started {
    fn wait(self) -> Option<i32> {
        match self {
            Self::Std(mut child) => child.wait().ok()?.code(),
            Self::Rinit(mut child) => exit_code(child.wait().ok()?),
        }
    }
}

fn exit_code(status: ExitStatus) -> Option<i32> {
    match status {
        ExitStatus::Code(code) => Some(code.into()),
        _ => None,
    }
}

pub(super) fn code(status: std::io::Result<std::process::ExitStatus>) -> Option<i32> {
    status.ok()?.code()
}

pub(super) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn spec(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script]).stdin(rinit_core::Stdio::null())
}

fn spawn(reaper: &Reaper, script: &str) -> Option<rinit_core::Child> {
    reaper.spawn(&spec(script)).ok()
}

impl Way<'_> {
    /// Starts a shell that may be waited for at any time.
    fn start(&self, script: &str) -> Option<Started> {
        match self {
            Self::Std => shell(script).spawn().ok().map(Started::Std),
            Self::Claimed => claim(|| shell(script).spawn()).ok().map(Started::Std),
            Self::Exclusive(reaper) => spawn(reaper, script).map(Started::Rinit),
        }
    }

    /// Starts a shell that is waited for at once, so that it need not be claimed.
    fn start_to_wait(&self, script: &str) -> Option<Started> {
        match self {
            Self::Claimed => Way::Std.start(script),
            _ => self.start(script),
        }
    }
}

/// Eight threads that wait, two that make orphans, and the main thread, in whose list of children the orphans arrive.
pub(crate) fn run(tally: &Tally, way: &Way<'_>, time: Duration) {
    std::thread::scope(|scope| {
        let workers: Vec<Box<dyn FnOnce() + Send>> = match way {
            Way::Exclusive(reaper) => vec![
                Box::new(|| by_wait(tally, way)),
                Box::new(|| by_wait_with_output(tally, reaper)),
                Box::new(|| by_wait_timeout(tally, reaper)),
                Box::new(|| by_try_wait(tally, reaper)),
                Box::new(|| by_poll(tally, reaper)),
                Box::new(|| by_signal(tally, reaper)),
            ],
            _ => vec![
                Box::new(|| by_status(tally)),
                Box::new(|| by_output(tally)),
                Box::new(|| by_tokio(tally, way)),
                Box::new(|| by_tokio(tally, &Way::Std)),
                Box::new(|| by_system(tally)),
                Box::new(|| by_popen(tally)),
            ],
        };
        workers.into_iter().for_each(|worker| drop(scope.spawn(worker)));
        scope.spawn(|| late(tally, way));
        scope.spawn(|| by_short_threads(tally, way));
        scope.spawn(|| make_orphans(tally, way));
        scope.spawn(|| make_orphans(tally, way));
        let until = Instant::now() + time;
        while Instant::now() < until {
            // Claimed: waited for later than the shortest settling time that a flood can make.
            let child = way.start("exit 3");
            std::thread::sleep(Duration::from_millis(400));
            tally.note(child.and_then(Started::wait) == Some(3));
            at_once(tally, way);
        }
        tally.end();
    });
}

/// Unclaimed, and waited for at once: within the shortest settling time.
fn at_once(tally: &Tally, way: &Way<'_>) {
    const SHORTEST: Duration = Duration::from_millis(250);
    let started = Instant::now();
    let right = way.start_to_wait("exit 3").and_then(Started::wait) == Some(3);
    if matches!(way, Way::Claimed) && !right && started.elapsed() > SHORTEST {
        // A machine so busy that this thread slept over it. It may be taken then, and the documentation says so.
        tally.too_late.fetch_add(1, Ordering::Relaxed);
    } else {
        tally.note(right);
    }
}

pub(super) fn make_orphans(tally: &Tally, way: &Way<'_>) {
    let script = format!("i=0; while [ $i -lt {ORPHANS_AT_ONCE} ]; do (exit {ORPHAN} &); i=$((i+1)); done");
    while tally.runs() {
        tally.note(way.start_to_wait(&script).and_then(Started::wait) == Some(0));
        tally.orphans.fetch_add(ORPHANS_AT_ONCE, Ordering::Relaxed);
    }
}

fn by_wait(tally: &Tally, way: &Way<'_>) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        tally.note(way.start_to_wait(&format!("exit {n}")).and_then(Started::wait) == Some(n));
    }
}

/// Waits after three seconds, which is later than any settling time.
pub(super) fn late(tally: &Tally, way: &Way<'_>) {
    while tally.runs() {
        let some: Vec<_> = (0..10).map(|_| way.start("exit 7")).collect();
        std::thread::sleep(Duration::from_secs(3));
        some.into_iter().for_each(|child| tally.note(child.and_then(Started::wait) == Some(7)));
    }
}

/// Each child is started by a thread of its own, which ends at once; half of them end later than it.
pub(super) fn by_short_threads(tally: &Tally, way: &Way<'_>) {
    while tally.runs() {
        let start = |n: i32| {
            let script = if n % 2 == 0 { "exit 9" } else { "sleep 0.1; exit 9" };
            std::thread::scope(|scope| scope.spawn(|| way.start(script)).join().ok().flatten())
        };
        let some: Vec<_> = (0..10).map(start).collect();
        std::thread::sleep(Duration::from_millis(2500));
        some.into_iter().for_each(|child| tally.note(child.and_then(Started::wait) == Some(9)));
    }
}

// What std, tokio and C have.

pub(super) fn by_status(tally: &Tally) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        tally.note(code(shell(&format!("exit {n}")).status()) == Some(n));
    }
}

pub(super) fn by_output(tally: &Tally) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let output = shell(&format!("echo {n}; exit {n}")).output();
        let right = output.is_ok_and(|o| o.status.code() == Some(n) && o.stdout == format!("{n}\n").into_bytes());
        tally.note(right);
    }
}

pub(super) fn by_tokio(tally: &Tally, way: &Way<'_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        for n in (0..100).cycle().take_while(|_| tally.runs()) {
            let mut command = tokio::process::Command::new("sh");
            command.args(["-c", &format!("exit {n}")]);
            let child = match way {
                Way::Claimed if n % 2 == 0 => claim_with(|| command.spawn(), |c| c.as_ref().ok()?.id()),
                _ => command.spawn(),
            };
            let Ok(mut child) = child else { continue };
            tally.note(code(child.wait().await) == Some(n));
        }
    });
}

pub(super) fn by_system(tally: &Tally) {
    while tally.runs() {
        // SAFETY: a NUL-terminated string; `system(3)` is thread-safe.
        let status = unsafe { libc::system(c"exit 11".as_ptr()) };
        tally.note(status == 11 << 8);
    }
}

pub(super) fn by_popen(tally: &Tally) {
    while tally.runs() {
        // SAFETY: NUL-terminated strings; the stream is closed once, below.
        let stream = unsafe { libc::popen(c"exit 13".as_ptr(), c"r".as_ptr()) };
        if stream.is_null() {
            continue;
        }
        // SAFETY: a stream that popen has just made.
        tally.note(unsafe { libc::pclose(stream) } == 13 << 8);
    }
}

// What `Child` has.

fn by_wait_with_output(tally: &Tally, reaper: &Reaper) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let spec = spec(&format!("echo {n}; exit {n}")).stdout(rinit_core::Stdio::piped());
        let output = reaper.spawn(&spec).and_then(rinit_core::Child::wait_with_output);
        let right =
            |o: rinit_core::child::Output| exit_code(o.status) == Some(n) && o.stdout == format!("{n}\n").into_bytes();
        tally.note(output.is_ok_and(right));
    }
}

/// In steps that are shorter than the child's life, with a signal for the death of this process, not of this thread.
fn by_wait_timeout(tally: &Tally, reaper: &Reaper) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let spec = spec(&format!("exit {n}")).parent_death_signal(Signal::KILL);
        let Ok(mut child) = reaper.spawn(&spec) else { continue };
        let ended = loop {
            match child.wait_timeout(Duration::from_micros(200)) {
                Ok(None) => {}
                other => break other.ok().flatten(),
            }
        };
        tally.note(ended.and_then(exit_code) == Some(n));
    }
}

fn by_try_wait(tally: &Tally, reaper: &Reaper) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let Some(child) = spawn(reaper, &format!("exit {n}")) else { continue };
        let ended = loop {
            match child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                other => break other.ok().flatten(),
            }
        };
        tally.note(ended.and_then(exit_code) == Some(n));
    }
}

/// Asleep until its descriptor is readable, as in an event loop.
fn by_poll(tally: &Tally, reaper: &Reaper) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let Some(child) = spawn(reaper, &format!("exit {n}")) else { continue };
        let mut fds = [PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)];
        let polled = rustix::event::poll(&mut fds, None);
        let ended = child.try_wait().ok().flatten();
        tally.note(polled == Ok(1) && ended.and_then(exit_code) == Some(n));
    }
}

fn by_signal(tally: &Tally, reaper: &Reaper) {
    while tally.runs() {
        let Some(mut child) = spawn(reaper, "exec sleep 1000") else { continue };
        let sent = child.signal(Signal::KILL).is_ok();
        tally.note(sent && child.wait().is_ok_and(|status| status.signal() == Some(Signal::KILL)));
    }
}
