//! catatonit 0.1.7.

use super::getopt::{Getopt, Syntax};
use super::{
    FAULTS, Invocation, Persona, drop_signals, kept_by_glibc, not_started, options, page, set_program, shown_name,
};
use crate::args::help::LICENSE;
use crate::args::{Command, Options, Stream};
use crate::messages;
use crate::output::{line, visible};
use rinit_core::init::Event;
use rinit_core::policy::ForwardTo;
use rinit_core::{Error, ExitStatus, Report, Signal};
use std::ffi::OsString;
use std::fmt::Arguments;

/// It answers as tini would, because Docker and Podman ask for that.
const VERSION: &str = "tini version 0.1.7_catatonit\n";

pub(super) const SYNTAX: Syntax = Syntax { short: b"ghLPV", long: Some(&[("version", b'V')]), permute: true };

/// Bad usage, every failure of its own, and a program that cannot be executed.
const FAILED: u8 = 1;

fn usage(name: &str) -> String {
    format!("usage: {name} [-ghLPV] [--] PROGRAM [ARGS...]\n")
}

fn help(name: &str) -> String {
    usage(name)
        + "
rinit in the place of catatonit: starts PROGRAM, forwards signals to it, reaps
orphans.

  -g             forward signals to the process group of PROGRAM
  -h             print this text
  -L             print the licence
  -P             pause: start nothing, reap, and end on SIGINT or SIGTERM
  -V, --version  print the version

Variables: CATATONIT_DEBUG, if set, has what is done said on standard error.
"
}

fn log(level: &str, message: Arguments<'_>) {
    line(Stream::Error, &prefix(level), message);
}

fn prefix(level: &str) -> String {
    format!("{level} (catatonit:{}): ", std::process::id())
}

pub(super) struct Catatonit;

impl Persona for Catatonit {
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        read(arguments, around).unwrap_or_else(|command| command)
    }

    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)> {
        let debug = options.verbosity > 0;
        let program = visible(&options.program);
        Box::new(move |event| {
            let warned = messages::warn(event, &mut |message| log("WARN", message));
            if debug && !warned {
                log_event(&program, event);
            }
        })
    }

    fn failed(&self, _: &Options, error: &Error) {
        match not_started(error) {
            Some(failure) => {
                log("ERROR", format_args!("failed to exec pid1: {}{}", failure.text, failure.cause));
            }
            None => log("ERROR", format_args!("{error}")),
        }
    }

    fn exit_status(&self, _: &Error) -> u8 {
        FAILED
    }

    fn ended(&self, options: &Options, report: &Report) {
        if options.verbosity > 0 && report.left_behind.is_empty() {
            log("DEBUG", format_args!("got ECHILD: no children left to monitor"));
        }
    }
}

fn read(arguments: Vec<OsString>, around: &Invocation<'_>) -> Result<Command, Command> {
    let set = |name: &str| (around.variable)(name).is_some();
    let name = shown_name(&arguments);
    let bad_usage = |why: String| page(Stream::Error, FAILED, why + &usage(&name));
    let mut options = options(around, FAILED)?;
    options.to = ForwardTo::Main;
    let mut pause = false;
    let mut getopt = Getopt::new(SYNTAX, arguments, set("POSIXLY_CORRECT"));
    while let Some(found) = getopt.next().map_err(bad_usage)? {
        match found.letter {
            b'h' => return Ok(page(Stream::Error, 0, help(&name))),
            b'L' => return Ok(page(Stream::Output, 0, LICENSE)),
            b'V' => return Ok(page(Stream::Output, 0, VERSION)),
            b'g' => options.to = ForwardTo::Group,
            _ => pause = true,
        }
    }
    options.verbosity = u8::from(set("CATATONIT_DEBUG"));
    if pause {
        return Ok(Command::Pause(Box::new(options)));
    }
    if !set_program(&mut options, getopt.operands()) {
        return Err(bad_usage(format!("{}missing program name\n", prefix("ERROR"))));
    }
    drop_signals(&mut options.rewrite, [Signal::TTIN, Signal::TTOU, Signal::TSTP]);
    if around.is_init {
        // Elsewhere these terminate the original and leave its child alone; there rinit forwards them.
        drop_signals(&mut options.rewrite, FAULTS.into_iter().chain(kept_by_glibc()));
    }
    Ok(Command::Run(Box::new(options)))
}

fn log_event(program: &str, event: &Event) {
    match event {
        Event::Spawned { pid } => log("DEBUG", format_args!("pid1 ({pid}) spawned: {program}")),
        Event::Reaped { pid, status, main: false } => match status {
            ExitStatus::Code(code) => log("DEBUG", format_args!("child process {pid} exited with code {code}")),
            ExitStatus::Signal { signal, .. } => {
                log("DEBUG", format_args!("child process {pid} exited due to signal {}", signal.number()));
            }
            _ => {}
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, printed, run};
    use super::*;

    #[test]
    fn flags() {
        assert_eq!(run(&["catatonit", "sh", "-g", "--", "-c"], &[]).to, ForwardTo::Group);
        assert_eq!(run(&["catatonit", "sh", "--", "-c"], &[]).arguments, ["-c"]);
        assert!(matches!(parse(&["catatonit", "-P", "sh"], &[]), Command::Pause(_)));
        assert_eq!(run(&["catatonit", "sh"], &[("CATATONIT_DEBUG", "")]).verbosity, 1);
    }

    #[test]
    fn what_it_prints() {
        for words in [["catatonit", "-V"], ["catatonit", "--v"], ["catatonit", "-gV"]] {
            assert_eq!(printed(&words, &[]), (Stream::Output, 0, VERSION.to_owned()), "{words:?}");
        }
        assert_eq!(printed(&["catatonit", "-L"], &[]).0, Stream::Output);
        assert_eq!(printed(&["catatonit", "-h"], &[]).1, 0);
        for words in [&["catatonit"][..], &["catatonit", "--"], &["catatonit", "--help"], &["catatonit", "true", "-z"]]
        {
            let (to, status, text) = printed(words, &[]);
            assert_eq!((to, status), (Stream::Error, 1), "{words:?}");
            assert!(text.ends_with("usage: catatonit [-ghLPV] [--] PROGRAM [ARGS...]\n"), "{text}");
        }
    }
}
