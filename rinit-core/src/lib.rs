//! Reap, forward, supervise.

#![cfg(target_os = "linux")]

mod entry;
mod error;
mod exec_failure;
#[doc(hidden)]
pub mod fuzzing;
mod inherited;
mod pid;
mod program_path;
mod regular_file;
mod signal;
mod signal_set;
mod status;
mod sys;
mod user;

pub use error::Error;
pub use inherited::Inherited;
pub use pid::Pid;
pub use signal::{Signal, UnknownSignal};
pub use signal_set::SignalSet;
pub use status::ExitStatus;
#[doc(hidden)]
pub use sys::arguments as __arguments;
pub use user::User;
