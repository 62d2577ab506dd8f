//! Job control: stops and continues this process together with main.

use super::supervisor::Supervisor;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::terminal::{Terminal, suspend};
use rustix::fd::BorrowedFd;
use std::time::Duration;

/// The signals that a terminal sends to its foreground group.
const FROM_KEYS_AND_SIZE: [Signal; 4] = [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::WINCH];
/// The stop signals of a terminal (`termios(3)`).
const TERMINAL_STOPS: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

/// This process's part in job control.
#[derive(Debug)]
pub(super) struct Foreground {
    /// The terminal, if this process was in its foreground at the start or was put there since.
    terminal: Option<Terminal>,
    /// Main was stopped because another group has the terminal.
    main_wants_terminal: bool,
    /// This process stops when it gets a stop signal of the terminal, and does not follow main.
    stop_along: bool,
}

impl Foreground {
    pub(super) const fn new(terminal: Option<Terminal>, stop_along: bool) -> Self {
        Self { terminal, main_wants_terminal: false, stop_along }
    }

    /// Puts this process back into the foreground if main's group has it, or a group without members.
    pub(super) fn take_back_from(&self, main: Pid) {
        if let Some(terminal) = self.terminal {
            terminal.take_back_from(main);
        }
    }
}

impl Supervisor {
    /// Stops this process after a stop signal of the terminal, if that option is set.
    pub(super) fn stop_along_with(&mut self, signal: Signal) {
        if self.foreground.stop_along && TERMINAL_STOPS.contains(&signal) {
            // The signal itself is blocked here, so STOP is sent. Main has the signal already: a stopped process could not
            // forward it.
            let _ = sys::kill(self.me, Signal::STOP);
        }
    }

    /// Handles a stop of main. If the terminal stopped it, a shell above sees only this process, which must stop too: otherwise
    /// ^Z would not bring the prompt back.
    pub(super) fn main_stopped(&mut self, signal: Signal) {
        // A contained rinit stays awake for the controlling process.
        if self.foreground.stop_along || self.contained.is_some() {
            return;
        }
        let Some(terminal) = Terminal::controlling() else { return };
        match signal {
            // Main asks for the terminal, and a shell's `fg` has given that to this process's group.
            Signal::TTIN | Signal::TTOU if terminal.is_ours() => {
                self.give(terminal);
                self.continue_main();
            }
            // This is a STOP in the background: no prompt is missing, and the sender will continue main, not this process. In
            // the foreground it is a shell's own `suspend`.
            Signal::STOP if !terminal.belongs_to(self.main.pid) => {}
            Signal::TSTP | Signal::TTIN | Signal::TTOU | Signal::STOP => {
                if self.me != Pid::INIT && self.suspend_with_main() {
                    return;
                }
                if signal == Signal::TSTP || (signal == Signal::STOP && self.me == Pid::INIT) {
                    // No process could ever continue it. As PID 1, or in an orphaned group, main would not have stopped
                    // without this process; the `suspend` of a shell that is a container's main would hang its terminal.
                    self.continue_main();
                } else {
                    self.foreground.main_wants_terminal = signal != Signal::STOP;
                    self.give_if_deserted();
                }
            }
            _ => {}
        }
    }

    /// Stops this process because main is stopped; false if no process could continue it.
    ///
    /// A shell's `fg` continues it. It is also continued if another process continues or kills only main: a stopped init would
    /// neither reap main nor forward any signal to it.
    fn suspend_with_main(&mut self) -> bool {
        // Without the watcher only the shell continues this process.
        let watcher = sys::Watcher::start(self.main.pid).ok();
        let suspended = suspend();
        let main_goes_on = watcher.is_some_and(sys::Watcher::end);
        if suspended {
            self.continued();
            if !main_goes_on {
                self.continue_main();
            }
        }
        suspended
    }

    /// Passes the terminal on to main after this process was continued: a shell's `fg` gives it to this process's group.
    pub(super) fn continued(&mut self) {
        if let Some(terminal) = Terminal::controlling().filter(|terminal| terminal.is_ours()) {
            self.give(terminal);
        }
    }

    /// Returns true for a signal of the terminal that is meant for main's group, and arrived here because a shell's `fg` has put
    /// this process's group into the foreground. The shell sends no CONT if it believes that the job is running. Main's
    /// group gets the foreground now.
    pub(super) fn is_meant_for_mains_group(&mut self, signal: Signal) -> bool {
        let terminal = Terminal::controlling().filter(|_| FROM_KEYS_AND_SIZE.contains(&signal));
        let Some(terminal) = terminal.filter(|terminal| terminal.is_ours()) else { return false };
        self.give(terminal);
        true
    }

    /// Gives main the terminal that it waits for, if the group that has it has exited. A shell would do this, but the shell may
    /// have been killed.
    pub(super) fn give_if_deserted(&mut self) {
        if !self.foreground.main_wants_terminal {
            return;
        }
        if let Some(terminal) = Terminal::controlling().filter(|terminal| terminal.is_deserted()) {
            self.foreground.main_wants_terminal = false;
            self.give(terminal);
            self.continue_main();
        }
    }

    fn give(&mut self, terminal: Terminal) {
        if let Some(main) = self.main.living() {
            terminal.give_to(main);
            self.foreground.terminal = Some(terminal);
        }
    }

    fn continue_main(&self) {
        if let Some(main) = self.main.living() {
            let _ = sys::kill_group(main, Signal::CONT);
        }
    }
}

/// Gives up the terminal of a session leader, so that main's new session can have it; true if it did.
///
/// Only a terminal that no session holds can become a controlling one. Giving it up sends HUP and CONT to the foreground
/// group, which is this process's own: they are consumed here, because the loop would forward them.
pub(super) fn give_up_terminal(tty: BorrowedFd<'_>) -> bool {
    let given_up = sys::leads_session() && sys::give_up_terminal(tty).is_ok();
    if given_up {
        let side_effects = SignalSet::from_iter([Signal::HUP, Signal::CONT]);
        while let Ok(Some(_)) = sys::sigtimedwait(side_effects, Some(Duration::ZERO)) {}
    }
    given_up
}
