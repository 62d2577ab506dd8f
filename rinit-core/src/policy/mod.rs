//! Decisions, as pure functions of what happened and what time it is. No system call and no clock.

pub(crate) mod forwarding;
pub(crate) mod order;
pub(crate) mod shutdown;

pub use forwarding::{ForwardFilter, ForwardTo};
pub use shutdown::{KillLimit, OnMainExit, Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput, StopStep};
