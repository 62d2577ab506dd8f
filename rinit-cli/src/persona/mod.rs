//! Other init programs that rinit stands in for, by the name under which it is started.
//!
//! A persona reads its original's command line and variables into the same [`Options`] that rinit's own command line gives, and
//! prints events in its original's words. It decides nothing else: everything after that is the same as under rinit's own name.
//! `docs/personas.md` lists the differences from the originals.

mod catatonit;
mod dumb_init;
mod getopt;
mod pidunu;
mod rinit;
mod tini;

pub(crate) use rinit::FAILED;

use crate::args::{BadUsage, Command, Options, Page, Stream, from_environment};
use crate::messages::remedy_of;
use crate::output::visible;
use rinit_core::init::Event;
use rinit_core::policy::OnMainExit;
use rinit_core::signal::Rewrite;
use rinit_core::{Error, Report, Signal};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The surroundings that a persona's command line depends on.
pub(crate) struct Invocation<'a> {
    /// An environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// True if rinit is PID 1 of its namespace.
    pub(crate) is_init: bool,
}

/// A program that rinit can be.
pub(crate) trait Persona {
    /// Reads the command line, the program's own name first.
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command;

    /// Prints those events of a run, which is about to begin, that the user should see.
    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)>;

    /// Prints why nothing was started, or why pausing failed.
    fn failed(&self, options: &Options, error: &Error);

    /// The exit status for that.
    fn exit_status(&self, error: &Error) -> u8;

    /// How often `-v` was given, where the original counts it otherwise.
    fn verbosity(&self, _options: &Options) -> u8 {
        0
    }

    /// Prints how the run has finished.
    fn ended(&self, _options: &Options, _report: &Report) {}
}

/// The persona for the name, a path as in `argv[0]`; rinit itself for every other name.
///
/// Beside the programs' own names there are those under which their authors publish them (`tini-static-amd64`,
/// `dumb-init_1.2.5_x86_64`, `catatonit.x86_64`), and that under which Podman mounts catatonit.
pub(crate) fn named(argv0: &OsStr) -> &'static dyn Persona {
    let name = String::from_utf8_lossy(base_name(argv0));
    match &*name {
        "tini" | "docker-init" => &tini::Tini,
        "dumb-init" => &dumb_init::DumbInit,
        "catatonit" | "podman-init" => &catatonit::Catatonit,
        "pidunu" => &pidunu::Pidunu,
        name if name.starts_with("tini-") => &tini::Tini,
        name if name.starts_with("dumb-init_") => &dumb_init::DumbInit,
        name if name.starts_with("catatonit.") => &catatonit::Catatonit,
        _ => &rinit::Rinit,
    }
}

fn base_name(path: &OsStr) -> &[u8] {
    path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The name that usage texts show.
fn shown_name(arguments: &[OsString]) -> String {
    arguments.first().map_or_else(String::new, |name| visible(OsStr::from_bytes(base_name(name))))
}

fn page(to: Stream, status: u8, text: impl Into<String>) -> Command {
    Command::Print(Page { text: text.into(), to, status })
}

/// The options to start with: rinit's own variables, so that what the originals have no flag for can be set.
fn options(around: &Invocation<'_>, bad_usage: u8) -> Result<Options, Command> {
    let options = from_environment(around.variable);
    let options = options
        .map_err(|BadUsage(why)| page(Stream::Error, bad_usage, format!("rinit: {}\n", visible(why.as_ref()))))?;
    // The originals have flags and variables of their own for that.
    Ok(Options { verbosity: 0, report_at_once: false, forward_alarm: true, ..options })
}

/// If it is not PID 1, an original that is not a subreaper leaves processes alone that have left main's group: for example a
/// virtual machine that libvirt has started, in the PID namespace of the host. rinit in its place does so too, unless
/// `RINIT_ON_MAIN_EXIT` says otherwise.
fn leave_alone(options: &mut Options, around: &Invocation<'_>, on_main_exit: OnMainExit) {
    if !around.is_init && options.subreaper.is_none() {
        options.subreaper = Some(false);
        options.on_main_exit.get_or_insert(on_main_exit);
    }
}

/// Puts the first operand as the program and the others as its arguments; false if there is none.
fn set_program(options: &mut Options, operands: Vec<OsString>) -> bool {
    let mut operands = operands.into_iter();
    let program = operands.next();
    let given = program.is_some();
    options.program = program.unwrap_or_default();
    options.arguments = operands.collect();
    given
}

/// Drops signals that the original does not forward.
fn drop_signals(rewrite: &mut Rewrite, signals: impl IntoIterator<Item = Signal>) {
    for signal in signals {
        rewrite.set(signal, None);
    }
}

/// Signals that a fault of the program itself raises, and ABRT: tini and catatonit leave them alone.
const FAULTS: [Signal; 7] =
    [Signal::FPE, Signal::ILL, Signal::SEGV, Signal::BUS, Signal::ABRT, Signal::TRAP, Signal::SYS];

/// The two signals that glibc keeps to itself: no program that is linked with it can take them.
fn kept_by_glibc() -> impl Iterator<Item = Signal> {
    (32..Signal::RTMIN.number()).filter_map(Signal::new)
}

/// The kernel's answer to `execve(2)`, as `strerror(3)` puts it, its number, and what rinit has found out beyond it.
struct NotStarted {
    errno: i32,
    text: String,
    cause: String,
}

/// `None` where it was not `execve(2)` that failed.
fn not_started(error: &Error) -> Option<NotStarted> {
    let (source, cause) = match error {
        Error::NotFound { source, searched, .. } => (source, searched.trim_start_matches([':', ' ']).to_owned()),
        Error::NotExecutable { source, reason, .. } => (source, reason.clone()),
        _ => return None,
    };
    let errno = source.raw_os_error().unwrap_or(0);
    let text = source.to_string();
    // std adds the number.
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    let cause = if cause == "no such file" { String::new() } else { cause };
    let parts = [Some(cause), remedy_of(error)].into_iter().flatten().filter(|part| !part.is_empty());
    let cause = parts.collect::<Vec<_>>().join("; ");
    let cause = if cause.is_empty() { cause } else { format!(" ({cause})") };
    Some(NotStarted { errno, text, cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rinit_core::policy::ForwardTo;

    /// A command line under a name, not as PID 1.
    pub(super) fn parse(words: &[&str], variables: &[(&str, &str)]) -> Command {
        let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let around = Invocation { variable: &variable, is_init: false };
        named(arguments.first().map_or(OsStr::new(""), |name| name)).parse(arguments, &around)
    }

    #[track_caller]
    pub(super) fn run(words: &[&str], variables: &[(&str, &str)]) -> Options {
        match parse(words, variables) {
            Command::Run(options) => *options,
            other => panic!("{words:?} gave {other:?}"),
        }
    }

    /// `--diagnose` reads the command lines of the originals. The library cannot use the parsers of this crate, so it has lists.
    #[test]
    fn the_diagnosis_knows_every_option_that_takes_a_value() {
        let source = include_str!("../../../rinit-core/src/diagnose/init_program.rs");
        let list_after = |text: &str| -> Vec<&str> {
            let list = source.split_once(text).and_then(|(_, rest)| rest.split_once(']')).expect("the list").0;
            list.split('"').skip(1).step_by(2).collect()
        };
        for (original, syntax) in
            [("Tini", tini::SYNTAX), ("DumbInit", dumb_init::SYNTAX), ("Catatonit", catatonit::SYNTAX)]
        {
            let takes_value = |letter: u8| syntax.short.windows(2).any(|pair| pair == [letter, b':']);
            let letters: String =
                syntax.short.iter().filter(|letter| takes_value(**letter)).map(|l| char::from(*l)).collect();
            let long = syntax.long.unwrap_or_default().iter().filter(|(_, letter)| takes_value(*letter));
            let known: Vec<&str> = std::iter::once(&*letters).chain(long.map(|(name, _)| *name)).collect();
            assert_eq!(list_after(&format!("Self::{original} => Some(Valued")), known, "{original}");
        }
        let long = dumb_init::SYNTAX.long.unwrap_or_default().iter().map(|(name, _)| *name);
        let (mut abbreviated, mut known) = (list_after("fn dumb_init_option"), long.collect::<Vec<_>>());
        abbreviated.sort_unstable();
        known.sort_unstable();
        assert_eq!(abbreviated, known);
    }

    #[track_caller]
    pub(super) fn printed(words: &[&str], variables: &[(&str, &str)]) -> (Stream, u8, String) {
        match parse(words, variables) {
            Command::Print(Page { text, to, status }) => (to, status, text),
            other => panic!("{words:?} gave {other:?}"),
        }
    }

    #[test]
    fn the_name_decides() {
        assert_eq!(run(&["/usr/bin/dumb-init", "true"], &[]).to, ForwardTo::Group);
        assert_eq!(run(&["dumb-init_1.2.5_x86_64", "true"], &[]).to, ForwardTo::Group);
        for name in ["rinit", "/tini/rinit", "", "/", "my-tini", "dumb-init2", "tini/"] {
            assert_eq!(run(&[name, "true"], &[]).to, ForwardTo::Main, "{name}");
            assert!(!run(&[name, "true"], &[]).session, "{name}");
        }
        for name in ["tini", "/sbin/docker-init", "tini-static", "tini-amd64"] {
            assert_eq!(printed(&[name, "--version"], &[]).2, tini::VERSION, "{name}");
        }
        for name in ["catatonit", "/run/podman-init", "catatonit.x86_64"] {
            assert!(printed(&[name, "-V"], &[]).2.ends_with("_catatonit\n"), "{name}");
        }
    }

    #[test]
    fn rinits_own_variables_work_but_do_not_change_the_target() {
        let variables = [("RINIT_DRAIN", "3s"), ("RINIT_TO", "all")];
        for name in ["tini", "catatonit", "pidunu"] {
            let options = run(&[name, "true"], &variables);
            assert_eq!((options.drain.map(|time| time.as_secs()), options.to), (Some(3), ForwardTo::Main), "{name}");
        }
        let (to, status, text) = printed(&["tini", "true"], &[("RINIT_GRACE", "soon")]);
        assert_eq!((to, status), (Stream::Error, 1));
        assert!(text.starts_with("rinit: RINIT_GRACE: 'soon'"), "{text}");
    }
}
