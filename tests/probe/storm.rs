//! Processes that come and go in every way there is.

use crate::{fail, number, option, say, say_ready, sys};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// xorshift: each process has one of its own, so that a seed gives the same tree again.
#[derive(Clone)]
struct Choice(u64);

impl Choice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    /// For a child: another one, and this one moves on.
    fn child(&mut self) -> Self {
        Self(self.below(u64::MAX).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}

/// Direct children of main at a time.
const MAX_PER_CHECK: u32 = 8;
/// Levels below main.
const DEEPEST: u32 = 3;

/// `storm SEED MS CODE`: for so long main starts children that fork, setsid, double-fork, ignore TERM, exit, crash, thread
/// and exec, none of which lives longer than a moment; then it exits with CODE. It waits for its own children, and they for
/// theirs or not, as it comes. TERM ends main by its default action.
pub(crate) fn storm(words: &[String]) -> i32 {
    let mut choice = Choice(u64::try_from(number(words, 0)).unwrap_or(0).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (length, code) = (Duration::from_millis(u64::try_from(number(words, 1)).unwrap_or(0)), number(words, 2));
    sys::no_core_files();
    say_ready();
    let from = Instant::now();
    let mut children = 0;
    while from.elapsed() < length {
        children -= u32::from(children > 0 && sys::wait_for_any(children >= MAX_PER_CHECK));
        let mut child = choice.child();
        match sys::try_fork() {
            Some(0) => live(&mut child, DEEPEST),
            Some(_) => children += 1,
            // The machine has no more to give: those that are there end soon.
            None => sys::sleep_ms(1),
        }
        std::thread::sleep(Duration::from_micros(choice.below(400)));
    }
    code
}

/// A short life.
fn live(choice: &mut Choice, levels: u32) -> ! {
    if choice.below(6) == 0 {
        sys::new_session();
    }
    if choice.below(6) == 0 {
        sys::set_handler(libc::SIGTERM, libc::SIG_IGN);
    }
    if choice.below(8) == 0 {
        // No process has its group once it has exited.
        let _ = sys::try_own_group();
    }
    let moment = i32::try_from(choice.below(60)).unwrap_or(0);
    match choice.below(if levels == 0 { 5 } else { 9 }) {
        0 => {}
        1 => sys::sleep_ms(moment),
        2 => {
            let signals = [libc::SIGSEGV, libc::SIGABRT, libc::SIGKILL, libc::SIGTERM, libc::SIGUSR1];
            sys::die_by(signals[choice.below(signals.len() as u64) as usize]);
        }
        3 => {
            (0..2).for_each(|_| drop(std::thread::Builder::new().spawn(|| sys::sleep_ms(1000))));
            sys::sleep_ms(moment);
        }
        4 => sys::exec_self("exit", &["3".to_owned()]),
        // A double fork: the child goes on as an orphan.
        5 | 6 => {
            let mut child = choice.child();
            if sys::try_fork() == Some(0) {
                live(&mut child, levels - 1);
            }
        }
        _ => {
            for _ in 0..=choice.below(2) {
                let mut child = choice.child();
                if sys::try_fork() == Some(0) {
                    live(&mut child, levels - 1);
                }
            }
            if choice.below(2) == 0 {
                sys::wait_for_any(true);
            }
            sys::sleep_ms(moment);
        }
    }
    sys::leave(i32::try_from(choice.below(256)).unwrap_or(0));
}

/// `spawner COUNT CODE`: COUNT children by `posix_spawn(3)`, which is a vfork that shares the memory; waits for every other
/// one. Exits with CODE.
pub(crate) fn spawner(words: &[String]) -> i32 {
    let own = std::env::current_exe().unwrap_or_else(|error| fail(&format!("no path of its own: {error}")));
    say_ready();
    for count in 0..number(words, 0) {
        let mut command = Command::new(&own);
        let child = command.args(["exit", "5"]).stdin(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|error| fail(&format!("spawn: {error}")));
        if count % 2 == 0 && child.wait().ok().and_then(|status| status.code()) != Some(5) {
            fail("another process took the status of a child");
        }
    }
    number(words, 1)
}

/// `thread-exec CODE`: another thread than the first becomes `probe signals --exit-on TERM:CODE`, under the pid of the first,
/// while further threads run.
pub(crate) fn thread_exec(words: &[String]) -> i32 {
    let code = number(words, 0);
    let arguments = ["--exit-on".to_owned(), format!("TERM:{code}")];
    for _ in 0..3 {
        std::thread::spawn(|| sys::sleep_ms(i32::MAX));
    }
    std::thread::spawn(move || sys::exec_self("signals", &arguments));
    sys::sleep_ms(i32::MAX);
    97
}

/// `leader-gone CODE [--child]`: the first thread ends, and /proc shows the process as a zombie; another one waits for TERM
/// and exits with CODE. `leader-gone --run PROGRAM ARGS` leaves TERM alone: the other thread runs the program once the first
/// thread is a zombie, and exits with its status.
pub(crate) fn leader_gone(words: &[String]) -> i32 {
    if let [run, program, arguments @ ..] = words {
        if run == "--run" {
            let mut command = Command::new(program);
            command.args(arguments);
            std::thread::spawn(move || std::process::exit(run_without_leader(command)));
            sys::end_this_thread()
        }
    }
    let code = number(words, 0);
    let term = sys::Mask::of([libc::SIGTERM]);
    term.block();
    if option(words, "--child").is_some() {
        sys::start_ready(|| sys::exec_self("sleep", &[]));
    }
    let milliseconds = option(words, "--after").and_then(|text| text.parse().ok()).unwrap_or(0);
    std::thread::spawn(move || {
        term.wait();
        sys::sleep_ms(milliseconds);
        say("done");
        std::process::exit(code);
    });
    say_ready();
    sys::end_this_thread()
}

/// Waits until the first thread has exited, and then for the program.
fn run_without_leader(mut command: Command) -> i32 {
    let is_zombie = || std::fs::read_to_string("/proc/self/stat").is_ok_and(|stat| stat.contains(") Z "));
    while !is_zombie() {
        sys::sleep_ms(1);
    }
    // With it std forks. `posix_spawn(3)` would block all signals in this thread until the program has started, and a while longer.
    // SAFETY: nothing is done between fork and exec.
    unsafe { command.pre_exec(|| Ok(())) };
    command.status().ok().and_then(|status| status.code()).unwrap_or_else(|| fail("the program has no exit code"))
}
