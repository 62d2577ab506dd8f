//! What the program does, from its first instruction to its exit status.

use crate::args::{BadUsage, Command, Options, parse};
use crate::help::{HELP, LICENSE, VERSION};
use crate::messages::say;
use crate::observer::{Wanted, observe};
use rinit_core::{ChildSpec, Error, Group, Inherited, Init, User};
use std::ffi::OsString;
use std::io::Write;

/// rinit's own failures, and bad usage.
const FAILED: u8 = 125;

/// The whole program. Signals are blocked already: the entry point did that first.
#[must_use]
pub fn run(inherited: Result<Inherited, Error>, arguments: Vec<OsString>) -> u8 {
    let command = match parse(arguments, |name| std::env::var_os(name)) {
        Ok(command) => command,
        Err(BadUsage(why)) => {
            say(format_args!("{why}"));
            return FAILED;
        }
    };
    let result = match command {
        Command::Help => return print(HELP),
        Command::Version => return print(VERSION),
        Command::License => return print(LICENSE),
        Command::Diagnose { json } => diagnose(json),
        Command::Pause(options) => inherited.and_then(|inherited| {
            watch_parent(&options, &inherited)?;
            rinit_core::pause(&inherited).map(|_| 0)
        }),
        Command::Run(options) => inherited.and_then(|inherited| {
            watch_parent(&options, &inherited)?;
            run_main(*options, inherited)
        }),
    };
    result.unwrap_or_else(|error| {
        say(format_args!("{error}"));
        error.exit_code()
    })
}

fn watch_parent(options: &Options, inherited: &Inherited) -> Result<(), Error> {
    options.parent_death_signal.map_or(Ok(()), |signal| inherited.parent().signal(signal))
}

fn run_main(options: Options, inherited: Inherited) -> Result<u8, Error> {
    let mut main = ChildSpec::new(options.program).args(options.arguments).signals_of(&inherited);
    if options.session {
        main = main.group(Group::Session);
    }
    if let Some(user) = &options.user {
        main = main.user(User::resolve(user)?);
    }
    if let Some(directory) = options.workdir {
        main = main.directory(directory);
    }
    for (name, value) in options.env {
        main = main.env(name, value);
    }
    let wanted = Wanted { verbosity: options.verbosity, orphans: options.warn_on_reap };
    let mut init = Init::new(inherited, main)
        .target(options.to)
        .forward(options.forward)
        .rewrite(options.rewrite)
        .stop_delay(options.stop_delay.unwrap_or_default())
        .on_main_exit(options.on_main_exit)
        .subreaper(options.subreaper.unwrap_or(true))
        .observe_inline(move |event| observe(wanted, event));
    for signal in options.stop_signals {
        init = init.stop_signal(signal);
    }
    if let Some(grace) = options.grace {
        init = init.grace(grace);
    }
    if let Some(drain) = options.drain {
        init = init.drain(drain);
    }
    let report = init.run()?;
    let code = report.exit_code();
    if options.ok_codes.contains(&code) {
        return Ok(0);
    }
    match report.main {
        Some(status) if options.mirror_signal && status.signal().is_some() => rinit_core::mirror(status),
        _ => Ok(code),
    }
}

/// Healthy is 0, findings are 1.
fn diagnose(json: bool) -> Result<u8, Error> {
    let diagnosis = rinit_core::diagnose()?;
    let text = if json { diagnosis.to_json() } else { diagnosis.to_string() };
    let text = text + "\n";
    let printed = print(&text);
    Ok(if printed == 0 { u8::from(!diagnosis.is_healthy()) } else { printed })
}

/// Prints to standard output; a reader that has gone away is rinit's failure to print.
fn print(text: &str) -> u8 {
    let mut out = std::io::stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if printed.is_ok() { 0 } else { FAILED }
}
