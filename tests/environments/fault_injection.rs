//! The kernel's answers go wrong: EINTR, EAGAIN, ENOMEM, EPERM from each system call that rinit makes, once, now and then,
//! or always. It ends all the same, without a panic, and with main's status.
//!
//! `RINIT_FAULTS=all cargo test --test environments fault_injection` goes through the whole table and through many runs in which
//! everything fails now and then; without it a selection is made. `RINIT_TEST_SEED` repeats one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use support::faults::{Ask, Seen, Supervisor};
use support::random::Random;
use support::refusal::VARIABLE;
use support::running::{Finished, Running};
use support::{namespace, probe_path, procfs, require, rinit, test};

const ERRORS: [(i32, &str); 4] =
    [(libc::EINTR, "EINTR"), (libc::EAGAIN, "EAGAIN"), (libc::ENOMEM, "ENOMEM"), (libc::EPERM, "EPERM")];

/// When a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Nth(u64),
    Every(u64),
}

const TIMES: [When; 8] = [
    When::Nth(1),
    When::Nth(2),
    When::Nth(3),
    When::Nth(7),
    When::Every(5),
    When::Every(3),
    When::Every(2),
    When::Every(1),
];

/// The calls, by the probe's names.
const CALLS: [&str; 21] = [
    "rt_sigtimedwait",
    "wait4",
    "waitid",
    "kill",
    "pidfd_open",
    "pidfd_send_signal",
    "open",
    "read",
    "getdents",
    "readlink",
    "pwritev2",
    "write",
    "poll",
    "prctl",
    "fork",
    "pipe2",
    "chdir",
    "close_range",
    "ioctl",
    "rt_sigaction",
    "rt_sigprocmask",
];

/// Without these main is not started. rinit says so, and exits with status 125.
const NEEDED: [&str; 4] = ["fork", "pipe2", "rt_sigaction", "rt_sigprocmask"];

#[derive(Debug, Clone, Copy)]
struct Fault {
    call: &'static str,
    error: (i32, &'static str),
    when: When,
    as_pid_1: bool,
}

/// What is left of a run under faults.
struct Outcome {
    finished: Finished,
    seen: Seen,
    left: usize,
    as_pid_1: bool,
}

impl Outcome {
    /// Orphans go elsewhere then.
    fn is_no_subreaper(&self) -> bool {
        self.finished.err.iter().any(|line| line.contains("cannot become a subreaper"))
    }

    /// What must hold whatever was refused. `one_call`: only one of the calls was.
    fn check(&self, one_call: bool) -> Result<(), String> {
        let Finished { code, out, err } = &self.finished;
        let said = err.join("\n");
        if *code < 0 || said.contains("panicked") {
            return Err(format!("a crash: {code} {said}"));
        }
        // Outside PID 1 no process is signalled by number once main is reaped: an unrelated one might have it. Without /proc and
        // main's pidfd at that moment rinit can only leave what remains. One call that fails is never that.
        if self.left > 0 && (self.as_pid_1 || one_call && !self.is_no_subreaper()) {
            return Err(format!("{} left behind, code {code}: {said}", self.left));
        }
        // One that was ended again, because the mask from before the fork could not be put back, may have said so.
        let started = out.iter().any(|line| line.starts_with("ready")) && !said.contains("signal mask");
        if *code == 125 && (started || err.last().is_none_or(|line| !line.starts_with("rinit: "))) {
            return Err(format!("it gave up, main had started: {started}, and said: {said}"));
        }
        Ok(())
    }
}

/// Main, which exits with 5 on SIGTERM, and two helpers, of which one cleans up after itself.
const MAIN: [&str; 8] = ["with-helper", "5", "slow-term", "30", "0", "+", "sleep", "faults"];

/// Runs it under supervision, stops it when all have started, and waits for the end.
fn run(
    as_pid_1: bool,
    calls: &str,
    stop_main_itself: bool,
    decide: impl FnMut(&Ask) -> Option<i32> + Send + 'static,
) -> Outcome {
    let mut inner: Command = rinit(["-vvv", "-w", "--grace", "1s", "--drain", "1s", "--", probe_path()]);
    inner.args(MAIN);
    let (supervised, supervisor) = Supervisor::of(&inner, calls, decide);
    let mut running = if as_pid_1 { namespace::start(&supervised) } else { Running::start(supervised) };
    let init = running.pid();
    support::wait_until("main and its helpers, or the end", || {
        running.out.all().iter().filter(|line| line.starts_with("ready")).count() == 3 || !running.is_running()
    });
    if running.is_running() {
        if stop_main_itself {
            let main = procfs::children(init).first().map(|main| main.pid);
            main.into_iter().for_each(|main| support::running::kill(main, libc::SIGTERM));
        } else {
            running.signal(15);
        }
    }
    let finished = running.finished();
    let left = running.left().len();
    drop(running);
    Outcome { finished, seen: supervisor.seen(), left, as_pid_1 }
}

fn one(fault: &Fault) -> Result<u64, String> {
    let Fault { call, error: (errno, _), when, as_pid_1 } = *fault;
    // Where it never hears of a signal, only main's own end is left to be noticed.
    let deaf = call == "rt_sigtimedwait" && when == When::Every(1);
    let outcome = run(as_pid_1, &format!("rt_sigprocmask,{call}"), deaf, move |ask| {
        let hit = match when {
            When::Nth(nth) => ask.nth == nth,
            When::Every(nth) => ask.nth % nth == 0,
        };
        (hit && (ask.call != libc::SYS_rt_sigprocmask || call == "rt_sigprocmask")).then_some(errno)
    });
    outcome.check(true)?;
    let no_subreaper = outcome.is_no_subreaper();
    let Outcome { finished: Finished { code, out, err }, seen, .. } = outcome;
    let said = err.join("\n");
    let not_started = code == 125 && NEEDED.contains(&call) && seen.refused > 0;
    if code != 5 && !not_started {
        return Err(format!("code {code}, not main's: {said}"));
    }
    if code == 5 && !no_subreaper && !out.iter().any(|line| line == "done") {
        return Err(format!("the helper had no time: {out:?} {said}"));
    }
    Ok(seen.refused)
}

/// Runs all, a few side by side since each mostly waits; panics with those that failed.
#[track_caller]
fn all<T: std::fmt::Debug + Sync>(cases: &[T], one: impl Fn(&T) -> Result<u64, String> + Sync) {
    const MAX_PER_CHECK: usize = 4;
    let (next, refused) = (AtomicUsize::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..MAX_PER_CHECK {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A wait without result is one failure among others.
                    let result = catch_unwind(AssertUnwindSafe(|| one(case)));
                    match result.unwrap_or_else(|_| Err("see the panic above".to_owned())) {
                        Ok(count) => drop(refused.fetch_add(count, Ordering::Relaxed)),
                        Err(why) => failures.lock().expect("no panic").push(format!("{case:?}: {why}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    println!("{} runs, {} calls refused", cases.len(), refused.into_inner());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
}

fn everything() -> bool {
    std::env::var_os("RINIT_FAULTS").is_some_and(|value| value == "all")
}

/// If the substitutes were refused for good as well, no way would be left to send a signal.
fn nothing_else_is_refused() -> Result<(), String> {
    match std::env::var_os(VARIABLE) {
        Some(_) => Err(format!("{VARIABLE} is set")),
        None => Ok(()),
    }
}

#[test]
fn each_call_each_error() {
    require(nothing_else_is_refused());
    require(namespace::available());
    let mut random = Random::seeded();
    let mut table = Vec::new();
    for call in CALLS {
        for error in ERRORS {
            // Without wait4 no child can be reaped, and nothing is left for an init to do.
            let times = TIMES.into_iter().filter(|when| (call, *when) != ("wait4", When::Every(1)));
            let those: Vec<_> =
                times.flat_map(|when| [true, false].map(|as_pid_1| Fault { call, error, when, as_pid_1 })).collect();
            match everything() {
                true => table.extend(those),
                false => table.push(those[random.below(those.len() as u64) as usize]),
            }
        }
    }
    all(&table, one);
}

/// Every call fails now and then, with any of the errors.
#[test]
fn all_calls_any_error() {
    require(nothing_else_is_refused());
    require(namespace::available());
    let mut random = Random::seeded();
    // Each with a seed of its own, so that one can be had again whatever ran beside it: `RINIT_FAULTS=SEED`.
    let again = std::env::var("RINIT_FAULTS").ok().and_then(|seed| seed.parse().ok());
    let count = if everything() { 400 } else { 40 };
    let some = || (0..count).map(|_| random.below(u64::from(u32::MAX))).collect();
    let seeds: Vec<u64> = again.map_or_else(some, |seed| vec![seed; 20]);
    all(&seeds, |seed| {
        let mut random = Random::with_seed(*seed);
        let (as_pid_1, one_in) = (random.below(2) == 0, 3 + random.below(30));
        // Without a subreaper orphans go elsewhere, and the line that says so may be lost like any other.
        let calls: Vec<_> = CALLS.into_iter().filter(|call| !NEEDED.contains(call) && *call != "prctl").collect();
        let outcome = run(as_pid_1, &format!("rt_sigprocmask,{}", calls.join(",")), false, move |ask| {
            let hit = random.below(one_in) == 0;
            let error = ERRORS[random.below(ERRORS.len() as u64) as usize].0;
            (hit && ask.call != libc::SYS_rt_sigprocmask).then_some(error)
        });
        outcome.check(false)?;
        // A process that cannot be terminated in time is killed in time.
        match outcome.finished.code {
            5 | 137 => Ok(outcome.seen.refused),
            code => Err(format!("code {code}: {}", outcome.finished.err.join("\n"))),
        }
    });
}
