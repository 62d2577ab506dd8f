//! Decisions, as pure functions of what happened and what time it is. No system call, no clock, no allocation.

pub(crate) mod forwarding;
pub(crate) mod shutdown;

pub use forwarding::{Forward, Target};
pub use shutdown::{Action, Actions, Happening, OnMainExit, Shutdown, ShutdownConfig};
