//! Runs one program as an init: forwards signals, reaps every child, and stops all descendants in order.
//!
//! [`Init`] is configured in `builder`, starts main in `start`, and then `supervisor` runs the loop: it waits for one
//! event, handles it, and carries out what the shutdown policy ([`crate::policy`]) answers.

mod builder;
mod clock;
pub(crate) mod contained;
mod delivery;
mod descendants;
mod error_log;
mod event;
mod exit;
mod job_control;
mod observer;
mod oom;
mod pause;
mod priority;
mod readers;
mod reaping;
mod split;
mod start;
mod supervisor;

pub use builder::Init;
pub use event::{Event, NextStep, WithheldReason};
pub use exit::exit_as;
pub use pause::run_pause;
pub use split::{Split, ThisProcess};
