//! Which events become lines, and which lines.

use crate::output::say;
use rinit_core::init::{Event, NextStep, WithheldReason};
use rinit_core::policy::ForwardTo;
use std::fmt::Arguments;

/// What the user wants to hear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) verbosity: u8,
    pub(crate) orphans: bool,
}

/// Says of an event that something is slow or wrong; false if it is not that kind of event.
pub(crate) fn warn(event: &Event, say: &mut dyn FnMut(Arguments<'_>)) -> bool {
    match event {
        Event::Remaining { next, survivors, more } => {
            say(format_args!("{}", heading(*next, survivors.len() + more)));
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
                "may not send {signal} to pid {pid}: it runs as {user}, and rinit has not the capability CAP_KILL"
            ));
        }
        Event::OutOfMemory { pid, main, kills } => {
            let who = if *main { "main" } else { "an orphan" };
            let times = if *kills == 1 { "1 process".to_owned() } else { format!("{kills} processes") };
            say(format_args!(
                "{who} (pid {pid}) was killed, and not by rinit: the kernel has ended {times} of this container \
                 because its memory was used up"
            ));
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
            say(format_args!("reaped orphan pid {pid}, which {status}"));
        }
        Event::Reaped { pid, status, main: true } if wanted.verbosity >= 1 => {
            say(format_args!("main (pid {pid}) {status}"));
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

fn heading(next: NextStep, count: usize) -> String {
    let those = if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
    match next {
        NextStep::Terminate => format!("telling what remains to end (SIGTERM), {those}:"),
        NextStep::Kill => format!("time is up, killing (SIGKILL) {those}:"),
        NextStep::Leave => format!("leaving {those} that rinit cannot end:"),
        _ => format!("still waiting for {those} to end:"),
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
        _ => "nobody is left",
    }
}
