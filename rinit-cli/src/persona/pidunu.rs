//! pidunu, which has no options at all.

use super::{Invocation, Persona, drop_signals, leave_alone, not_started, options, page, set_program};
use crate::args::{Command, Options, Stream};
use crate::messages;
use crate::output::line;
use rinit_core::init::Event;
use rinit_core::policy::{ForwardTo, OnMainExit};
use rinit_core::{Error, Signal};
use std::ffi::OsString;
use std::fmt::Arguments;
use std::os::unix::ffi::OsStrExt;

/// `EX_OSERR` of `sysexits.h`.
const FAILED: u8 = 71;

fn say(message: Arguments<'_>) {
    line(Stream::Error, "pidunu: ", message);
}

pub(super) struct Pidunu;

impl Persona for Pidunu {
    fn parse(&self, mut arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        let mut options = match options(around, FAILED) {
            Ok(options) => options,
            Err(command) => return command,
        };
        options.to = ForwardTo::Main;
        options.same_group = true;
        if !arguments.is_empty() {
            arguments.remove(0);
        }
        if !set_program(&mut options, arguments) {
            // Nothing to start is nothing to say to the original.
            return page(Stream::Error, FAILED, "");
        }
        if !options.program.as_bytes().contains(&b'/') && !options.program.is_empty() {
            // The program is a path, never searched for in PATH.
            let mut path = OsString::from("./");
            path.push(&options.program);
            options.program = path;
        }
        leave_alone(&mut options, around, OnMainExit::Exit);
        if around.is_init {
            // Elsewhere these terminate the original and leave its child alone; there rinit forwards them.
            drop_signals(&mut options.rewrite, Signal::all().skip(31));
        }
        Command::Run(Box::new(options))
    }

    fn observer(&self, _: &Options) -> Box<dyn FnMut(&Event)> {
        Box::new(|event| {
            messages::warn(event, &mut say);
        })
    }

    fn failed(&self, options: &Options, error: &Error) {
        match not_started(error) {
            Some(failure) => {
                let program = options.program.to_string_lossy();
                let (errno, text) = (failure.errno, failure.text + &failure.cause);
                line(Stream::Error, "", format_args!("failed to exec {program}, errno is {errno}: {text}"));
            }
            None => say(format_args!("{error}")),
        }
    }

    fn exit_status(&self, _: &Error) -> u8 {
        FAILED
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{printed, run};
    use super::*;

    #[test]
    fn every_word_belongs_to_the_program() {
        let options = run(&["pidunu", "/bin/sh", "-c", "--", "x"], &[]);
        assert_eq!((options.program.to_str(), options.same_group), (Some("/bin/sh"), true));
        assert_eq!(options.arguments, ["-c", "--", "x"]);
        assert_eq!(run(&["pidunu", "--version"], &[]).program, "./--version");
        assert_eq!(printed(&["pidunu"], &[]), (Stream::Error, 71, String::new()));
    }
}
