//! Stops and continuations: main's, and this process's own with it.

use super::Running;
use crate::terminal::{Terminal, may_stop};
use crate::{Pid, Signal, SignalSet, sys};
use rustix::fd::BorrowedFd;
use std::time::Duration;

impl Running {
    /// Main was stopped. Where the terminal did it, a shell above sees only this process, which must stop too for ^Z to
    /// give the prompt back.
    pub(super) fn main_stopped(&mut self, signal: Signal) {
        // A plain STOP is somebody's own doing, who will continue main and not us.
        let by_terminal = !self.stop_along && [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal);
        let Some(terminal) = Terminal::controlling().filter(|_| by_terminal) else { return };
        if signal != Signal::TSTP && terminal.is_ours() {
            // A shell's `fg` has given the foreground to this process's group, and main asks for it now.
            terminal.give_to(self.main);
            let _ = sys::kill_group(self.main, Signal::CONT);
        } else if self.me != Pid::INIT && may_stop() {
            self.stopped_with_main = true;
            // STOP and not TSTP: TSTP is blocked here, to be forwarded.
            let _ = sys::kill(self.me, Signal::STOP);
        } else if signal == Signal::TSTP {
            // Nobody could ever continue it. As PID 1, or in an orphaned group, it would not have stopped without us.
            let _ = sys::kill_group(self.main, Signal::CONT);
        }
    }

    /// This process was continued. If it had stopped with main, by a shell's `fg` or `bg`: main and its group go on, with
    /// the terminal if this process has got it. Returns true if that was all that this CONT was for.
    pub(super) fn continued(&mut self) -> bool {
        if self.main_status.is_some() || !std::mem::take(&mut self.stopped_with_main) {
            return false;
        }
        if let Some(terminal) = Terminal::controlling() {
            terminal.give_to(self.main);
        }
        let _ = sys::kill_group(self.main, Signal::CONT);
        true
    }
}

/// A session leader lets go of its terminal, so that main's new session can have it; true if it did.
///
/// Only a terminal that no session holds can become a controlling one. Letting go sends HUP and CONT to the foreground
/// group, which is this process's own: they are meant for nobody, and taken here before the loop would forward them.
pub(super) fn give_up_terminal(tty: BorrowedFd<'_>) -> bool {
    let leader = rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid());
    let given_up = leader && sys::give_up_terminal(tty).is_ok();
    if given_up {
        let meant_for_nobody = SignalSet::from_iter([Signal::HUP, Signal::CONT]);
        while let Ok(Some(_)) = sys::sigtimedwait(meant_for_nobody, Some(Duration::ZERO)) {}
    }
    given_up
}
