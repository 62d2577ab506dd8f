//! A model of the world for the shutdown policy, and promises that must hold in it for every order of events.
//!
//! Used by the property tests and by the fuzz target. Arbitrary bytes choose the configuration and the events.

use rinit_core::Signal;
use rinit_core::policy::{OnMainExit, Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput};
use std::time::Duration;

/// Takes choices from bytes; when they run out, the choice is always 0.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, limit: u8) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                first % limit
            }
            None => 0,
        }
    }

    /// A time in units that make coincidences frequent.
    fn time(&mut self) -> Duration {
        Duration::from_millis(u64::from(self.below(40)) * 250)
    }

    fn maybe(&mut self, time: impl Fn(&mut Self) -> Duration) -> Option<Duration> {
        (self.below(2) == 1).then(|| time(self))
    }
}

struct World {
    shutdown: Shutdown,
    config: ShutdownConfig,
    now: Duration,
    main_alive: bool,
    main_not_asked: bool,
    /// Others that exit when they are sent TERM, those that only KILL terminates, and those that nothing terminates.
    others: [u32; 3],
    others_asked: bool,
    main_asked_at: Option<Duration>,
    stop_came_at: Option<Duration>,
    main_exited_at: Option<Duration>,
    killed_at: Option<Duration>,
    /// When a grace time is over at the earliest.
    grace_due: Option<Duration>,
    last_call_due: Option<Duration>,
    none_can_act: bool,
    abandoned: bool,
    out_of_reach: bool,
    exited: bool,
}

/// Runs one life of the policy and panics where a promise is broken.
pub(crate) fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let mut config = ShutdownConfig::default();
    config.stop_delay = choices.maybe(Choices::time).unwrap_or_default();
    config.grace = choices.maybe(Choices::time);
    config.drain = choices.maybe(Choices::time);
    config.last_call = choices.maybe(Choices::time);
    let modes = [OnMainExit::Drain, OnMainExit::Wait, OnMainExit::Finish, OnMainExit::Exit, OnMainExit::TerminateGroup];
    config.on_main_exit = modes[usize::from(choices.below(5))];
    config.runtime_has_clock = choices.below(2) == 1;
    if choices.below(2) == 1 {
        config.report_steps_after = Duration::ZERO;
    }
    let mut world = World {
        shutdown: Shutdown::new(config),
        config,
        now: Duration::ZERO,
        main_alive: true,
        main_not_asked: false,
        others: [u32::from(choices.below(3)), u32::from(choices.below(3)), u32::from(choices.below(2))],
        others_asked: false,
        main_asked_at: None,
        stop_came_at: None,
        main_exited_at: None,
        killed_at: None,
        grace_due: None,
        last_call_due: None,
        none_can_act: false,
        abandoned: false,
        out_of_reach: false,
        exited: false,
    };
    while !choices.0.is_empty() && !world.exited {
        let until = world.now + choices.time();
        world.let_time_pass(until);
        if world.exited {
            break;
        }
        match choices.below(11) {
            0 => world.request_stop(Signal::TERM),
            1 => world.request_stop(Signal::INT),
            3 if world.main_alive => world.exit(true, 0),
            6 if world.main_alive && world.main_asked_at.is_some() => {
                world.main_not_asked = true;
                world.input(ShutdownInput::MainNotAsked);
            }
            7 => {
                let grace = choices.time();
                world.config.grace = Some(grace);
                if world.main_asked_at.is_some() {
                    world.clock_starts(world.now);
                }
                world.input(ShutdownInput::Grace(grace));
            }
            10 => world.input(ShutdownInput::AskAgain),
            8 if world.alive() > 0 => {
                world.abandoned = true;
                world.input(ShutdownInput::Abandoned);
            }
            9 if !world.main_alive && world.others[0] == 0 => {
                if choices.below(2) == 0 {
                    world.none_can_act = true;
                    world.input(ShutdownInput::NoneCanAct);
                } else {
                    world.out_of_reach = true;
                    world.input(ShutdownInput::OutOfReach);
                }
            }
            kind => world.exit(false, usize::from(kind % 3)),
        }
    }
    world.finish();
}

impl World {
    fn alive(&self) -> u32 {
        self.others.iter().sum::<u32>() + u32::from(self.main_alive)
    }

    fn input(&mut self, input: ShutdownInput) {
        self.step(input);
        self.consequences();
    }

    fn step(&mut self, input: ShutdownInput) {
        for action in self.shutdown.step(input, self.now) {
            assert!(!self.exited, "{action:?} after the exit");
            self.apply(action);
        }
        let tick = matches!(input, ShutdownInput::Tick);
        let due = self.shutdown.deadline().is_some_and(|at| at <= self.now);
        assert!(!(tick && due), "a tick leaves something due: the loop would spin");
        assert_eq!(self.exited, self.shutdown.is_done());
    }

    fn apply(&mut self, action: ShutdownAction) {
        match action {
            ShutdownAction::Forward(signals) => {
                assert!(!signals.is_empty());
                assert!(self.stop_came_at.is_some());
                if self.main_asked_at.is_none() {
                    assert!(self.main_alive, "the first stop signal is for main");
                    self.main_asked_at = Some(self.now);
                    self.clock_starts(self.now);
                } else if !self.main_alive {
                    self.others_asked = true;
                }
            }
            ShutdownAction::Hold(_) => assert!(self.main_asked_at.is_none() && self.main_alive, "held back too late"),
            ShutdownAction::TerminateNext => {
                let finish = self.config.on_main_exit == OnMainExit::Finish;
                assert!(!finish || self.last_call_is_due(), "the others finish");
                assert!(!self.main_alive || self.main_not_asked || self.last_call_is_due(), "main goes first");
                assert_eq!(self.killed_at, None, "asked after KILL");
                self.others_asked = true;
            }
            ShutdownAction::TerminateAll => {
                assert!(self.last_call_is_due(), "the last call comes too early");
                assert!(!self.main_alive || self.main_asked_at.is_some(), "main goes first");
                assert_eq!(self.killed_at, None, "asked after KILL");
                self.others_asked = true;
            }
            ShutdownAction::TerminateGroup => assert!(!self.main_alive),
            ShutdownAction::Examine | ShutdownAction::ReportStep(_) => {
                assert!(self.stop_came_at.is_some() || !self.main_alive);
            }
            ShutdownAction::Kill => {
                assert_eq!(self.killed_at, None, "the second kill is KillRemaining");
                if !self.abandoned && !self.none_can_act {
                    self.kill_is_due();
                }
                self.killed_at = Some(self.now);
            }
            ShutdownAction::KillRemaining => {
                let first = self.killed_at.expect("after the first");
                assert!(self.now > first || self.abandoned);
            }
            ShutdownAction::ReportSurvivors => {
                assert!(self.stop_came_at.is_some() || !self.main_alive || self.killed_at.is_some());
            }
            ShutdownAction::Exit => {
                let gave_up = self.killed_at.is_some_and(|at| self.now >= at + Duration::from_secs(5));
                let leaves = matches!(self.config.on_main_exit, OnMainExit::Exit | OnMainExit::TerminateGroup);
                let may_leave = gave_up || self.out_of_reach || (leaves && !self.main_alive);
                assert!(self.alive() == 0 || may_leave, "left {} behind", self.alive());
                self.exited = true;
            }
            other => panic!("an action that the model does not know: {other:?}"),
        }
    }

    /// A clock that runs already is not put back.
    fn clock_starts(&mut self, at: Duration) {
        if let Some(grace) = self.config.grace {
            self.grace_due = earlier(self.grace_due, Some(at + grace));
        }
        let default = Duration::from_secs(8);
        let due = match (self.config.last_call, self.config.grace) {
            (Some(time), _) => self.since_request(time, at),
            (None, Some(grace)) => at + grace * 4 / 5,
            (None, None) if self.config.stop_delay < default => self.since_request(default, at),
            (None, None) => at + default,
        };
        self.last_call_due = earlier(self.last_call_due, Some(due));
    }

    /// A time that is due that long after the stop request, and not before main was asked or has exited.
    fn since_request(&self, time: Duration, at: Duration) -> Duration {
        at.max(self.stop_came_at.unwrap_or(at) + time)
    }

    fn last_call_is_due(&self) -> bool {
        let drain = self.config.drain.unwrap_or(Duration::from_secs(10));
        let of_drain = self.drain_began().map(|began| match self.config.last_call {
            Some(time) => began + time,
            None => began + drain * 4 / 5,
        });
        let due = earlier(self.last_call_due, of_drain);
        due.is_some_and(|due| self.now >= due)
    }

    /// Under `wait` the drain begins with the stop.
    fn drain_began(&self) -> Option<Duration> {
        match self.config.on_main_exit {
            OnMainExit::Wait => self.main_exited_at.zip(self.stop_came_at).map(|(exit, stop)| exit.max(stop)),
            _ => self.main_exited_at,
        }
    }

    /// KILL is due when the grace time or the drain time is over, and never otherwise.
    fn kill_is_due(&self) {
        let asked_to_finish = self.config.on_main_exit == OnMainExit::Finish;
        let under_runtime = self.config.runtime_has_clock && self.stop_came_at.is_some();
        let unlimited = self.config.drain.is_none() && (under_runtime || asked_to_finish);
        let drain = self.config.drain.unwrap_or(Duration::from_secs(10));
        let drain = self.drain_began().filter(|_| !unlimited).map(|began| began + drain);
        let due = earlier(self.grace_due, drain);
        assert!(due.is_some_and(|due| self.now >= due), "killed at {:?}, due {due:?}", self.now);
    }

    /// What the world does about the actions: processes that were asked or killed exit.
    fn consequences(&mut self) {
        if self.others_asked && self.others[0] > 0 && !self.exited {
            self.exit(false, 0);
        }
        if self.killed_at.is_some() && !self.exited {
            if self.main_alive {
                self.exit(true, 0);
            }
            for kind in [0, 1] {
                if self.others[kind] > 0 && !self.exited {
                    self.exit(false, kind);
                }
            }
        }
    }

    fn request_stop(&mut self, signal: Signal) {
        if self.stop_came_at.is_none() {
            self.stop_came_at = Some(self.now);
            if !self.main_alive {
                self.main_asked_at = Some(self.now);
                self.clock_starts(self.now);
            }
        }
        self.input(ShutdownInput::StopRequested(signal));
    }

    /// Main, or all others of a kind, exit.
    fn exit(&mut self, main: bool, kind: usize) {
        if main {
            self.main_alive = false;
            self.main_exited_at = Some(self.now);
            // A stop that was held back counts from here.
            if self.main_asked_at.is_none() && self.stop_came_at.is_some() {
                self.main_asked_at = Some(self.now);
                self.clock_starts(self.now);
            }
        } else if self.others[kind] == 0 {
            return;
        } else {
            self.others[kind] = 0;
        }
        self.step(ShutdownInput::ChildrenReaped { main, all: self.alive() == 0 });
        if !self.exited {
            self.consequences();
        }
    }

    fn let_time_pass(&mut self, until: Duration) {
        while let Some(at) = self.shutdown.deadline().filter(|at| *at <= until && !self.exited) {
            assert!(at >= self.now, "a timer in the past");
            self.now = at;
            self.step(ShutdownInput::Tick);
            if !self.exited {
                self.consequences();
            }
        }
        self.now = until;
    }

    /// An hour, and then the exit of all: both must lead to the exit.
    fn finish(&mut self) {
        let far = self.now + Duration::from_secs(3600);
        self.let_time_pass(far);
        if self.exited {
            return;
        }
        assert_eq!(self.killed_at, None, "after KILL there is an end, whatever survives it");
        assert!(!self.abandoned, "an abandoned job is killed");
        let stop_is_limited = self.config.grace.is_some() && self.stop_came_at.is_some();
        assert!(!stop_is_limited, "a stop with a grace time has an end");
        if self.main_alive {
            self.others = [0; 3];
            self.exit(true, 0);
        } else {
            self.others = [0, 0, 1];
            self.exit(false, 2);
        }
        assert!(self.exited, "all have exited and rinit has not");
    }
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}
