//! dumb-init 1.2.5.

use super::getopt::{Getopt, Syntax};
use super::{
    Invocation, Persona, drop_signals, kept_by_glibc, leave_alone, not_started, options, page, set_program, shown_name,
};
use crate::args::{Command, Options, Stream};
use crate::messages;
use crate::output::line;
use rinit_core::init::{Event, WithheldReason};
use rinit_core::policy::{ForwardTo, OnMainExit};
use rinit_core::signal::Rewrite;
use rinit_core::{Error, ExitStatus, Report, Signal};
use std::ffi::OsString;
use std::fmt::Arguments;

const VERSION: &str = "dumb-init v1.2.5\n";

pub(super) const SYNTAX: Syntax = Syntax {
    short: b"chvVr:",
    long: Some(&[("help", b'h'), ("single-child", b'c'), ("rewrite", b'r'), ("verbose", b'v'), ("version", b'V')]),
    permute: false,
};

/// Bad usage and dumb-init's own failures.
const FAILED: u8 = 1;
/// The program could not be executed.
const NOT_EXECUTED: u8 = 2;

/// Signals by which a terminal stops a process.
const TERMINAL_STOPS: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

fn usage(name: &str) -> String {
    format!(
        "\
{VERSION}\
Usage: {name} [OPTIONS] COMMAND [ARGS...]

rinit in the place of dumb-init: starts COMMAND in a session of its own, forwards
signals to its whole process group, reaps orphans.

  -c, --single-child  no session, and signals to COMMAND alone
  -r, --rewrite s:r   pass signal number s on as r; 0 as r: not at all; may be
                      given several times
  -v, --verbose       say what is done, on standard error
  -h, --help          print this text
  -V, --version       print the version

Variables: DUMB_INIT_DEBUG=1 is as -v, DUMB_INIT_SETSID=0 as -c.
"
    )
}

fn say(message: Arguments<'_>) {
    line(Stream::Error, "[dumb-init] ", message);
}

/// Reads `FROM:TO` as `scanf(3)` reads `%d:%d`: with blanks and a sign before each number, and any text after the second.
fn rule(text: &str) -> Option<(Signal, Option<Signal>)> {
    let (from, rest) = number(text)?;
    let (to, _) = number(rest.strip_prefix(':')?)?;
    let standard = |number: i32| Signal::new(number).filter(|_| number <= 31);
    let to = if to == 0 { None } else { Some(standard(to)?) };
    Some((standard(from)?, to))
}

fn number(text: &str) -> Option<(i32, &str)> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text.get(sign..)?.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - sign);
    let (number, rest) = text.split_at(sign + digits);
    Some((number.parse().ok()?, rest))
}

pub(super) struct DumbInit;

impl Persona for DumbInit {
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        read(arguments, around).unwrap_or_else(|command| command)
    }

    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)> {
        let (verbose, session, rewrite) = (options.verbosity > 0, options.session, options.rewrite);
        if options.verbosity & DEBUG_BY_VARIABLE != 0 {
            say(format_args!("Running in debug mode."));
        }
        if options.verbosity & NO_SESSION_BY_VARIABLE != 0 {
            say(format_args!("Not running in setsid mode."));
        }
        let mut stopping = false;
        Box::new(move |event| {
            let warned = messages::warn(event, &mut say);
            if verbose && !warned {
                log_event(session, &rewrite, &mut stopping, event);
            }
        })
    }

    fn failed(&self, options: &Options, error: &Error) {
        match not_started(error) {
            Some(failure) => {
                say(format_args!("{}: {}{}", options.program.to_string_lossy(), failure.text, failure.cause));
            }
            None => say(format_args!("{error}")),
        }
    }

    fn exit_status(&self, error: &Error) -> u8 {
        if not_started(error).is_some() { NOT_EXECUTED } else { FAILED }
    }

    fn ended(&self, options: &Options, report: &Report) {
        if options.verbosity > 0 {
            say(format_args!("Child exited with status {}. Goodbye.", report.exit_code()));
        }
    }
}

/// Bits of [`Options::verbosity`]: the original says what a variable has brought about, not what a flag has.
const VERBOSE: u8 = 1;
const DEBUG_BY_VARIABLE: u8 = 2;
const NO_SESSION_BY_VARIABLE: u8 = 4;

fn read(arguments: Vec<OsString>, around: &Invocation<'_>) -> Result<Command, Command> {
    let is = |name: &str, value: &str| (around.variable)(name).is_some_and(|given| given == value);
    let name = shown_name(&arguments);
    let bad_usage = |why: String| page(Stream::Error, FAILED, why);
    let mut options = options(around, FAILED)?;
    options.session = true;
    let mut getopt = Getopt::new(SYNTAX, arguments, false);
    while let Some(found) = getopt.next().map_err(bad_usage)? {
        match found.letter {
            b'h' => return Ok(page(Stream::Error, 0, usage(&name))),
            b'V' => return Ok(page(Stream::Error, 0, VERSION)),
            b'c' => options.session = false,
            b'v' => options.verbosity = VERBOSE,
            _ => {
                let (from, to) = rule(&found.value.to_string_lossy()).ok_or_else(|| {
                    bad_usage(
                        "Usage: -r takes FROM:TO, two signal numbers from 1 to 31, or 0 as TO to drop the signal.\n\
                         It may be given several times. --help tells more.\n"
                            .to_owned(),
                    )
                })?;
                options.rewrite.set(from, to);
            }
        }
    }
    if !set_program(&mut options, getopt.operands()) {
        return Err(bad_usage(format!("Usage: {name} [OPTIONS] COMMAND [ARGS...]\nTry {name} --help.\n")));
    }
    if is("DUMB_INIT_DEBUG", "1") {
        options.verbosity = VERBOSE | DEBUG_BY_VARIABLE;
    }
    if is("DUMB_INIT_SETSID", "0") {
        options.session = false;
        if options.verbosity > 0 {
            options.verbosity |= NO_SESSION_BY_VARIABLE;
        }
    }
    options.same_group = !options.session;
    options.to = if options.session { ForwardTo::Group } else { ForwardTo::Main };
    options.stop_along = true;
    if options.session && options.on_main_exit == Some(OnMainExit::Exit) {
        // Without a session the original sends its TERM to main, which has exited.
        options.on_main_exit = Some(OnMainExit::TerminateGroup);
    }
    let leaves = if options.session { OnMainExit::TerminateGroup } else { OnMainExit::Exit };
    leave_alone(&mut options, around, leaves);
    if around.is_init {
        // Elsewhere these terminate the original and leave its child alone; there rinit forwards them.
        drop_signals(&mut options.rewrite, kept_by_glibc());
    }
    if options.session {
        // Out of the terminal's reach, in a process group that is orphaned, the terminal's stops have no effect.
        for signal in TERMINAL_STOPS {
            if options.rewrite.apply(signal) == Some(signal) {
                options.rewrite.set(signal, Some(Signal::STOP));
            }
        }
    }
    Ok(Command::Run(Box::new(options)))
}

fn log_event(session: bool, rewrite: &Rewrite, stopping: &mut bool, event: &Event) {
    let suspend = |stopping: &mut bool| {
        if std::mem::take(stopping) {
            say(format_args!("Suspending self due to TTY signal."));
        }
    };
    match event {
        Event::Spawned { pid } => {
            say(format_args!("Child spawned with PID {pid}."));
            if session {
                say(format_args!("setsid complete."));
            }
        }
        Event::Received(received) => {
            let signal = received.signal();
            *stopping = TERMINAL_STOPS.contains(&signal);
            say(format_args!("Received signal {}.", signal.number()));
            let to = rewrite.apply(signal);
            if to != Some(signal) {
                let to = to.map_or(0, Signal::number);
                say(format_args!("Translating signal {} to {to}.", signal.number()));
            }
        }
        Event::Forwarded { signal, .. } => {
            say(format_args!("Forwarded signal {} to children.", signal.number()));
            suspend(stopping);
        }
        Event::Withheld { why: WithheldReason::Dropped, .. } => {
            say(format_args!("Not forwarding signal 0 to children (ignored)."));
            suspend(stopping);
        }
        Event::Reaped { pid, status, main } => {
            say(format_args!("Received signal {}.", Signal::CHLD.number()));
            match status {
                ExitStatus::Code(code) => {
                    say(format_args!("A child with PID {pid} exited with exit status {code}."));
                }
                ExitStatus::Signal { signal, .. } => {
                    say(format_args!("A child with PID {pid} was terminated by signal {}.", signal.number()));
                }
                _ => {}
            }
            if *main {
                say(format_args!("Forwarded signal {} to children.", Signal::TERM.number()));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, run};
    use super::*;

    #[test]
    fn main_gets_a_session_by_default() {
        let options = run(&["dumb-init", "sh", "-c", "x"], &[]);
        assert_eq!((options.session, options.to, options.same_group), (true, ForwardTo::Group, false));
        assert_eq!(options.arguments, ["-c", "x"]);
        assert_eq!(options.rewrite.apply(Signal::TSTP), Some(Signal::STOP));
        for (words, variables) in [
            (&["dumb-init", "-c", "true"][..], &[][..]),
            (&["dumb-init", "--single", "true"], &[]),
            (&["dumb-init", "true"], &[("DUMB_INIT_SETSID", "0")]),
        ] {
            let options = run(words, variables);
            assert_eq!((options.session, options.to, options.same_group), (false, ForwardTo::Main, true), "{words:?}");
            assert_eq!(options.rewrite.apply(Signal::TSTP), Some(Signal::TSTP));
        }
        for value in ["", "00", "no", "1"] {
            assert!(run(&["dumb-init", "true"], &[("DUMB_INIT_SETSID", value)]).session, "{value:?}");
        }
    }

    #[test]
    fn verbose() {
        assert_eq!(run(&["dumb-init", "-v", "true"], &[]).verbosity, 1);
        assert_eq!(run(&["dumb-init", "true"], &[("DUMB_INIT_DEBUG", "1")]).verbosity, 3);
        assert_eq!(run(&["dumb-init", "true"], &[("DUMB_INIT_DEBUG", "11")]).verbosity, 0);
    }

    #[test]
    fn rules() {
        let rules = [("15:3", 15, 3), ("15:0", 15, 0), (" +15: 3x", 15, 3), ("31:1:2", 31, 1), ("9:9", 9, 9)];
        for (text, from, to) in rules {
            assert_eq!(rule(text), Signal::new(from).map(|from| (from, Signal::new(to))), "{text:?}");
        }
        for text in
            ["", "15", "15:", "15 :3", "a:b", "0:1", "32:1", "15:32", "-1:2", "15:-1", "TERM:3", "0x0f:3", "é:1"]
        {
            assert_eq!(rule(text), None, "{text:?}");
        }
        let options = run(&["dumb-init", "-r15:3", "--rewrite", "20:0", "--rew=1:2", "true"], &[]);
        assert_eq!(options.rewrite.apply(Signal::TERM), Some(Signal::QUIT));
        assert_eq!(options.rewrite.apply(Signal::TSTP), None);
        assert_eq!(options.rewrite.apply(Signal::HUP), Some(Signal::INT));
    }

    #[test]
    fn what_it_prints() {
        assert_eq!(printed(&["dumb-init", "-V", "-h"], &[]), (Stream::Error, 0, VERSION.to_owned()));
        assert_eq!(printed(&["dumb-init", "--hel"], &[]).1, 0);
        for words in [&["dumb-init"][..], &["dumb-init", "-c"], &["dumb-init", "-r", "x", "true"], &["dumb-init", "-z"]]
        {
            let (to, status, _) = printed(words, &[]);
            assert_eq!((to, status), (Stream::Error, 1), "{words:?}");
        }
    }
}
