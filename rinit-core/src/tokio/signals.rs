//! Signals, received in tokio.

use super::Readiness;
use crate::error::Error;
use crate::forwarder;
use crate::signal::received::ReceivedSignal;

/// Receives signals in tokio: see [`crate::SignalForwarder::into_tokio`].
#[derive(Debug)]
#[must_use = "dropping it unblocks its signals, which are then delivered as usual"]
pub struct SignalForwarder {
    forwarder: forwarder::SignalForwarder,
    readiness: Readiness,
}

impl forwarder::SignalForwarder {
    /// The forwarder for tokio. Create the forwarder before the runtime: see
    /// [`SignalForwarder::new`](crate::SignalForwarder::new).
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`] outside of a runtime, or where no descriptor is left.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Pid, Reaper, Signal, SignalForwarder, SignalSet};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signals = SignalForwarder::new(SignalSet::only(Signal::TERM))?; // first: no other thread runs
    /// let reaper = Reaper::exclusive()?;
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// runtime.block_on(async {
    ///     let mut signals = signals.into_tokio()?;
    ///     let mut child = reaper.spawn(&ChildSpec::new("sleep").arg("60"))?.into_tokio()?;
    ///     # rinit_core::process::signal_process(&rinit_core::process::Process::read(Pid::this())?.unwrap(), Signal::TERM)?;
    ///     let status = loop {
    ///         tokio::select! {
    ///             status = child.wait() => break status?,
    ///             received = signals.recv() => signals.get().forward(&received?, child.get())?,
    ///         }
    ///     };
    ///     assert_eq!(status.signal(), Some(Signal::TERM));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn into_tokio(self) -> Result<SignalForwarder, Error> {
        Ok(SignalForwarder { readiness: Readiness::of(&self)?, forwarder: self })
    }
}

impl SignalForwarder {
    /// The forwarder itself, to forward what was received.
    pub const fn get(&self) -> &forwarder::SignalForwarder {
        &self.forwarder
    }

    /// The next signal. No signal is lost by a cancellation.
    ///
    /// # Errors
    ///
    /// [`Error::SignalWait`]; [`Error::Reactor`] if the runtime shuts down.
    pub async fn recv(&mut self) -> Result<ReceivedSignal, Error> {
        loop {
            if let Some(received) = self.forwarder.try_next()? {
                return Ok(received);
            }
            self.readiness.readable().await?;
        }
    }
}
