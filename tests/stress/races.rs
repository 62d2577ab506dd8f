//! Races by construction: things that happen at random moments, thousands of times. Whatever the order, the status is right,
//! no process is left, and nothing panics.
//!
//! Each run has a seed of its own and can be had again. `RINIT_RACES_SECONDS` makes it go on for longer.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::random::{self, Random};
use support::running::{Running, number_in, queue};
use support::{budget, namespace, needs, probe_path, procfs, require_for_part, rinit, test, wait_until};

const HUP: i32 = 1;
const INT: i32 = 2;
const KILL: i32 = 9;
const USR1: i32 = 10;
const USR2: i32 = 12;
const TERM: i32 = 15;
const CONT: i32 = 18;
const STOP: i32 = 19;
const WINCH: i32 = 28;
/// The kernel's number; real-time signals are queued, each with its value.
const REAL_TIME: i32 = 36;

/// A name, and one run of it.
type Race = (&'static str, fn(&mut Random));

const RACES: &[Race] = &[
    ("a signal during the start", start),
    ("signals while main runs", while_main_runs),
    ("two stops at once", two_stops),
    ("a stop while a batch is reaped", batch),
    ("stops during the drain", drain),
    ("a stop at main's end", mains_end),
    ("main killed while a stop comes", main_killed),
    ("children killed at any time", children_killed),
    ("rinit stopped and continued", rinit_stopped),
    ("main stopped and continued", main_stopped),
    ("main traced", main_traced),
    ("children by vfork", vfork),
    ("another thread than the first becomes a program", thread_exec),
    ("the first thread ends before the others", leader_gone),
    ("a stop in a storm of processes", storm),
];

#[test]
fn races_in_any_order() {
    require_for_part(namespace::available());
    require_for_part(needs::root().and(needs::programs(&["strace"])));
    let time = budget::seconds("RINIT_RACES_SECONDS", 5, 10);
    let end = Instant::now() + time;
    // Seeds in a row: the one that is printed begins with the run that failed.
    let next = AtomicU64::new(random::seed() >> 1);
    let failed = AtomicBool::new(false);
    let counts: Vec<AtomicU64> = RACES.iter().map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        // Two, so that they disturb each other.
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end && !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let mut random = Random::with_seed(seed);
                    let which = random.below(RACES.len() as u64) as usize;
                    let (name, race) = RACES[which];
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| race(&mut random))) {
                        failed.store(true, Ordering::Relaxed);
                        eprintln!("{name}: RINIT_TEST_SEED={} begins with this run", seed << 1);
                        resume_unwind(panic);
                    }
                    counts[which].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    for ((name, _), count) in RACES.iter().zip(&counts) {
        println!("{count:6} {name}");
    }
    println!("{:6} runs in {time:?}", counts.iter().sum::<u64>());
}

/// A running rinit with the probe as main; signals reach it or no process.
struct Run {
    running: Running,
    init: Option<OwnedFd>,
}

impl Run {
    /// As PID 1 or as a subreaper, as it comes.
    fn start(random: &mut Random, options: &[&str], main: &[&str]) -> Self {
        if random.below(2) == 0 && namespace::available().is_ok() {
            Self::as_pid_1(options, main)
        } else {
            Self::as_subreaper(options, main)
        }
    }

    fn as_pid_1(options: &[&str], main: &[&str]) -> Self {
        Self::of(namespace::rinit(&[options, &["--", probe_path()], main].concat()))
    }

    fn as_subreaper(options: &[&str], main: &[&str]) -> Self {
        Self::of(Running::start(rinit([options, &["--", probe_path()], main].concat())))
    }

    fn of(running: Running) -> Self {
        let init = hold(running.pid());
        Self { running, init }
    }

    /// To rinit; nothing happens if it has ended.
    fn signal(&self, signal: i32) {
        send(self.init.as_ref(), signal);
    }

    /// Main, once it says that it is ready.
    fn main(&self) -> i32 {
        let ready = self.running.out.wait("ready");
        let inside = number_in(&ready, "pid").to_string();
        let mut children = procfs::children(self.running.pid()).into_iter().map(|child| child.pid);
        let is_main = |pid: &i32| {
            let pids = procfs::field(*pid, "NSpid").unwrap_or_default();
            pids.split_whitespace().last() == Some(&inside)
        };
        children.find(is_main).expect("main")
    }

    /// It exits with one of these, and leaves no process.
    #[track_caller]
    fn ends(mut self, codes: &[i32]) -> Vec<String> {
        let finished = self.running.finished();
        assert!(codes.contains(&finished.code), "none of {codes:?}: {finished:#?}");
        assert_eq!(self.running.left().len(), 0, "a process is left");
        let bad = |line: &String| line.contains("panicked") || line.starts_with("probe: ");
        assert!(!finished.err.iter().any(bad), "{:#?}", finished.err);
        finished.out
    }
}

fn hold(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

fn send(to: Option<&OwnedFd>, signal: i32) {
    let signal = Signal::from_named_raw(signal).expect("a signal with a name");
    if let Some(to) = to {
        let _ = pidfd_send_signal(to, signal);
    }
}

/// Spins for up to `most` microseconds. Busy: a sleep would come back too late for what happens within microseconds.
fn a_moment(random: &mut Random, most: u64) {
    let (from, time) = (Instant::now(), Duration::from_micros(random.below(most)));
    while from.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A status that no other process has.
fn code(random: &mut Random) -> i32 {
    20 + random.below(70) as i32
}

fn start(random: &mut Random) {
    let options: &[&str] = random.one_of(&[
        &[],
        &["--session"],
        &["-g"],
        &["--to", "all"],
        &["--grace", "1h"],
        &["--stop-delay", "1ms"],
        &["--workdir", "/usr", "--env", "A=B"],
    ]);
    let signal = random.one_of(&[HUP, INT, USR1, TERM]);
    let run = Run::as_subreaper(options, &["sleep"]);
    a_moment(random, 4000);
    run.signal(signal);
    // Before it has blocked its signals rinit ends as any program does; after that main gets it.
    run.ends(&[-signal, 128 + signal]);
}

fn while_main_runs(random: &mut Random) {
    let code = code(random);
    let exit_on = format!("{USR1}:{code}");
    // To main alone: the kernel has no call that queues a value for a group.
    let options: &[&str] = random.one_of(&[&[], &["--session"], &["-vvv"], &["--grace", "1h"]]);
    let run = Run::start(random, options, &["signals", "--exit-on", &exit_on]);
    run.running.out.wait("ready");
    let queued = random.below(20) as usize;
    for value in 0..queued {
        a_moment(random, 200);
        queue(run.running.pid(), REAL_TIME, value);
        run.signal(random.one_of(&[HUP, USR2, WINCH, CONT]));
    }
    let got = format!("got {REAL_TIME} ");
    // The kernel hands out the lower number first: with all of them pending main would end before it has them.
    if queued > 0 {
        run.running.out.wait_nth(&got, queued);
    }
    run.signal(USR1);
    let out = run.ends(&[code]);
    let values: Vec<_> = out.iter().filter(|line| line.starts_with(&got)).collect();
    assert_eq!(values.len(), queued, "{values:#?}");
    for (value, line) in values.iter().enumerate() {
        assert!(line.contains(&format!(" value={value} ")), "{values:#?}");
    }
}

fn two_stops(random: &mut Random) {
    let code = code(random);
    let exit_on = format!("{TERM}:{code}");
    // The second one ends the delay.
    let delay = random.one_of(&["1h", "1ms", "0"]);
    let run = Run::start(random, &["--stop-delay", delay], &["signals", "--exit-on", &exit_on]);
    run.running.out.wait("ready");
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        for signal in [TERM, INT] {
            let (run, barrier) = (&run, &barrier);
            scope.spawn(move || {
                barrier.wait();
                run.signal(signal);
            });
        }
    });
    run.ends(&[code]);
}

fn batch(random: &mut Random) {
    let code = code(random);
    let (orphans, exit) = ((1 + random.below(80)).to_string(), code.to_string());
    let run = Run::start(random, &[], &["orphans", &orphans, "--together", "--exit", &exit]);
    a_moment(random, 15_000);
    run.signal(TERM);
    run.ends(&[code, 128 + TERM, -TERM]);
}

fn drain(random: &mut Random) {
    let code = code(random);
    let (exit, time) = (code.to_string(), (1 + random.below(20)).to_string());
    let words = ["with-helper", "--at-once", &exit, "slow-term", &time, "0", "+", "sleep", "+", "leader-gone", "1"];
    let run = Run::start(random, &["--drain", "1h"], &words);
    // Main's own line, when all helpers are there: from here on it ends.
    run.running.out.wait_nth("ready", 4);
    let signals = [TERM, INT, HUP];
    for _ in 0..random.below(4) {
        a_moment(random, 8000);
        run.signal(random.one_of(&signals));
    }
    run.ends(&[code, 128 + TERM, 128 + INT, 128 + HUP]);
}

fn mains_end(random: &mut Random) {
    let code = code(random);
    let run = Run::start(random, &[], &["exit", &code.to_string()]);
    a_moment(random, 4000);
    run.signal(TERM);
    run.ends(&[code, 128 + TERM, -TERM]);
}

fn main_killed(random: &mut Random) {
    let run = Run::start(random, &["--grace", "1h"], &["sleep"]);
    let main = hold(run.main());
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            barrier.wait();
            send(main.as_ref(), KILL);
        });
        barrier.wait();
        a_moment(random, 50);
        run.signal(TERM);
    });
    run.ends(&[128 + KILL, 128 + TERM]);
}

fn children_killed(random: &mut Random) {
    let mark = format!("races-{}", random.below(1 << 32));
    // One that forks a successor and ends, on and on, can be faster than /proc is read, on a slow machine for ever. As PID 1
    // rinit ends it by leaving.
    let run = if namespace::available().is_ok() {
        Run::as_pid_1(&["--drain", "2s"], &["fork-tree", &mark, "--spin"])
    } else {
        Run::as_subreaper(&["--drain", "1h"], &["fork-tree", &mark])
    };
    run.running.out.wait("tree");
    let stop_at = random.below(12);
    for round in 0..12 {
        if round == stop_at {
            run.signal(TERM);
        }
        let below = procfs::descendants(run.running.pid());
        if !below.is_empty() {
            run.running.kill_one(below[random.below(below.len() as u64) as usize].pid);
        }
        a_moment(random, 1000);
    }
    run.ends(&[128 + TERM, 128 + KILL]);
}

fn rinit_stopped(random: &mut Random) {
    let code = code(random);
    let exit_on = format!("{TERM}:{code}");
    let run = Run::start(random, &[], &["signals", "--exit-on", &exit_on]);
    run.running.out.wait("ready");
    for _ in 0..random.below(4) {
        run.signal(STOP);
        a_moment(random, 500);
        run.signal(random.one_of(&[HUP, USR1, WINCH]));
        a_moment(random, 500);
        run.signal(CONT);
        a_moment(random, 500);
    }
    run.signal(STOP);
    run.signal(TERM);
    a_moment(random, 1000);
    run.signal(CONT);
    run.ends(&[code]);
}

fn main_stopped(random: &mut Random) {
    if namespace::available().is_err() {
        // Elsewhere than as PID 1 rinit may stop with main, as a shell's job does.
        return;
    }
    let code = code(random);
    let exit_on = format!("{TERM}:{code}");
    let run = Run::as_pid_1(&[], &["signals", "--exit-on", &exit_on]);
    let main = hold(run.main());
    send(main.as_ref(), STOP);
    a_moment(random, 1000);
    run.signal(TERM);
    a_moment(random, 1000);
    send(main.as_ref(), CONT);
    run.ends(&[code]);
}

/// A tracer that leads its group, ended with its guard. When it is killed its tracee runs on. strace first forks a child to try
/// out what the kernel can do, and that one would wait for ever.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

fn main_traced(random: &mut Random) {
    if needs::root().and(needs::programs(&["strace"])).is_err() {
        // An ordinary user may be forbidden to trace (Yama).
        return;
    }
    let code = code(random);
    let exit_on = format!("{TERM}:{code}");
    let run = Run::start(random, &[], &["signals", "--exit-on", &exit_on]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-p", &run.main().to_string()]);
    strace.process_group(0);
    let tracer = Tracer(strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("run strace"));
    a_moment(random, 20_000);
    run.signal(HUP);
    if random.below(2) == 0 {
        drop(tracer);
        run.signal(TERM);
        run.ends(&[code]);
    } else {
        run.signal(TERM);
        // The tracer sees main's end first, and rinit after it.
        run.ends(&[code]);
        drop(tracer);
    }
}

fn vfork(random: &mut Random) {
    let code = code(random);
    let (count, exit) = ((1 + random.below(12)).to_string(), code.to_string());
    let run = Run::start(random, &[], &["spawner", &count, &exit]);
    run.running.out.wait("ready");
    if random.below(2) == 0 {
        a_moment(random, 20_000);
        run.signal(TERM);
        run.ends(&[code, 128 + TERM]);
    } else {
        run.ends(&[code]);
    }
}

fn thread_exec(random: &mut Random) {
    let code = code(random);
    let run = Run::start(random, &[], &["thread-exec", &code.to_string()]);
    if random.below(2) == 0 {
        // For a PID 1 that has not blocked its signals yet the kernel drops them.
        wait_until("main's start", || !procfs::children(run.running.pid()).is_empty());
        a_moment(random, 8000);
        run.signal(TERM);
        // Before the exec main has no handler.
        run.ends(&[code, 128 + TERM, -TERM]);
    } else {
        run.running.out.wait("ready");
        run.signal(TERM);
        run.ends(&[code]);
    }
}

fn leader_gone(random: &mut Random) {
    let code = code(random);
    let options: &[&str] =
        random.one_of(&[&[], &["-g"], &["--to", "all"], &["--grace", "1h"], &["--forward", "handled"]]);
    let run = Run::start(random, options, &["leader-gone", &code.to_string()]);
    run.running.out.wait("ready");
    a_moment(random, 1000);
    run.signal(TERM);
    let out = run.ends(&[code]);
    assert!(out.contains(&"done".to_owned()), "{out:?}");
}

fn storm(random: &mut Random) {
    let code = code(random);
    let (seed, time) = (random.below(1 << 30).to_string(), random.below(100).to_string());
    let options: &[&str] = random.one_of(&[&[], &["--to", "all"], &["-g"], &["--grace", "1h"], &["-w"]]);
    let options = [&["--drain", "1h"], options].concat();
    let run = Run::start(random, &options, &["storm", &seed, &time, &code.to_string()]);
    run.running.out.wait("ready");
    a_moment(random, 80_000);
    let signal = random.one_of(&[TERM, INT]);
    run.signal(signal);
    run.ends(&[code, 128 + signal]);
}
