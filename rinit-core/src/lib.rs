//! The mechanisms and the policy of an init process: reap, forward, supervise.
//!
//! A process that becomes PID 1 of a container gets two duties that it never asked for. The kernel does not apply default
//! signal actions to PID 1, so that a program without a handler ignores TERM; and every orphan of the namespace becomes
//! its child, which stays a zombie until it is waited for. This crate does both jobs: for a program that it starts
//! ([`Init`]), for the service that it is part of ([`Init::split`]), or piece by piece ([`Reaper`], [`SignalForwarder`], [`become_subreaper`]).
//!
//! # The trap
//!
//! "Wait for any child" takes every status there is, also those that `std::process::Child::wait`, tokio or C's `system`
//! are waiting for; they then fail with ECHILD. The kernel does not tell an adopted orphan from a child that was forked
//! here. So [`Init::new`] and [`Reaper::exclusive`] are for processes that start children **only** through [`ChildSpec`].
//! Any other service calls [`Init::split`] as the first line of `main`; a threaded process that cannot takes
//! [`Reaper::cooperative`].
//! A service that spawns by other means splits: its own process then has the children that it starts and no others.
//!
//! # Order of operations
//!
//! 1. [`Inherited::capture`], first in `main` and before any thread: signals are blocked per thread.
//! 2. [`become_subreaper`] where the process is not PID 1 ([`Init`] does it by itself).
//! 3. Start children, through [`ChildSpec`]: their signal state is what you say, not what this process has blocked.
//! 4. Wait for signals and children in one place.
//!
//! ```no_run
//! use rinit_core::{ChildSpec, Inherited, Init};
//!
//! # fn main() -> Result<(), rinit_core::Error> {
//! let inherited = Inherited::capture()?;
//! let main = ChildSpec::new("redis-server").inherit_signals(&inherited);
//! let report = Init::new(inherited, main).run()?;
//! std::process::exit(report.exit_code().into());
//! # }
//! ```
//!
//! # Global effects
//!
//! All are named where they happen: the calling thread's signal mask, the disposition of SIGCHLD, the subreaper attribute,
//! and, only under [`c_main!`] and in the init that [`Init::split`] leaves behind, the closing of descriptors and the change of
//! directory.
//!
//! Linux only.

#![cfg(target_os = "linux")]

mod c_main;
pub mod child;
pub mod contain;
pub mod diagnose;
mod error;
mod exit_status;
mod forwarder;
#[doc(hidden)]
pub mod fuzzing;
mod inherited;
pub mod init;
mod parent_death;
mod pid;
pub mod policy;
pub mod process;
mod procfs;
pub mod reaper;
mod regular_file;
mod report;
pub mod signal;
mod survivor;
mod sys;
mod terminal;
#[cfg(test)]
mod test_support;
#[cfg(feature = "tokio")]
pub mod tokio;
mod user;

pub use child::Child;
pub use child::spec::stdio::Stdio;
pub use child::spec::{ChildSpec, ProcessGroup};
pub use error::Error;
pub use exit_status::{ExitStatus, NotExited, WaitStatus};
pub use forwarder::{Recipient, SignalForwarder};
pub use inherited::Inherited;
pub use init::Init;
#[doc(hidden)]
pub use init::contained::__contained;
pub use parent_death::ParentWatch;
pub use pid::{NotAPid, Pid};
pub use reaper::cooperative::claim;
pub use reaper::subreaper::become_subreaper;
pub use reaper::{Reaper, cooperative};
pub use report::Report;
pub use signal::Signal;
pub use signal::set::SignalSet;
#[doc(hidden)]
pub use sys::{Arena as __Arena, arguments as __arguments};
pub use user::User;
