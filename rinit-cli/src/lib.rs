//! The program around `rinit-core`: arguments, messages, exit codes. It wires the core and decides nothing.
//!
//! A library only so that its parsers can be fuzzed and its `main` stays one line; nothing in it is a stable interface.

pub mod args;
mod contained;
mod duration;
#[doc(hidden)]
pub mod fuzzing;
mod help;
mod messages;
mod observer;
mod persona;
mod program;

pub use program::run;
