//! Exits in the same way as the child.

use crate::exit_status::ExitStatus;
use crate::sys;

/// Exits as the status says: by the same signal, so that a caller's `WTERMSIG` sees it, or with the same
/// code. A core dump is not repeated.
///
/// No signal of its own namespace terminates PID 1 (`pid_namespaces(7)`), and not every signal terminates a process: in both
/// cases this process exits with 128 + n.
///
/// ```no_run
/// use rinit_core::{ChildSpec, Inherited, Init};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let report = Init::new(Inherited::capture()?, ChildSpec::new("nginx")).run()?;
/// if let Some(status) = report.main {
///     rinit_core::init::exit_as(status);
/// }
/// # Ok(())
/// # }
/// ```
pub fn exit_as(status: ExitStatus) -> ! {
    if let Some(signal) = status.signal() {
        sys::die_by(signal);
    }
    std::process::exit(status.exit_code().into())
}
