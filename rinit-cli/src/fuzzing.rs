//! Entry points for the fuzz targets to code that reads foreign text. They are not part of the public interface.
#![allow(missing_docs)]

use crate::args::Command;
use crate::output;
use crate::persona::{self, Invocation};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// Reads a command line as the persona that its first word names.
pub fn persona(arguments: Vec<OsString>, variable: &dyn Fn(&str) -> Option<OsString>, is_init: bool) -> Command {
    let name = arguments.first().map_or(OsStr::new(""), OsString::as_os_str);
    persona::named(name).parse(arguments.clone(), &Invocation { variable, is_init })
}

/// `None` if the text is not a duration.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    rinit_core::__parse_duration(text)
}

/// Text as it stands in a message.
#[must_use]
pub fn visible(text: &OsStr) -> String {
    output::visible(text)
}
