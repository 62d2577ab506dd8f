//! A child, waited for in tokio.

use super::{Readiness, pipes};
use crate::child;
use crate::error::Error;
use crate::exit_status::ExitStatus;
use ::tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use ::tokio::time::sleep;
use std::time::Duration;

/// Without a pidfd the child's descriptor becomes readable only when the child is reaped: then the child is checked this often.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// A child of the exclusive mode in tokio: see [`crate::Child::into_tokio`].
#[derive(Debug)]
pub struct Child {
    child: child::Child,
    readiness: Readiness,
}

impl child::Child {
    /// The child for tokio.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`] outside a runtime, or if no descriptor is left. The handle is lost then; the child runs on.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reaper = Reaper::exclusive()?; // before the runtime's threads
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// let status = runtime.block_on(async {
    ///     let mut child = reaper.spawn(&ChildSpec::new("sh").args(["-c", "exit 3"]))?.into_tokio()?;
    ///     child.wait().await
    /// })?;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_tokio(self) -> Result<Child, Error> {
        Ok(Child { readiness: Readiness::of(&self)?, child: self })
    }
}

impl Child {
    /// The child itself: its pid, signals to it.
    #[must_use]
    pub const fn get(&self) -> &child::Child {
        &self.child
    }

    /// The child without tokio.
    #[must_use]
    pub fn into_inner(self) -> child::Child {
        self.child
    }

    /// Waits until the child exits. The write end of its standard input is closed first, if it was not taken.
    ///
    /// Cancellation changes nothing: the child runs on, and the next call waits for it. The reaper need not be driven.
    ///
    /// # Errors
    ///
    /// As for [`crate::Child::try_wait`]; [`Error::Reactor`] if the runtime shuts down.
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.child.take_stdin());
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if self.child.has_pidfd() {
                self.readiness.readable().await?;
            } else {
                sleep(CHECK_EVERY).await;
            }
        }
    }

    /// Stops the child, as [`crate::Child::stop`] does: stop signal, time, KILL for its group.
    ///
    /// A cancellation during the wait leaves the child with its stop signal and without KILL.
    ///
    /// # Errors
    ///
    /// As for [`crate::Child::stop`].
    pub async fn stop(&mut self) -> Result<ExitStatus, Error> {
        drop(self.child.take_stdin());
        self.child.begin_stop()?;
        // The child is not reaped here: until then no kernel reuses the group's number.
        let exited = async {
            while !self.child.has_exited()? {
                if self.child.has_pidfd() {
                    self.readiness.readable().await?;
                } else {
                    sleep(CHECK_EVERY).await;
                }
            }
            Ok::<(), Error>(())
        };
        if let Ok(result) = ::tokio::time::timeout(self.child.stop_timeout(), exited).await {
            result?;
        }
        self.child.kill_group()?;
        self.wait().await
    }

    /// The write end of the child's standard input, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stdin(&mut self) -> Result<Option<ChildStdin>, Error> {
        pipes::stdin(self.child.take_stdin())
    }

    /// The read end of the child's standard output, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stdout(&mut self) -> Result<Option<ChildStdout>, Error> {
        pipes::stdout(self.child.take_stdout())
    }

    /// The read end of the child's standard error, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stderr(&mut self) -> Result<Option<ChildStderr>, Error> {
        pipes::stderr(self.child.take_stderr())
    }
}
