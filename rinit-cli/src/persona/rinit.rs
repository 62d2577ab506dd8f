//! rinit itself.

use super::{Invocation, Persona, page};
use crate::args::{BadUsage, Command, Options, Stream, parse};
use crate::messages::{Wanted, observe};
use crate::output::{say, visible};
use rinit_core::Error;
use rinit_core::init::Event;
use std::ffi::OsString;

/// rinit's own failures, and bad usage.
pub(crate) const FAILED: u8 = 125;

pub(crate) struct Rinit;

impl Persona for Rinit {
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        parse(arguments, around.variable)
            .unwrap_or_else(|BadUsage(why)| page(Stream::Error, FAILED, format!("rinit: {}\n", visible(why.as_ref()))))
    }

    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)> {
        let wanted = Wanted { verbosity: options.verbosity, orphans: options.warn_on_reap };
        Box::new(move |event| observe(wanted, event))
    }

    fn failed(&self, _: &Options, error: &Error) -> u8 {
        say(format_args!("{error}"));
        error.exit_code()
    }
}
