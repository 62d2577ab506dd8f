//! tini 0.19, and docker-init, which is tini under another name.

use super::getopt::{Getopt, Syntax};
use super::{
    FAULTS, Invocation, Persona, drop_signals, kept_by_glibc, leave_alone, not_started, options, page, set_program,
    shown_name,
};
use crate::args::help::LICENSE;
use crate::args::{Command, Options, Stream};
use crate::messages;
use crate::output::{line, visible};
use rinit_core::init::Event;
use rinit_core::policy::{ForwardTo, OnMainExit};
use rinit_core::{Error, ExitStatus, Report, Signal};
use std::ffi::{OsStr, OsString};
use std::fmt::Arguments;

/// Docker wants `tini version X.Y.Z`, and shows what follows `git.` up to the next point as the commit, in `docker info` and
/// `docker version`, so that both show rinit. Scripts check the version for the flags that they use.
pub(super) const VERSION: &str = concat!(
    "tini version 0.19.0 - git.rinit-",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "-",
    env!("CARGO_PKG_VERSION_MINOR"),
    "-",
    env!("CARGO_PKG_VERSION_PATCH"),
    "\n"
);

pub(super) const SYNTAX: Syntax = Syntax { short: b"p:hvwgle:s", long: None, permute: true };

/// Bad usage and tini's own failures.
const FAILED: u8 = 1;

fn usage(name: &str) -> String {
    let version = VERSION.trim_end();
    format!(
        "\
{name} ({version})
Usage: {name} [OPTIONS] [--] PROGRAM [ARGS...]
       {name} --version

rinit in the place of tini: starts PROGRAM, forwards signals to it, reaps orphans.

Options (behind PROGRAM too, unless -- comes before it):
  --version     print the version; nothing else may be given with it
  -h            print this text
  -s            be a subreaper; rinit is one anyway wherever it is not PID 1
  -p SIGNAL     get SIGNAL when the parent process exits, for example SIGKILL
  -v            say more; up to three times
  -w            print each orphan that is reaped
  -g            forward signals to the process group of PROGRAM
  -e EXIT_CODE  report EXIT_CODE (0 to 255) as 0
  -l            print the licence

Variables:
  TINI_SUBREAPER           if set, as -s
  TINI_VERBOSITY           how much to say, wins over -v (default: 1)
  TINI_KILL_PROCESS_GROUP  if set, as -g
"
    )
}

/// Levels of messages, with their names. A message is printed if the verbosity is at least its level.
const WARN: (u8, &str) = (1, "WARN ");
const INFO: (u8, &str) = (2, "INFO ");
const DEBUG: (u8, &str) = (3, "DEBUG");
const TRACE: (u8, &str) = (4, "TRACE");
const FATAL: (u8, &str) = (0, "FATAL");

fn log(verbosity: u8, (level, name): (u8, &str), message: Arguments<'_>) {
    if verbosity >= level {
        let to = if level > WARN.0 { Stream::Output } else { Stream::Error };
        line(to, &prefix(name), message);
    }
}

fn prefix(level: &str) -> String {
    format!("[{level} tini ({})] ", std::process::id())
}

/// The number at the start of the text, as `atoi(3)` reads it: blanks, a sign, digits. Without digits it is 0.
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let value = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i64::MAX) };
    if negative { -value } else { value }
}

/// The whole text as a number from 0 to 255, as `strtol(3)` takes it: nothing at all is 0.
fn exit_code(text: &str) -> Option<u8> {
    if text.is_empty() {
        return Some(0);
    }
    let number = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let number = number.strip_prefix('+').unwrap_or(number);
    // "-0" is a number to strtol as well.
    let number = number.strip_prefix('-').filter(|rest| rest.bytes().all(|byte| byte == b'0')).unwrap_or(number);
    if number.starts_with('+') { None } else { number.parse().ok() }
}

/// The signals that -p knows: by the full name, without the newer and the real-time ones.
fn parent_death_signal(text: &str) -> Option<Signal> {
    let unknown = [Signal::STKFLT, Signal::IO, Signal::PWR];
    Signal::all().take(31).find(|signal| signal.to_string() == text && !unknown.contains(signal))
}

pub(super) struct Tini;

impl Persona for Tini {
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        read(arguments, around).unwrap_or_else(|command| command)
    }

    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)> {
        let (verbosity, orphans) = (options.verbosity, options.warn_on_reap);
        let program = visible(&options.program);
        if options.subreaper == Some(true) {
            log(verbosity, TRACE, format_args!("Registered as child subreaper"));
        }
        Box::new(move |event| observe(verbosity, orphans, &program, event))
    }

    fn failed(&self, options: &Options, error: &Error) {
        let Some(failure) = not_started(error) else {
            log(options.verbosity, FATAL, format_args!("{error}"));
            return;
        };
        let program = options.program.to_string_lossy();
        log(options.verbosity, FATAL, format_args!("exec {program} failed: {}{}", failure.text, failure.cause));
    }

    fn exit_status(&self, error: &Error) -> u8 {
        let Some(failure) = not_started(error) else { return FAILED };
        match error.exit_code() {
            // tini exits with 127 for ENOENT, 126 for EACCES, 1 for all else. What rinit refuses to give to the
            // shell, a damaged program, is 126 here too.
            127 if failure.errno == NOTDIR => FAILED,
            126 if failure.errno == NOENT => 127,
            126 if failure.errno != ACCES && failure.errno != NOEXEC => FAILED,
            127 if failure.errno == ACCES => 126,
            status => status,
        }
    }

    fn ended(&self, options: &Options, _: &Report) {
        log(options.verbosity, TRACE, format_args!("Exiting: child has exited"));
    }
}

const NOENT: i32 = rustix::io::Errno::NOENT.raw_os_error();
const NOTDIR: i32 = rustix::io::Errno::NOTDIR.raw_os_error();
const ACCES: i32 = rustix::io::Errno::ACCESS.raw_os_error();
const NOEXEC: i32 = rustix::io::Errno::NOEXEC.raw_os_error();

fn read(arguments: Vec<OsString>, around: &Invocation<'_>) -> Result<Command, Command> {
    let set = |name: &str| (around.variable)(name).is_some();
    let name = shown_name(&arguments);
    if arguments.len() == 2 && arguments.get(1).is_some_and(|word| word == "--version") {
        return Ok(page(Stream::Output, 0, VERSION));
    }
    let bad_usage = |why: String| page(Stream::Error, FAILED, why + &usage(&name));
    let invalid = |option: char, value: &OsStr| {
        let message = format!("{}Not a valid option for -{option}: {}\n", prefix(FATAL.1), visible(value));
        page(Stream::Error, FAILED, message)
    };
    let mut options = options(around, FAILED)?;
    options.to = ForwardTo::Main;
    let mut verbosity: i64 = 1;
    let mut getopt = Getopt::new(SYNTAX, arguments, set("POSIXLY_CORRECT"));
    while let Some(found) = getopt.next().map_err(bad_usage)? {
        let text = found.value.to_string_lossy();
        match found.letter {
            b'h' => return Ok(page(Stream::Output, 0, usage(&name))),
            b'l' => return Ok(page(Stream::Output, 0, LICENSE)),
            b's' => options.subreaper = Some(true),
            b'v' => verbosity += 1,
            b'w' => options.warn_on_reap = true,
            b'g' => options.to = ForwardTo::Group,
            b'p' => {
                let signal = parent_death_signal(&text).ok_or_else(|| invalid('p', &found.value))?;
                options.parent_death_signal = Some(signal);
            }
            _ => options.ok_codes.push(exit_code(&text).ok_or_else(|| invalid('e', &found.value))?),
        }
    }
    if !set_program(&mut options, getopt.operands()) {
        return Err(bad_usage(String::new()));
    }
    if set("TINI_SUBREAPER") {
        options.subreaper = Some(true);
    }
    if set("TINI_KILL_PROCESS_GROUP") {
        options.to = ForwardTo::Group;
    }
    if let Some(value) = (around.variable)("TINI_VERBOSITY") {
        verbosity = leading_number(&value.to_string_lossy());
    }
    // A negative number is a large one to the original.
    options.verbosity = u8::try_from(verbosity).unwrap_or(u8::MAX);
    leave_alone(&mut options, around, OnMainExit::Exit);
    drop_signals(&mut options.rewrite, [Signal::TTIN, Signal::TTOU]);
    if around.is_init {
        // If not PID 1, these signals terminate tini, and its child runs on; rinit forwards them there.
        drop_signals(&mut options.rewrite, FAULTS.into_iter().chain(kept_by_glibc()));
    }
    Ok(Command::Run(Box::new(options)))
}

fn observe(verbosity: u8, orphans: bool, program: &str, event: &Event) {
    if messages::warn(event, &mut |message| log(verbosity, WARN, message)) {
        return;
    }
    match event {
        Event::Spawned { pid } => {
            log(verbosity, INFO, format_args!("Spawned child process '{program}' with pid '{pid}'"));
        }
        Event::Forwarded { signal, .. } => {
            log(verbosity, DEBUG, format_args!("Passing signal: '{}'", description(*signal)));
        }
        Event::Reaped { pid, status, main } => {
            log(verbosity, DEBUG, format_args!("Received SIGCHLD"));
            log(verbosity, DEBUG, format_args!("Reaped child with pid: '{pid}'"));
            match (main, status) {
                (true, ExitStatus::Code(code)) => {
                    log(verbosity, INFO, format_args!("Main child exited normally (with status '{code}')"));
                }
                (true, ExitStatus::Signal { signal, .. }) => {
                    let signal = description(*signal);
                    log(verbosity, INFO, format_args!("Main child exited with signal (with signal '{signal}')"));
                }
                (false, _) if orphans => log(verbosity, WARN, format_args!("Reaped zombie process with pid={pid}")),
                _ => {}
            }
        }
        _ => {}
    }
}

/// What `strsignal(3)` of glibc calls the signal.
fn description(signal: Signal) -> String {
    const NAMES: [&str; 31] = [
        "Hangup",
        "Interrupt",
        "Quit",
        "Illegal instruction",
        "Trace/breakpoint trap",
        "Aborted",
        "Bus error",
        "Floating point exception",
        "Killed",
        "User defined signal 1",
        "Segmentation fault",
        "User defined signal 2",
        "Broken pipe",
        "Alarm clock",
        "Terminated",
        "Stack fault",
        "Child exited",
        "Continued",
        "Stopped (signal)",
        "Stopped",
        "Stopped (tty input)",
        "Stopped (tty output)",
        "Urgent I/O condition",
        "CPU time limit exceeded",
        "File size limit exceeded",
        "Virtual timer expired",
        "Profiling timer expired",
        "Window changed",
        "I/O possible",
        "Power failure",
        "Bad system call",
    ];
    let number = signal.number();
    let name = usize::try_from(number - 1).ok().and_then(|index| NAMES.get(index));
    match name {
        Some(name) => (*name).to_owned(),
        None if signal >= Signal::RTMIN => format!("Real-time signal {}", number - Signal::RTMIN.number()),
        None => format!("Unknown signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, run};
    use super::*;

    #[test]
    fn version_only_alone() {
        assert_eq!(printed(&["tini", "--version"], &[]), (Stream::Output, 0, VERSION.to_owned()));
        let (to, status, text) = printed(&["tini", "-s", "--version"], &[]);
        assert_eq!((to, status), (Stream::Error, 1));
        assert!(text.starts_with("tini: invalid option -- '-'\ntini (tini version 0.19.0"), "{text}");
    }

    #[test]
    fn flags_in_every_place() {
        let options = run(&["tini", "-vwg", "sh", "-s", "-e5", "-e", "143", "-p", "SIGKILL", "--", "-c", "x"], &[]);
        assert_eq!((options.verbosity, options.warn_on_reap, options.subreaper), (2, true, Some(true)));
        assert_eq!((options.to, options.ok_codes), (ForwardTo::Group, vec![5, 143]));
        assert_eq!(options.parent_death_signal, Some(Signal::KILL));
        assert_eq!((options.program.to_str(), options.arguments), (Some("sh"), vec!["-c".into(), "x".into()]));
        assert_eq!(run(&["tini", "sh", "-c"], &[("POSIXLY_CORRECT", "")]).arguments, ["-c"]);
    }

    #[test]
    fn usage_and_its_status() {
        assert_eq!(printed(&["tini", "-h", "-z"], &[]).1, 0);
        for words in [&["tini"][..], &["tini", "-z"], &["tini", "-e"], &["tini", "-e", "1"], &["tini", "sh", "-c"]] {
            let (to, status, text) = printed(words, &[]);
            assert_eq!((to, status), (Stream::Error, 1), "{words:?}");
            assert!(text.contains("TINI_VERBOSITY"), "{words:?}");
        }
    }

    #[test]
    fn values() {
        for (text, code) in [("0", 0), ("255", 255), ("07", 7), ("+7", 7), (" 7", 7), ("-0", 0), ("", 0)] {
            assert_eq!(exit_code(text), Some(code), "{text:?}");
        }
        for text in [" ", "256", "-1", "7x", "0x7", "++7", "-", "7 ", "99999999999999999999"] {
            assert_eq!(exit_code(text), None, "{text:?}");
        }
        for text in ["KILL", "sigkill", "9", "SIGRTMIN", "SIGIO", "SIG32", ""] {
            assert_eq!(parent_death_signal(text), None, "{text:?}");
        }
        let (_, status, text) = printed(&["tini", "-p", "KILL", "true"], &[]);
        assert_eq!(status, 1);
        assert!(text.starts_with("[FATAL tini (") && text.ends_with(")] Not a valid option for -p: KILL\n"), "{text}");
    }

    #[test]
    fn variables() {
        let verbosity = |value| run(&["tini", "-vvv", "true"], &[("TINI_VERBOSITY", value)]).verbosity;
        let cases = [("0", 0), ("3", 3), ("", 0), ("x", 0), (" +2x", 2), ("-1", 255), ("99999999999999999999", 255)];
        for (value, expected) in cases {
            assert_eq!(verbosity(value), expected, "{value:?}");
        }
        // Set to anything, even to nothing, is set.
        let options = run(&["tini", "true"], &[("TINI_SUBREAPER", ""), ("TINI_KILL_PROCESS_GROUP", "0")]);
        assert_eq!((options.subreaper, options.to), (Some(true), ForwardTo::Group));
    }
}
