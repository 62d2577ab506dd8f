//! Libraries that know nothing of each other in one process: two of them bring a cooperative reaper of their own, a third one
//! comes and goes, and a fourth only claims. Jobs flood the process with orphans; from outside it is stopped and frozen, over and
//! over.

use super::load::{self, Tally, Way};
use super::{soak, watch};
use rinit_core::{Reaper, become_subreaper, claim, cooperative};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::cell::Cell;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::freezer::Freezer;
use support::random::Random;
use support::{require_for_part, test, wait_until};

/// Set in the process that is stopped and frozen.
const INSIDE: &str = "RINIT_SIDE_BY_SIDE";
/// Longer than the settling time, by which a wrong clock would have a reaper take what it saw just before.
const LONG: Duration = Duration::from_millis(2500);
/// How long an unclaimed child of the main thread is not waited for: a number of times this. In one sleep the time of a stop
/// would count, and the wait come at once after it.
const NAP: Duration = Duration::from_millis(10);
const NAPS: u32 = 30;

#[test(own_process)]
fn two_reapers_and_three_libraries() {
    if std::env::var_os(INSIDE).is_none() {
        torment();
    }
    let ended = std::thread::spawn(|| std::io::stdin().read_line(&mut String::new()));
    let me = std::process::id();
    let _subreaper = become_subreaper().expect("subreaper");
    let tally = Tally::default();
    let seen = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        let observed = scope.spawn(|| {
            let (tally, seen) = (&tally, &seen);
            std::thread::scope(|scope| {
                scope.spawn(|| std_library(tally, &seen[0]));
                scope.spawn(|| tokio_library(tally, &seen[1]));
                scope.spawn(|| coming_and_going(tally));
                scope.spawn(|| with_waiting_threads(tally));
                scope.spawn(|| load::make_orphans(tally, &Way::Claimed));
                scope.spawn(|| load::make_orphans(tally, &Way::Claimed));
            });
        });
        late_on_the_main_thread(&tally, || ended.is_finished());
        tally.end();
        observed.join().expect("no panic");
    });
    let (right, lost, orphans) = (tally.right(), tally.lost(), tally.orphans());
    println!(
        "| two `Reaper::cooperative` and three libraries, stopped and frozen | {} | {right} | {lost} | {orphans} | |",
        right + lost
    );
    println!("{:?}, {seen:?} seen", cooperative::stats());
    assert_eq!(lost, 0);
    assert_eq!(cooperative::stats().reaped, orphans, "all orphans and nothing else");
    assert_eq!(seen.map(AtomicU64::into_inner), [orphans; 2], "each reaper returns each orphan");
    assert_eq!(watch::children(me), []);
}

/// Starts this very test again as a process that it stops and freezes, for as long as it has time, and ends as it does.
fn torment() -> ! {
    let mut random = Random::seeded();
    let this = std::env::current_exe().expect("the path of this program");
    let freezer = require_for_part(Freezer::all().pop().ok_or("no control group can be made to freeze it"));
    let mut command = freezer.as_ref().map_or_else(|| Command::new("env"), Freezer::entering);
    command.arg(this).args(std::env::args_os().skip(1)).env(INSIDE, "1").stdin(Stdio::piped());
    let mut host = command.spawn().expect("start");
    let pid = Pid::from_child(&host);
    let (end, mut count) = (Instant::now() + soak(), 0_u32);
    while count < 2 || Instant::now() < end {
        std::thread::sleep(Duration::from_millis(300 + random.below(1200)));
        // The first of each kind is long.
        let time = if count < 2 { LONG } else { Duration::from_millis(random.below(4000)) };
        match freezer.as_ref().filter(|_| count % 2 == 1) {
            Some(freezer) => {
                freezer.set(true);
                std::thread::sleep(time);
                freezer.set(false);
            }
            None => {
                let stop = rustix::process::kill_process(pid, rustix::process::Signal::STOP);
                std::thread::sleep(time);
                rustix::process::kill_process(pid, rustix::process::Signal::CONT).and(stop).expect("stop and continue");
            }
        }
        count += 1;
        if host.try_wait().expect("its status").is_some() {
            break;
        }
    }
    println!("{count} stops and freezes");
    drop(host.stdin.take());
    let status = host.wait().expect("its status");
    // Its cgroup is empty now; exit would not remove it.
    drop(freezer);
    std::process::exit(status.code().unwrap_or(1));
}

/// Waits by std and C, and has a poll loop for its reaper.
fn std_library(tally: &Tally, seen: &AtomicU64) {
    let mut reaper = Reaper::cooperative().expect("a reaper");
    std::thread::scope(|scope| {
        scope.spawn(|| load::by_status(tally));
        scope.spawn(|| load::by_output(tally));
        scope.spawn(|| load::by_system(tally));
        scope.spawn(|| load::by_popen(tally));
        let finished = Finished::default();
        while !finished.is(tally, seen) {
            let timeout = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            poll(&mut [PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)], Some(&timeout)).expect("poll");
            while reaper.try_next().expect("no failure").is_some() {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

/// Waits by tokio, in whose runtime its reaper is a task.
fn tokio_library(tally: &Tally, seen: &AtomicU64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (count, counted) = std::sync::mpsc::channel();
    let reaper = Reaper::cooperative().expect("a reaper");
    let task = runtime.spawn(reaper.run(move |orphan| count.send(orphan).expect("a reader")));
    std::thread::scope(|scope| {
        scope.spawn(|| load::by_tokio(tally, &Way::Claimed));
        scope.spawn(|| load::by_tokio(tally, &Way::Std));
        let finished = Finished::default();
        while !finished.is(tally, seen) {
            seen.fetch_add(counted.try_iter().count() as u64, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    task.abort();
}

/// When a reaper may go: its library has seen every orphan. What it has not seen in the end is a failure.
#[derive(Default)]
struct Finished {
    since: Cell<Option<Instant>>,
}

impl Finished {
    fn is(&self, tally: &Tally, seen: &AtomicU64) -> bool {
        if tally.runs() {
            return false;
        }
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let children = watch::children(std::process::id());
        let all = children.is_empty() && seen.load(Ordering::Relaxed) >= tally.orphans();
        all || since.elapsed() > support::deadline()
    }
}

/// A library that is loaded and unloaded: its reaper takes nothing with it, and brings nothing that shortens a time.
fn coming_and_going(tally: &Tally) {
    wait_until("the others to be there", || cooperative::stats().reapers == 2);
    while tally.runs() {
        let reaper =
            Reaper::cooperative().expect("a reaper").settle(Duration::from_millis(50)).start().expect("a thread");
        let _ = reaper.next(Duration::from_millis(700)).expect("no failure");
        drop(reaper);
    }
}

/// As shared_child and duct do: one thread waits for the exit and leaves the status, another one fetches it.
fn with_waiting_threads(tally: &Tally) {
    while tally.runs() {
        let child = claim(|| load::shell("exit 17").spawn()).expect("spawn");
        let pid = Pid::from_child(&child);
        let leave = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let code = move || waitid(WaitId::Pid(pid), leave).ok().flatten()?.exit_status();
        let waited = std::thread::spawn(code).join().expect("no panic");
        tally.note(waited == Some(17) && wait(child) == Some(17));
    }
}

fn wait(mut child: Child) -> Option<i32> {
    child.wait().ok()?.code()
}

/// As an interpreter does on the thread that gets the orphans: `Popen.wait()` comes seconds later, for children that its glue has
/// claimed, and soon for the others.
fn late_on_the_main_thread(tally: &Tally, is_over: impl Fn() -> bool) {
    let mut claimed: VecDeque<(Instant, Child)> = VecDeque::new();
    while !is_over() {
        claimed.push_back((Instant::now(), claim(|| load::shell("exit 7").spawn()).expect("spawn")));
        let unclaimed = load::shell("exit 3").spawn().expect("spawn");
        (0..NAPS).for_each(|_| std::thread::sleep(NAP));
        tally.note(wait(unclaimed) == Some(3));
        tally.note(load::code(load::shell("exit 5").status()) == Some(5));
        while claimed.front().is_some_and(|(since, _)| since.elapsed() > LONG) {
            let (_, child) = claimed.pop_front().expect("the front");
            tally.note(wait(child) == Some(7));
        }
    }
    claimed.into_iter().for_each(|(_, child)| tally.note(wait(child) == Some(7)));
}
