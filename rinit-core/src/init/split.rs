//! Splits a service in two: this process stays behind as init, and its child returns as the service.

use super::builder::Init;
use super::start::{release_inherited, terminal_in_foreground};
use crate::error::{Error, from_errno};
use crate::exit_status::ExitStatus;
use crate::inherited::Inherited;
use crate::parent_death::ParentWatch;
use crate::pid::Pid;
use crate::report::Report;
use crate::signal::Signal;
use crate::sys;
use crate::sys::{Forked, Leads, OnlyThread, Placement, SavedDisposition, Stage};
use crate::terminal::Terminal;
use rustix::fd::BorrowedFd;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Exit status of an init that failed itself (`docker-run(1)`, EXIT STATUS).
const OWN_FAILURE: u8 = 125;

/// The main of an [`Init`] whose main is not a program to start, but this process: see [`Init::split`].
///
/// ```no_run
/// use rinit_core::{Error, Init};
/// use rinit_core::init::{Split, ThisProcess};
/// use std::time::Duration;
///
/// fn with_our_limits(init: Init<ThisProcess>) -> Result<Split, Error> {
///     init.grace(Duration::from_secs(8)).start()
/// }
/// with_our_limits(Init::split_builder())?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ThisProcess;

/// Describes the init that stayed behind, for the service. It owns nothing: dropping it has no effect.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// let split = rinit_core::Init::split()?;
/// eprintln!("the service; its init is {}", split.init());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    init: Pid,
}

impl Split {
    /// The init's pid: the one that this process had before the split.
    ///
    /// ```no_run
    /// let split = rinit_core::Init::split()?;
    /// if split.init().get() != 1 {
    ///     eprintln!("this is not a container: the init runs as a subreaper");
    /// }
    /// # Ok::<(), rinit_core::Error>(())
    /// ```
    #[must_use]
    pub const fn init(&self) -> Pid {
        self.init
    }

    /// Makes the kernel send this service a signal when its init exits. Without it, an init that gets KILL leaves the service
    /// behind, unless the init is PID 1. An init that has exited since the split is noticed.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// use rinit_core::{Init, Signal};
    /// Init::split()?.parent_watch().send_on_death(Signal::TERM)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn parent_watch(&self) -> ParentWatch {
        ParentWatch::of(self.init)
    }
}

impl Init<ThisProcess> {
    /// Splits this process, with every option at its default: the same as [`Init::split_builder`] and [`Init::start`].
    ///
    /// As the first line of `main` it makes a service fit to be PID 1. The process forks. The parent, which keeps the pid,
    /// stays behind as init: it forwards every signal, reaps the orphans, stops all other processes in order when the service has
    /// exited, and then exits as the service did. The child returns from the call and is the service: an ordinary process,
    /// with no children but those that it starts. So nothing that it runs can lose an exit status to the init: std, tokio
    /// and C libraries wait for their children as ever. There is no second program and no exec.
    ///
    /// See [`Init::start`] for what becomes of signals, descriptors and buffers.
    ///
    /// # Errors
    ///
    /// As [`Init::start`].
    ///
    /// ```no_run
    /// # fn serve() {}
    /// fn main() -> Result<(), rinit_core::Error> {
    ///     rinit_core::Init::split()?;
    ///     // From here on this is an ordinary process: threads, a runtime and std::process work as usual.
    ///     serve();
    ///     Ok(())
    /// }
    /// ```
    pub fn split() -> Result<Split, Error> {
        Self::split_builder().start()
    }

    /// An init for this very process, with every option at its default; [`Init::start`] then splits the process.
    ///
    /// ```no_run
    /// use rinit_core::Init;
    /// use std::time::Duration;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// Init::split_builder().grace(Duration::from_secs(8)).drain(Duration::from_secs(2)).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn split_builder() -> Self {
        Self::with_defaults(None, ThisProcess)
    }

    /// For a program under [`c_main!`](crate::c_main), where the signals are blocked already: the service gets back what
    /// was inherited, SIGPIPE included. Without it the split records mask and SIGCHLD itself.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// use rinit_core::{Inherited, Init};
    /// let inherited = Inherited::capture()?;
    /// Init::split_builder().inherit_signals(inherited).start()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn inherit_signals(mut self, inherited: Inherited) -> Self {
        self.inherited = Some(inherited);
        self
    }

    /// Splits this process. Returns in the child, which is the service; the parent never returns.
    ///
    /// The service has: the mask, the disposition of SIGCHLD and all handlers that this process had; a process group of its
    /// own, in the foreground of the terminal if and only if this process was; every descriptor, mapping and value; a
    /// `LISTEN_PID` that names it where it named this process (`sd_listen_fds(3)`). It lacks what `fork(2)`
    /// does not copy: record locks, timers, memory locks, the parent-death signal. The subreaper attribute stays with the init.
    ///
    /// The init closes every descriptor from 3 up, so that the service alone decides when a socket or a pipe is closed, and
    /// changes to `/`. It uses none of their owners again: it runs no code of the caller, drops no value, runs no exit handler
    /// and flushes no buffer, so the service's buffered output is written once. When the service has exited and no process is
    /// left, it exits with the same code or is terminated by the same signal. PID 1, which no signal terminates, exits with 128 +
    /// n.
    ///
    /// Source: `fork(2)`, `unshare(2)` (CLONE_THREAD), `_exit(2)`, `PR_SET_CHILD_SUBREAPER(2const)`.
    ///
    /// # Errors
    ///
    /// Before the fork, with nothing changed: [`Error::MultiThreaded`], [`Error::ThreadsUnknown`], [`Error::SignalMask`],
    /// [`Error::Disposition`], [`Error::Subreaper`], [`Error::Fork`]. In the child, whose end the init then reports like any
    /// other: [`Error::ProcessGroup`], [`Error::Terminal`], [`Error::SignalMask`], [`Error::Disposition`].
    ///
    /// ```no_run
    /// use rinit_core::{Error, Init};
    /// match Init::split_builder().start() {
    ///     Ok(split) => println!("this is the service, {} is its init", split.init()),
    ///     Err(Error::MultiThreaded { count }) => panic!("too late: {count:?} threads"),
    ///     Err(error) => panic!("{error}"),
    /// }
    /// ```
    pub fn start(mut self) -> Result<Split, Error> {
        let only = sys::only_thread()?;
        let init = Pid::from(rustix::process::getpid());
        let signals = Signals::take(self.inherited)?;
        // Before the fork: the child moves the foreground, and the parent must not read it when that is half done.
        let terminal = terminal_in_foreground();
        let forked = self.become_subreaper(init).and_then(|subreaper| {
            let forked = sys::fork_only_thread(&only).map_err(from_errno(Error::Fork))?;
            // Neither process gives the attribute back: the init keeps it, and the child has none.
            let _ = ManuallyDrop::new(subreaper);
            Ok(forked)
        });
        match forked {
            Err(error) => {
                signals.undo()?;
                Err(error)
            }
            Ok(Forked::Parent(service)) => self.stay_behind(init, service, terminal),
            Ok(Forked::Child) => {
                let placed = take_place(terminal);
                rename_listener(&only, init);
                signals.give_back()?;
                placed.map(|()| Split { init })
            }
        }
    }

    /// The parent's part, to its end.
    fn stay_behind(self, me: Pid, service: Pid, terminal: Option<Terminal>) -> ! {
        let run = AssertUnwindSafe(|| {
            // Both sides do it, because either may come first: a signal for the service's group must not miss it.
            let _ = rustix::process::setpgid(Some(service.rustix()), Some(service.rustix()));
            release_inherited();
            match self.into_supervisor(me, service, terminal).run() {
                Ok(report) => end_as(&report),
                // Only a main that has to be started can fail to.
                Err(_) => sys::exit_now(OWN_FAILURE),
            }
        });
        // A panic must not unwind into the caller's frames: they belong to the service, and would run here a second time.
        match catch_unwind(run) {
            Ok(never) => never,
            Err(_) => sys::exit_now(OWN_FAILURE),
        }
    }
}

/// As [`mirror`](crate::init::exit_as), but without exit handlers, and with the status of a main that could not be killed.
fn end_as(report: &Report) -> ! {
    if let Some(signal) = report.main.and_then(ExitStatus::signal) {
        sys::die_by(signal);
    }
    sys::exit_now(report.exit_code())
}

/// The service's process group, in the foreground if the process had it.
fn take_place(terminal: Option<Terminal>) -> Result<(), Error> {
    match terminal {
        None => place(None),
        // As in `super::start`: a foreground that could never be given back is not taken.
        Some(_) if sys::own_group().is_none() => Ok(()),
        Some(terminal) => terminal.with(|tty| place(Some(tty))).map_err(Error::Terminal)?,
    }
}

fn place(terminal: Option<BorrowedFd<'_>>) -> Result<(), Error> {
    sys::place(Placement { leads: Leads::Group, terminal }).map_err(|(stage, error)| match stage {
        Stage::Terminal => Error::Terminal(error.into()),
        _ => Error::ProcessGroup(error.into()),
    })
}

/// A socket-activated service checks that LISTEN_PID is its own pid.
fn rename_listener(only: &OnlyThread, init: Pid) {
    let number = |pid: Pid| OsString::from(pid.get().to_string());
    if std::env::var_os("LISTEN_PID").is_some_and(|pid| pid == number(init)) {
        sys::put_variable(only, "LISTEN_PID", &number(rustix::process::getpid().into()));
    }
}

/// The signal state from before the split.
struct Signals {
    inherited: Inherited,
    /// The disposition of SIGCHLD, including a handler. `None` if the caller has captured the state, and restores it.
    child: Option<SavedDisposition>,
}

impl Signals {
    /// Blocks every signal: from here on the init receives them, and none terminates it or runs a handler of the service in it.
    fn take(captured: Option<Inherited>) -> Result<Self, Error> {
        if let Some(inherited) = captured {
            return Ok(Self { inherited, child: None });
        }
        let child = Some(SavedDisposition::of(Signal::CHLD).map_err(from_errno(Error::Disposition))?);
        Ok(Self { inherited: Inherited::capture()?, child })
    }

    /// Restores only what was changed here, for a process that could not be split.
    fn undo(&self) -> Result<(), Error> {
        if self.child.is_some() { self.give_back() } else { Ok(()) }
    }

    /// For the service.
    fn give_back(&self) -> Result<(), Error> {
        // Before the mask, which lets a SIGCHLD through.
        self.child.as_ref().map_or(Ok(()), SavedDisposition::restore).map_err(from_errno(Error::Disposition))?;
        self.inherited.restore()
    }
}
