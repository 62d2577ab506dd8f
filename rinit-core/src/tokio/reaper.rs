//! The cooperative reaper as a task of tokio, and claims for tokio's children.

use super::Readiness;
use crate::error::Error;
use crate::pid::Pid;
use crate::reaper::cooperative::claim::Claimable;
use crate::reaper::cooperative::{CooperativeReaper, Orphan};
use std::convert::Infallible;

impl CooperativeReaper {
    /// Reaps orphans until the future is dropped or fails, and gives each to the closure. It wakes up once a second while there
    /// is nothing to reap.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`], [`Error::Wait`], [`Error::Timer`]; [`Error::Reactor`] outside of a runtime.
    ///
    /// ```
    /// use rinit_core::{Reaper, become_subreaper, claim};
    /// use tokio::process::Command;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let _subreaper = become_subreaper()?;
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     tokio::spawn(Reaper::cooperative()?.run(|orphan| println!("reaped {}: {}", orphan.pid, orphan.status)));
    ///     let mut child = claim(|| Command::new("true").spawn())?;
    ///     assert!(child.wait().await?.success()); // at any time
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn run(mut self, mut reaped: impl FnMut(Orphan)) -> Result<Infallible, Error> {
        let readiness = Readiness::of(&self)?;
        loop {
            while let Some(orphan) = self.try_next()? {
                reaped(orphan);
            }
            readiness.readable().await?;
        }
    }
}

impl Claimable for ::tokio::process::Child {
    fn claimed_pids(&self) -> Vec<Pid> {
        self.id().claimed_pids()
    }
}
