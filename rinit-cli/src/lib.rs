//! The program around `rinit-core`: arguments, messages, exit codes. It wires the core and decides nothing.
//!
//! A library only so that its parsers can be fuzzed and its `main` stays one line; nothing in it is a stable interface.

pub mod args;
#[doc(hidden)]
pub mod fuzzing;
mod messages;
mod output;
mod persona;
mod run;
mod streams;

pub use run::run;
