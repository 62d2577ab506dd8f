//! What an init costs while nothing happens, and what it has kept after a storm.

use super::{Extent, Figure, Results, When, in_turn};
use crate::contender::Contender;
use crate::session::{Session, USR2, children};
use std::time::Duration;
use support::running::kill;
use support::{procfs, wait_until};

pub(crate) fn measure(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    let inits: Vec<_> = contenders.iter().filter(|contender| contender.path.is_some()).collect();
    let sessions: Vec<Session> = inits.iter().map(|contender| Session::start(contender, 0, 0)).collect();
    for session in &sessions {
        // The start is over when two reads in a row return the same count.
        wait_until("the start to be over", || {
            let before = wake_ups(session.init);
            std::thread::sleep(Duration::from_millis(50));
            wake_ups(session.init) == before
        });
    }
    // The same seconds for all.
    let before: Vec<_> = sessions.iter().map(|session| wake_ups(session.init)).collect();
    std::thread::sleep(Duration::from_secs(extent.idle));
    for ((contender, session), before) in inits.iter().zip(&sessions).zip(before) {
        results.push(contender, Figure::WakeUps, (wake_ups(session.init) - before) / extent.idle as f64);
    }
    drop(sessions);
    in_turn(contenders, extent.looks, |_, contender| {
        if contender.path.is_some() {
            memory(contender, Session::start(contender, 0, 0).init, When::Idle, results);
        }
    });
    in_turn(contenders, extent.repetitions.max(2) * 2 - 1, |_, contender| {
        if contender.path.is_none() {
            return;
        }
        let mut session = Session::start(contender, 0, extent.storm);
        kill(session.main, USR2);
        session.line();
        wait_until("the orphans to be reaped", || children(session.init).len() == 1);
        memory(contender, session.init, When::AfterStorm, results);
    });
}

/// How often it went to sleep: it was awake between two such times.
fn wake_ups(pid: i32) -> f64 {
    procfs::waits(pid).map_or(f64::NAN, |count| count as f64)
}

fn memory(contender: &Contender, pid: i32, when: When, results: &mut Results) {
    let kilobytes = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (rollup, status) = (read("smaps_rollup"), read("status"));
    results.push(contender, Figure::Resident(when), kilobytes(&rollup, "Rss"));
    results.push(contender, Figure::PrivateDirty(when), kilobytes(&rollup, "Private_Dirty"));
    results.push(contender, Figure::PageTables(when), kilobytes(&status, "VmPTE"));
}
