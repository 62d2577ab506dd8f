//! Reaps children.

use super::event::Event;
use super::supervisor::Supervisor;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::policy::shutdown::ShutdownInput;
use crate::reaper::wait::Reaped;
use crate::signal::Signal;

/// Children reaped at once before signals get their turn: a storm of exits must not starve signals, nor the reverse.
const BATCH: usize = 256;

impl Supervisor {
    /// Reaps one batch, and reports it to the policy.
    pub(super) fn reap(&mut self) {
        let mut any = false;
        let mut main = false;
        let mut all = false;
        self.children_are_due = true;
        for _ in 0..BATCH {
            match self.waiter.next(self.main.living()) {
                Ok(Reaped::Exited(pid, status)) => {
                    any = true;
                    main |= self.exited(pid, status);
                }
                Ok(Reaped::Stopped(pid, signal)) if pid == self.main.pid => self.main_stopped(signal),
                Ok(Reaped::Stopped(..)) => {}
                Ok(Reaped::Nothing) => {
                    self.children_are_due = false;
                    break;
                }
                Ok(Reaped::NoChildren) => {
                    all = true;
                    self.children_are_due = false;
                    break;
                }
                Err(error) => {
                    self.errors.failed("waiting for children", &error.into(), &mut self.observers);
                    break;
                }
            }
        }
        self.oom.explain(self.me, &mut self.observers);
        if any {
            self.give_if_deserted();
            self.leave_if_out_of_reach();
        }
        if any || all {
            self.inputs.push_back(ShutdownInput::ChildrenReaped { main, all });
        }
    }

    /// Records a child that was reaped; true if it was main.
    fn exited(&mut self, pid: Pid, status: ExitStatus) -> bool {
        // One wake-up may show that main has started and that an orphan of it has exited: the start comes first. And a child that
        // failed to become main has written why before it exited.
        self.check_start();
        if self.start_failed.is_some() {
            return false;
        }
        self.reaped += 1;
        self.descendants.forget(pid);
        // Once main is reaped, an orphan may reuse its PID.
        let main = pid == self.main.pid && self.main.is_alive();
        if main {
            self.main.status = Some(status);
            self.foreground.take_back_from(pid);
        } else {
            self.observers.emit(Event::Adopted { pid });
        }
        self.observers.emit(Event::Reaped { pid, status, main });
        if status.signal() == Some(Signal::KILL) {
            self.oom.killed(pid, main);
        }
        main
    }
}
