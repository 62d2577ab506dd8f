//! Which events become lines, and which lines.

use crate::output::say;
use rinit_core::ExitStatus;
use rinit_core::init::{Event, NextStep, WithheldReason};
use rinit_core::policy::ForwardTo;
use std::fmt::Arguments;
use std::time::Duration;

/// What the user wants to hear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) verbosity: u8,
    pub(crate) orphans: bool,
}

/// Says of an event that something is slow or wrong; false if it is not that kind of event.
pub(crate) fn warn(event: &Event, say: &mut dyn FnMut(Arguments<'_>)) -> bool {
    match event {
        Event::Remaining { next, main, kill_in, survivors, more } => {
            say(format_args!("{}", heading(*next, *main, *kill_in, survivors.len() + more)));
            for survivor in survivors {
                say(format_args!("  {survivor}"));
            }
            if *more > 0 {
                say(format_args!("  and {more} more"));
            }
        }
        Event::NotPermitted { pid, signal, uid } => {
            let user = uid.map_or(String::from("another user"), |uid| format!("uid {uid}"));
            say(format_args!(
                "may not send {signal} to pid {pid}: it runs as {user}, and rinit does not have the capability CAP_KILL"
            ));
        }
        Event::OutOfMemory { pid, main, kills } => {
            let which = if *main { "main" } else { "an orphan" };
            say(format_args!(
                "{which} (pid {pid}) was killed, and not by rinit: out of memory (OOM), the kernel has killed {} in this \
                 container",
                processes(usize::try_from(*kills).unwrap_or(usize::MAX))
            ));
        }
        Event::Frozen { time } => {
            let seconds = time.as_secs_f32();
            say(format_args!("the container was frozen for {seconds:.1} s: the times of the stop stood still"));
        }
        Event::Error { what } => say(format_args!("{what}")),
        _ => return false,
    }
    true
}

/// Says what is worth saying of an event.
pub(crate) fn observe(wanted: Wanted, event: &Event) {
    if warn(event, &mut say) {
        return;
    }
    match event {
        Event::Reaped { pid, status, main: false } if wanted.orphans || wanted.verbosity >= 3 => {
            say(format_args!("reaped orphan pid {pid}, which {}", exited(*status)));
        }
        Event::Reaped { pid, status, main: true } if wanted.verbosity >= 1 => {
            say(format_args!("main (pid {pid}) {}", exited(*status)));
        }
        Event::Spawned { pid } if wanted.verbosity >= 1 => say(format_args!("started main as pid {pid}")),
        Event::Received(received) if wanted.verbosity >= 3 => match received.sender() {
            Some(pid) => say(format_args!("received {} from pid {pid}", received.signal())),
            None => say(format_args!("received {}", received.signal())),
        },
        Event::Forwarded { signal, to } if wanted.verbosity >= 2 => {
            say(format_args!("forwarded {signal} to {}", recipient(*to)));
        }
        Event::Withheld { signal, why } if wanted.verbosity >= 2 => {
            say(format_args!("did not forward {signal}: {}", reason(*why)));
        }
        Event::Terminated { pid, signal } if wanted.verbosity >= 2 => say(format_args!("sent {signal} to pid {pid}")),
        Event::Killed { pid } if wanted.verbosity >= 1 => say(format_args!("sent SIGKILL to pid {pid}")),
        _ => {}
    }
}

/// As the verb of a sentence.
fn exited(status: ExitStatus) -> String {
    if status.signal().is_some() { format!("was {status}") } else { status.to_string() }
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

/// What happened before, how many processes are left, and what becomes of them.
fn heading(next: NextStep, main: Option<ExitStatus>, kill_in: Option<Duration>, count: usize) -> String {
    let before = match main {
        Some(status) => format!("main {}; ", exited(status)),
        None => String::new(),
    };
    let those = processes(count);
    let are = if count == 1 { "is" } else { "are" };
    let running = format!("{before}{those} {are} still running");
    let limit = match kill_in {
        Some(time) => format!("SIGKILL follows in {:.0} s (--grace, --drain)", time.as_secs_f32().ceil()),
        None => "no SIGKILL follows without --grace".to_owned(),
    };
    match next {
        NextStep::Terminate => format!("{running}, asked to stop (SIGTERM, from the top); {limit}:"),
        NextStep::LastCall => format!("{running} after the last call (SIGTERM to all, --last-call); {limit}:"),
        NextStep::Kill => format!("{before}time is up (--grace, --drain), killing (SIGKILL) {those}:"),
        NextStep::Leave => format!("{before}leaving {those} that rinit cannot terminate:"),
        _ if main.is_none() => format!(
            "still waiting for {those}; {limit}; if main stops on another signal than it got, rewrite it (-r TERM=INT):"
        ),
        _ => format!("{before}still waiting for {those}; {limit}:"),
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
