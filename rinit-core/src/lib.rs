//! The mechanisms and the policy of an init process: reap, forward, supervise.
//!
//! A process that becomes PID 1 of a container gets two duties that it never asked for. The kernel does not apply default
//! signal actions to PID 1, so a program without a handler ignores TERM. And every orphan of the namespace becomes its child,
//! which stays a zombie until it is waited for. This crate does both jobs.
//!
//! # Which way in
//!
//! | your process | way | costs |
//! |---|---|---|
//! | runs another program and does nothing else | [`Init::new`], or the `rinit` program itself | nothing beside it |
//! | is a service whose `main` you can change | [`Init::split`], its first line | one more process |
//! | starts jobs that must leave nothing behind; is a plug-in or library in another author's program | [`ChildSpec::contain`] | one process for each job |
//! | has threads already, and adopts orphans | [`Reaper::cooperative`]; [`claim`] for children that are waited for late | one wake-up a second |
//! | starts children, and all of them through [`ChildSpec`] | [`Reaper::exclusive`] | one descriptor for each child |
//! | only forwards signals | [`SignalForwarder`] | one descriptor |
//!
//! If in doubt, split. With tokio: the feature `tokio`, and its module `tokio`. [`embedding`] explains each
//! way, and [`contain`] the contained jobs. As PID 1 nothing else is needed; elsewhere call [`become_subreaper`] first, which
//! [`Init`] does by itself. A program that is both may ask `std::process::id() == 1`.
//!
//! # The trap, and what is promised
//!
//! "Wait for any child" takes the status of every child, even one that `std::process::Child::wait`, tokio or C's `system`
//! is waiting for; that wait then fails with ECHILD, or, in Python, returns 0. The kernel does not tell an adopted orphan from a
//! child that was forked here. What each way promises:
//!
//! - **Split, contained jobs**: no exit status is ever taken from other code.
//! - **Cooperative**: a status is not taken if the child is [claimed](claim), if it is waited for within the settling time (2 s)
//!   after its exit, or if the thread that started it is not the main thread and still runs. **The status of a child of the
//!   main thread, including the body of an `async fn main`, is lost if the child is not claimed and is waited for later.** Leave the main thread idle, or claim:
//!   see [`CooperativeReaper`](cooperative::CooperativeReaper).
//! - **Exclusive, `Init::new`**: only statuses of [`ChildSpec`] children are kept. One `Command::output` anywhere in the process
//!   can lose its status. An exclusive reaper beside a cooperative one is an error.
//!
//! # Order of operations
//!
//! 1. [`Inherited::capture`], [`SignalForwarder::new`] or [`Init::split`], first in `main` and before any thread: signals are
//!    blocked per thread. [`contain::init`] comes before even these.
//! 2. [`become_subreaper`] where the process is not PID 1.
//! 3. Start children. Children of [`ChildSpec`] get the signal state that you specify; for std's `Command` there are
//!    [`SignalForwarder::unblock_in`] and [`Inherited::restore_in`].
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
//! and, only under [`c_main!`] and in the inits that [`Init::split`] and [`contain::init`] run, the closing of descriptors and
//! the change of directory.
//!
//! Linux only: elsewhere the crate does not compile, and says so.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "rinit-core works on Linux only; depend on it under [target.'cfg(target_os = \"linux\")'.dependencies] in Cargo.toml"
);

mod c_main;
pub mod child;
pub mod contain;
pub mod diagnose;
mod duration;
mod error;
mod exit_status;
mod forwarder;
#[cfg(any(feature = "fuzzing", test))]
#[doc(hidden)]
pub mod fuzzing;
mod inherited;
pub mod init;
mod parent_death;
mod pid;
pub mod policy;
mod printable;
pub mod process;
mod procfs;
pub mod reaper;
mod regular_file;
mod report;
mod resource;
pub mod signal;
mod survivor;
mod sys;
mod terminal;
#[cfg(test)]
mod test_support;
#[cfg(feature = "tokio")]
pub mod tokio;
mod user;
mod worker;

// Pages of the documentation. The links between them come first, since the first definition of a name counts.
/// [contain.md]: crate::contain
/// [forward.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/forward.rs
/// [mio.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/mio.rs
/// [plugin.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/plugin.rs
/// [process_manager.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/process_manager.rs
/// [public-api.txt]: https://docs.rs/rinit-core/latest/rinit_core/all.html
/// [split.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/split.rs
/// [threads.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/threads.rs
/// [tokio_jobs.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/tokio_jobs.rs
/// [tokio_service.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/tokio_service.rs
///
#[doc = include_str!("../docs/embedding.md")]
#[cfg(any(doc, doctest))]
pub mod embedding {}

pub use child::Child;
pub use child::spec::stdio::Stdio;
pub use child::spec::{ChildSpec, ProcessGroup};
#[doc(hidden)]
pub use diagnose::json::Json as __Json;
#[doc(hidden)]
pub use duration::{Seconds as __Seconds, parse as __parse_duration};
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
pub use sys::{Arena as __Arena, any_variable_begins_with as __any_variable_begins_with, arguments as __arguments};
pub use user::User;
#[doc(hidden)]
pub use worker::Worker as __Worker;
