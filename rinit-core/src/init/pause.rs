//! The pause container's job: hold a PID namespace open and reap.

use super::start::release_inherited;
use crate::error::{Error, from_errno};
use crate::inherited::Inherited;
use crate::reaper::subreaper::become_subreaper;
use crate::reaper::wait::{Reaped, Waiter};
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;

/// Reaps every child until TERM or INT arrives, and returns which one did.
///
/// A Kubernetes pod sandbox does this in a shared PID namespace: there is no program to start. Other signals are ignored. The
/// [`Inherited`] proves that the signals are blocked. If the process is not PID 1 it becomes a subreaper for as long as this
/// runs. Under [`c_main!`](crate::c_main) it closes inherited descriptors and moves to `/`.
///
/// # Errors
///
/// [`Error::Subreaper`], [`Error::SignalWait`] or [`Error::Wait`], if a seccomp filter refuses the calls.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// let inherited = rinit_core::Inherited::capture()?;
/// rinit_core::init::run_pause(&inherited)?;
/// # Ok(())
/// # }
/// ```
pub fn run_pause(inherited: &Inherited) -> Result<Signal, Error> {
    if inherited.descriptors_are_inherited() {
        release_inherited();
    }
    let _subreaper = if rustix::process::getpid().is_init() { None } else { Some(become_subreaper()?) };
    let mut waiter = Waiter::new();
    loop {
        while let Reaped::Exited(..) | Reaped::Stopped(..) = waiter.next(None).map_err(from_errno(Error::Wait))? {}
        if let Some(info) = sys::sigtimedwait(SignalSet::all(), None).map_err(from_errno(Error::SignalWait))? {
            if info.signal == Signal::CHLD {
                waiter.child_changed(info.child);
            }
            if info.signal == Signal::TERM || info.signal == Signal::INT {
                return Ok(info.signal);
            }
        }
    }
}
