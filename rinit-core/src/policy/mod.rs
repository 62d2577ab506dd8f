//! Decisions, as pure functions of what happened and what time it is. No system call, no clock, no allocation.

mod forwarding;
mod rewrite;
mod shutdown;

pub use forwarding::{Forward, Target};
pub use rewrite::{BadRewrite, Rewrite};
pub use shutdown::{Action, Actions, Happening, OnMainExit, Shutdown, ShutdownConfig};
