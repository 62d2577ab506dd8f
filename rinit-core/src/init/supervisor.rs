//! The loop: waits for one event, handles it, and carries out the actions of the shutdown policy.

use super::clock::{Clock, HEARTBEAT};
use super::contained::Contained;
use super::delivery::{PendingStop, Routing};
use super::descendants::hearing::Hearing;
use super::descendants::held::{is_held, is_zombie, status_of_zombie};
use super::descendants::report::Stage;
use super::descendants::{Descendants, signal_blindly};
use super::error_log::ErrorLog;
use super::event::{Event, NextStep, WithheldReason};
use super::job_control::Foreground;
use super::observer::Observers;
use super::oom::{self, OomWatch};
use super::priority::Priority;
use super::start::Starting;
use crate::error::Error;
use crate::exit_status::{ExitStatus, has_exited_once};
use crate::pid::Pid;
use crate::policy::forwarding::ForwardTo;
use crate::policy::shutdown::{Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput, StopStep};
use crate::reaper::wait::Waiter;
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::set::SignalSet;
use crate::survivor::REPORTED;
use crate::sys;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The program that runs under this init.
#[derive(Debug)]
pub(super) struct Main {
    pub(super) pid: Pid,
    /// `None` until it is reaped. From then on the kernel may give its number to another process.
    pub(super) status: Option<ExitStatus>,
    /// Refers to main's group even when main is reaped. PID 1 does not need it.
    pidfd: Option<OwnedFd>,
}

impl Main {
    pub(super) const fn is_alive(&self) -> bool {
        self.status.is_none()
    }

    /// Holds on to main's group: where /proc shows no descendants, and this process is not PID 1, the group is all that a stop
    /// can reach. Whether /proc will show them is not known yet, and one descriptor costs less than to ask.
    pub(super) fn hold_group(&mut self, me: Pid) {
        if me != Pid::INIT && self.pidfd.is_none() && self.is_alive() {
            self.pidfd = pidfd_open(self.pid.rustix(), PidfdFlags::empty()).ok();
        }
    }

    /// Sends a signal to main's group. Once main is reaped the number may be another group's, and only the pidfd will do
    /// (Linux 6.9).
    pub(super) fn signal_group(&self, signal: Signal) -> rustix::io::Result<()> {
        match &self.pidfd {
            _ if self.is_alive() => sys::kill_group(self.pid, signal),
            Some(pidfd) => sys::pidfd_signal_group(pidfd.as_fd(), signal),
            None => Ok(()),
        }
    }

    /// The pid, while no other process can have it.
    pub(super) fn living(&self) -> Option<Pid> {
        self.is_alive().then_some(self.pid)
    }
}

/// Actions that take longer have read more than a few processes.
const BRIEF_WORK: Duration = Duration::from_millis(10);
/// How long exited children are reaped after long work, if there are any, before the next timer of the policy: as long as the
/// work took, within these limits. A storm of exits delays a timer by at most this.
const REAPING_AFTER_WORK: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// The loop's state: one thread, one blocking wait.
pub(super) struct Supervisor {
    pub(super) me: Pid,
    pub(super) main: Main,
    pub(super) shutdown: Shutdown,
    /// Inputs that the policy has not seen yet. `carry_out` never calls the policy; it queues inputs here.
    pub(super) inputs: VecDeque<ShutdownInput>,
    pub(super) descendants: Descendants,
    pub(super) routing: Routing,
    pub(super) pending_stop: Option<PendingStop>,
    pub(super) foreground: Foreground,
    pub(super) oom: OomWatch,
    /// The loop has slept since main runs.
    has_slept: bool,
    pub(super) errors: ErrorLog,
    pub(super) observers: Observers,
    /// Main, until its execve has succeeded.
    pub(super) starting: Option<Starting>,
    pub(super) start_failed: Option<Error>,
    /// The controlling process, if this init runs a contained job.
    pub(super) contained: Option<Contained>,
    pub(super) waiter: Waiter,
    pub(super) reaped: u64,
    pub(super) stop_signal: Option<Signal>,
    /// Children may have exited that no SIGCHLD announces any more.
    pub(super) children_are_due: bool,
    /// After actions that took long, exited children are reaped until then.
    reap_until: Duration,
    clock: Clock,
    priority: Priority,
    round: Round,
    /// The signal by which main was asked to stop.
    pub(super) asked_main_by: Option<Signal>,
    asked_blindly: bool,
    /// How often all that remained were killed. What is found after the first time was born since.
    kill_rounds: u32,
    reported_freeze: bool,
    reported_overload: bool,
    /// True if this process may not signal main, and so cannot ask it to stop.
    pub(super) main_refused: bool,
    /// Since when nothing is left but zombies that a tracer holds, as far as was checked.
    held_since: Option<Duration>,
    /// True once a report was due: the processes that remain have had time to stop by themselves.
    was_reported: bool,
}

/// In the round after KILL the processes that were born since are killed, in the next one those that were born meanwhile. From this
/// one on they are a storm of forks.
const STORM_FROM: u32 = 2;

/// How long a zombie must have been held by its tracer, until this process leaves without reaping it. One that works waits for it
/// at once.
const HELD_FOR: Duration = Duration::from_secs(1);

/// One reason to wake up.
enum Wake {
    /// Children may have changed their state.
    Children,
    Signal(ReceivedSignal),
    /// The controlling process has sent something, or exited.
    ControllingProcess,
    /// The time is over, the wait was interrupted, or there was nothing to wake up for.
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
            main: Main { pid: main, status: None, pidfd: None },
            shutdown: Shutdown::new(shutdown),
            inputs: VecDeque::new(),
            descendants: Descendants::new(me),
            round: Round::new(routing.urgent_signals()),
            routing,
            pending_stop: None,
            foreground,
            oom: OomWatch::default(),
            has_slept: false,
            errors: ErrorLog::default(),
            observers,
            starting: None,
            start_failed: None,
            contained: None,
            waiter: Waiter::new(),
            reaped: 0,
            stop_signal: None,
            // A child that exited before the first wait has left its SIGCHLD pending; the first check needs none.
            children_are_due: true,
            reap_until: Duration::ZERO,
            clock: Clock::start(),
            priority: Priority::default(),
            asked_main_by: None,
            asked_blindly: false,
            kill_rounds: 0,
            reported_freeze: false,
            reported_overload: false,
            main_refused: false,
            held_since: None,
            was_reported: false,
        }
    }

    /// Runs until the policy is done.
    ///
    /// # Errors
    ///
    /// Only if main could not become its program.
    pub(super) fn run(&mut self) -> Result<Report, Error> {
        // Main is on its way to its program meanwhile, and has not been reaped.
        self.main.hold_group(self.me);
        if self.starting.is_none() {
            // Main runs already: nothing waits for this.
            self.oom.begin(self.main.living());
            self.main_runs();
        }
        while !self.shutdown.is_done() {
            match self.wait() {
                Wake::Children => {
                    self.handle_commands();
                    self.reap();
                }
                Wake::Signal(signal) => self.deliver(signal),
                Wake::ControllingProcess => self.handle_commands(),
                Wake::Nothing => {}
            }
            self.check_time_limit();
            if self.tick_is_due() {
                self.inputs.push_back(ShutdownInput::Tick);
            }
            if !self.inputs.is_empty() {
                let from = self.now();
                self.run_inputs();
                let now = self.now();
                let worked = now.saturating_sub(from);
                if worked > BRIEF_WORK {
                    let [least, most] = REAPING_AFTER_WORK;
                    self.reap_until = now + worked.clamp(least, most);
                }
            }
            self.descendants.forget_seen();
            self.check_start_if_reported();
            self.check_whether_start_failed()?;
        }
        if self.main.is_alive() {
            // It may have exited since the last wait, or its tracer let go of it.
            self.waiter.child_changed(None);
            self.reap();
            self.check_whether_start_failed()?;
        }
        Ok(self.report())
    }

    fn check_whether_start_failed(&mut self) -> Result<(), Error> {
        let Some(error) = self.start_failed.take() else { return Ok(()) };
        self.foreground.take_back_from(self.main.pid);
        Err(error)
    }

    /// True if a timer of the policy is due, and exited children have had their turn since the last long work. An action may read
    /// every process in /proc, zombies among them: after a stop of thousands the next timer is due before more than a batch of
    /// them is reaped.
    fn tick_is_due(&self) -> bool {
        let Some(deadline) = self.shutdown.deadline() else { return false };
        let now = self.now();
        deadline <= now && !(self.children_are_due && now < self.reap_until)
    }

    /// Main's execve has succeeded.
    pub(super) fn main_runs(&mut self) {
        self.observers.emit(Event::Spawned { pid: self.main.pid });
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Waits for one event: not at all if there is work left, without limit if nothing is due.
    fn wait(&mut self) -> Wake {
        let received = match self.round.next() {
            Ok(None) => {
                let idle = if self.children_are_due { Some(Duration::ZERO) } else { self.time_left() };
                let idle = idle.into_iter().chain(self.waiter.walk_due_in()).min();
                let idle = self.wait_for_start(idle);
                let idle = self.begin_oom_watch(idle);
                let received = self.round.begin(idle);
                self.notice_freeze();
                received
            }
            received => received,
        };
        match received {
            Ok(Some(info)) if info.signal == Signal::CHLD => {
                self.waiter.child_changed(info.child);
                Wake::Children
            }
            Ok(Some(info)) if self.is_from_controlling_process(&info) => Wake::ControllingProcess,
            Ok(Some(info)) if self.is_own_doing(&info) => Wake::Nothing,
            Ok(Some(info)) => Wake::Signal(info),
            // Checking the children costs little, and a stop and continue may have hidden one.
            Ok(None) => {
                self.waiter.child_changed(None);
                Wake::Children
            }
            Err(error) => {
                self.errors.failed("waiting for signals", &error, &mut self.observers);
                // While no signal can be received, only a check finds an exit.
                self.waiter.child_changed(None);
                Wake::Children
            }
        }
    }

    /// Begins the watch for out-of-memory kills, but not in main's first moments: the first sleep beside a main that runs is brief,
    /// and the watch begins before the second one. Returns how long to wait.
    fn begin_oom_watch(&mut self, idle: Option<Duration>) -> Option<Duration> {
        if self.starting.is_some() || self.oom.has_begun() || idle == Some(Duration::ZERO) {
            return idle;
        }
        if std::mem::replace(&mut self.has_slept, true) {
            self.oom.begin(self.main.living());
            return idle;
        }
        Some(idle.map_or(oom::SETTLING, |idle| idle.min(oom::SETTLING)))
    }

    /// How long to wait. While a deadline is pending not much longer than a heartbeat, by which a freeze is noticed.
    fn time_left(&mut self) -> Option<Duration> {
        let limit = self.contained.as_ref().and_then(Contained::time_left);
        let Some(deadline) = self.shutdown.deadline() else {
            self.clock.before_long_wait();
            return limit;
        };
        self.clock.before_wait();
        let left = deadline.saturating_sub(self.now()).min(HEARTBEAT);
        Some(limit.map_or(left, |limit| left.min(limit)))
    }

    fn notice_freeze(&mut self) {
        if let Some(time) = self.clock.after_wait() {
            if !std::mem::replace(&mut self.reported_freeze, true) {
                self.observers.emit(Event::Frozen { time });
            }
        }
    }

    /// True for a signal that the kernel sends to this process for its own doing: a write to a pipe without a reader
    /// (`pipe(7)`) or beyond a file's size limit, its use of the processor (`setrlimit(2)`), an alarm or a descriptor that it
    /// inherited. It must not reach main, and emits no event: logging could raise it again, without end.
    fn is_own_doing(&self, info: &ReceivedSignal) -> bool {
        match info.signal {
            Signal::PIPE | Signal::XFSZ => info.from_kernel || info.sender == Some(self.me),
            Signal::XCPU | Signal::VTALRM | Signal::PROF | Signal::IO => info.from_kernel,
            Signal::ALRM => info.from_kernel && !self.routing.forward_alarm,
            _ => false,
        }
    }

    /// Takes the inputs one after the other. Carrying out an action may add to them.
    fn run_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            for action in self.shutdown.step(input, self.now()) {
                self.carry_out(action);
                self.notice_overload();
            }
        }
    }

    fn notice_overload(&mut self) {
        if self.descendants.is_overloaded() && !std::mem::replace(&mut self.reported_overload, true) {
            let at_once = match self.me {
                Pid::INIT => "all processes of the PID namespace",
                _ => "main's process group",
            };
            let what = format!("the processes could not be listed in time: signals go to {at_once}");
            self.observers.emit(Event::Error { what });
        }
    }

    fn carry_out(&mut self, action: ShutdownAction) {
        let kill_in = self.shutdown.kill_at().map(|at| at.saturating_sub(self.now()));
        self.descendants.begin_step(kill_in, self.shutdown.has_killed());
        match action {
            // These only inform, or help a process that is stopped. They must not delay the deadline.
            ShutdownAction::ReportStep(_) | ShutdownAction::Examine
                if self.descendants.is_overloaded() && self.shutdown.kill_at().is_some() => {}
            ShutdownAction::Forward(signals) => {
                self.clock.stop_begins();
                self.forward_stop(signals);
            }
            ShutdownAction::Hold(signal) => {
                self.pending_stop = None;
                self.observers.emit(Event::Withheld { signal, why: WithheldReason::Delayed });
            }
            ShutdownAction::TerminateNext => {
                let now = self.now();
                self.terminate(|descendants, observers| descendants.terminate_next(now, observers));
            }
            ShutdownAction::TerminateAll => {
                let main = self.main.pid;
                self.terminate(|descendants, observers| descendants.terminate_all(main, observers).map(|()| false));
            }
            ShutdownAction::TerminateGroup => {
                // Without /proc no member can be distinguished from an unrelated process: the group gets no signal.
                let _ = self.descendants.terminate_group(self.main.pid, &mut self.observers);
            }
            ShutdownAction::Examine => self.examine(),
            ShutdownAction::ReportStep(step) => {
                let next = match step {
                    StopStep::Drain => NextStep::Terminate,
                    StopStep::LastCall => NextStep::LastCall,
                    StopStep::Wait => NextStep::Wait,
                };
                let stage = self.stage(next);
                self.descendants.report(stage, &mut self.observers);
            }
            ShutdownAction::Kill => self.kill(false),
            ShutdownAction::KillRemaining => self.kill(true),
            ShutdownAction::ReportSurvivors => self.report_survivors(),
            ShutdownAction::Exit => {}
        }
    }

    fn stage(&self, next: NextStep) -> Stage {
        let kill_in = self.shutdown.kill_at().map(|at| at.saturating_sub(self.now()));
        Stage {
            next,
            main: self.main.status,
            kill_in,
            limit: self.shutdown.kill_limit(),
            main_refused: self.main_refused && self.main.is_alive(),
        }
    }

    /// Asks processes; `ask` says whether another one will have its turn by time alone.
    fn terminate(&mut self, ask: impl FnOnce(&mut Descendants, &mut Observers) -> Result<bool, Error>) {
        self.priority.raise();
        match ask(&mut self.descendants, &mut self.observers) {
            Ok(true) => self.inputs.push_back(ShutdownInput::AskAgain),
            Ok(false) => {}
            Err(_) if self.asked_blindly => {}
            Err(_) => {
                // Once: without /proc a new process cannot be distinguished from one that was asked before.
                self.asked_blindly = true;
                signal_blindly(self.me, &self.main, Signal::TERM);
            }
        }
        self.check_whether_waiting_helps();
    }

    fn kill(&mut self, again: bool) {
        self.priority.raise();
        self.oom.has_killed();
        let stage = self.stage(NextStep::Kill);
        let Self { descendants, observers, contained, .. } = self;
        let result = match contained {
            // A contained job is killed outright: another round of SIGTERM would let it fork again.
            Some(contained) => descendants.kill_all(contained.group.filter(|_| self.main.is_alive()), observers),
            None if again => descendants.kill_remaining(observers),
            None => descendants.kill(stage, observers),
        };
        self.kill_rounds += u32::from(again);
        if self.contained.is_none() && self.kill_rounds >= STORM_FROM && result.is_ok() {
            self.kill_storm();
        }
        if let Err(error) = result {
            if !again && !self.descendants.is_overloaded() {
                let which =
                    if self.me == Pid::INIT { "all processes of the PID namespace" } else { "main's process group" };
                let what = format!("killing (SIGKILL) {which}, without a name: {error}");
                self.observers.emit(Event::Error { what });
            }
            signal_blindly(self.me, &self.main, Signal::KILL);
            if let Some(pid) = self.main.living() {
                self.observers.emit(Event::Killed { pid });
            }
            if self.me != Pid::INIT {
                // Each is killed as soon as it is found: a fork bomb that has lost some processes leaves this one more of the
                // processor.
                let _ = self.descendants.kill_all(None, &mut self.observers);
            }
        }
        if again {
            self.check_tracers();
            self.leave_if_only_tracers_hold();
        }
    }

    /// Kills what is born faster than it can be killed one by one: as PID 1 by one step of the kernel that no fork escapes. The
    /// processes of `docker exec` exit with it, as they do a moment later when PID 1 exits. Elsewhere from the top down, by groups.
    fn kill_storm(&mut self) {
        match self.me {
            Pid::INIT => signal_blindly(self.me, &self.main, Signal::KILL),
            _ => {
                let _ = self.descendants.kill_all(None, &mut self.observers);
            }
        }
    }

    /// Checks whether nothing is left but zombies that a tracer holds.
    fn check_tracers(&mut self) {
        let main_lives = self.main.living().is_some_and(|main| !is_held(main));
        let held = !main_lives && self.descendants.only_tracers_hold();
        self.held_since = if held { self.held_since.or(Some(self.now())) } else { None };
    }

    /// Leaves if nothing is left but zombies that a tracer holds: they have nothing to lose, and no signal helps. Not before a report
    /// was due, or they were killed: a tracer may be slow. True if it leaves.
    fn leave_if_only_tracers_hold(&mut self) -> bool {
        let is_time = self.was_reported || self.shutdown.has_killed();
        let long = self.held_since.is_some_and(|since| self.now().saturating_sub(since) >= HELD_FOR);
        if is_time && long {
            self.inputs.push_back(ShutdownInput::OutOfReach);
        }
        is_time && long
    }

    /// Continues stopped processes, and checks whether main can act on a signal that it ignored when it was sent.
    fn examine(&mut self) {
        let main = self.main.living();
        let draining = self.shutdown.is_draining();
        if draining || main.is_some() {
            let only = main.filter(|_| !draining);
            self.descendants.continue_stopped(only, &mut self.observers);
        }
        if draining {
            self.descendants.ask_what_was_executed_since(&mut self.observers);
        }
        let main_is_held = main.is_some_and(is_held);
        if draining || main_is_held {
            self.check_tracers();
        }
        if main_is_held {
            // It has exited. The others need not wait until its tracer has waited for it.
            if !draining {
                self.inputs.push_back(ShutdownInput::MainNotAsked);
            }
            return;
        }
        let (Some(main), Some(signal)) = (main, self.asked_main_by) else { return };
        match self.descendants.main_may_ignore(main, signal) {
            // It was busy with something that a stop must not disturb, and has not been asked yet.
            Some(Hearing::Acts) => self.forward(ForwardTo::Main, signal, None, true),
            Some(Hearing::Ignores) if !draining => self.inputs.push_back(ShutdownInput::MainNotAsked),
            Some(_) | None => {}
        }
    }

    fn report_survivors(&mut self) {
        let done = self.shutdown.is_done();
        if !done {
            self.was_reported = true;
            self.check_tracers();
            if self.leave_if_only_tracers_hold() {
                // The line that it leaves them follows.
                return;
            }
        }
        let next = if done { NextStep::Leave } else { NextStep::Wait };
        let stage = self.stage(next);
        self.descendants.report(stage, &mut self.observers);
        if done {
            return;
        }
        self.check_whether_waiting_helps();
    }

    /// Checks whether waiting longer has any use.
    fn check_whether_waiting_helps(&mut self) {
        self.leave_if_out_of_reach();
        // Main is never killed without a limit while it may be signalled.
        let may_kill = !self.main.is_alive() || self.main_refused;
        if self.was_reported && may_kill && self.descendants.none_can_act() {
            self.inputs.push_back(ShutdownInput::NoneCanAct);
        }
    }

    /// Leaves if none of the processes that remain may be signalled: waiting longer would only make this process as unstoppable
    /// as they are. The exit of PID 1 makes the kernel kill them. If main is one of them it has its time first.
    pub(super) fn leave_if_out_of_reach(&mut self) {
        let may_leave = match self.main.is_alive() {
            true => self.main_refused && self.was_reported,
            false => self.shutdown.is_draining() || self.shutdown.has_killed(),
        };
        if may_leave && self.descendants.any_was_refused() && self.descendants.is_out_of_reach() {
            self.inputs.push_back(ShutdownInput::OutOfReach);
        }
    }

    fn report(&mut self) -> Report {
        // A job of main's that was killed with it may have had the foreground until now.
        self.foreground.take_back_from(self.main.pid);
        let left_behind = if self.main.is_alive() || has_children() {
            for pid in self.descendants.hidden_children() {
                let what = format!("pid {pid} is still running; /proc does not show it to this user (hidepid)");
                self.observers.emit(Event::Error { what });
            }
            self.descendants.remaining(REPORTED)
        } else {
            Vec::new()
        };
        let held = self.main.living().filter(|main| is_zombie(*main));
        let main = self.main.status.or_else(|| held.and_then(status_of_zombie));
        if let Some(pid) = held.filter(|_| main.is_none()) {
            let what = format!(
                "main (pid {pid}) has exited, and its exit status is not known: reading it takes CAP_SYS_PTRACE"
            );
            self.observers.emit(Event::Error { what });
        }
        let stop_took = self.shutdown.stop_requested().map(|at| self.now().saturating_sub(at));
        let report = Report {
            main_pid: self.main.pid,
            main,
            reaped: self.reaped,
            asked: self.descendants.terminated(),
            killed: self.descendants.take_killed(),
            left_behind,
            stop_signal: self.stop_signal,
            stop_took,
            timed_out: self.contained.as_ref().is_some_and(Contained::timed_out),
        };
        if let Some(Contained { controlling, .. }) = &self.contained {
            controlling.send_report(&report);
        }
        report
    }
}

/// True if children remain. It reaps none, because this process may live on.
fn has_children() -> bool {
    // A call that is refused, as this flag is before Linux 4.7, says nothing: /proc then shows what remains.
    let any = WaitIdOptions::from_bits_retain(sys::ANY_EXIT_SIGNAL);
    has_exited_once(WaitId::All, any) != Err(Errno::CHILD)
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
        // Ends the round unless another signal is taken. An error ends it too: otherwise signals already taken would stay
        // excluded.
        let taken = std::mem::replace(&mut self.taken, SignalSet::empty());
        for set in [self.urgent, SignalSet::all()] {
            if let Some(info) = sys::sigtimedwait(set.difference(taken), Some(Duration::ZERO))? {
                self.taken = taken;
                return Ok(Some(self.take(info)));
            }
        }
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
