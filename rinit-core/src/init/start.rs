//! Starts main, and lets go of what this process inherited.

use super::builder::{Adoption, Init};
use super::event::Event;
use super::job_control::{self, Foreground};
use super::supervisor::Supervisor;
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::error::Error;
use crate::pid::Pid;
use crate::reaper::subreaper::{Subreaper, become_subreaper};
use crate::report::Report;
use crate::sys;
use crate::terminal::Terminal;

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
        // Under `c_main!` no handler was installed either.
        let owns_whole_process = self.inherited.is_some_and(|inherited| inherited.descriptors_are_inherited());
        if owns_whole_process {
            self.main.share_memory();
        }
        let main = start(&self.main, terminal)?;
        if owns_whole_process {
            release_inherited();
            sys::give_back_free_memory();
        }
        Ok(self.into_supervisor(me, main, terminal).run())
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
    // `/` can be reached from any directory, also from one that was deleted or may not be entered.
    let _ = rustix::process::chdir("/");
}

/// Starts main in its place at the terminal.
fn start(main: &ChildSpec, terminal: Option<Terminal>) -> Result<Pid, Error> {
    // The other ends of main's pipes have no reader here.
    let start = |terminal_use: TerminalUse<'_>| main.start(terminal_use).map(|started| started.pid);
    let Some(terminal) = terminal else { return start(TerminalUse::None) };
    match main.group {
        ProcessGroup::Inherit => start(TerminalUse::None),
        // The foreground group is outside of this PID namespace and has no number here, so that it could never get the
        // foreground back: `unshare --pid --fork rinit sh`. Main stays in that group, which is this process's own.
        ProcessGroup::Own if sys::own_group().is_none() => start(TerminalUse::Shared),
        ProcessGroup::Own => terminal.with(|tty| start(TerminalUse::Foreground(tty))).map_err(Error::Terminal)?,
        ProcessGroup::Session => terminal
            .with(|tty| {
                let free = job_control::give_up_terminal(tty);
                // A terminal that another session keeps cannot be main's: main's session then has none.
                start(if free { TerminalUse::Controlling(tty) } else { TerminalUse::None })
            })
            .map_err(Error::Terminal)?,
    }
}
