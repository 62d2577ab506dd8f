//! Many processes: reaping them, and ending them.

use super::{Crowd, Extent, Figure, Results, in_turn, most_pids};
use crate::contender::Contender;
use crate::session::{CONT, STOP, Session, USR2, children, processor_ns};
use std::time::{Duration, Instant};
use support::running::kill;
use support::{procfs, wait_until};

/// Zombies that wait for an init that was stopped meanwhile: then nothing is measured but the reaping.
pub(crate) fn reaping(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    for crowd in extent.crowds() {
        in_turn(contenders, extent.repetitions_of(crowd), |_, contender| {
            if contender.path.is_some() {
                reap(contender, crowd, results);
            }
        });
    }
}

fn reap(contender: &Contender, crowd: Crowd, results: &mut Results) {
    let mut session = Session::start(contender, crowd.live, crowd.zombies);
    let init = session.init;
    // Those that live came before the zombies, as in a container that has run for long.
    wait_until("the crowd", || children(init).len() == crowd.live + 1);
    // What it does once, in its first moments, is no part of the reaping.
    session.settle();
    kill(init, STOP);
    wait_until("the stop", || procfs::read(init).is_some_and(|init| init.state == 'T'));
    kill(session.main, USR2);
    session.line();
    let zombies: Vec<i32> = children(init).into_iter().skip(crowd.live + 1).collect();
    assert_eq!(zombies.len(), crowd.zombies, "{}", contender.name);
    for pid in &zombies {
        wait_until("a death", || procfs::read(*pid).is_some_and(|process| process.state == 'Z'));
    }
    let processor = processor_ns(init);
    let from = Instant::now();
    kill(init, CONT);
    let mut left = zombies.as_slice();
    while let Some((last, others)) = left.split_last() {
        if exists(*last) {
            std::thread::sleep(Duration::from_micros(50));
        } else {
            left = others;
        }
    }
    results.push(contender, Figure::Reaping(crowd), from.elapsed().as_secs_f64() * 1e3);
    // The kernel adds the time that a process has run when it sleeps, or at a tick: while it runs, up to 4 ms are missing.
    wait_until("the init to sleep", || procfs::read(init).is_some_and(|init| init.state == 'S'));
    let each = (processor_ns(init) - processor) / crowd.zombies as f64;
    results.push(contender, Figure::ReapingProcessor(crowd), each / 1e3);
}

fn exists(pid: i32) -> bool {
    rustix::process::Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// Orphans that end as fast as they can be made, and an init that has to keep up.
pub(crate) fn storm(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    in_turn(contenders, extent.repetitions, |_, contender| {
        if contender.path.is_none() {
            return;
        }
        let mut session = Session::start(contender, 0, extent.storm);
        let mut most = 0;
        let from = Instant::now();
        kill(session.main, USR2);
        let mut made = false;
        loop {
            let now = children(session.init).len() - 1;
            most = most.max(now);
            made = made || session.has_line();
            if made && now == 0 {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        results.push(contender, Figure::StormRate, extent.storm as f64 / from.elapsed().as_secs_f64());
        results.push(contender, Figure::StormPeak, most as f64);
    });
}

/// TERM to the init of a main that ends at once and leaves many behind.
pub(crate) fn stop(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    for count in extent.stops.iter().filter(|count| *count + 1_000 < most_pids()) {
        in_turn(contenders, extent.repetitions, |_, contender| {
            if contender.path.is_some() {
                let took = Session::start(contender, *count, 0).stop();
                results.push(contender, Figure::Stop(*count), took.as_secs_f64() * 1e3);
            }
        });
    }
}
