//! Load that goes on and on: storms of processes that fork, setsid, double-fork, ignore TERM, exit, crash, thread and exec. What
//! must hold is looked at from outside: no zombie stays, rinit grows neither in memory nor in descriptors, every stop ends with
//! the right status, and nothing is killed before its time.
//!
//! `RINIT_SOAK_SECONDS` makes it go on for hours: each of the three for so long, two at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::random::Random;
use support::running::Running;
use support::{budget, deadline, namespace, probe_path, procfs, require, require_for_part, rinit, test};

const INT: i32 = 2;
const TERM: i32 = 15;
/// A zombie below rinit that is older stays. Long, because a busy machine may not let rinit run for a while.
const STAYS: Duration = Duration::from_secs(20);
/// Growth of the resident memory that is no leak: pages of code and stack that were not needed before.
const GROWTH_KIB: u64 = 512;

fn time() -> Duration {
    budget::seconds("RINIT_SOAK_SECONDS", 5, 10)
}

/// What rinit holds: resident memory in KiB, and descriptors.
fn holds(pid: i32) -> Option<(u64, usize)> {
    let resident = procfs::field(pid, "VmRSS")?.split_whitespace().next()?.parse().ok()?;
    Some((resident, procfs::descriptors(pid).len()))
}

/// Zombies below a pid and when each was first seen.
#[derive(Default)]
struct Zombies(BTreeMap<i32, Instant>);

impl Zombies {
    #[track_caller]
    fn look(&mut self, init: i32) -> usize {
        let now = Instant::now();
        let zombies: Vec<i32> = procfs::zombies(init).iter().map(|zombie| zombie.pid).collect();
        self.0.retain(|pid, _| zombies.contains(pid));
        for pid in &zombies {
            let since = *self.0.entry(*pid).or_insert(now);
            assert!(now - since < STAYS, "{pid} has been a zombie for {:?}", now - since);
        }
        zombies.len()
    }
}

/// One life, as long as the time is.
#[track_caller]
fn long_life(mut running: Running) {
    let init = running.pid();
    running.out.wait("ready");
    let begin = Instant::now();
    let warm = begin + time() / 4;
    let mut zombies = Zombies::default();
    let (mut before, mut looks, mut most) = (None, 0_u64, 0);
    while begin.elapsed() < time() {
        assert!(running.is_running(), "it has ended: {:#?}", running.err.all());
        most = most.max(zombies.look(init));
        looks += 1;
        if before.is_none() && Instant::now() >= warm {
            before = holds(init);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = before.or_else(|| holds(init)).expect("rinit's memory");
    let after = holds(init).expect("rinit's memory");
    running.signal(TERM);
    let finished = running.finished();
    println!(
        "{looks} looks in {:?}, at most {most} zombies at a time; memory {} KiB, then {} KiB; descriptors {}, then {}",
        time(),
        before.0,
        after.0,
        before.1,
        after.1
    );
    assert_eq!(finished.code, 128 + TERM, "{:?}", finished.err);
    assert!(after.0 <= before.0 + GROWTH_KIB, "memory grows: {before:?}, {after:?}");
    assert_eq!(before.1, after.1, "descriptors");
    assert_eq!(running.left().len(), 0);
    no_process_was_killed(&finished.err);
}

#[track_caller]
fn no_process_was_killed(said: &[String]) {
    let bad = |line: &String| line.contains("SIGKILL)") || line.contains("sent SIGKILL") || line.contains("panicked");
    assert!(!said.iter().any(bad), "{said:#?}");
}

/// Options of a life in which nothing is killed, and a kill would be reported.
const PATIENT: &[&str] = &["-v", "--drain", "1h", "--"];

#[test]
fn a_long_life_as_pid_1() {
    require(namespace::available());
    let seed = Random::seeded().below(1 << 30).to_string();
    long_life(namespace::rinit(&[PATIENT, &[probe_path(), "storm", &seed, "2000000000", "1"]].concat()));
}

#[test]
fn a_long_life_as_a_subreaper() {
    let seed = Random::seeded().below(1 << 30).to_string();
    long_life(Running::start(rinit([PATIENT, &[probe_path(), "storm", &seed, "2000000000", "1"]].concat())));
}

/// Short lives one after the other, stopped at any time or not at all.
#[test]
fn many_lives() {
    require_for_part(namespace::available());
    let mut random = Random::seeded();
    let end = Instant::now() + time();
    let mut lives = 0;
    while Instant::now() < end {
        lives += 1;
        match random.below(3) {
            0 => helper_has_its_time(&mut random),
            _ => patient(&mut random),
        }
    }
    println!("{lives} lives in {:?}", time());
}

fn start(random: &mut Random, words: &[&str]) -> Running {
    if random.below(2) == 0 && namespace::available().is_ok() {
        namespace::rinit(words)
    } else {
        Running::start(rinit(words))
    }
}

/// A life in which all processes exit by themselves or on SIGTERM: main's status, and nothing is killed.
fn patient(random: &mut Random) {
    let code = 20 + random.below(70) as i32;
    let (seed, time) = (random.below(1 << 30).to_string(), random.below(400).to_string());
    let options: &[&str] = random.one_of(&[&[], &["-g"], &["--to", "all"], &["--on-main-exit", "wait"]]);
    let main = [probe_path(), "storm", &seed, &time, &code.to_string()];
    let mut running = start(random, &[options, PATIENT, &main[..]].concat());
    running.out.wait("ready");
    let mut codes = vec![code];
    if random.below(2) == 0 {
        std::thread::sleep(Duration::from_millis(random.below(400)));
        let signal = random.one_of(&[TERM, INT]);
        codes.push(128 + signal);
        // It may have ended meanwhile: its zombie takes the signal, or unshare has taken its place.
        if running.is_running() && procfs::is_alive(running.pid()) {
            running.signal(signal);
        }
    }
    let finished = running.finished();
    assert!(codes.contains(&finished.code), "none of {codes:?}: {finished:#?}");
    assert_eq!(running.left().len(), 0);
    no_process_was_killed(&finished.err);
}

/// A helper that refuses to end has all the time that it is given, and not for ever.
fn helper_has_its_time(random: &mut Random) {
    let code = 20 + random.below(70) as i32;
    let time = Duration::from_millis(random.below(400));
    let drain = format!("{}ms", time.as_millis());
    let words =
        ["-v", "--drain", &drain, "--", probe_path(), "with-helper", &code.to_string(), "ignore", "TERM", "+", "sleep"];
    let mut running = start(random, &words);
    running.out.wait_nth("ready", 3);
    let told = Instant::now();
    running.signal(TERM);
    let finished = running.finished();
    let took = told.elapsed();
    assert_eq!(finished.code, code, "{finished:#?}");
    assert!(took >= time, "killed after {took:?}, not after {time:?}");
    assert!(took < deadline());
    let killed = finished.err.iter().filter(|line| line.contains("sent SIGKILL")).count();
    assert_eq!(killed, 1, "only the one that ignores TERM: {:#?}", finished.err);
    assert_eq!(running.left().len(), 0);
}
