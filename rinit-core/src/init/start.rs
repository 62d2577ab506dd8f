//! Starts main, and lets go of what this process inherited.

use super::builder::{Adoption, Init};
use super::event::Event;
use super::job_control::{self, Foreground};
use super::supervisor::Supervisor;
use crate::child::spec::start as child;
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::error::Error;
use crate::pid::Pid;
use crate::reaper::subreaper::{Subreaper, become_subreaper};
use crate::report::Report;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::{Progress, SignalFd};
use crate::terminal::Terminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::time::Duration;

impl Init {
    /// Starts main and runs until main has exited and no process is left, or the policy decides to leave.
    ///
    /// If the [`Inherited`](crate::Inherited) comes from [`c_main!`](crate::c_main), every descriptor from 3 up is closed and
    /// the working directory becomes `/` once main runs: this process then neither keeps a file system busy nor delays an
    /// end of file.
    ///
    /// # Errors
    ///
    /// Only if main could not be started: [`Error::NotFound`], [`Error::NotExecutable`], [`Error::Subreaper`] and the
    /// other variants that name a step of the start. No later failure ends the run.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Inherited, Init};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("sh").args(["-c", "(sleep 0.1; true) & exit 7"]);
    /// let report = Init::new(Inherited::capture()?, spec).run()?;
    /// assert_eq!(report.exit_code(), 7);
    /// assert!(report.reaped >= 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(mut self) -> Result<Report, Error> {
        let me = Pid::from(rustix::process::getpid());
        let _subreaper = self.become_subreaper(me)?;
        let terminal = terminal_in_foreground();
        let starting = self.start_main(terminal)?;
        let mut supervisor = self.into_supervisor(me, starting.child.child.pid(), terminal);
        supervisor.starting = Some(starting);
        supervisor.run()
    }

    /// Inlined, it would enlarge the stack frame of the loop, for as long as main lives.
    #[inline(never)]
    fn start_main(&mut self, terminal: Option<Terminal>) -> Result<Starting, Error> {
        // Under `c_main!` nothing here owns a descriptor yet.
        let owns_descriptors = self.inherited.is_some_and(|inherited| inherited.descriptors_are_inherited());
        let mut child = begin(&self.main, terminal, owns_descriptors)?;
        // Before main's first instruction: it may unmount what this process would keep busy.
        if owns_descriptors {
            move_to_root();
            child.child.close_from(3);
        }
        let spec = std::mem::replace(&mut self.main, ChildSpec::new(""));
        Ok(Starting::new(spec, child))
    }
}

/// A main that has not executed its program yet. The loop runs meanwhile: a slow `execve(2)` delays no signal and no deadline.
#[derive(Debug)]
pub(super) struct Starting {
    spec: ChildSpec,
    child: child::Starting,
    /// Readable when a signal is pending. `None` if the kernel refuses it.
    signals: Option<SignalFd>,
    /// The last wait has seen that main has become its program, or failed to, or could not wait for that.
    may_have_reported: bool,
}

/// How often main's progress is checked if it cannot be waited for together with signals.
const CHECK_EVERY: Duration = Duration::from_millis(20);

impl Starting {
    fn new(spec: ChildSpec, child: child::Starting) -> Self {
        let waits = child.child.set_nonblocking().is_ok();
        let signals = if waits { SignalFd::new(SignalSet::all()).ok() } else { None };
        Self { spec, child, signals, may_have_reported: true }
    }

    /// Waits until main has started, a signal is pending or the time is over. Returns the time for which the caller may wait
    /// for a signal then.
    fn wait(&mut self, timeout: Option<Duration>) -> Duration {
        self.may_have_reported = true;
        let Some(signals) = &self.signals else { return timeout.unwrap_or(CHECK_EVERY).min(CHECK_EVERY) };
        let report = self.child.child.report();
        let mut fds = [PollFd::new(&report, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        let timeout: Option<Timespec> = timeout.and_then(|timeout| timeout.try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {
                self.may_have_reported = !fds[0].revents().is_empty();
                Duration::ZERO
            }
            Err(Errno::INTR) => Duration::ZERO,
            Err(_) => CHECK_EVERY,
        }
    }
}

impl Supervisor {
    /// Returns how long to wait for the next signal. While main starts, the wait has already taken place.
    pub(super) fn wait_for_start(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        match &mut self.starting {
            Some(starting) => Some(starting.wait(timeout)),
            None => timeout,
        }
    }

    /// Checks whether main has become its program, unless the last wait says that it has not.
    pub(super) fn check_start_if_reported(&mut self) {
        if self.starting.as_ref().is_some_and(|starting| starting.may_have_reported) {
            self.check_start();
        }
    }

    /// Checks whether main has executed its program.
    pub(super) fn check_start(&mut self) {
        let Some(starting) = &self.starting else { return };
        match starting.child.child.progress() {
            Progress::Pending => {}
            Progress::Started => {
                self.starting = None;
                sys::give_back_free_memory();
                self.main_runs();
            }
            Progress::Failed(failure) => {
                let error = starting.spec.explain_start(&starting.child, failure);
                starting.child.child.reap();
                self.starting = None;
                self.start_failed = Some(error);
            }
        }
    }
}

impl<M> Init<M> {
    /// Adopts orphans if this process is not PID 1, which does so anyway.
    pub(super) fn become_subreaper(&mut self, me: Pid) -> Result<Option<Subreaper>, Error> {
        if me == Pid::INIT || self.subreaper == Adoption::Declined {
            return Ok(None);
        }
        match become_subreaper() {
            // A container without its init would be worse than one whose orphans go to another process.
            Err(error) if self.subreaper == Adoption::IfPossible => {
                self.observers.emit(Event::Error { what: format!("{error}: orphans go to another process") });
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// The loop, for a main that runs.
    pub(super) fn into_supervisor(self, me: Pid, main: Pid, terminal: Option<Terminal>) -> Supervisor {
        let foreground = Foreground::new(terminal, self.stop_along);
        Supervisor::new(me, main, foreground, self.shutdown, self.routing, self.observers)
    }
}

/// The controlling terminal, if this process is in its foreground.
pub(super) fn terminal_in_foreground() -> Option<Terminal> {
    Terminal::controlling().filter(|terminal| terminal.is_ours())
}

/// Closes inherited descriptors and moves to `/`, so that this process neither delays an end of file nor keeps a file
/// system busy.
pub(super) fn release_inherited() {
    sys::close_from(3);
    move_to_root();
}

/// `/` can be reached from any directory, also from one that was deleted or may not be entered.
fn move_to_root() {
    let _ = rustix::process::chdir("/");
}

/// Starts main in its place at the terminal.
fn begin(main: &ChildSpec, terminal: Option<Terminal>, is_gated: bool) -> Result<child::Starting, Error> {
    let begin = |terminal_use: TerminalUse<'_>| main.begin(terminal_use, is_gated);
    let Some(terminal) = terminal else { return begin(TerminalUse::None) };
    match main.group {
        ProcessGroup::Inherit => begin(TerminalUse::None),
        // The foreground group is outside of this PID namespace and has no number here, so that it could never get the
        // foreground back: `unshare --pid --fork rinit sh`. Main stays in that group, which is this process's own.
        ProcessGroup::Own if sys::own_group().is_none() => begin(TerminalUse::Shared),
        ProcessGroup::Own => terminal.with(|tty| begin(TerminalUse::Foreground(tty))).map_err(Error::Terminal)?,
        ProcessGroup::Session => terminal
            .with(|tty| {
                let free = job_control::give_up_terminal(tty);
                // A terminal that another session keeps cannot be main's: main's session then has none.
                begin(if free { TerminalUse::Controlling(tty) } else { TerminalUse::None })
            })
            .map_err(Error::Terminal)?,
    }
}
