//! The shutdown policy: who is told what, and when, from the first stop signal to the exit.
//!
//! A pure state machine. Time comes in as a duration since the start; timers go out as [`Shutdown::deadline`]. The
//! driver feeds it what happened and carries out the actions in order.
//!
//! ```text
//! running --stop signal--> (delaying) --> main told --grace/2--> everyone told --grace--> killing
//!    |                                        |                       |                      |
//!    +------- main ended ---------------------+-----------------------+--> draining --drain--+
//!                                                                             |              |
//!                                                                      nobody left        give up
//!                                                                             +--> done <----+
//! ```

use crate::signal::Signal;
use crate::signal::set::SignalSet;
use std::time::Duration;

/// What rinit does when main has ended and other processes remain.
///
/// ```
/// assert_eq!(rinit_core::policy::OnMainExit::default(), rinit_core::policy::OnMainExit::Drain);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnMainExit {
    /// Tells them TERM and waits for them.
    #[default]
    Drain,
    /// Waits for them and tells them nothing until a stop is requested: for programs that daemonise or re-exec.
    Wait,
    /// Exits at once; as PID 1 this makes the kernel kill them.
    Exit,
}

/// What a stop looks like.
///
/// ```
/// assert_eq!(rinit_core::policy::ShutdownConfig::default().grace, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShutdownConfig {
    /// How long the first stop signal is held back before main gets it. Zero: not at all.
    pub stop_delay: Duration,
    /// Time from telling main to KILL for everyone; at half of it everyone is told TERM. `None`: main is never killed.
    pub grace: Option<Duration>,
    /// Time from main's end to KILL for whoever remains. `None`: ten seconds, and no limit while a requested stop runs
    /// under somebody else's clock.
    pub drain: Option<Duration>,
    /// What happens to others when main has ended.
    pub on_main_exit: OnMainExit,
    /// True as PID 1 of a container: the container's runtime counts the time of a stop that it requested.
    pub runtime_has_clock: bool,
}

/// Default for [`ShutdownConfig::drain`].
const DRAIN: Duration = Duration::from_secs(10);
/// How long after telling main somebody who is still there is worth a line.
const REPORT_AFTER: Duration = Duration::from_secs(5);
/// How long after a death in the drain rinit looks for orphans that this death has left. One look for many deaths: a
/// look costs time in proportion to the number of processes.
const NEWCOMERS_AFTER: Duration = Duration::from_millis(100);
/// From one KILL to the next, for processes born in between; doubled each time.
const KILL_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// From a death to the next KILL, where everybody is to be ended at once.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// How long after the first KILL rinit gives up on processes that even KILL does not end: stuck in the kernel, or of
/// another user and out of reach. As PID 1 its exit makes the kernel take them down.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// What happened.
///
/// ```
/// use rinit_core::Signal;
/// use rinit_core::policy::ShutdownInput;
/// let _ = ShutdownInput::StopRequested(Signal::TERM);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Main could not be told to stop, for lack of permission.
    MainRefused,
    /// A stop was requested, and none of those who remain may be signalled by this process.
    OutOfReach,
    /// Whoever requests the stop that follows gives it this time, from telling main to KILL. A stop that is on its way has
    /// at most this much from here.
    Grace(Duration),
    /// Everybody is to be ended at once: whoever wanted them has gone, or has lost patience.
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
pub enum ShutdownAction {
    /// Pass these signals on: to main, or to whoever remains when main has ended.
    Forward(SignalSet),
    /// Hold this signal back; a later [`ShutdownAction::Forward`] includes it.
    Hold(Signal),
    /// Name the descendants that remain, then send TERM to each that was not asked to stop yet.
    TerminateAll,
    /// Send TERM to orphans that appeared since all descendants were asked to stop.
    TerminateOrphans,
    /// Name everyone who remains, then KILL each who was told TERM before; tell TERM to the others. After
    /// [`ShutdownInput::Abandoned`] KILL everyone.
    Kill,
    /// Send KILL to every descendant that remains.
    KillRemaining,
    /// Name the descendants that remain.
    ReportSurvivors,
    /// Exit, with main's status.
    Exit,
}

/// The state of a shutdown.
///
/// ```
/// use rinit_core::{Signal, SignalSet};
/// use rinit_core::policy::{ShutdownAction, ShutdownInput, Shutdown, ShutdownConfig};
/// use std::time::Duration;
///
/// let config = ShutdownConfig { grace: Some(Duration::from_secs(4)), ..ShutdownConfig::default() };
/// let mut shutdown = Shutdown::new(config);
/// let mut step = |happening, seconds| shutdown.step(happening, Duration::from_secs(seconds));
/// assert_eq!(step(ShutdownInput::StopRequested(Signal::TERM), 10), [ShutdownAction::Forward(SignalSet::only(Signal::TERM))]);
/// assert_eq!(step(ShutdownInput::Tick, 12), [ShutdownAction::TerminateAll]);
/// assert_eq!(step(ShutdownInput::Tick, 14), [ShutdownAction::Kill]);
/// assert_eq!(step(ShutdownInput::ChildrenReaped { main: true, all: true }, 15), [ShutdownAction::Exit]);
/// ```
#[derive(Debug, Clone)]
pub struct Shutdown {
    config: ShutdownConfig,
    /// When the first stop signal came.
    stop_requested: Option<Duration>,
    main_ended: bool,
    everyone_told: bool,
    /// The time of KILL is the drain's default one, which a requested stop under the runtime's clock does away with.
    kill_at_is_default: bool,
    /// Nobody is told any more before KILL.
    abandoned: bool,
    done: bool,
    /// Stop signals held back until `tell_main_at`.
    held: SignalSet,
    kill_again_after: Duration,
    // Timers, as time since the start.
    tell_main_at: Option<Duration>,
    tell_everyone_at: Option<Duration>,
    newcomers_at: Option<Duration>,
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
            main_ended: false,
            everyone_told: false,
            kill_at_is_default: false,
            abandoned: false,
            done: false,
            held: SignalSet::empty(),
            kill_again_after: KILL_AGAIN_AFTER,
            tell_main_at: None,
            tell_everyone_at: None,
            newcomers_at: None,
            report_at: None,
            kill_at: None,
            kill_again_at: None,
            give_up_at: None,
        }
    }

    /// When a [`ShutdownInput::Tick`] is due, as time since the start; `None` while nothing is.
    ///
    /// ```
    /// use rinit_core::Signal;
    /// use rinit_core::policy::{ShutdownInput, Shutdown, ShutdownConfig};
    /// use std::time::Duration;
    /// let mut shutdown = Shutdown::new(ShutdownConfig::default());
    /// let _ = shutdown.step(ShutdownInput::StopRequested(Signal::TERM), Duration::from_secs(1));
    /// assert_eq!(shutdown.deadline(), Some(Duration::from_secs(6)), "time to say who is left");
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let timers = [
            self.tell_main_at,
            self.tell_everyone_at,
            self.newcomers_at,
            self.report_at,
            self.kill_at,
            self.kill_again_at,
            self.give_up_at,
        ];
        timers.into_iter().flatten().min()
    }

    /// When a stop was requested, as time since the start.
    ///
    /// ```
    /// use rinit_core::policy::{Shutdown, ShutdownConfig};
    /// assert_eq!(Shutdown::new(ShutdownConfig::default()).stop_requested(), None);
    /// ```
    #[must_use]
    pub const fn stop_requested(&self) -> Option<Duration> {
        self.stop_requested
    }

    /// True once [`ShutdownAction::Exit`] was given; no action follows.
    ///
    /// ```
    /// use rinit_core::policy::{Shutdown, ShutdownConfig};
    /// assert!(!Shutdown::new(ShutdownConfig::default()).is_done());
    /// ```
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes in what happened at time `now` and says what to do. `now` never goes back.
    ///
    /// ```
    /// use rinit_core::policy::{ShutdownAction, ShutdownInput, Shutdown, ShutdownConfig};
    /// use std::time::Duration;
    /// let mut shutdown = Shutdown::new(ShutdownConfig::default());
    /// let actions = shutdown.step(ShutdownInput::ChildrenReaped { main: true, all: false }, Duration::ZERO);
    /// assert_eq!(actions, [ShutdownAction::TerminateAll]);
    /// ```
    #[must_use = "the actions are the policy's answer"]
    pub fn step(&mut self, happening: ShutdownInput, now: Duration) -> Vec<ShutdownAction> {
        let mut actions = Vec::new();
        if self.done {
            return actions;
        }
        match happening {
            ShutdownInput::StopRequested(signal) => self.stop_signal(signal, now, &mut actions),
            ShutdownInput::ChildrenReaped { main, all } => self.ended(main, all, now, &mut actions),
            ShutdownInput::MainRefused => {
                // It cannot go first then; the others are told as if it had ended.
                if !self.everyone_told && !self.main_ended {
                    self.drain(now, &mut actions);
                }
            }
            ShutdownInput::OutOfReach => {
                actions.push(ShutdownAction::ReportSurvivors);
                self.exit(&mut actions);
            }
            ShutdownInput::Grace(grace) => {
                self.config.grace = Some(grace);
                if self.stop_requested.is_some() && self.tell_main_at.is_none() {
                    self.start_clock(now);
                }
            }
            ShutdownInput::Abandoned => self.abandon(now, &mut actions),
            ShutdownInput::Tick => self.tick(now, &mut actions),
        }
        actions
    }

    fn stop_signal(&mut self, signal: Signal, now: Duration, actions: &mut Vec<ShutdownAction>) {
        self.held |= signal.into();
        let first = self.stop_requested.is_none();
        if first {
            self.stop_requested = Some(now);
            if !self.main_ended && !self.config.stop_delay.is_zero() {
                self.tell_main_at = now.checked_add(self.config.stop_delay);
                actions.push(ShutdownAction::Hold(signal));
                return;
            }
        }
        if first || self.tell_main_at.is_some() {
            self.tell_main(now, actions);
        } else {
            self.forward_held(actions);
        }
    }

    fn forward_held(&mut self, actions: &mut Vec<ShutdownAction>) {
        actions.push(ShutdownAction::Forward(self.held));
        self.held = SignalSet::empty();
    }

    /// The stop begins: main is told, or whoever remains where main has ended.
    fn tell_main(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        self.tell_main_at = None;
        self.forward_held(actions);
        if self.kill_at_is_default && self.config.runtime_has_clock {
            // The drain had begun by itself; from here on the runtime counts.
            self.kill_at = None;
        }
        self.start_clock(now);
        if self.main_ended && !self.everyone_told {
            self.drain(now, actions);
        }
    }

    /// The time of the stop counts from here: main was told, or has ended before it could be.
    fn start_clock(&mut self, now: Duration) {
        match self.config.grace {
            Some(grace) => {
                if !self.everyone_told {
                    self.tell_everyone_at = now.checked_add(grace / 2);
                }
                self.kill_no_later_than(now.checked_add(grace));
            }
            None if self.give_up_at.is_none() => self.report_at = now.checked_add(REPORT_AFTER),
            None => {}
        }
    }

    fn ended(&mut self, main: bool, all: bool, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if main {
            self.main_ended = true;
            // A stop that was still held back has nobody to go to first.
            if self.tell_main_at.take().is_some() {
                self.held = SignalSet::empty();
                self.start_clock(now);
            }
        }
        let leave = main && self.config.on_main_exit == OnMainExit::Exit;
        if all || leave {
            self.exit(actions);
        } else if self.abandoned {
            // Where somebody escapes by forking it is by the death of a parent that hands its children up.
            self.kill_again_at = self.kill_again_at.min(now.checked_add(LOOK_AGAIN_AFTER));
        } else if main {
            if self.config.on_main_exit == OnMainExit::Drain || self.stop_requested.is_some() {
                self.drain(now, actions);
            }
        } else if self.everyone_told && self.newcomers_at.is_none() {
            self.newcomers_at = now.checked_add(NEWCOMERS_AFTER);
        }
    }

    /// No time is left for anybody.
    fn abandon(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if self.abandoned {
            return;
        }
        *self = Self {
            stop_requested: self.stop_requested,
            main_ended: self.main_ended,
            everyone_told: true,
            abandoned: true,
            give_up_at: self.give_up_at,
            ..Self::new(self.config)
        };
        if self.give_up_at.is_none() {
            self.kill(now, actions);
        } else {
            // They are being killed already.
            self.kill_again_at = now.checked_add(self.kill_again_after);
            actions.push(ShutdownAction::KillRemaining);
        }
    }

    /// Main has ended and others remain.
    fn drain(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        self.tell_everyone(actions);
        let under_runtime_clock = self.stop_requested.is_some() && self.config.runtime_has_clock;
        match self.config.drain {
            Some(drain) => self.kill_no_later_than(now.checked_add(drain)),
            None if under_runtime_clock => {}
            None => {
                self.kill_at_is_default = self.kill_at.is_none();
                self.kill_no_later_than(now.checked_add(DRAIN));
            }
        }
    }

    fn tell_everyone(&mut self, actions: &mut Vec<ShutdownAction>) {
        self.tell_everyone_at = None;
        self.everyone_told = true;
        actions.push(ShutdownAction::TerminateAll);
    }

    fn kill_no_later_than(&mut self, at: Option<Duration>) {
        if self.give_up_at.is_none() {
            self.kill_at = [self.kill_at, at].into_iter().flatten().min();
        }
    }

    fn tick(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        let due = |timer: &mut Option<Duration>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut self.tell_main_at) {
            self.tell_main(now, actions);
        }
        if due(&mut self.tell_everyone_at) {
            self.tell_everyone(actions);
        }
        if due(&mut self.kill_at) {
            self.kill(now, actions);
        } else if due(&mut self.kill_again_at) {
            actions.push(ShutdownAction::KillRemaining);
            self.kill_again_after *= 2;
            self.kill_again_at = now.checked_add(self.kill_again_after);
        }
        if due(&mut self.newcomers_at) && self.give_up_at.is_none() {
            actions.push(ShutdownAction::TerminateOrphans);
        }
        if due(&mut self.report_at) {
            actions.push(ShutdownAction::ReportSurvivors);
        }
        if due(&mut self.give_up_at) {
            actions.push(ShutdownAction::ReportSurvivors);
            self.exit(actions);
        }
    }

    fn kill(&mut self, now: Duration, actions: &mut Vec<ShutdownAction>) {
        if !self.everyone_told {
            self.tell_everyone(actions);
        }
        actions.push(ShutdownAction::Kill);
        self.report_at = None;
        self.kill_again_at = now.checked_add(KILL_AGAIN_AFTER);
        self.give_up_at = now.checked_add(GIVE_UP_AFTER);
    }

    fn exit(&mut self, actions: &mut Vec<ShutdownAction>) {
        *self = Self { done: true, stop_requested: self.stop_requested, ..Self::new(self.config) };
        actions.push(ShutdownAction::Exit);
    }
}
