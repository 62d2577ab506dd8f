//! Decisions as pure functions of events and time. There are no system calls and no clock here.

pub(crate) mod forwarding;
pub(crate) mod order;
pub(crate) mod shutdown;

pub use forwarding::{ForwardFilter, ForwardTo};
pub use shutdown::{KillLimit, OnMainExit, Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput, StopStep};
