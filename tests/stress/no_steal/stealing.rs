//! The contrast: what waits for any child, in a process where others wait for their own.

use super::load::Way;
use super::{as_pid_1_if_possible, loaded, soak};
use pid1::Pid1Settings;
use rinit_core::become_subreaper;
use rustix::process::WaitOptions;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::test;

/// Less than that of the modes that are to be shown sound.
fn time() -> Duration {
    (soak() / 6).clamp(Duration::from_secs(2), Duration::from_secs(10))
}

#[track_caller]
fn assert_it_steals(what: &str) {
    let (tally, _) = loaded(what, &Way::Std, std::process::id(), time());
    assert!(tally.lost() > 0, "it did not show what it is to show");
    // The loop's thread has no end.
    std::process::exit(0);
}

/// `while waitpid(-1, WNOHANG) …`, asked again every 100 µs.
#[test(own_process)]
fn a_loop() {
    let _subreaper = become_subreaper().expect("subreaper");
    std::thread::spawn(|| {
        loop {
            if !matches!(rustix::process::wait(WaitOptions::NOHANG), Ok(Some(_))) {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    });
    assert_it_steals("a loop of `waitpid(-1)`");
}

/// As go-reaper does it: SIGCHLD wakes a thread, which waits for any child until there is none.
#[test(own_process)]
fn a_loop_at_each_sigchld() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut signals = Signals::new([SIGCHLD]).expect("a handler");
    std::thread::spawn(move || {
        for _ in signals.forever() {
            while rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())).is_ok() {}
        }
    });
    assert_it_steals("at SIGCHLD, `waitpid(-1)` until there is no child (go-reaper's way)");
}

/// Its loop can be had without the second process, for a child that is the main one.
#[test(own_process)]
fn the_crate_pid1_in_the_process() {
    let _subreaper = become_subreaper().expect("subreaper");
    let signals = Signals::new([SIGTERM, SIGINT, SIGCHLD]).expect("a handler");
    // A main child that lives as long as this process: until the pipe's other end is closed.
    let (end, _held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let main = Command::new("cat").stdin(Stdio::from(end)).spawn().expect("cat");
    std::thread::spawn(move || Pid1Settings::new().pid1_handling(signals, main));
    assert_it_steals("crate `pid1` 0.1, `pid1_handling` in a thread");
}

/// As its page says: PID 1 starts the program a second time and has no children but that and the orphans.
#[test(own_process)]
fn the_crate_pid1_as_pid_1() {
    if as_pid_1_if_possible() {
        pid1::relaunch_if_pid1().expect("relaunch");
        let parent = rustix::process::getppid().expect("PID 1").as_raw_pid().unsigned_abs();
        loaded("crate `pid1` 0.1, `relaunch_if_pid1` as PID 1", &Way::Std, parent, time());
    }
}
