//! Turns events into lines.

pub(crate) mod record;

use crate::args::{LogFormat, Options};
use record::{Level, Record};
use rinit_core::diagnose::Survivor;
use rinit_core::init::{Event, NextStep, WithheldReason};
use rinit_core::policy::{ForwardTo, KillLimit};
use rinit_core::{__Seconds as Seconds, Error, ExitStatus, Pid, Signal, SignalSet};
use std::fmt::Arguments;
use std::time::Duration;

/// Prints the events of a run that the user wants to see.
#[derive(Debug)]
pub(crate) struct Observer {
    verbosity: u8,
    orphans: bool,
    lowest: Level,
    format: LogFormat,
    stop_delay: Duration,
    main: Option<Pid>,
    /// Signals that main has got from rinit or from its terminal.
    sent: SignalSet,
    /// The record of main's KILL. It is held until the next event, which may explain the KILL.
    unexplained: Option<Record>,
}

impl Observer {
    pub(crate) fn new(options: &Options, verbosity: u8) -> Self {
        Self {
            verbosity,
            orphans: options.warn_on_reap,
            lowest: if options.quiet { Level::Error } else { Level::Debug },
            format: options.log_format,
            stop_delay: options.stop_delay.unwrap_or_default(),
            main: None,
            sent: SignalSet::empty(),
            unexplained: None,
        }
    }

    pub(crate) fn observe(&mut self, event: &Event) {
        match event {
            Event::OutOfMemory { main: true, .. } => self.unexplained = None,
            _ => self.write_unexplained(),
        }
        self.note(event);
        if warning(event) {
            describe(event, &mut |record| self.write(&record));
            return;
        }
        match event {
            Event::Reaped { pid, status, main: true } => self.main_reaped(*pid, *status),
            Event::Withheld { signal, why: WithheldReason::Delayed } if !self.stop_delay.is_zero() => {
                // Once.
                let delay = std::mem::take(&mut self.stop_delay);
                let seconds = Seconds(delay);
                let message =
                    format!("holding {signal} back for {seconds} s (--stop-delay); a second one ends the delay");
                let record = Record::new(Level::Info, "stop-delayed", message);
                self.write(&record.signal(*signal).seconds("delay", delay));
            }
            _ if self.verbosity >= self.needed(event) => describe(event, &mut |record| self.write(&record)),
            _ => {}
        }
    }

    /// How often `-v` has to be given for this event.
    const fn needed(&self, event: &Event) -> u8 {
        match event {
            Event::Reaped { main: false, .. } if self.orphans => 0,
            Event::Spawned { .. } | Event::Killed { .. } => 1,
            Event::Forwarded { .. } | Event::Withheld { .. } | Event::Terminated { .. } => 2,
            _ => 3,
        }
    }

    /// Records the signals that main was sent.
    fn note(&mut self, event: &Event) {
        let sent = match event {
            Event::Spawned { pid } => {
                self.main = Some(*pid);
                return;
            }
            Event::Forwarded { signal, .. } | Event::Withheld { signal, why: WithheldReason::SentByTerminal } => {
                *signal
            }
            Event::Terminated { pid, signal } if self.main == Some(*pid) => *signal,
            Event::Killed { pid } if self.main == Some(*pid) => Signal::KILL,
            _ => return,
        };
        self.sent = self.sent.with(sent);
    }

    fn main_reaped(&mut self, pid: Pid, status: ExitStatus) {
        let record = |level, message| Record::new(level, "main-exited", message).pid("pid", pid).status(status);
        match status.signal() {
            // A terminal sends INT to main's group by itself, and a pipe whose reader is gone is not a fault.
            Some(signal) if !self.sent.contains(signal) && !matches!(signal, Signal::INT | Signal::PIPE) => {
                let message = format!("main (pid {pid}) {}; rinit did not send that signal", exited(status));
                let record = record(Level::Warning, message).flag("sent_by_rinit", false);
                if signal == Signal::KILL {
                    self.unexplained = Some(record);
                } else {
                    self.write(&record);
                }
            }
            _ if self.verbosity >= 1 => {
                self.write(&record(Level::Info, format!("main (pid {pid}) {}", exited(status))))
            }
            _ => {}
        }
    }

    fn write_unexplained(&mut self) {
        if let Some(record) = self.unexplained.take() {
            self.write(&record);
        }
    }

    fn write(&self, record: &Record) {
        if record.level >= self.lowest {
            record.write(self.format);
        }
    }
}

/// Writes the record of main's KILL if the run is over and no event has explained it.
impl Drop for Observer {
    fn drop(&mut self) {
        self.write_unexplained();
    }
}

/// True if the event says that something is slow or wrong.
pub(crate) const fn warning(event: &Event) -> bool {
    matches!(
        event,
        Event::Remaining { .. }
            | Event::NotPermitted { .. }
            | Event::OutOfMemory { .. }
            | Event::Frozen { .. }
            | Event::Error { .. }
    )
}

/// Prints the event if something is slow or wrong; false if it is not that kind of event.
pub(crate) fn warn(event: &Event, print: &mut dyn FnMut(Arguments<'_>)) -> bool {
    let is_warning = warning(event);
    if is_warning {
        describe(event, &mut |record| print(format_args!("{}", record.message)));
    }
    is_warning
}

/// The lines for an event: the one place that gives it words and fields.
fn describe(event: &Event, write: &mut dyn FnMut(Record)) {
    let record = |level, name, message| Record::new(level, name, message);
    write(match event {
        Event::Remaining { next, main, kill_in, limit, main_refused, survivors, more } => {
            let stop = Stop {
                next: *next,
                main: *main,
                main_refused: *main_refused,
                kill_in: *kill_in,
                limit: *limit,
                count: survivors.len() + more,
            };
            remaining(stop, survivors, *more, write);
            return;
        }
        Event::NotPermitted { pid, signal, uid } => {
            let user = uid.map_or(String::from("another user"), |uid| format!("uid {uid}"));
            // The user's own processes need no capability.
            let is_filtered = *uid == Some(rustix::process::geteuid().as_raw());
            let (message, remedy) = if is_filtered {
                let message =
                    format!("may not send {signal} to pid {pid}: a seccomp filter or a security module refuses it");
                (message, "allow kill(2) in the seccomp profile")
            } else {
                let message = format!(
                    "may not send {signal} to pid {pid}: it runs as {user}, and rinit does not have the capability CAP_KILL"
                );
                (message, "give the container the capability CAP_KILL")
            };
            let record = record(Level::Warning, "not-permitted", message).pid("pid", *pid).signal(*signal);
            let record = if let Some(uid) = uid { record.number("uid", *uid) } else { record };
            record.text("remedy", remedy)
        }
        Event::OutOfMemory { pid, main, kills } => {
            let which = if *main { "main" } else { "an orphan" };
            let count = processes(usize::try_from(*kills).unwrap_or(usize::MAX));
            let message = format!(
                "{which} (pid {pid}) was killed, and not by rinit; probably out of memory (OOM): the kernel has killed {count} \
                 in this container"
            );
            let record = record(Level::Warning, "out-of-memory", message).pid("pid", *pid).flag("main", *main);
            record.number("kills", *kills).text("remedy", "raise the container's memory limit, or use less memory")
        }
        Event::Frozen { time } => {
            // To a tenth.
            let seconds = Seconds(Duration::new(time.as_secs(), time.subsec_millis() / 100 * 100_000_000));
            let message = format!("the container was frozen for {seconds} s: the times of the stop stood still");
            record(Level::Warning, "frozen", message).seconds("time_frozen", *time)
        }
        Event::Error { what } => record(Level::Error, "error", what.clone()),
        Event::Reaped { pid, status, main: false } => {
            let message = format!("reaped orphan pid {pid}, which {}", exited(*status));
            record(Level::Info, "orphan-reaped", message).pid("pid", *pid).status(*status)
        }
        Event::Spawned { pid } => {
            record(Level::Info, "main-started", format!("started main as pid {pid}")).pid("pid", *pid)
        }
        Event::Received(received) => {
            let signal = received.signal();
            let name = "signal-received";
            match received.sender() {
                Some(pid) => record(Level::Debug, name, format!("received {signal} from pid {pid}"))
                    .signal(signal)
                    .pid("sender", pid),
                None => record(Level::Debug, name, format!("received {signal}")).signal(signal),
            }
        }
        Event::Forwarded { signal, to } => {
            let to = recipient(*to);
            let message = format!("forwarded {signal} to {to}");
            record(Level::Debug, "signal-forwarded", message).signal(*signal).text("to", to)
        }
        Event::Withheld { signal, why } => {
            let why = reason(*why);
            let message = format!("did not forward {signal}: {why}");
            record(Level::Debug, "signal-not-forwarded", message).signal(*signal).text("reason", why)
        }
        Event::Terminated { pid, signal } => {
            record(Level::Debug, "signal-sent", format!("sent {signal} to pid {pid}")).pid("pid", *pid).signal(*signal)
        }
        Event::Killed { pid } => record(Level::Info, "signal-sent", format!("sent SIGKILL to pid {pid}"))
            .pid("pid", *pid)
            .signal(Signal::KILL),
        _ => return,
    });
}

/// Where a stop stands.
#[derive(Debug, Clone, Copy)]
struct Stop {
    next: NextStep,
    main: Option<ExitStatus>,
    main_refused: bool,
    kill_in: Option<Duration>,
    limit: Option<KillLimit>,
    count: usize,
}

fn remaining(stop: Stop, survivors: &[Survivor], more: usize, write: &mut dyn FnMut(Record)) {
    let Stop { main, kill_in, limit, count, .. } = stop;
    let step = match stop.next {
        NextStep::Terminate => "terminate",
        NextStep::LastCall => "last-call",
        NextStep::Kill => "kill",
        NextStep::TerminateThenKill => "terminate-then-kill",
        NextStep::Leave => "leave",
        _ => "wait",
    };
    let heading = Record::new(Level::Warning, "remaining", heading(stop));
    let heading = heading.text("step", step).number("processes", count);
    let heading = if let Some(time) = kill_in { heading.seconds("kill_in", time) } else { heading };
    let heading = match limit {
        Some(KillLimit::Grace) => heading.text("limit", "grace"),
        Some(KillLimit::Drain) => heading.text("limit", "drain"),
        Some(_) => heading.text("limit", "default-drain"),
        None => heading,
    };
    write(if let Some(status) = main { heading.number("main_exit_status", status.exit_code()) } else { heading });
    for survivor in survivors {
        let record = Record::new(Level::Warning, "survivor", format!("  {survivor}")).pid("pid", survivor.pid);
        let record = record.number("ppid", survivor.ppid.map_or(0, Pid::get)).text("command", &survivor.command);
        let record = record.text("state", survivor.state).seconds("age", survivor.age);
        let record = record.text("reason", survivor.reason.code()).text("reason_text", &survivor.reason);
        let record = if let Some(uid) = survivor.uid { record.number("uid", uid) } else { record };
        write(if let Some(remedy) = survivor.remedy() { record.text("remedy", remedy) } else { record });
    }
    if more > 0 {
        write(Record::new(Level::Warning, "more-survivors", format!("  and {more} more")).number("processes", more));
    }
}

/// Why rinit failed, or main was not started.
pub(crate) fn failure(error: &Error, exit_status: u8) -> Record {
    let remedy = remedy_of(error);
    let message = remedy.as_ref().map_or_else(|| error.to_string(), |remedy| format!("{error}; {remedy}"));
    let record = Record::new(Level::Error, "failed", message).number("exit_status", exit_status);
    if let Some(remedy) = remedy { record.text("remedy", remedy) } else { record }
}

/// What helps where main's name is a whole command line, `docker run IMAGE "npm start"`, or an option, `docker run IMAGE --grace
/// 2s`.
pub(crate) fn remedy_of(error: &Error) -> Option<String> {
    let Error::NotFound { program, .. } = error else { return None };
    if program.starts_with('-') {
        return Some(
            "options of rinit come before --, or from a RINIT_ variable; what follows is the program".to_owned(),
        );
    }
    let words: Vec<&str> = program.split(' ').collect();
    let is_command_line = words.len() > 1 && words.first().is_some_and(|word| !word.is_empty());
    is_command_line.then(|| {
        let list = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        format!("there is a space in that name: give the program and its arguments as separate words ([{list}])")
    })
}

/// The status as a verb phrase: `exited with status 0`, `was killed by SIGTERM`.
fn exited(status: ExitStatus) -> String {
    if status.signal().is_some() { format!("was {status}") } else { status.to_string() }
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

/// The first line of a report: how main exited, how many processes remain, and what happens to them next.
fn heading(stop: Stop) -> String {
    let Stop { next, main, main_refused, kill_in, limit, count } = stop;
    let before = match main {
        Some(status) => format!("main {}; ", exited(status)),
        None => String::new(),
    };
    let those = processes(count);
    let are = if count == 1 { "is" } else { "are" };
    let running = format!("{before}{those} {are} still running");
    let kill_in = kill_in.unwrap_or_default();
    // A whole second that has begun counts.
    let seconds = kill_in.as_secs() + u64::from(kill_in.subsec_nanos() > 0);
    let milliseconds = u64::try_from(kill_in.as_millis()).unwrap_or(u64::MAX);
    let name = match limit {
        Some(KillLimit::Grace) => "--grace",
        Some(KillLimit::Drain) => "--drain",
        _ => "after 10 s, --drain",
    };
    let follows = match limit {
        Some(_) => format!("SIGKILL follows in {seconds} s ({name})"),
        None => "no SIGKILL follows without --grace".to_owned(),
    };
    match next {
        NextStep::Terminate if main_refused => format!("{running}; {follows}:"),
        NextStep::Terminate => format!("{running}, asked to stop (SIGTERM, from the top); {follows}:"),
        NextStep::LastCall => format!("{running} after the last call (SIGTERM to all, --last-call); {follows}:"),
        NextStep::Kill if limit.is_none() => {
            format!("{before}no process that remains can act on SIGTERM, killing (SIGKILL) {those}:")
        }
        NextStep::Kill => format!("{before}time is up ({name}), killing (SIGKILL) {those}:"),
        NextStep::TerminateThenKill if limit.is_none() => {
            format!("{before}asking (SIGTERM) {those}, SIGKILL in {milliseconds} ms:")
        }
        NextStep::TerminateThenKill => {
            format!("{before}time is up ({name}), asking (SIGTERM) {those}, SIGKILL in {milliseconds} ms:")
        }
        NextStep::Leave => format!("{before}leaving {those} that rinit cannot terminate:"),
        _ if main.is_none() && !main_refused => format!(
            "still waiting for {those}; {follows}; if main stops on another signal than it got, rewrite it (-r TERM=INT):"
        ),
        _ => format!("{before}still waiting for {those}; {follows}:"),
    }
}

fn recipient(to: ForwardTo) -> &'static str {
    match to {
        ForwardTo::Main => "main",
        ForwardTo::Group => "main's process group",
        _ => "all descendants",
    }
}

fn reason(why: WithheldReason) -> &'static str {
    match why {
        WithheldReason::Dropped => "a --rewrite rule drops it",
        WithheldReason::Unhandled => "main does not handle it (--forward handled)",
        WithheldReason::SentByTerminal => "the terminal has already sent it to main",
        WithheldReason::Delayed => "held back for --stop-delay",
        _ => "no process is left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_counts_is_named() {
        let line = |next, limit: Option<KillLimit>| {
            let kill_in = limit.map(|_| Duration::from_millis(1900));
            heading(Stop { next, main: Some(ExitStatus::Code(0)), main_refused: false, kill_in, limit, count: 1 })
        };
        for (limit, name) in [
            (KillLimit::Grace, "(--grace)"),
            (KillLimit::Drain, "(--drain)"),
            (KillLimit::DefaultDrain, "(after 10 s, --drain)"),
        ] {
            let follows = line(NextStep::Terminate, Some(limit));
            assert!(follows.ends_with(&format!("; SIGKILL follows in 2 s {name}:")), "{follows}");
            let killing = line(NextStep::Kill, Some(limit));
            assert!(killing.ends_with(&format!("; time is up {name}, killing (SIGKILL) 1 process:")), "{killing}");
        }
        assert!(line(NextStep::Wait, None).ends_with("; no SIGKILL follows without --grace:"));
        assert!(line(NextStep::Kill, None).contains("no process that remains can act on SIGTERM"));
    }

    #[test]
    fn a_main_that_was_refused_was_not_asked() {
        let line =
            |next, main_refused| heading(Stop { next, main: None, main_refused, kill_in: None, limit: None, count: 2 });
        assert!(line(NextStep::Terminate, false).contains("asked to stop"));
        assert!(line(NextStep::Wait, false).contains("rewrite it"));
        assert_eq!(
            line(NextStep::Terminate, true),
            "2 processes are still running; no SIGKILL follows without --grace:"
        );
        assert_eq!(line(NextStep::Wait, true), "still waiting for 2 processes; no SIGKILL follows without --grace:");
    }

    #[test]
    fn a_command_line_as_a_name_gets_a_hint() {
        let error = |program: &str| Error::NotFound {
            program: program.to_owned(),
            searched: " in PATH (/bin)".to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        assert_eq!(
            failure(&error("npm start"), 127).message,
            "npm start: not found in PATH (/bin); there is a space in that name: give the program and its arguments as \
             separate words ([\"npm\", \"start\"])"
        );
        assert!(failure(&error("--grace"), 127).message.ends_with(
            "; options of rinit come before --, or from a RINIT_ variable; \
             what follows is the program"
        ));
        for name in ["npm", "", " npm"] {
            assert_eq!(remedy_of(&error(name)), None, "{name:?}");
        }
    }
}
