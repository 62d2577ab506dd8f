//! Reap, forward, supervise.

#![cfg(target_os = "linux")]

mod diagnose;
mod entry;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod inherited;
mod json;
mod pid;
mod procfs;
mod signal;
mod signal_set;
mod status;
mod survivor;
mod sys;
#[cfg(test)]
mod test_support;
mod tree;

pub use diagnose::{Diagnosis, Parent, Zombie, diagnose};
pub use error::Error;
pub use inherited::Inherited;
pub use pid::Pid;
pub use procfs::stat::State;
pub use signal::{Signal, UnknownSignal};
pub use signal_set::SignalSet;
pub use status::ExitStatus;
pub use survivor::{Reason, Survivor, examine};
#[doc(hidden)]
pub use sys::arguments as __arguments;
pub use tree::{Process, Sent, descendants, signal_process};
