//! What the program does, from its first instruction to its exit status.

use crate::args::contained::Contained;
use crate::args::help::{HELP, HELP_ALL, LICENSE, VERSION};
use crate::args::{Command, LogFormat, Options, Page, Stream};
use crate::messages::{self, Observer};
use crate::output::{flush, put, say};
use crate::persona::{self, Invocation, Persona};
use crate::streams::Streams;
use rinit_core::init::Event;
use rinit_core::{ChildSpec, Error, Inherited, Init, Pid, ProcessGroup, User};
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How the names of rinit's own variables begin.
const OWN_VARIABLES: &str = "RINIT_";

/// The whole program. Signals are blocked already: the entry point did that first.
#[must_use]
pub fn run(inherited: Result<Inherited, Error>, arguments: Vec<OsString>) -> u8 {
    let status = run_command(inherited, arguments);
    flush();
    status
}

fn run_command(inherited: Result<Inherited, Error>, arguments: Vec<OsString>) -> u8 {
    if let Some(Contained { channel, program, arguments }) = Contained::parse(&arguments) {
        let ran = inherited.and_then(|inherited| rinit_core::__contained(inherited, channel, program, arguments));
        return ran.unwrap_or_else(|error| {
            say(format_args!("{error}"));
            persona::FAILED
        });
    }
    let persona = persona::named(arguments.first().map_or(OsStr::new(""), OsString::as_os_str));
    let is_init = rustix::process::getpid().is_init();
    // Mostly there are none of rinit's own, and a pod's environment may have hundreds of others to search for each name.
    let any_own = rinit_core::__any_variable_begins_with(OWN_VARIABLES);
    let variable = |name: &str| if any_own || !name.starts_with(OWN_VARIABLES) { std::env::var_os(name) } else { None };
    let around = Invocation { variable: &variable, is_init };
    match persona.parse(arguments, &around) {
        Command::Help { all } => print(if all { HELP_ALL } else { HELP }),
        Command::Version => print(VERSION),
        Command::License => print(LICENSE),
        Command::Print(Page { text, to: Stream::Output, status }) => status.max(print(&text)),
        Command::Print(Page { text, to: Stream::Error, status }) => {
            put(Stream::Error, text.as_bytes());
            status
        }
        Command::Diagnose { json, pid } => {
            diagnose(json, pid).unwrap_or_else(|error| failed(persona, &Options::default(), &error))
        }
        Command::Pause(options) => {
            let paused = inherited.and_then(|inherited| {
                watch_parent(&options, &inherited)?;
                rinit_core::init::run_pause(&inherited).map(|_| 0)
            });
            paused.unwrap_or_else(|error| failed(persona, &options, &error))
        }
        Command::Run(mut options) => {
            let ran = inherited.and_then(|inherited| {
                watch_parent(&options, &inherited)?;
                run_main(&mut options, persona, inherited)
            });
            ran.unwrap_or_else(|error| failed(persona, &options, &error))
        }
    }
}

/// Prints why rinit failed, or main was not started; returns the exit status.
fn failed(persona: &dyn Persona, options: &Options, error: &Error) -> u8 {
    let status = persona.exit_status(error);
    match options.log_format {
        LogFormat::Text => persona.failed(options, error),
        LogFormat::Json => messages::failure(error, status).write(LogFormat::Json),
    }
    status
}

/// Prints those events of a run that the user should see.
fn observer(persona: &dyn Persona, options: &Options) -> Box<dyn FnMut(&Event)> {
    if options.log_format == LogFormat::Json {
        let mut observer = Observer::new(options, persona.verbosity(options));
        return Box::new(move |event| observer.observe(event));
    }
    let mut observe = persona.observer(options);
    if !options.quiet {
        return observe;
    }
    Box::new(move |event| {
        if !messages::warning(event) || matches!(event, Event::Error { .. }) {
            observe(event);
        }
    })
}

fn watch_parent(options: &Options, inherited: &Inherited) -> Result<(), Error> {
    options.parent_death_signal.map_or(Ok(()), |signal| inherited.parent().send_on_death(signal))
}

// Never inlined, as the two below: what they need for a moment would lie on the stack for as long as main lives.
#[inline(never)]
fn run_main(options: &mut Options, persona: &dyn Persona, inherited: Inherited) -> Result<u8, Error> {
    let user = options.user.as_deref().map(User::resolve).transpose()?;
    let streams = user.as_ref().map(Streams::give_to);
    let report = init(options, user, persona, inherited)?.run()?;
    drop(streams);
    if options.log_format == LogFormat::Text {
        persona.ended(options, &report);
    }
    let code = report.exit_code();
    if options.ok_codes.contains(&code) {
        return Ok(0);
    }
    match report.main {
        Some(status) if options.mirror_signal && status.signal().is_some() => {
            flush();
            rinit_core::init::exit_as(status)
        }
        _ => Ok(code),
    }
}

#[inline(never)]
fn init(options: &mut Options, user: Option<User>, persona: &dyn Persona, inherited: Inherited) -> Result<Init, Error> {
    let arguments = std::mem::take(&mut options.arguments);
    let mut main = ChildSpec::new(&options.program).args(arguments).inherit_signals(&inherited);
    if options.session {
        main = main.process_group(ProcessGroup::Session);
    } else if options.same_group {
        main = main.process_group(ProcessGroup::Inherit);
    }
    if let Some(user) = user {
        main = main.user(user);
    }
    for limit in &options.limits {
        main = main.rlimit(limit.resource, limit.soft, limit.hard);
    }
    if let Some(mask) = options.umask {
        main = main.umask(mask);
    }
    if let Some(directory) = &options.workdir {
        main = main.current_dir(directory);
    }
    for (name, value) in &options.env {
        main = main.env(name, value);
    }
    let mut init = Init::new(inherited, main)
        .forward_to(options.to)
        .forward_filter(options.forward)
        .rewrite(options.rewrite)
        .stop_delay(options.stop_delay.unwrap_or_default())
        .on_main_exit(options.on_main_exit.unwrap_or_default())
        .stop_along(options.stop_along)
        .forward_alarm(options.forward_alarm)
        .observe(observer(persona, options));
    for signal in &options.stop_signals {
        init = init.add_stop_signal(*signal);
    }
    if let Some(subreaper) = options.subreaper {
        init = init.subreaper(subreaper);
    }
    if let Some(grace) = options.grace {
        init = init.grace(grace);
    }
    if let Some(last_call) = options.last_call {
        init = init.last_call(last_call);
    }
    if options.report_at_once {
        init = init.report_steps_after(Duration::ZERO);
    }
    if let Some(drain) = options.drain {
        init = init.drain(drain);
    }
    Ok(init)
}

/// 0: the container stops; 1: it does not; 2: only a stop shows it.
#[inline(never)]
fn diagnose(json: bool, pid: Option<Pid>) -> Result<u8, Error> {
    let diagnosis = pid.map_or_else(rinit_core::diagnose::diagnose, rinit_core::diagnose::diagnose_container_of)?;
    let text = match json {
        true => diagnosis.to_json(),
        false if shows_colours() => diagnosis.to_terminal(),
        false => diagnosis.to_string(),
    };
    let printed = print(&(text + "\n"));
    let status = match diagnosis.stops {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    };
    Ok(if printed == 0 { status } else { printed })
}

/// On a terminal, unless `NO_COLOR` is set to anything (<https://no-color.org>) or the terminal is a dumb one.
fn shows_colours() -> bool {
    let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    std::io::stdout().is_terminal()
        && variable("NO_COLOR").is_none()
        && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Prints to standard output; a reader that has gone away is rinit's failure to print.
fn print(text: &str) -> u8 {
    let mut out = std::io::stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if printed.is_ok() { 0 } else { persona::FAILED }
}
