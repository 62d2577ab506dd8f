//! `async` forms for tokio (feature `tokio`).
//!
//! Each value here wraps one of the crate's own and adds its descriptor to the runtime's reactor. No thread is started and no
//! handler for SIGCHLD installed, so that tokio's own processes and signals work beside it.
//!
//! | synchronous | with tokio |
//! |---|---|
//! | [`crate::Child::wait`] | [`crate::Child::into_tokio`], then [`Child::wait`] |
//! | [`crate::contain::Job::wait`] | [`crate::contain::Job::into_tokio`], then [`Job::wait`]; a drop does not block |
//! | [`crate::SignalForwarder::try_next`] | [`crate::SignalForwarder::into_tokio`], then [`SignalForwarder::recv`] |
//! | [`CooperativeReaper::try_next`](crate::cooperative::CooperativeReaper::try_next) | [`CooperativeReaper::run`](crate::cooperative::CooperativeReaper::run) |
//! | [`crate::claim`] | the same: tokio's `Child` is [`Claimable`](crate::cooperative::Claimable) |
//!
//! Pipes ([`Stdio::piped`](crate::Stdio::piped)) come as tokio's `ChildStdin`, `ChildStdout` and `ChildStderr`.
//!
//! Every `into_tokio` and `run` must be called within a runtime whose IO driver is on (`enable_io` or `enable_all`). Outside a
//! runtime they fail with [`Error::Reactor`], and without the driver tokio panics.

mod child;
mod job;
mod pipes;
mod reaper;
mod signals;

pub use child::Child;
pub use job::Job;
pub use signals::SignalForwarder;

use crate::error::Error;
use crate::sys;
use ::tokio::io::unix::AsyncFd;
use std::os::fd::{AsFd, OwnedFd};

/// A descriptor in the reactor.
#[derive(Debug)]
struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Of a duplicate, so that it stays open for as long as the reactor has it.
    fn of(fd: impl AsFd) -> Result<Self, Error> {
        let fd = fd.as_fd().try_clone_to_owned().map_err(Error::Reactor)?;
        sys::register_readable(fd).map(Self).map_err(Error::Reactor)
    }

    /// Waits until it is readable. The caller then does what makes it unreadable, or waits again.
    async fn readable(&self) -> Result<(), Error> {
        // Cleared before the caller acts, so that an event which comes meanwhile is news.
        self.0.readable().await.map_err(Error::Reactor)?.clear_ready();
        Ok(())
    }
}
