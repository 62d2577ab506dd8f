//! Reads the command line into a plain value. Pure: it uses only its arguments.

pub(crate) mod contained;
pub(crate) mod help;
mod limits;

use lexopt::{Arg, Parser, ValueExt};
use rinit_core::policy::{ForwardFilter, ForwardTo, OnMainExit};
use rinit_core::signal::{Rewrite, UnknownSignal};
use rinit_core::{Pid, Signal};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

pub use limits::Limit;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run a program.
    Run(Box<Options>),
    /// Hold the namespace open and reap.
    Pause(Box<Options>),
    /// Report on the container.
    Diagnose {
        /// For programs instead of people.
        json: bool,
        /// A process of the container; this process without it.
        pid: Option<Pid>,
    },
    /// Print the help text.
    Help {
        /// With every option.
        all: bool,
    },
    /// Print the version.
    Version,
    /// Print the licence.
    License,
    /// Print a text of another program's persona, and exit.
    Print(Page),
}

/// Text to print, and the exit status that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The text, with its line ends.
    pub text: String,
    /// Where it goes.
    pub to: Stream,
    /// The exit status after it.
    pub status: u8,
}

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// The options for a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The program; empty for `--pause`.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Rules by which signals are rewritten.
    pub rewrite: Rewrite,
    /// Which processes get signals.
    pub to: ForwardTo,
    /// Which signals are forwarded.
    pub forward: ForwardFilter,
    /// Further signals that request a stop.
    pub stop_signals: Vec<Signal>,
    /// How long the first stop signal is held back.
    pub stop_delay: Option<Duration>,
    /// From the moment main got the stop signal to KILL.
    pub grace: Option<Duration>,
    /// From main's exit to KILL.
    pub drain: Option<Duration>,
    /// From the stop request to TERM for all that were not asked yet, but never before main got the stop signal.
    pub last_call: Option<Duration>,
    /// What happens to the others when main has exited, if an option says so.
    pub on_main_exit: Option<OnMainExit>,
    /// The user to become, `USER[:GROUP]`.
    pub user: Option<String>,
    /// The working directory.
    pub workdir: Option<PathBuf>,
    /// Variables to set.
    pub env: Vec<(OsString, OsString)>,
    /// Main gets its own session.
    pub session: bool,
    /// Main stays in rinit's own process group. Only personas ask for it.
    pub same_group: bool,
    /// rinit stops itself whenever it gets a stop signal of the terminal. Only personas ask for it.
    pub stop_along: bool,
    /// The signal that rinit gets when its parent exits.
    pub parent_death_signal: Option<Signal>,
    /// `-s`, `--no-subreaper`, or neither.
    pub subreaper: Option<bool>,
    /// Exit codes reported as 0.
    pub ok_codes: Vec<u8>,
    /// Terminate by the signal that terminated main.
    pub mirror_signal: bool,
    /// `-v`, up to three times.
    pub verbosity: u8,
    /// Print only errors.
    pub quiet: bool,
    /// How rinit's own lines are written.
    pub log_format: LogFormat,
    /// Resource limits of main.
    pub limits: Vec<Limit>,
    /// The file mode creation mask of main.
    pub umask: Option<u32>,
    /// Print each orphan.
    pub warn_on_reap: bool,
    /// An alarm that rinit inherited is main's. Only personas ask for it.
    pub forward_alarm: bool,
    /// Print each step of a stop at once, not only a slow one.
    pub report_at_once: bool,
}

/// How rinit's own lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object in each line.
    Json,
}

/// An error in the command line: one line that says what is wrong and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUsage(pub String);

impl Display for BadUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the arguments, the program's own name first, and the variables `RINIT_…`; a flag wins over its variable.
///
/// # Errors
///
/// [`BadUsage`]: nothing was started.
pub fn parse(arguments: Vec<OsString>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Command, BadUsage> {
    parse_into(&mut Options::default(), arguments, variable)
}

/// The flags that were given, of those that have a variable.
#[derive(Default)]
struct Given {
    names: Vec<String>,
    /// Rules of `--rewrite`. They come after those of the variable, because the last rule for a signal counts.
    rules: Vec<String>,
}

/// Does the same, and leaves in `options` everything that was read before an error.
pub(crate) fn parse_into(
    options: &mut Options,
    arguments: Vec<OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, BadUsage> {
    // Errors are logged in this format too. A wrong value is an error below.
    let _ = set_variable(options, &variable, ("RINIT_LOG_FORMAT", "log-format"));
    let mut given = Given::default();
    let mut parser = Parser::from_iter(arguments);
    let (mut pause, mut diagnose, mut json, mut pid) = (false, false, false, None);
    while let Some(argument) = parser.next().map_err(bad)? {
        match argument {
            Arg::Short('h') => return Ok(Command::Help { all: false }),
            Arg::Long("help") => return help(parser.optional_value()),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Short('l' | 'L') | Arg::Long("license") => return Ok(Command::License),
            Arg::Short('P') | Arg::Long("pause") => pause = true,
            Arg::Long("diagnose") => diagnose = true,
            Arg::Long("json") => json = true,
            Arg::Long("pid") => pid = Some(process_id(&parser.value().map_err(bad)?)?),
            Arg::Short('g') => given.set("to", || options.to = ForwardTo::Group),
            Arg::Short('c') | Arg::Long("single-child") => given.set("to", || options.to = ForwardTo::Main),
            Arg::Short('s') | Arg::Long("subreaper") => options.subreaper = Some(true),
            Arg::Long("no-subreaper") => options.subreaper = Some(false),
            Arg::Long("session") => options.session = true,
            Arg::Long("mirror-signal") => options.mirror_signal = true,
            Arg::Short('v') | Arg::Long("verbose") => given.set("loudness", || {
                options.verbosity = options.verbosity.saturating_add(1).min(3);
                options.quiet = false;
            }),
            Arg::Short('q') | Arg::Long("quiet") => given.set("loudness", || {
                options.verbosity = 0;
                options.quiet = true;
            }),
            Arg::Short('w') | Arg::Long("warn-on-reap") => options.warn_on_reap = true,
            Arg::Short(short @ ('r' | 'p' | 'e')) => {
                let value = parser.value().map_err(bad)?;
                let long = match short {
                    'r' => "rewrite",
                    'p' => "parent-death-signal",
                    _ => "ok-exit",
                };
                given.note(long, &value);
                set(options, long, value).map_err(|BadUsage(why)| BadUsage(format!("-{short}: {why}")))?;
            }
            Arg::Long(long) if takes_value(long) => {
                let long = long.to_owned();
                let value = parser.value().map_err(bad)?;
                given.note(&long, &value);
                set(options, &long, value).map_err(|BadUsage(why)| BadUsage(format!("--{long}: {why}")))?;
            }
            Arg::Value(program) => {
                options.program = program;
                // Everything from here on belongs to the program, dashes and all.
                options.arguments = parser.raw_args().map_err(bad)?.collect();
                break;
            }
            Arg::Short(_) | Arg::Long(_) => return Err(bad(argument.unexpected())),
        }
    }
    let starts = !diagnose;
    if starts {
        set_variables(options, variable, &given)?;
    }
    options.report_at_once = options.verbosity > 0;
    let has_program = !options.program.is_empty();
    if (json || pid.is_some()) && !diagnose {
        let name = if json { "--json" } else { "--pid" };
        return Err(BadUsage(format!("{name} goes with --diagnose")));
    }
    match (pause, diagnose) {
        (true, true) => Err(BadUsage("give either --pause or --diagnose".into())),
        (true, false) | (false, true) if has_program => {
            let name = if pause { "--pause" } else { "--diagnose" };
            Err(BadUsage(format!("{name} takes no program")))
        }
        (true, false) => Ok(Command::Pause(Box::new(std::mem::take(options)))),
        (false, true) => Ok(Command::Diagnose { json, pid }),
        (false, false) if !has_program => {
            Err(BadUsage("no program given; usage: rinit [OPTIONS] [--] PROGRAM [ARGS...] (see rinit --help)".into()))
        }
        (false, false) => Ok(Command::Run(Box::new(std::mem::take(options)))),
    }
}

fn help(value: Option<OsString>) -> Result<Command, BadUsage> {
    match value {
        None => Ok(Command::Help { all: false }),
        Some(value) if value == "all" => Ok(Command::Help { all: true }),
        Some(value) => Err(quoted(&value.to_string_lossy(), "give --help or --help=all")),
    }
}

impl Given {
    fn set(&mut self, name: &str, set: impl FnOnce()) {
        self.names.push(name.to_owned());
        set();
    }

    fn note(&mut self, name: &str, value: &OsStr) {
        if name == "rewrite" {
            self.rules.push(value.to_string_lossy().into_owned());
        } else {
            self.names.push(name.to_owned());
        }
    }

    fn has(&self, option: &str) -> bool {
        let name = if matches!(option, "verbose" | "quiet") { "loudness" } else { option };
        self.names.iter().any(|given| given == name)
    }
}

/// Sets options from variables if no flag sets them. If a flag is given, a wrong value of its variable does no harm.
fn set_variables(
    options: &mut Options,
    variable: impl Fn(&str) -> Option<OsString>,
    given: &Given,
) -> Result<(), BadUsage> {
    options.rewrite = Rewrite::default();
    for &(name, option) in VARIABLES {
        if !given.has(option) {
            set_variable(options, &variable, (name, option))?;
        }
    }
    // They have been read without an error before.
    given.rules.iter().try_for_each(|rule| add_rule(&mut options.rewrite, rule))
}

fn set_variable(
    options: &mut Options,
    variable: impl Fn(&str) -> Option<OsString>,
    (name, option): (&str, &str),
) -> Result<(), BadUsage> {
    // Set to nothing is not set, as compose files and Helm charts write it.
    let Some(value) = variable(name).filter(|value| !value.is_empty()) else { return Ok(()) };
    let set = |value: OsString| set(options, option, value).map_err(|BadUsage(why)| BadUsage(format!("{name}: {why}")));
    match option {
        // A list: a variable cannot be given twice.
        "rewrite" | "rlimit" => {
            let text = value.to_string_lossy().into_owned();
            text.split([',', ' ']).filter(|part| !part.is_empty()).map(OsString::from).try_for_each(set)
        }
        _ => std::iter::once(value).try_for_each(set),
    }
}

/// The options that the variables `RINIT_…` ask for.
pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<Options, BadUsage> {
    let mut options = Options::default();
    set_variables(&mut options, variable, &Given::default())?;
    Ok(options)
}

/// Every option: short letters, long name, and whether it takes a value. Tests compare manual page, help, completions and parser
/// with this list.
pub const OPTIONS: &[(&str, &str, bool)] = &[
    ("r", "rewrite", true),
    ("g", "", false),
    ("c", "single-child", false),
    ("", "to", true),
    ("", "forward", true),
    ("", "stop-signal", true),
    ("", "stop-delay", true),
    ("", "grace", true),
    ("", "last-call", true),
    ("", "on-main-exit", true),
    ("", "drain", true),
    ("", "user", true),
    ("", "workdir", true),
    ("", "env", true),
    ("", "rlimit", true),
    ("", "umask", true),
    ("", "session", false),
    ("p", "parent-death-signal", true),
    ("s", "subreaper", false),
    ("", "no-subreaper", false),
    ("e", "", true),
    ("", "mirror-signal", false),
    ("v", "verbose", false),
    ("q", "quiet", false),
    ("w", "warn-on-reap", false),
    ("", "log-format", true),
    ("P", "pause", false),
    ("", "diagnose", false),
    ("", "json", false),
    ("", "pid", true),
    ("h", "help", false),
    ("V", "version", false),
    ("lL", "license", false),
];

fn takes_value(long: &str) -> bool {
    OPTIONS.iter().any(|(_, name, value)| *value && *name == long)
}

/// Environment variables and the options they stand for.
const VARIABLES: &[(&str, &str)] = &[
    ("RINIT_TO", "to"),
    ("RINIT_FORWARD", "forward"),
    ("RINIT_STOP_SIGNAL", "stop-signal"),
    ("RINIT_STOP_DELAY", "stop-delay"),
    ("RINIT_GRACE", "grace"),
    ("RINIT_LAST_CALL", "last-call"),
    ("RINIT_DRAIN", "drain"),
    ("RINIT_ON_MAIN_EXIT", "on-main-exit"),
    ("RINIT_REWRITE", "rewrite"),
    ("RINIT_RLIMIT", "rlimit"),
    ("RINIT_UMASK", "umask"),
    ("RINIT_VERBOSE", "verbose"),
    ("RINIT_QUIET", "quiet"),
    ("RINIT_LOG_FORMAT", "log-format"),
];

/// Sets one option from its value.
fn set(options: &mut Options, name: &str, value: OsString) -> Result<(), BadUsage> {
    match name {
        "workdir" if value.is_empty() => return Err(BadUsage("give a directory".into())),
        "workdir" => options.workdir = Some(value.into()),
        "env" => options.env.push(name_and_value(&value)?),
        _ => return set_text(options, name, &value.string().map_err(bad)?),
    }
    Ok(())
}

fn set_text(options: &mut Options, name: &str, text: &str) -> Result<(), BadUsage> {
    match name {
        "rewrite" => add_rule(&mut options.rewrite, text)?,
        "rlimit" => options.limits.push(Limit::parse(text).map_err(|why| quoted(text, why))?),
        "umask" => options.umask = Some(limits::mask(text).map_err(|why| quoted(text, why))?),
        "log-format" => options.log_format = one_of(text, &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
        "verbose" => options.verbosity = one_of(text, &[("0", 0), ("1", 1), ("2", 2), ("3", 3)])?,
        "quiet" => options.quiet = one_of(text, &[("1", true), ("0", false)])?,
        "to" => {
            options.to =
                one_of(text, &[("main", ForwardTo::Main), ("group", ForwardTo::Group), ("all", ForwardTo::All)])?
        }
        "forward" => {
            options.forward = one_of(text, &[("all", ForwardFilter::All), ("handled", ForwardFilter::Handled)])?
        }
        "on-main-exit" => {
            let known = [
                ("drain", OnMainExit::Drain),
                ("wait", OnMainExit::Wait),
                ("finish", OnMainExit::Finish),
                ("exit", OnMainExit::Exit),
            ];
            options.on_main_exit = Some(one_of(text, &known)?);
        }
        "stop-signal" => {
            for name in text.split(',') {
                options.stop_signals.push(catchable(name)?);
            }
        }
        "stop-delay" => options.stop_delay = Some(duration(text)?),
        "grace" => options.grace = Some(duration(text)?),
        "last-call" => options.last_call = Some(duration(text)?),
        "drain" => options.drain = Some(duration(text)?),
        "user" if text.is_empty() => return Err(BadUsage("give USER or USER:GROUP".into())),
        "user" => options.user = Some(text.to_owned()),
        "parent-death-signal" => options.parent_death_signal = Some(signal(text)?),
        "ok-exit" => {
            let code = text.parse().map_err(|_| quoted(text, "not an exit code: give a number from 0 to 255"))?;
            options.ok_codes.push(code);
        }
        _ => return Err(BadUsage(format!("unknown option {name}"))),
    }
    Ok(())
}

fn process_id(value: &OsStr) -> Result<Pid, BadUsage> {
    let text = value.to_string_lossy();
    let pid = text.parse().ok().and_then(Pid::new);
    pid.ok_or_else(|| BadUsage(format!("--pid: '{text}': not a process id: give a number from 1 up")))
}

/// A rule for a signal that rinit forwards.
fn add_rule(rewrite: &mut Rewrite, rule: &str) -> Result<(), BadUsage> {
    let from = rule.split(['=', ':']).next().unwrap_or_default();
    if from.parse() == Ok(Signal::CHLD) {
        return Err(quoted(rule, "rinit needs SIGCHLD for itself and never forwards it"));
    }
    rewrite.add(rule).map_err(|error| BadUsage(error.to_string()))
}

/// A signal that rinit can be sent by another process and act on.
fn catchable(text: &str) -> Result<Signal, BadUsage> {
    match signal(text)? {
        Signal::KILL | Signal::STOP => Err(quoted(text, "no process can catch this signal")),
        Signal::CHLD => Err(quoted(text, "rinit needs SIGCHLD for itself")),
        signal => Ok(signal),
    }
}

fn signal(text: &str) -> Result<Signal, BadUsage> {
    text.parse().map_err(|error: UnknownSignal| BadUsage(error.to_string()))
}

fn duration(text: &str) -> Result<Duration, BadUsage> {
    rinit_core::__parse_duration(text).ok_or_else(|| {
        BadUsage(format!("'{text}' is not a duration: give for example 500ms, 10s, 1m30s, or a number of seconds"))
    })
}

fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, BadUsage> {
    let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        quoted(text, format_args!("give {}", names.join(" or ")))
    })
}

fn name_and_value(entry: &OsStr) -> Result<(OsString, OsString), BadUsage> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = entry.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) if at > 0 => {
            let (name, value) = bytes.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            Ok((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
        }
        _ => Err(quoted(&entry.to_string_lossy(), "not a variable: give NAME=VALUE")),
    }
}

fn quoted(text: &str, why: impl Display) -> BadUsage {
    BadUsage(format!("'{text}': {why}"))
}

fn bad(error: lexopt::Error) -> BadUsage {
    BadUsage(format!("{error} (see rinit --help)"))
}

#[cfg(test)]
mod tests;
