//! rinit itself.

use super::{Invocation, Persona, page};
use crate::args::{BadUsage, Command, LogFormat, Options, Stream, parse_into};
use crate::messages::record::{Level, Record};
use crate::messages::{Observer, failure};
use crate::output::visible;
use rinit_core::Error;
use rinit_core::init::Event;
use std::ffi::OsString;
use std::time::SystemTime;

/// rinit's own failures, and bad usage.
pub(crate) const FAILED: u8 = 125;

pub(crate) struct Rinit;

impl Persona for Rinit {
    fn parse(&self, arguments: Vec<OsString>, around: &Invocation<'_>) -> Command {
        let mut options = Options::default();
        parse_into(&mut options, arguments, around.variable).unwrap_or_else(|BadUsage(why)| {
            let text = match options.log_format {
                LogFormat::Text => format!("rinit: {}\n", visible(why.as_ref())),
                LogFormat::Json => {
                    let record = Record::new(Level::Error, "bad-usage", why).number("exit_status", FAILED);
                    record.json(SystemTime::now())
                }
            };
            page(Stream::Error, FAILED, text)
        })
    }

    fn observer(&self, options: &Options) -> Box<dyn FnMut(&Event)> {
        let mut observer = Observer::new(options, options.verbosity);
        Box::new(move |event| observer.observe(event))
    }

    fn failed(&self, options: &Options, error: &Error) {
        failure(error, error.exit_code()).write(options.log_format);
    }

    fn exit_status(&self, error: &Error) -> u8 {
        error.exit_code()
    }

    fn verbosity(&self, options: &Options) -> u8 {
        options.verbosity
    }
}
