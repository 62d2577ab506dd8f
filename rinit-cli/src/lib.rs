//! The program around `rinit-core`: arguments, messages, exit codes. It connects them to the core and makes no decisions.
//!
//! It is a library only so that its parsers can be fuzzed and `main` stays one line. None of it is a stable interface.

pub mod args;
#[doc(hidden)]
pub mod fuzzing;
mod messages;
mod output;
mod persona;
mod run;
mod streams;

pub use run::run;
