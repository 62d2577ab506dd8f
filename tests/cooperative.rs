//! The cooperative reaper among threads that start and wait for their own children.
//!
//! No libtest harness: each scenario has a process of its own, becomes a subreaper there, and its main thread is the one that
//! gets the orphans. `RINIT_SOAK_SECONDS` (8 by default, 60 for a release) is how long the no-steal test runs.
#![allow(unsafe_code)]

#[path = "support/scenarios.rs"]
mod scenarios;

use rinit_core::{Claims, ExitStatus, Reaper, become_subreaper};
use rustix::event::{PollFd, PollFlags};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SCENARIOS: &[scenarios::Scenario] = &[
    ("no_status_is_stolen", no_status_is_stolen),
    ("a_naive_loop_steals", a_naive_loop_steals),
    ("a_claimed_child_is_waited_for_after_five_seconds", a_claimed_child_is_waited_for_after_five_seconds),
    ("an_unclaimed_child_is_waited_for_within_the_settling_time", unclaimed_within_the_settling_time),
    ("a_thread_ends_before_its_child", a_thread_ends_before_its_child),
    ("orphans_by_poll_with_their_status", orphans_by_poll_with_their_status),
    ("a_released_child_is_reaped", a_released_child_is_reaped),
    ("a_subscriber_that_does_not_read_stops_nothing", a_subscriber_that_does_not_read_stops_nothing),
    ("without_zombies_no_list_is_read", without_zombies_no_list_is_read),
];

fn main() {
    scenarios::main(SCENARIOS);
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

/// Waits until the condition holds, and fails after the time.
#[track_caller]
fn within(time: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const LONG: Duration = Duration::from_secs(30);

fn children() -> Vec<i32> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").expect("the threads").flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// What the load has seen.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    right: AtomicU64,
    lost: AtomicU64,
    orphans: AtomicU64,
}

impl Tally {
    fn note(&self, right: bool) {
        let counter = if right { &self.right } else { &self.lost };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn runs(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

fn code(status: std::io::Result<std::process::ExitStatus>) -> Option<i32> {
    status.ok().and_then(|status| status.code())
}

const ORPHANS_AT_ONCE: u64 = 50;

fn make_orphans(tally: &Tally) {
    while tally.runs() {
        let made = shell("i=0; while [ $i -lt 50 ]; do (exit 5 &); i=$((i+1)); done").status();
        tally.note(code(made) == Some(0));
        tally.orphans.fetch_add(ORPHANS_AT_ONCE, Ordering::Relaxed);
    }
}

fn by_status(tally: &Tally) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        tally.note(code(shell(&format!("exit {n}")).status()) == Some(n));
    }
}

fn by_output(tally: &Tally) {
    for n in (0..100).cycle().take_while(|_| tally.runs()) {
        let output = shell(&format!("echo {n}; exit {n}")).output();
        let right = output.is_ok_and(|o| o.status.code() == Some(n) && o.stdout == format!("{n}\n").into_bytes());
        tally.note(right);
    }
}

/// Waits after three seconds, which is later than any settling time.
fn late(tally: &Tally, claims: Option<&Claims>) {
    while tally.runs() {
        let spawn = || shell("exit 7").stdout(Stdio::null()).spawn();
        let mut some: Vec<_> =
            (0..10).filter_map(|_| claims.map_or_else(spawn, |claims| claims.claim(spawn)).ok()).collect();
        std::thread::sleep(Duration::from_secs(3));
        some.iter_mut().for_each(|child| tally.note(code(child.wait()) == Some(7)));
    }
}

/// Each child is started by a thread of its own, which ends at once.
fn by_short_threads(tally: &Tally, claims: Option<&Claims>) {
    while tally.runs() {
        let spawn = || shell("exit 9").spawn();
        let claimed = || claims.map_or_else(spawn, |claims| claims.claim(spawn)).ok();
        let some: Vec<Option<Child>> =
            (0..10).map(|_| std::thread::scope(|scope| scope.spawn(claimed).join().ok().flatten())).collect();
        std::thread::sleep(Duration::from_millis(2500));
        some.into_iter().flatten().for_each(|mut child| tally.note(code(child.wait()) == Some(9)));
    }
}

fn by_tokio(tally: &Tally, claims: Option<&Claims>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        for n in (0..100).cycle().take_while(|_| tally.runs()) {
            let mut command = tokio::process::Command::new("sh");
            command.args(["-c", &format!("exit {n}")]);
            let child = match claims {
                Some(claims) if n % 2 == 0 => claims.claim_with(|| command.spawn(), |c| c.as_ref().ok()?.id()),
                _ => command.spawn(),
            };
            let Ok(mut child) = child else { continue };
            tally.note(code(child.wait().await) == Some(n));
        }
    });
}

fn by_system(tally: &Tally) {
    while tally.runs() {
        // SAFETY: a NUL-terminated string; `system(3)` is thread-safe.
        let status = unsafe { libc::system(c"exit 11".as_ptr()) };
        tally.note(status == 11 << 8);
    }
}

fn by_popen(tally: &Tally) {
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

/// Eight threads and the makers of orphans, for some time. The main thread, in whose list the orphans are, starts children too.
fn load(tally: &Tally, claims: Option<&Claims>, time: Duration) {
    std::thread::scope(|scope| {
        scope.spawn(|| make_orphans(tally));
        scope.spawn(|| make_orphans(tally));
        scope.spawn(|| by_status(tally));
        scope.spawn(|| by_output(tally));
        scope.spawn(|| late(tally, claims));
        scope.spawn(|| by_short_threads(tally, claims));
        scope.spawn(|| by_tokio(tally, claims));
        scope.spawn(|| by_tokio(tally, None));
        scope.spawn(|| by_system(tally));
        scope.spawn(|| by_popen(tally));
        let until = Instant::now() + time;
        for n in 0.. {
            if Instant::now() >= until {
                break;
            }
            let spawn = || shell("exit 3").spawn();
            // Every other one unclaimed, and waited for at once: within the shortest settling time that a flood can make.
            let child = claims.filter(|_| n % 2 == 0).map_or_else(spawn, |claims| claims.claim(spawn));
            std::thread::sleep(Duration::from_millis(if n % 2 == 0 { 400 } else { 0 }));
            tally.note(child.is_ok_and(|mut child| code(child.wait()) == Some(3)));
        }
        tally.stop.store(true, Ordering::Relaxed);
    });
}

fn soak() -> Duration {
    let seconds = std::env::var("RINIT_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

fn row(what: &str, tally: &Tally, reaped: u64) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (right, lost) = (count(&tally.right), count(&tally.lost));
    println!("| {what} | {} | {right} | {lost} | {} | {reaped} |", right + lost, count(&tally.orphans));
}

fn no_status_is_stolen() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    let tally = Tally::default();
    let before = resident_kib();
    load(&tally, Some(reaper.claims()), soak());
    let ended = Instant::now();
    within(LONG, "all zombies are gone", || children().is_empty());
    // Three seconds by rule: the settling time, and the second between two looks.
    println!("the last zombie was gone {} ms after the load", ended.elapsed().as_millis());
    let stats = reaper.claims().stats();
    let grown = resident_kib().saturating_sub(before);
    println!("| mode | waits | right | lost | orphans | reaped |\n|---|---|---|---|---|---|");
    row("cooperative", &tally, stats.reaped);
    println!("{stats:?}, resident memory grew by {grown} KiB");
    assert_eq!(tally.lost.load(Ordering::Relaxed), 0);
    assert_eq!(stats.reaped, tally.orphans.load(Ordering::Relaxed), "all orphans and nothing else");
    assert!(stats.reaped > 1000, "no load: {stats:?}");
    assert!(grown < 32 << 10, "grew by {grown} KiB");
}

fn a_naive_loop_steals() {
    let _subreaper = become_subreaper().expect("subreaper");
    let tally = Tally::default();
    let reaped = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                match rustix::process::wait(rustix::process::WaitOptions::NOHANG) {
                    Ok(Some(_)) => drop(reaped.fetch_add(1, Ordering::Relaxed)),
                    _ => std::thread::sleep(Duration::from_micros(100)),
                }
            }
        });
        load(&tally, None, Duration::from_secs(3));
        done.store(true, Ordering::Relaxed);
    });
    row("naive waitpid(-1)", &tally, reaped.load(Ordering::Relaxed));
    assert!(tally.lost.load(Ordering::Relaxed) > 0);
}

fn a_claimed_child_is_waited_for_after_five_seconds() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300)).start().expect("thread");
    let mut claimed = reaper.claims().claim(|| shell("exit 21").spawn()).expect("spawn");
    let mut unclaimed = shell("exit 22").spawn().expect("spawn");
    within(LONG, "it has ended", || is_zombie(claimed.id()));
    let ended = Instant::now();
    // The contrast: what the documentation warns of does happen, and so the claim is what saves the other.
    let taken = reaper.next(LONG).expect("no failure").expect("an orphan, as it seems");
    assert_eq!((taken.pid.get().unsigned_abs(), taken.status), (unclaimed.id(), ExitStatus::Code(22)));
    assert!(unclaimed.wait().is_err());
    while ended.elapsed() < Duration::from_secs(5) {
        assert_eq!(reaper.next(Duration::from_millis(500)).expect("no failure"), None);
    }
    assert!(is_zombie(claimed.id()));
    assert_eq!(claimed.wait().expect("its status").code(), Some(21));
}

fn unclaimed_within_the_settling_time() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    let mut child = shell("exit 23").spawn().expect("spawn");
    within(LONG, "it is seen", || reaper.claims().stats().settling == 1);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.wait().expect("its status").code(), Some(23));
    within(LONG, "it is forgotten", || reaper.claims().stats().checks > 3);
    assert_eq!(reaper.claims().stats().reaped, 0);
}

fn a_thread_ends_before_its_child() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300)).start().expect("thread");
    // Claimed: the thread ends while the child runs.
    let claims = reaper.claims().clone();
    let start = move || claims.claim(|| shell("read x; exit 31").stdin(Stdio::piped()).spawn());
    let mut running = std::thread::spawn(start).join().expect("no panic").expect("spawn");
    // Unclaimed: seen as a zombie under its thread, which ends then.
    let (end, ended) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        send.send(shell("exit 32").spawn().expect("spawn")).expect("send");
        let _ = ended.recv();
    });
    let mut zombie = receive.recv().expect("a child");
    within(LONG, "known as own", || is_zombie(zombie.id()) && reaper.claims().stats().own == 1);
    drop(end);
    thread.join().expect("no panic");
    assert_eq!(running.try_wait().expect("alive"), None, "it died with its thread");
    drop(running.stdin.take());
    within(LONG, "it has ended", || is_zombie(running.id()));
    assert_eq!(reaper.next(Duration::from_secs(3)).expect("no failure"), None);
    assert_eq!(running.wait().expect("its status").code(), Some(31));
    assert_eq!(zombie.wait().expect("its status").code(), Some(32));
}

fn orphans_by_poll_with_their_status() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300));
    assert!(
        shell("(exit 41 &); (kill -KILL $(exec sh -c 'echo $PPID') &); exit 0").status().expect("status").success()
    );
    let mut statuses = HashSet::new();
    while statuses.len() < 2 {
        let mut fds = [PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
        assert!(rustix::event::poll(&mut fds, Some(&timeout)).expect("poll") > 0, "only {statuses:?}");
        while let Some(orphan) = reaper.next().expect("no failure") {
            statuses.insert(orphan.status.exit_code());
        }
        let mut fds = [PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&now)).expect("poll"), 0, "readable after all was read");
    }
    assert_eq!(statuses, HashSet::from([41, 137]));
    assert!(children().is_empty());
}

#[expect(clippy::zombie_processes, reason = "that nobody waits is what is tested")]
fn a_released_child_is_reaped() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(100)).start().expect("thread");
    let child = reaper.claims().claim(|| shell("exit 51").spawn()).expect("spawn");
    assert!(reaper.claims().release(&child) && !reaper.claims().release(&child));
    let orphan = reaper.next(LONG).expect("no failure").expect("reaped");
    assert_eq!((orphan.pid.get().unsigned_abs(), orphan.status), (child.id(), ExitStatus::Code(51)));
}

fn a_subscriber_that_does_not_read_stops_nothing() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    assert!(shell("i=0; while [ $i -lt 2000 ]; do (exit 5 &); i=$((i+1)); done").status().expect("status").success());
    let made = Instant::now();
    within(LONG, "all are reaped", || reaper.claims().stats().reaped == 2000);
    println!("2000 orphans at once: all reaped {} ms after the last was made", made.elapsed().as_millis());
    let mut read = 0;
    while reaper.next(Duration::from_millis(100)).expect("no failure").is_some() {
        read += 1;
    }
    let stats = reaper.claims().stats();
    assert_eq!((read, stats.dropped, stats.settling), (1024, 976, 0));
}

fn without_zombies_no_list_is_read() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut living = shell("read x").stdin(Stdio::piped()).spawn().expect("spawn");
    let started = Instant::now();
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    within(LONG, "three checks", || reaper.claims().stats().checks == 4);
    let took = started.elapsed();
    let stats = reaper.claims().stats();
    assert_eq!(stats.looks, 0);
    assert!(took >= Duration::from_millis(2900), "four checks in {took:?}");
    drop(reaper);
    drop(living.stdin.take());
    assert!(living.wait().is_ok());
}
