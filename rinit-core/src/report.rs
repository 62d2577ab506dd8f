//! What an [`Init`](crate::Init) has to tell when it is done.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::survivor::Survivor;
use std::time::Duration;

/// How a run ended.
///
/// ```no_run
/// use rinit_core::{ChildSpec, Inherited, Init};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let report = Init::new(Inherited::capture()?, ChildSpec::new("nginx")).run()?;
/// for process in &report.killed {
///     eprintln!("had to kill {process}");
/// }
/// std::process::exit(report.exit_code().into());
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Main's pid; it is free again.
    pub main_pid: Pid,
    /// How main ended; `None` only if even KILL did not end it in time: stuck in the kernel, or of a user that this
    /// process may not signal.
    pub main: Option<ExitStatus>,
    /// Children reaped, main included.
    pub reaped: u64,
    /// Processes told to end, beyond what was forwarded to main.
    pub told: u64,
    /// Processes sent KILL, as they were when it was sent; the first thousand of them.
    pub killed: Vec<Survivor>,
    /// Processes that remained when rinit left, the first thousand of them.
    pub left_behind: Vec<Survivor>,
    /// The signal that requested the stop, if one did.
    pub stop_signal: Option<Signal>,
    /// From the request of the stop to the end, if a stop was requested.
    pub stop_took: Option<Duration>,
}

impl Report {
    /// The exit status that stands for main's: its code, 128 + n after signal n, and 137 for a main that could not even
    /// be killed.
    ///
    /// ```no_run
    /// # fn f(report: rinit_core::Report) {
    /// std::process::exit(report.exit_code().into());
    /// # }
    /// ```
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let unkillable = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        self.main.unwrap_or(unkillable).exit_code()
    }
}
