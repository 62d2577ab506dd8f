//! No exit status is ever stolen: the same load in every mode of the library, and under loops that do steal.
//!
//! Each mode has a process of its own. `RINIT_SOAK_SECONDS` (6 by default, 10 under CI) is how long one
//! runs; the loops that steal show it in less. `--write-no-steal` runs all and puts what they counted into `docs/embedding.md`:
//!
//! ```sh
//! RINIT_SOAK_SECONDS=60 cargo test --test stress -- --write-no-steal
//! ```
#![allow(unsafe_code)] // C's system and popen.

mod load;
mod side_by_side;
mod stealing;
mod table;
mod watch;

use load::{Tally, Way};
use rinit_core::{Init, Reaper, become_subreaper};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use support::{budget, namespace, require_for_part, test, wait_until};
use watch::Seen;

/// Runs every mode alone, and puts what they counted into the documentation.
pub(crate) fn write_table() {
    table::write(&[
        "cooperative",
        "split",
        "exclusive",
        "side_by_side::two_reapers_and_three_libraries",
        "stealing::a_loop",
        "stealing::a_loop_at_each_sigchld",
        "stealing::the_crate_pid1_in_the_process",
        "stealing::the_crate_pid1_as_pid_1",
    ]);
}

/// How long a mode is under load.
fn soak() -> Duration {
    budget::seconds("RINIT_SOAK_SECONDS", 6, 10)
}

/// Runs the load, looks at the adopter meanwhile, and prints the table's row.
fn loaded(what: &str, way: &Way<'_>, adopter: u32, time: Duration) -> (Tally, Seen) {
    let tally = Tally::default();
    let stop = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch::watch(adopter, time / 3, &stop));
        load::run(&tally, way, time);
        stop.store(true, Ordering::Relaxed);
        watching.join().expect("no panic")
    });
    let (right, lost) = (tally.right(), tally.lost());
    let oldest = seen.oldest.as_millis();
    println!("| {what} | {} | {right} | {lost} | {} | {oldest} ms |", right + lost, tally.orphans());
    println!("{seen:?}");
    (tally, seen)
}

/// What holds in every mode.
#[track_caller]
fn assert_sound(tally: &Tally, seen: &Seen, settling: Duration) {
    assert_eq!(tally.lost(), 0);
    // A busy machine delays the reaper as much as it delays this watcher.
    let allowed = settling + Duration::from_secs(1) + 2 * seen.late;
    assert!(seen.oldest <= allowed, "a zombie was there for {:?}, more than {allowed:?}", seen.oldest);
    assert!(seen.grown.iter().all(|kib| *kib < 16 << 10), "memory grows: {seen:?}");
}

#[test(own_process)]
fn cooperative() {
    let me = std::process::id();
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    let (tally, seen) = loaded("`Reaper::cooperative`", &Way::Claimed, me, soak());
    wait_until("all zombies to be gone", || watch::children(me).is_empty());
    let stats = rinit_core::cooperative::stats();
    println!("{stats:?}, {} too late", tally.too_late());
    assert_sound(&tally, &seen, Duration::from_secs(2));
    assert_eq!(stats.reaped, tally.orphans() + tally.too_late(), "all orphans and nothing else");
}

#[test(own_process)]
fn split() {
    as_pid_1_if_possible();
    let split = Init::split().expect("split");
    let init = split.init().get().unsigned_abs();
    let (tally, seen) = loaded("`Init::split`, as PID 1", &Way::Std, init, soak());
    wait_until("this to be the init's only child", || watch::children(init).len() == 1);
    assert_eq!(watch::children(std::process::id()), []);
    assert_sound(&tally, &seen, Duration::ZERO);
}

#[test(own_process)]
fn exclusive() {
    let me = std::process::id();
    let _subreaper = become_subreaper().expect("subreaper");
    // Before any thread, all of which then have SIGCHLD blocked. One reaps; all others start children by the
    // other, and need no lock.
    let (reaper, starter) = (Reaper::exclusive().expect("reaper"), Reaper::exclusive().expect("reaper"));
    let (adopted, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (tally, seen) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut fds = [rustix::event::PollFd::from_borrowed_fd(reaper.as_fd(), rustix::event::PollFlags::IN)];
                let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                rustix::event::poll(&mut fds, Some(&timeout)).expect("poll");
                while let Some(ended) = reaper.try_next().expect("next") {
                    adopted.fetch_add(u64::from(!ended.spawned_here), Ordering::Relaxed);
                }
            }
        });
        let outcome = loaded("`Reaper::exclusive`", &Way::Exclusive(&starter), me, soak());
        wait_until("all zombies to be gone", || watch::children(me).is_empty());
        done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_sound(&tally, &seen, Duration::ZERO);
    assert_eq!(adopted.load(Ordering::Relaxed), tally.orphans(), "all orphans and nothing else");
}

/// Set in the process that a PID namespace was made for.
const INSIDE: &str = "RINIT_NO_STEAL_INSIDE";

/// Starts this very scenario again as PID 1 of a PID namespace, and ends as it does; returns in that one.
///
/// Where no namespace can be made it returns false, and this process goes on as what it is; under CI that is a failure.
fn as_pid_1_if_possible() -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]).env(INSIDE, "1");
        command
    };
    if require_for_part(namespace::available()).is_none() {
        return false;
    }
    let this = std::env::current_exe().expect("the path of this program");
    let status = unshare().arg(this).args(std::env::args().skip(1)).status().expect("unshare");
    std::process::exit(status.code().unwrap_or(1));
}
