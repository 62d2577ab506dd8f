//! The report of a finished [`Init`](crate::Init) run.

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::survivor::Survivor;
use std::time::Duration;

/// The result of a supervised run.
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
    /// Main's pid. The kernel may have reused it.
    pub main_pid: Pid,
    /// How main exited. `None` if even KILL did not terminate it in time: it is stuck in the kernel, or belongs to a user that
    /// this process may not signal. Also `None` if a debugger holds main as a zombie, and this process may not read its status.
    pub main: Option<ExitStatus>,
    /// Children reaped, main included.
    pub reaped: u64,
    /// Number of processes asked to stop, besides main.
    pub asked: u64,
    /// Processes that were sent KILL, at most the first thousand, in their state at that moment.
    pub killed: Vec<Survivor>,
    /// Processes that remained when rinit exited, at most the first thousand.
    pub left_behind: Vec<Survivor>,
    /// The signal that requested the stop, if one did.
    pub stop_signal: Option<Signal>,
    /// Time from the stop request to the end of the run, if a stop was requested.
    pub stop_took: Option<Duration>,
    /// True if a contained job was not over at its [time limit](crate::contain::ContainSpec::time_limit), and was stopped for it.
    pub timed_out: bool,
}

impl Report {
    /// The exit code for this process: main's code, 128 + n after signal n, and 137 if that is not known: for a main that
    /// could not be killed, or that a debugger holds.
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Inherited, Init};
    /// let report = Init::new(Inherited::capture()?, ChildSpec::new("nginx")).run()?;
    /// std::process::exit(report.exit_code().into());
    /// # Ok::<(), rinit_core::Error>(())
    /// ```
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let unkillable = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        self.main.unwrap_or(unkillable).exit_code()
    }
}
