//! The loop: waits for one event, handles it, and carries out the actions of the shutdown policy.

use super::contained::Contained;
use super::delivery::{PendingStop, Routing};
use super::descendants::{self, Descendants};
use super::error_log::ErrorLog;
use super::event::{Event, NextStep, WithheldReason};
use super::job_control::Foreground;
use super::observer::Observers;
use super::oom::OomWatch;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::policy::shutdown::{Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput};
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::set::SignalSet;
use crate::sys;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The program that runs under this init.
#[derive(Debug)]
pub(super) struct Main {
    pub(super) pid: Pid,
    /// `None` until it is reaped. From then on the kernel may give its number to another process.
    pub(super) status: Option<ExitStatus>,
}

impl Main {
    pub(super) const fn is_alive(&self) -> bool {
        self.status.is_none()
    }

    /// The pid, while it cannot be another process's.
    pub(super) fn living(&self) -> Option<Pid> {
        self.is_alive().then_some(self.pid)
    }
}

/// The loop's state: one thread, one blocking wait.
pub(super) struct Supervisor {
    pub(super) me: Pid,
    pub(super) main: Main,
    pub(super) shutdown: Shutdown,
    /// What the policy has not seen yet. Nothing calls the policy from inside the carrying out of one of its actions.
    pub(super) inputs: VecDeque<ShutdownInput>,
    pub(super) descendants: Descendants,
    pub(super) routing: Routing,
    pub(super) pending_stop: Option<PendingStop>,
    pub(super) foreground: Foreground,
    pub(super) oom: OomWatch,
    pub(super) errors: ErrorLog,
    pub(super) observers: Observers,
    /// The controlling process, if this init runs a contained job.
    pub(super) contained: Option<Contained>,
    pub(super) reaped: u64,
    pub(super) stop_signal: Option<Signal>,
    /// Children may have exited that no SIGCHLD announces any more.
    pub(super) children_are_due: bool,
    started: Instant,
    round: Round,
    /// Main may not be signalled, so that it cannot be asked to stop.
    pub(super) main_refused: bool,
    /// That is so, and main has had time to exit by itself.
    refused_main_had_time: bool,
}

/// One reason to wake up.
enum Wake {
    /// Children may have changed their state.
    Children,
    Signal(ReceivedSignal),
    /// The controlling process has sent something, or exited.
    Controller,
    /// Out of time, interrupted, or woken up for nothing.
    Nothing,
}

impl Supervisor {
    pub(super) fn new(
        me: Pid,
        main: Pid,
        foreground: Foreground,
        shutdown: ShutdownConfig,
        routing: Routing,
        observers: Observers,
    ) -> Self {
        Self {
            me,
            main: Main { pid: main, status: None },
            shutdown: Shutdown::new(shutdown),
            inputs: VecDeque::new(),
            descendants: Descendants::new(me),
            round: Round::new(routing.urgent_signals()),
            routing,
            pending_stop: None,
            foreground,
            oom: OomWatch::default(),
            errors: ErrorLog::default(),
            observers,
            contained: None,
            reaped: 0,
            stop_signal: None,
            // A child that exited before the first wait has left its SIGCHLD pending; the first check needs none.
            children_are_due: true,
            started: Instant::now(),
            main_refused: false,
            refused_main_had_time: false,
        }
    }

    /// Runs until the policy is done.
    pub(super) fn run(mut self) -> Report {
        self.observers.emit(Event::Spawned { pid: self.main.pid });
        while !self.shutdown.is_done() {
            match self.wait() {
                Wake::Children => {
                    self.handle_commands();
                    self.reap();
                }
                Wake::Signal(signal) => self.deliver(signal),
                Wake::Controller => self.handle_commands(),
                Wake::Nothing => {}
            }
            if self.shutdown.deadline().is_some_and(|at| at <= self.now()) {
                self.inputs.push_back(ShutdownInput::Tick);
            }
            self.run_inputs();
        }
        self.report()
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for one event: not at all if there is work left, without limit if nothing is due.
    fn wait(&mut self) -> Wake {
        let received = match self.round.next() {
            Ok(None) => {
                let idle = if self.children_are_due { Some(Duration::ZERO) } else { self.time_left() };
                self.round.begin(idle)
            }
            received => received,
        };
        match received {
            Ok(Some(info)) if info.signal == Signal::CHLD => Wake::Children,
            Ok(Some(info)) if self.is_from_controller(&info) => Wake::Controller,
            Ok(Some(info)) if self.is_for_own_writing(&info) => Wake::Nothing,
            Ok(Some(info)) => Wake::Signal(info),
            // Checking the children costs little, and a stop and continue may have hidden one.
            Ok(None) => Wake::Children,
            Err(error) => {
                self.errors.failed("waiting for signals", &error, &mut self.observers);
                Wake::Children
            }
        }
    }

    fn time_left(&self) -> Option<Duration> {
        self.shutdown.deadline().map(|at| at.saturating_sub(self.now()))
    }

    /// True for a signal that the kernel sends to a process that writes to a pipe without a reader (`pipe(7)`) or beyond a
    /// file's size limit (`setrlimit(2)`): this process's own log. Main must not die of it. Not even an event: logging it
    /// would raise the next one, without end.
    fn is_for_own_writing(&self, info: &ReceivedSignal) -> bool {
        [Signal::PIPE, Signal::XFSZ].contains(&info.signal) && info.sender == Some(self.me)
    }

    /// Takes the inputs one after the other. Carrying out an action may add to them.
    fn run_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            for action in self.shutdown.step(input, self.now()) {
                self.carry_out(action);
            }
        }
    }

    fn carry_out(&mut self, action: ShutdownAction) {
        let result = match action {
            ShutdownAction::Forward(signals) => return self.forward_stop(signals),
            ShutdownAction::Hold(signal) => {
                let why = WithheldReason::Delayed;
                return self.observers.emit(Event::Withheld { signal, why });
            }
            ShutdownAction::TerminateAll => {
                self.descendants.terminate_all(&mut self.observers).map_err(|_| Some(Signal::TERM))
            }
            ShutdownAction::TerminateOrphans => {
                self.descendants.terminate_orphans(&mut self.observers).map_err(|_| None)
            }
            ShutdownAction::Kill => self.kill(false),
            ShutdownAction::KillRemaining => self.kill(true),
            ShutdownAction::ReportSurvivors => return self.report_survivors(),
            ShutdownAction::Exit => return,
        };
        if let Err(Some(signal)) = result {
            descendants::signal_blindly(self.me == Pid::INIT, self.main.pid, signal);
        }
    }

    fn kill(&mut self, again: bool) -> Result<(), Option<Signal>> {
        self.oom.has_killed();
        let Self { descendants, observers, contained, .. } = self;
        let result = match contained {
            // A contained job is killed outright: another round of SIGTERM would let it fork again.
            Some(contained) => descendants.kill_all(contained.group, observers),
            None if again => descendants.kill_remaining(observers),
            None => descendants.kill(observers),
        };
        result.map_err(|_| Some(Signal::KILL))
    }

    fn report_survivors(&mut self) {
        let next = if self.shutdown.is_done() { NextStep::Leave } else { NextStep::Wait };
        self.descendants.report(next, &mut self.observers);
        self.refused_main_had_time = self.main_refused;
        self.leave_if_out_of_reach();
    }

    /// Leaves if main may not be signalled, has had its time, and only such processes remain: waiting on would only make
    /// this process as unstoppable as main. The exit of PID 1 makes the kernel kill them.
    pub(super) fn leave_if_out_of_reach(&mut self) {
        if self.refused_main_had_time && !self.shutdown.is_done() && self.descendants.is_out_of_reach() {
            self.inputs.push_back(ShutdownInput::OutOfReach);
        }
    }

    fn report(mut self) -> Report {
        // A job of main's that was killed with it may have had the foreground until now.
        self.foreground.take_back_from(self.main.pid);
        let left_behind = if self.main.is_alive() || has_children() {
            self.descendants.remaining(descendants::REPORTED)
        } else {
            Vec::new()
        };
        let stop_took = self.shutdown.stop_requested().map(|at| self.now().saturating_sub(at));
        let report = Report {
            main_pid: self.main.pid,
            main: self.main.status,
            reaped: self.reaped,
            told: self.descendants.terminated_count(),
            killed: self.descendants.take_killed(),
            left_behind,
            stop_signal: self.stop_signal,
            stop_took,
        };
        if let Some(Contained { controller, .. }) = &self.contained {
            controller.send_report(&report);
        }
        report
    }
}

/// True if children remain. It reaps none, because this process may live on.
fn has_children() -> bool {
    let options = rustix::process::WaitIdOptions::EXITED
        | rustix::process::WaitIdOptions::NOHANG
        | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::All, options).is_ok()
}

/// Takes pending signals in rounds, each kind once in a round.
///
/// The kernel hands out the lowest number first, so that a flood of one signal would hide all above it, SIGCHLD and TERM
/// included. Within a round signals that request a stop go first, so that a stop waits for one other signal at most.
#[derive(Debug)]
struct Round {
    taken: SignalSet,
    urgent: SignalSet,
}

impl Round {
    const fn new(urgent: SignalSet) -> Self {
        Self { taken: SignalSet::empty(), urgent }
    }

    /// The next pending signal of the round. `None` ends the round.
    fn next(&mut self) -> std::io::Result<Option<ReceivedSignal>> {
        if self.taken.is_empty() {
            return Ok(None);
        }
        for set in [self.urgent, SignalSet::all()] {
            let left = set.difference(self.taken);
            if let Some(info) = sys::sigtimedwait(left, Some(Duration::ZERO))? {
                return Ok(Some(self.take(info)));
            }
        }
        self.taken = SignalSet::empty();
        Ok(None)
    }

    /// Waits for the first signal of a round.
    fn begin(&mut self, timeout: Option<Duration>) -> std::io::Result<Option<ReceivedSignal>> {
        Ok(sys::sigtimedwait(SignalSet::all(), timeout)?.map(|info| self.take(info)))
    }

    fn take(&mut self, info: ReceivedSignal) -> ReceivedSignal {
        self.taken |= info.signal.into();
        info
    }
}
