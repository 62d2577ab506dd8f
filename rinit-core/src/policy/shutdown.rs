//! The shutdown policy: which step follows which, from the first stop signal to the exit.
//!
//! A pure state machine. Time comes in as a duration since the start, and timers go out as [`Shutdown::deadline`]. The
//! driver feeds it what happened and carries out the actions in order. Which process is asked at which step is decided in
//! `order`.
//!
//! ```text
//! running --stop signal--> (held back) --> main asked --------- main exited --> drain, from the top --+
//!    |                                        |                                        |              |
//!    |                                        +--> last call: TERM to all not asked <--+              |
//!    |                                                        |                                       |
//!    +-- main exited --> drain                            KILL at the limit             no process left, or none
//!                                                             |                         that could be waited for
//!                                                         give up --> exit <------------------------- +
//! ```

use crate::signal::Signal;
use crate::signal::set::SignalSet;
use std::time::Duration;

/// What happens to the other processes when main has exited.
///
/// ```
/// assert_eq!(rinit_core::policy::OnMainExit::default(), rinit_core::policy::OnMainExit::Drain);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnMainExit {
    /// They get TERM, from the top, and the init waits for them.
    #[default]
    Drain,
    /// The init waits for them. They get TERM only when a stop is requested: for programs that daemonise or re-exec.
    Wait,
    /// The init waits for them. Before the limit they get no TERM, even in a stop: only main is asked. At an explicit limit they
    /// get TERM, and KILL in the next round.
    Finish,
    /// The init exits at once; as PID 1 this makes the kernel kill them.
    Exit,
    /// Main's process group gets TERM, and the init exits at once, as dumb-init does.
    TerminateGroup,
}

/// Times and limits of a stop. Start from [`ShutdownConfig::default`] and change fields.
///
/// ```
/// use rinit_core::policy::ShutdownConfig;
/// use std::time::Duration;
/// let mut config = ShutdownConfig::default();
/// assert_eq!(config.grace, None);
/// config.grace = Some(Duration::from_secs(8));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// How long the first stop signal is held back before main gets it. Zero means no delay.
    pub stop_delay: Duration,
    /// Time from asking main to KILL for all. `None`: main is never killed.
    pub grace: Option<Duration>,
    /// Time from main's exit to KILL for the processes that remain. `None`: ten seconds, and no limit while a requested
    /// stop runs under another process's clock.
    pub drain: Option<Duration>,
    /// Time from the stop request to TERM for all that were not asked yet. `None`: four fifths of the limit, or eight seconds
    /// if the limit is not known. Never before main was asked.
    pub last_call: Option<Duration>,
    /// What happens to the other processes when main has exited.
    pub on_main_exit: OnMainExit,
    /// True as PID 1 of a container: the container's runtime limits a stop that it requested.
    pub runtime_has_clock: bool,
    /// How long a step may take before it is reported: one second, or zero to report each at once.
    pub report_steps_after: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self {
            stop_delay: Duration::ZERO,
            grace: None,
            drain: None,
            last_call: None,
            on_main_exit: OnMainExit::default(),
            runtime_has_clock: false,
            report_steps_after: Duration::from_secs(1),
        }
    }
}

/// Default for [`ShutdownConfig::drain`].
const DRAIN: Duration = Duration::from_secs(10);
/// The last call if the limit is not known: Docker's is ten seconds.
const LAST_CALL: Duration = Duration::from_secs(8);
/// From the start of a stop to the first report; doubled each time.
const REPORT_AFTER: Duration = Duration::from_secs(5);
/// From asking main to the check whether it can act on the signal. Mostly main has exited by then, and no check is needed.
const EXAMINE_AFTER: Duration = Duration::from_millis(50);
/// From the start of the drain to the first check for stopped processes.
const EXAMINE_DRAIN_AFTER: Duration = Duration::from_millis(500);
/// The longest time between two such checks.
const EXAMINE_AT_LEAST_EVERY: Duration = Duration::from_secs(4);
/// From an exit in the drain to asking the orphans that it left; doubled each time. One check for many exits: a check costs
/// time in proportion to the number of processes.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// The longest time from an exit to asking the orphans that it left.
const ASK_AGAIN_WITHIN: Duration = Duration::from_millis(160);
/// From one check of a process that reads to the end of its input to the next.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// From one KILL to the next, for processes born in between; doubled each time.
pub(crate) const KILL_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// From an exit to the next KILL, if all processes are to be killed at once.
const CHECK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// From the first KILL to leaving behind processes that KILL does not terminate: stuck in the kernel, or of another user.
/// The exit of PID 1 makes the kernel kill them.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// What happened.
///
/// ```
/// use rinit_core::Signal;
/// use rinit_core::policy::ShutdownInput;
/// let _ = ShutdownInput::StopRequested(Signal::TERM);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownInput {
    /// A signal arrived that requests a stop; as it is to be forwarded, after rewriting.
    StopRequested(Signal),
    /// Children were reaped.
    ChildrenReaped {
        /// Main was among them.
        main: bool,
        /// No child is left, and so no descendant.
        all: bool,
    },
    /// Main ignores the stop signal, or may not be signalled: it counts as not asked.
    MainNotAsked,
    /// None of the processes that remain may be signalled by this process.
    OutOfReach,
    /// None of the processes that remain can act on TERM: each ignores it or may not be signalled. Main, if it is among
    /// them, may not be signalled.
    NoneCanAct,
    /// A process that was not asked will have its turn by time alone: it may come to the end of what it reads.
    AskAgain,
    /// The stop that follows has this time, from asking main to KILL. A stop that is on its way has at most this much
    /// from here.
    Grace(Duration),
    /// All processes are to be killed at once: the process that wanted them has exited, or does not wait any longer.
    Abandoned,
    /// Time has passed: [`Shutdown::deadline`] is due.
    Tick,
}

/// What to do.
///
/// ```
/// use rinit_core::{Signal, SignalSet};
/// use rinit_core::policy::ShutdownAction;
/// let _ = ShutdownAction::Forward(SignalSet::only(Signal::TERM));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownAction {
    /// Forward these signals: to main, or to all that remain when main has exited.
    Forward(SignalSet),
    /// Hold this signal back; a later [`ShutdownAction::Forward`] includes it.
    Hold(Signal),
    /// Send TERM to each process whose turn it is.
    TerminateNext,
    /// The last call: send TERM to each descendant that was not asked yet.
    TerminateAll,
    /// Send TERM to main's process group.
    TerminateGroup,
    /// Check whether main can act on the stop signal, and continue processes that are stopped.
    Examine,
    /// Name the descendants that remain, and the step that they were asked by: it takes long.
    ReportStep(StopStep),
    /// Name the descendants that remain, then KILL each that was sent TERM before; send TERM to the others. After
    /// [`ShutdownInput::Abandoned`] KILL all.
    Kill,
    /// Send KILL to every descendant that remains.
    KillRemaining,
    /// Name the descendants that remain.
    ReportSurvivors,
    /// Exit, with main's status.
    Exit,
}

/// A step of a stop that asks processes.
///
/// ```
/// assert_ne!(rinit_core::policy::StopStep::Drain, rinit_core::policy::StopStep::LastCall);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopStep {
    /// Main has exited, or cannot be asked: the others are asked from the top.
    Drain,
    /// All that were not asked yet are.
    LastCall,
    /// Main has exited, and the others are waited for without being asked.
    Wait,
}

/// The limit that KILL comes from.
///
/// ```
/// assert_ne!(rinit_core::policy::KillLimit::Drain, rinit_core::policy::KillLimit::DefaultDrain);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KillLimit {
    /// [`ShutdownConfig::grace`], or [`ShutdownInput::Grace`].
    Grace,
    /// [`ShutdownConfig::drain`].
    Drain,
    /// The ten seconds of a drain for which nothing is configured.
    DefaultDrain,
}

/// The state of a shutdown.
///
/// ```
/// use rinit_core::{Signal, SignalSet};
/// use rinit_core::policy::{Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput};
/// use std::time::Duration;
///
/// let mut config = ShutdownConfig::default();
/// config.grace = Some(Duration::from_secs(4));
/// let mut shutdown = Shutdown::new(config);
/// let actions = shutdown.step(ShutdownInput::StopRequested(Signal::TERM), Duration::from_secs(10));
/// assert_eq!(actions, [ShutdownAction::Forward(SignalSet::only(Signal::TERM))]);
/// let actions = shutdown.step(ShutdownInput::ChildrenReaped { main: true, all: true }, Duration::from_secs(11));
/// assert_eq!(actions, [ShutdownAction::Exit]);
/// ```
#[derive(Debug, Clone)]
pub struct Shutdown {
    config: ShutdownConfig,
    /// When the first stop signal came.
    stop_requested: Option<Duration>,
    main_exited: bool,
    /// Processes beside main are being asked.
    draining: bool,
    /// All processes were asked.
    last_called: bool,
    /// Where the time of KILL comes from. A requested stop under the runtime's clock cancels the drain's default.
    kill_limit: Option<KillLimit>,
    /// No process is asked any more before KILL.
    abandoned: bool,
    done: bool,
    /// Stop signals held back until `ask_main_at`.
    held: SignalSet,
    /// When the time of the current stop, or of the drain, began to count.
    began: Duration,
    step: StopStep,
    examine_after: Duration,
    ask_again_after: Duration,
    report_after: Duration,
    kill_again_after: Duration,
    // Timers, as time since the start.
    ask_main_at: Option<Duration>,
    examine_at: Option<Duration>,
    ask_next_at: Option<Duration>,
    last_call_at: Option<Duration>,
    report_step_at: Option<Duration>,
    report_at: Option<Duration>,
    kill_at: Option<Duration>,
    kill_again_at: Option<Duration>,
    give_up_at: Option<Duration>,
}

impl Shutdown {
    /// Before anything has happened.
    ///
    /// ```
    /// use rinit_core::policy::{Shutdown, ShutdownConfig};
    /// assert_eq!(Shutdown::new(ShutdownConfig::default()).deadline(), None);
    /// ```
    #[must_use]
    pub const fn new(config: ShutdownConfig) -> Self {
        Self {
            config,
            stop_requested: None,
            main_exited: false,
            draining: false,
            last_called: false,
            kill_limit: None,
            abandoned: false,
            done: false,
            held: SignalSet::empty(),
            began: Duration::ZERO,
            step: StopStep::Drain,
            examine_after: EXAMINE_AFTER,
            ask_again_after: ASK_AGAIN_AFTER,
            report_after: REPORT_AFTER,
            kill_again_after: KILL_AGAIN_AFTER,
            ask_main_at: None,
            examine_at: None,
            ask_next_at: None,
            last_call_at: None,
            report_step_at: None,
            report_at: None,
            kill_at: None,
            kill_again_at: None,
            give_up_at: None,
        }
    }

    /// When a [`ShutdownInput::Tick`] is due, as time since the start; `None` while nothing is.
    ///
    /// ```
    /// use rinit_core::policy::{Shutdown, ShutdownConfig, ShutdownInput};
    /// use std::time::Duration;
    /// let mut shutdown = Shutdown::new(ShutdownConfig::default());
    /// assert_eq!(shutdown.deadline(), None);
    /// let _ = shutdown.step(ShutdownInput::ChildrenReaped { main: true, all: false }, Duration::ZERO);
    /// assert!(shutdown.deadline().is_some());
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let timers = [
            self.ask_main_at,
            self.examine_at,
            self.ask_next_at,
            self.last_call_at,
            self.report_step_at,
            self.report_at,
            self.kill_at,
            self.kill_again_at,
            self.give_up_at,
        ];
        timers.into_iter().flatten().min()
    }

    /// When a stop was requested, as time since the start.
    #[must_use]
    pub const fn stop_requested(&self) -> Option<Duration> {
        self.stop_requested
    }

    /// When KILL is due, as time since the start; `None` while it is not, or once it was sent.
    #[must_use]
    pub const fn kill_at(&self) -> Option<Duration> {
        self.kill_at
    }

    /// The limit that KILL is due at, or that it was sent at. `None` if there is none, also once KILL was sent because no
    /// process that remains can act on TERM.
    #[must_use]
    pub const fn kill_limit(&self) -> Option<KillLimit> {
        self.kill_limit
    }

    /// True once [`ShutdownAction::Exit`] was given; no action follows.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// True while processes beside main are being asked, or waited for, and none is killed.
    pub(crate) const fn is_draining(&self) -> bool {
        (self.draining || self.main_exited) && self.give_up_at.is_none()
    }

    /// True once KILL was sent.
    pub(crate) const fn has_killed(&self) -> bool {
        self.give_up_at.is_some()
    }

    /// Handles what happened at time `now`, and returns what to do. `now` never goes back.
    ///
    /// ```
    /// use rinit_core::policy::{Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput};
    /// use std::time::Duration;
    /// let mut shutdown = Shutdown::new(ShutdownConfig::default());
    /// let actions = shutdown.step(ShutdownInput::ChildrenReaped { main: true, all: false }, Duration::ZERO);
    /// assert_eq!(actions, [ShutdownAction::TerminateNext]);
    /// ```
    #[must_use = "the actions are the policy's answer"]
    pub fn step(&mut self, input: ShutdownInput, now: Duration) -> Vec<ShutdownAction> {
        let mut actions = Vec::new();
        if self.done {
            return actions;
        }
        match input {
            ShutdownInput::StopRequested(signal) => self.stop_requested_by(signal, now, &mut actions),
            ShutdownInput::ChildrenReaped { main, all } => self.reaped(main, all, now, &mut actions),
            ShutdownInput::MainNotAsked => {
                if !self.main_exited && self.asks_others() {
                    self.ask_from_the_top(now, &mut actions);
                }
            }
            ShutdownInput::OutOfReach => {
                actions.push(ShutdownAction::ReportSurvivors);
                self.exit(&mut actions);
            }
            ShutdownInput::NoneCanAct => {
                let limited = self.kill_at.is_some() || self.give_up_at.is_some();
                if self.draining && !limited {
                    self.kill(now, &mut actions);
                }
            }
            ShutdownInput::AskAgain => {
                if self.draining && self.give_up_at.is_none() {
                    self.ask_next_at = earlier(self.ask_next_at, now.checked_add(READ_AGAIN_AFTER));
                }
            }
            ShutdownInput::Grace(grace) => {
                self.config.grace = Some(grace);
                if self.stop_requested.is_some() && self.ask_main_at.is_none() {
                    self.start_clock(now);
                }
            }
            ShutdownInput::Abandoned => self.abandon(now, &mut actions),
            ShutdownInput::Tick => self.tick(now, &mut actions),
        }
        actions
    }

    /// False if the others finish without being asked.
    fn asks_others(&self) -> bool {
        self.config.on_main_exit != OnMainExit::Finish
    }

    fn stop_requested_by(&mut self, signal: Signal, now: Duration, actions: &mut Vec<ShutdownAction>) {
        let first = self.stop_requested.is_none();
        self.held |= signal.into();
        if first {
            self.stop_requested = Some(now);
            if !self.main_exited && !self.config.stop_delay.is_zero() {
                self.ask_main_at = now.checked_add(self.config.stop_delay);
                actions.push(ShutdownAction::Hold(signal));
                return;
            }
        }
        if first || self.ask_main_at.is_some() {
            self.begin_stop(now, actions);
        } else {
            self.forward_held(actions);
        }
    }

    fn forward_held(&mut self, actions: &mut Vec<ShutdownAction>) {
        actions.push(ShutdownAction::Forward(self.held));
        self.held = SignalSet::empty();
    }

    /// Asks main, or the others from the top if main has exited.
    fn begin_stop(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        self.ask_main_at = None;
        if self.main_exited {
            // Forwarding it to all would ask workers before their master.
            self.held = SignalSet::empty();
        } else {
            self.forward_held(actions);
            self.examine_after = EXAMINE_AFTER;
            self.examine_at = now.checked_add(EXAMINE_AFTER);
        }
        if self.kill_limit == Some(KillLimit::DefaultDrain) && self.config.runtime_has_clock {
            // The drain had begun by itself; from here on the runtime limits it.
            self.kill_at = None;
            self.last_call_at = None;
            self.kill_limit = None;
        }
        self.start_clock(now);
        if self.main_exited && !self.draining {
            self.drain(now, actions);
        }
    }

    /// The time of the stop counts from here.
    fn start_clock(&mut self, now: Duration) {
        if self.give_up_at.is_some() {
            return;
        }
        self.began = now;
        self.report_after = REPORT_AFTER;
        self.report_at = now.checked_add(REPORT_AFTER);
        match self.config.grace {
            Some(grace) => {
                self.kill_no_later_than(now.checked_add(grace), KillLimit::Grace);
                self.call_no_later_than(self.last_call(now, grace));
            }
            None => {
                // The runtime counts from the request. A delay as long as this time shows that its limit is longer than
                // Docker's: main then has the time alone, as without a delay.
                let within_delay = self.config.stop_delay >= LAST_CALL;
                let at = if within_delay { now.checked_add(LAST_CALL) } else { self.since_request(LAST_CALL, now) };
                self.call_no_later_than(match self.config.last_call {
                    Some(time) => self.since_request(time, now),
                    None => at.filter(|_| self.asks_others()),
                });
            }
        }
    }

    /// The last call of a time that began now and ends at a limit.
    fn last_call(&self, now: Duration, limit: Duration) -> Option<Duration> {
        match self.config.last_call {
            Some(time) => self.since_request(time, now),
            None if self.asks_others() => now.checked_add(limit * 4 / 5),
            None => None,
        }
    }

    /// That time after the stop request, but not before now: main has just been asked, or has exited.
    fn since_request(&self, time: Duration, now: Duration) -> Option<Duration> {
        self.stop_requested.unwrap_or(now).checked_add(time).map(|at| at.max(now))
    }

    fn call_no_later_than(&mut self, at: Option<Duration>) {
        if !self.last_called {
            self.last_call_at = earlier(self.last_call_at, at);
        }
    }

    fn kill_no_later_than(&mut self, at: Option<Duration>, limit: KillLimit) {
        let sooner = at.is_some_and(|at| self.kill_at.is_none_or(|present| at < present));
        if self.give_up_at.is_none() && sooner {
            self.kill_at = at;
            self.kill_limit = Some(limit);
        }
    }

    fn reaped(&mut self, main: bool, all: bool, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if main {
            self.main_exited = true;
            // A stop signal that was held back has no main to go to.
            if self.ask_main_at.take().is_some() {
                self.held = SignalSet::empty();
                self.start_clock(now);
            }
        }
        let mode = self.config.on_main_exit;
        if main && mode == OnMainExit::TerminateGroup {
            actions.push(ShutdownAction::TerminateGroup);
        }
        if all || (main && matches!(mode, OnMainExit::Exit | OnMainExit::TerminateGroup)) {
            self.exit(actions);
        } else if self.abandoned {
            // A fork loop escapes because each parent exits, and its child becomes a child of this process: KILL again soon
            // after.
            self.kill_again_at = self.kill_again_at.min(now.checked_add(CHECK_AGAIN_AFTER));
        } else if main {
            if mode != OnMainExit::Wait || self.stop_requested.is_some() {
                self.drain(now, actions);
            }
        } else if self.draining && self.ask_next_at.is_none() && self.give_up_at.is_none() {
            self.ask_next_at = now.checked_add(self.ask_again_after);
            self.ask_again_after = (self.ask_again_after * 2).min(ASK_AGAIN_WITHIN);
        }
    }

    /// No time is left for any process.
    fn abandon(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if self.abandoned {
            return;
        }
        *self = Self {
            stop_requested: self.stop_requested,
            main_exited: self.main_exited,
            draining: true,
            last_called: true,
            abandoned: true,
            give_up_at: self.give_up_at,
            ..Self::new(self.config)
        };
        if self.give_up_at.is_none() {
            self.kill(now, actions);
        } else {
            // The processes are already being killed.
            self.kill_again_at = now.checked_add(self.kill_again_after);
            actions.push(ShutdownAction::KillRemaining);
        }
    }

    /// Main has exited and others remain.
    fn drain(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if self.give_up_at.is_some() {
            return;
        }
        if self.stop_requested.is_none() {
            self.began = now;
        }
        if self.report_at.is_none() {
            self.report_at = now.checked_add(REPORT_AFTER);
        }
        let under_runtime_clock = self.stop_requested.is_some() && self.config.runtime_has_clock;
        match self.config.drain {
            Some(drain) => {
                if self.config.grace.is_none() && self.config.last_call.is_none() {
                    // The limit is known now.
                    self.last_call_at = None;
                }
                self.limit_drain(now, drain, KillLimit::Drain);
            }
            None if under_runtime_clock || !self.asks_others() => {}
            None => self.limit_drain(now, DRAIN, KillLimit::DefaultDrain),
        }
        if self.asks_others() {
            self.ask_from_the_top(now, actions);
        } else {
            self.report_step(StopStep::Wait, now, actions);
        }
    }

    fn limit_drain(&mut self, now: Duration, drain: Duration, limit: KillLimit) {
        self.kill_no_later_than(now.checked_add(drain), limit);
        self.call_no_later_than(self.last_call(now, drain));
    }

    fn ask_from_the_top(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        let first = !self.draining;
        self.draining = true;
        self.examine_soon(now);
        actions.push(ShutdownAction::TerminateNext);
        if first || self.main_exited {
            self.report_step(StopStep::Drain, now, actions);
        }
    }

    /// What was asked now may have stopped itself, or lost the signal.
    fn examine_soon(&mut self, now: Duration) {
        self.examine_after = EXAMINE_DRAIN_AFTER;
        self.examine_at = now.checked_add(EXAMINE_DRAIN_AFTER);
    }

    fn report_step(&mut self, step: StopStep, now: Duration, actions: &mut Vec<ShutdownAction>) {
        self.step = step;
        if self.config.report_steps_after.is_zero() {
            actions.push(ShutdownAction::ReportStep(step));
        } else {
            self.report_step_at = now.checked_add(self.config.report_steps_after);
        }
    }

    fn tick(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        let due = |timer: &mut Option<Duration>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut self.ask_main_at) {
            self.begin_stop(now, actions);
        }
        if due(&mut self.examine_at) {
            self.examine_after = (self.examine_after * 2).min(EXAMINE_AT_LEAST_EVERY);
            self.examine_at = now.checked_add(self.examine_after);
            actions.push(ShutdownAction::Examine);
        }
        if due(&mut self.last_call_at) {
            self.last_called = true;
            self.draining = true;
            self.examine_soon(now);
            actions.push(ShutdownAction::TerminateAll);
            self.report_step(StopStep::LastCall, now, actions);
        }
        if due(&mut self.ask_next_at) {
            actions.push(ShutdownAction::TerminateNext);
        }
        if due(&mut self.kill_at) {
            self.kill(now, actions);
        } else if due(&mut self.kill_again_at) {
            actions.push(ShutdownAction::KillRemaining);
            self.kill_again_after *= 2;
            self.kill_again_at = now.checked_add(self.kill_again_after);
        }
        if due(&mut self.report_step_at) {
            actions.push(ShutdownAction::ReportStep(self.step));
        }
        if due(&mut self.report_at) {
            self.report_after *= 2;
            let next = self.began.checked_add(self.report_after);
            // A stop that was requested in the middle of a drain has reset its beginning.
            self.report_at = next.filter(|at| *at > now).or(now.checked_add(self.report_after));
            actions.push(ShutdownAction::ReportSurvivors);
        }
        if due(&mut self.give_up_at) {
            actions.push(ShutdownAction::ReportSurvivors);
            self.exit(actions);
        }
    }

    fn kill(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        actions.push(ShutdownAction::Kill);
        // From here on the processes are killed, and no other step is due.
        self.kill_at = None;
        self.examine_at = None;
        self.ask_next_at = None;
        self.last_call_at = None;
        self.report_step_at = None;
        self.report_at = None;
        self.kill_again_at = now.checked_add(KILL_AGAIN_AFTER);
        self.give_up_at = now.checked_add(GIVE_UP_AFTER);
    }

    fn exit(&mut self, actions: &mut Vec<ShutdownAction>) {
        *self = Self { done: true, stop_requested: self.stop_requested, ..Self::new(self.config) };
        actions.push(ShutdownAction::Exit);
    }
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}
