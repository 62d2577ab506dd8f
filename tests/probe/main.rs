//! `probe`: a program that says what state it was started in and which signals reach it.
//!
//! The integration tests run it as rinit's main, or start rinit through it in an unusual state. It has a C `main`, because
//! Rust's own start-up code would spoil what it is here to show (SIGPIPE, closed descriptors). It prints whole lines, each
//! with one `write(2)`. It uses nothing but libc and std, so that it also runs from an image `FROM scratch`.
//!
//! | subcommand | what it does |
//! |---|---|
//! | `signals [--exit-on SIG:CODE] [--mute SIG]` | blocks everything, says `ready …`, then each signal; 0 on a second TERM |
//! | `state` | says mask, dispositions, groups, descriptors, ids, and exits |
//! | `launch [STATE…] -- PROGRAM ARGS` | enters a state (see [`launch`]) and execs the program |
//! | `ignore SIG…`, `block SIG…` | does so, says `ready`, sleeps until it is killed |
//! | `sleep [MARK]` | says `ready`, sleeps with default dispositions |
//! | `slow-term MS CODE [MARK]` | on TERM says `cleaning`, takes MS, says `done`, exits CODE |
//! | `orphans N [--live MS] [--exit CODE] [--together]` | N orphans that end; see [`orphans`] |
//! | `fork-tree MARK [--spin]` | children in a session of their own, double-forked, forking on and on |
//! | `forks N` | processes that fork on as fast as they can, each in a session of its own |
//! | `bomb N` | N processes that ignore all signals and double as fast as they can, up to a limit that others have set |
//! | `with-helper [--at-once] CODE HELPER…` | starts `probe HELPER…`, waits until it is ready, exits CODE on TERM |
//! | `storm SEED MS CODE` | processes that come and go in every way; see [`storm`] |
//! | `spawner COUNT CODE` | children by a vfork, every other one waited for |
//! | `thread-exec CODE` | a thread that is not the first becomes `signals --exit-on TERM:CODE` |
//! | `leader-gone CODE [--after MS]` | the first thread ends, another one says `done` and exits with CODE, MS after TERM |
//! | `leader-gone --run PROGRAM ARGS` | the same, and the other one runs the program and exits with its status |
//! | `abandon MICROSECONDS PROGRAM ARGS` | starts it, waits until it has blocked TERM, ends so much later |
//! | `load [--live N] [--batch N]` | for the benches; see [`load`] |
//! | `orphan COMMAND…` | makes `probe COMMAND…` an orphan, and ends |
//! | `fill [PROGRAM ARGS]` | starts processes until there can be no more, says `full N`, and runs the program or sleeps |
//! | `eat MEGABYTES` | takes so much memory, and says `ate` |
//! | `gulp MEGABYTES` | allocates that with one call, within milliseconds of its start |
//! | `trace PID` | attaches to a process as a debugger, says `ready`, and waits for nothing that happens to it |
//! | `exit CODE`, `die SIG` | ends so |
//! | `refuse CALLS[:ERRNO] -- PROGRAM ARGS` | runs the program without these system calls; see [`seccomp`] |
//! | `supervise SOCKET CALLS -- PROGRAM ARGS` | runs it under a supervisor that decides about each of the calls |
#![no_main]
#![allow(unsafe_code)]

mod load;
mod orphans;
mod seccomp;
mod state;
mod storm;
mod sys;

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;
use sys::{Got, Mask, signal_number};

/// The C entry point.
///
/// # Safety
///
/// Only for the C runtime, which passes `argc` valid strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: libc::c_int, argv: *const *const libc::c_char) -> libc::c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the C runtime passes `argc` strings, which live as long as the process.
    let strings = unsafe { std::slice::from_raw_parts(argv, count) };
    let arguments = strings.iter().enumerate().map(|(index, string)| {
        // SAFETY: each is a valid C string, as above.
        let bytes = unsafe { CStr::from_ptr(*string) }.to_bytes();
        match OsString::from_vec(bytes.to_vec()).into_string() {
            Ok(argument) => argument,
            // The name may be a hostile one.
            Err(name) if index == 0 => name.to_string_lossy().into_owned(),
            Err(_) => fail("arguments are not UTF-8"),
        }
    });
    let arguments: Vec<String> = arguments.collect();
    seccomp::stand_in(&arguments);
    let [_, command, rest @ ..] = &*arguments else { fail("no subcommand") };
    run(command, rest)
}

fn run(command: &str, rest: &[String]) -> i32 {
    match command {
        "signals" => signals(rest),
        "state" => state::print(),
        "launch" => launch(rest),
        "ignore" => hold(|| rest.iter().for_each(|signal| sys::set_handler(signal_number(signal), libc::SIG_IGN))),
        "block" => hold(|| Mask::of(rest.iter().map(|signal| signal_number(signal))).block()),
        "sleep" => hold(|| ()),
        "slow-term" => slow_term(number(rest, 0), number(rest, 1)),
        "orphans" => orphans::make(rest),
        "load" => load::run(rest),
        "fork-tree" => orphans::fork_tree(rest),
        "forks" => orphans::forks(rest),
        "bomb" => orphans::bomb(rest),
        "with-helper" => with_helper(rest),
        "abandon" => abandon(rest),
        "trace" => {
            sys::trace(number(rest, 0));
            hold(|| ())
        }
        "orphan" => {
            let Some((command, rest)) = rest.split_first() else { fail("orphan: no command") };
            if sys::fork() == 0 {
                sys::exec_self(command, rest);
            }
            0
        }
        "fill" => orphans::fill(rest),
        "eat" => eat(number(rest, 0)),
        "gulp" => {
            sys::take_memory(usize::try_from(number(rest, 0)).unwrap_or(0) << 20);
            0
        }
        "refuse" => seccomp::refuse(rest),
        "supervise" => seccomp::supervise(rest),
        "storm" => storm::storm(rest),
        "spawner" => storm::spawner(rest),
        "thread-exec" => storm::thread_exec(rest),
        "leader-gone" => storm::leader_gone(rest),
        "exit" => number(rest, 0),
        "die" => sys::die_by(signal_number(rest.first().unwrap_or_else(|| fail("die: no signal")))),
        other => fail(&format!("unknown subcommand {other}")),
    }
}

/// Says what is wrong with the test that runs it, and ends with a status of its own.
pub(crate) fn fail(why: &str) -> ! {
    sys::write_line(2, &format!("probe: {why}"));
    std::process::exit(99)
}

/// Prints one line.
pub(crate) fn say(line: &str) {
    sys::write_line(1, line);
}

pub(crate) fn number(words: &[String], at: usize) -> i32 {
    let word = words.get(at).unwrap_or_else(|| fail("a number is missing"));
    word.parse().unwrap_or_else(|_| fail(&format!("not a number: {word}")))
}

/// The word after `--name`, if it is there.
pub(crate) fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

pub(crate) fn say_ready() {
    let (pid, ppid, pgid, sid) = sys::ids();
    say(&format!("ready pid={pid} ppid={ppid} pgid={pgid} sid={sid}"));
    sys::tell_ready();
}

/// Takes every signal, 32 and 33 included, out of the kernel's queue, and prints it.
fn signals(words: &[String]) -> i32 {
    let exit_on = option(words, "--exit-on").map(|pair| {
        let (signal, code) = pair.split_once(':').unwrap_or_else(|| fail("--exit-on SIG:CODE"));
        (signal_number(signal), code.parse().unwrap_or_else(|_| fail("--exit-on: not a code")))
    });
    let mute = option(words, "--mute").map(signal_number);
    let all = Mask::all();
    all.block();
    say_ready();
    let mut terms = 0;
    loop {
        let got = all.wait();
        if mute != Some(got.number) {
            let Got { number, code, value, sender } = got;
            say(&format!("got {number} code={code} value={value} from={sender} pid={}", std::process::id()));
        }
        if let Some((signal, code)) = exit_on {
            if got.number == signal {
                return code;
            }
        }
        terms += i32::from(got.number == libc::SIGTERM);
        if terms == 2 {
            return 0;
        }
    }
}

/// Sets a state up, says that it is ready, and sleeps.
fn hold(set_up: impl FnOnce()) -> i32 {
    set_up();
    say_ready();
    loop {
        sys::pause();
    }
}

fn slow_term(milliseconds: i32, code: i32) -> i32 {
    let term = Mask::of([libc::SIGTERM]);
    term.block();
    say_ready();
    term.wait();
    say("cleaning");
    sys::sleep_ms(milliseconds);
    say("done");
    code
}

/// `with-helper [--at-once] CODE HELPER…[+ HELPER…]`: starts other probes as helpers, waits until each is ready, and exits
/// with CODE: when it gets TERM, or at once. Nobody waits for the helpers.
fn with_helper(words: &[String]) -> i32 {
    let (at_once, words) = match words.split_first() {
        Some((first, rest)) if first == "--at-once" => (true, rest),
        _ => (false, words),
    };
    let code = number(words, 0);
    for helper in words.get(1..).unwrap_or_default().split(|word| word == "+") {
        let Some((command, rest)) = helper.split_first() else { fail("with-helper: no helper") };
        sys::start_ready(|| sys::exec_self(command, rest));
    }
    let term = Mask::of([libc::SIGTERM]);
    if !at_once {
        // Not before: a helper would inherit it.
        term.block();
    }
    say_ready();
    if !at_once {
        term.wait();
        say("main got TERM");
    }
    code
}

/// Touches every page, so that it counts.
fn eat(megabytes: i32) -> i32 {
    // Before: a helper may not come back from this.
    sys::tell_ready();
    let size = usize::try_from(megabytes).unwrap_or(0) << 20;
    let eaten: Vec<u8> = (0..size).map(|at| at as u8).collect();
    say(&format!("ate {}", eaten.len()));
    0
}

/// A parent that ends while its child is starting.
fn abandon(words: &[String]) -> i32 {
    let after = std::time::Duration::from_micros(u64::try_from(number(words, 0)).unwrap_or(0));
    let Some((program, arguments)) = words.get(1..).and_then(<[String]>::split_first) else {
        fail("abandon: no program")
    };
    let child = sys::fork();
    if child == 0 {
        sys::exec(program, arguments);
    }
    while !state::blocks(child, libc::SIGTERM) {
        std::hint::spin_loop();
    }
    let from = std::time::Instant::now();
    while from.elapsed() < after {
        std::hint::spin_loop();
    }
    0
}

/// Enters a state and execs: `--ignore SIG`, `--default SIG`, `--block SIG|all`, `--close FD`, `--open FIRST-LAST`,
/// `--listen-pid`, `--ctty` (a new session with standard input as its terminal), `--pgrp` (a background group of its own),
/// `--chdir DIR`, `--helper SIG|0` (a child that sleeps, whose exit raises another signal than SIGCHLD or none: `clone(2)`).
fn launch(words: &[String]) -> i32 {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| fail(&format!("{word}: a value is missing"))).as_str();
        match word.as_str() {
            "--ignore" => sys::set_handler(signal_number(value()), libc::SIG_IGN),
            "--default" => sys::set_handler(signal_number(value()), libc::SIG_DFL),
            "--block" => match value() {
                "all" => Mask::all().block(),
                signal => Mask::of([signal_number(signal)]).block(),
            },
            "--close" => sys::close(value().parse().unwrap_or_else(|_| fail("--close: not a number"))),
            "--open" => {
                let (first, last) = value().split_once('-').unwrap_or_else(|| fail("--open FIRST-LAST"));
                let bounds = first.parse().ok().zip(last.parse().ok());
                let (first, last) = bounds.unwrap_or_else(|| fail("--open: not a number"));
                (first..=last).for_each(sys::open_as);
            }
            "--listen-pid" => {
                // SAFETY: this process has one thread.
                unsafe { std::env::set_var("LISTEN_PID", std::process::id().to_string()) };
                // SAFETY: as above.
                unsafe { std::env::set_var("LISTEN_FDS", "1") };
            }
            "--ctty" => sys::take_terminal(),
            "--pgrp" => sys::own_group(),
            "--helper" => {
                let signal = value();
                sys::start_helper(if signal == "0" { 0 } else { signal_number(signal) });
            }
            "--chdir" => {
                let directory = value();
                std::env::set_current_dir(directory).unwrap_or_else(|error| fail(&format!("{directory}: {error}")));
            }
            "--" => {
                let rest: Vec<String> = words.cloned().collect();
                let Some((program, arguments)) = rest.split_first() else { fail("launch: no program") };
                sys::exec(program, arguments);
            }
            other => fail(&format!("launch: unknown {other}")),
        }
    }
    fail("launch: no program")
}
