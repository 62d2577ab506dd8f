//! The empty program through each init, as an ordinary process: the time to make a namespace would hide the start.

use super::{Extent, Figure, Results, in_turn};
use crate::contender::{Contender, as_in_a_container, empty_program};
use std::process::Command;
use std::time::{Duration, Instant};
use support::installed;

pub(crate) fn measure(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    let program = empty_program();
    // The first start of each reads its file; not counted.
    in_turn(contenders, 1, |_, contender| {
        contender.command_outside(&program).map(run);
    });
    in_turn(contenders, extent.starts, |_, contender| {
        let Some((wall, processor, faults)) = contender.command_outside(&program).map(run) else { return };
        results.push(contender, Figure::Start, wall.as_secs_f64() * 1e6);
        results.push(contender, Figure::StartProcessor, processor.as_secs_f64() * 1e6);
        results.push(contender, Figure::StartFaults, faults);
    });
    if !installed("valgrind") {
        eprintln!("no valgrind: instructions are not counted");
        return;
    }
    for contender in contenders.iter().filter(|contender| contender.path.is_some()) {
        let command = contender.command_outside(&program);
        if let Some(count) = command.and_then(|command| instructions(&command)) {
            results.push(contender, Figure::StartInstructions, count / 1e3);
        }
    }
}

/// Counts the instructions of the init itself: callgrind does not follow it into the program that it starts.
fn instructions(start: &Command) -> Option<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(start.get_program())
        .args(start.get_args());
    as_in_a_container(&mut valgrind);
    let said = valgrind.output().ok()?.stderr;
    let said = String::from_utf8_lossy(&said);
    // After the fork both processes print a count; the init's comes last.
    let mut counts = said.lines().filter_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counts.next_back()
}

/// Wall and processor time and page faults, its children's included.
#[expect(clippy::zombie_processes, reason = "waited for by wait4, which also tells the processor time")]
fn run(mut command: Command) -> (Duration, Duration, f64) {
    let from = Instant::now();
    let child = command.spawn().expect("start it");
    let pid = i32::try_from(child.id()).expect("a pid");
    let mut status = 0;
    // SAFETY: all zeros is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both live during the call; no other code waits for the child.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    let wall = from.elapsed();
    assert!(waited == pid && status == 0, "{command:?}: status {status}");
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec.unsigned_abs()) + Duration::from_micros(value.tv_usec.unsigned_abs())
    };
    (wall, time(usage.ru_utime) + time(usage.ru_stime), usage.ru_minflt as f64)
}
