//! Stops and continuations: main's, and this process's own with it.

use super::Supervisor;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::terminal::{Terminal, suspend};
use rustix::fd::BorrowedFd;
use std::time::Duration;

/// What the terminal sends to its foreground group.
const FROM_KEYS_AND_SIZE: [Signal; 4] = [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::WINCH];

impl Supervisor {
    /// Main was stopped. Where the terminal did it, a shell above sees only this process, which must stop too for ^Z to
    /// give the prompt back.
    pub(super) fn main_stopped(&mut self, signal: Signal) {
        // A contained rinit stays awake for its host, whatever becomes of main.
        if self.stop_along || self.contained.is_some() {
            return;
        }
        let Some(terminal) = Terminal::controlling() else { return };
        match signal {
            // It asks for the terminal, and a shell's `fg` has given that to this process's group.
            Signal::TTIN | Signal::TTOU if terminal.is_ours() => {
                self.give(terminal);
                self.continue_main();
            }
            // A shell's own `suspend`. From a STOP in the background nobody would miss the prompt: it is somebody's own
            // doing, who will continue main and not us.
            Signal::STOP if !terminal.belongs_to(self.main) => {}
            Signal::TSTP | Signal::TTIN | Signal::TTOU | Signal::STOP => {
                if self.me != Pid::INIT && suspend() {
                    self.continued();
                    self.continue_main();
                } else if signal == Signal::TSTP {
                    // Nobody could ever continue it. As PID 1, or in an orphaned group, it would not have stopped
                    // without us.
                    self.continue_main();
                } else {
                    self.wants_terminal = signal != Signal::STOP;
                    self.give_if_deserted();
                }
            }
            _ => {}
        }
    }

    /// This process was continued, perhaps by a shell's `fg`, which gives the terminal to this process's group: main is
    /// whom it is meant for.
    pub(super) fn continued(&mut self) {
        if let Some(terminal) = Terminal::controlling().filter(|terminal| terminal.is_ours()) {
            self.give(terminal);
        }
    }

    /// True for a signal of the terminal's that was meant for main's group and came here because a shell's `fg` has given
    /// the foreground to this process's group, without a word where it believes that the job is running. Main's group has
    /// it from here on.
    pub(super) fn is_meant_for_mains_group(&mut self, signal: Signal) -> bool {
        let terminal = Terminal::controlling().filter(|_| FROM_KEYS_AND_SIZE.contains(&signal));
        let Some(terminal) = terminal.filter(|terminal| terminal.is_ours()) else { return false };
        self.give(terminal);
        true
    }

    /// Main waits for the terminal and no shell is above that would give it to anybody: it gets it when the group that
    /// has it has ended. So a job does whose shell was killed under it.
    pub(super) fn give_if_deserted(&mut self) {
        if !self.wants_terminal {
            return;
        }
        if let Some(terminal) = Terminal::controlling().filter(|terminal| terminal.is_deserted()) {
            self.wants_terminal = false;
            self.give(terminal);
            self.continue_main();
        }
    }

    fn give(&mut self, terminal: Terminal) {
        if self.main_status.is_none() {
            terminal.give_to(self.main);
            self.terminal = Some(terminal);
        }
    }

    fn continue_main(&self) {
        if self.main_status.is_none() {
            let _ = sys::kill_group(self.main, Signal::CONT);
        }
    }
}

/// A session leader lets go of its terminal, so that main's new session can have it; true if it did.
///
/// Only a terminal that no session holds can become a controlling one. Letting go sends HUP and CONT to the foreground
/// group, which is this process's own: they are meant for nobody, and taken here before the loop would forward them.
pub(super) fn give_up_terminal(tty: BorrowedFd<'_>) -> bool {
    let given_up = sys::leads_session() && sys::give_up_terminal(tty).is_ok();
    if given_up {
        let meant_for_nobody = SignalSet::from_iter([Signal::HUP, Signal::CONT]);
        while let Ok(Some(_)) = sys::sigtimedwait(meant_for_nobody, Some(Duration::ZERO)) {}
    }
    given_up
}
