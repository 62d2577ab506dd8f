//! A small world for the shutdown policy, and the promises that must hold in it whatever happens in which order.
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
    main_refused_at: Option<Duration>,
    /// Others that end when told TERM, those that only KILL ends, and those that nothing ends.
    others: [u32; 3],
    everyone_told: bool,
    main_told_stop_at: Option<Duration>,
    stop_came_at: Option<Duration>,
    main_ended_at: Option<Duration>,
    killed_at: Option<Duration>,
    /// When a grace time is over at the earliest, and half of it.
    grace_due: Option<(Duration, Duration)>,
    abandoned: bool,
    exited: bool,
}

/// Runs one life of the policy and panics where a promise is broken.
pub(crate) fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let config = ShutdownConfig {
        stop_delay: choices.maybe(Choices::time).unwrap_or_default(),
        grace: choices.maybe(Choices::time),
        drain: choices.maybe(Choices::time),
        on_main_exit: [OnMainExit::Drain, OnMainExit::Wait, OnMainExit::Exit][usize::from(choices.below(3))],
        runtime_has_clock: choices.below(2) == 1,
    };
    let mut world = World {
        shutdown: Shutdown::new(config),
        config,
        now: Duration::ZERO,
        main_alive: true,
        main_refused_at: None,
        others: [u32::from(choices.below(3)), u32::from(choices.below(3)), u32::from(choices.below(2))],
        everyone_told: false,
        main_told_stop_at: None,
        stop_came_at: None,
        main_ended_at: None,
        killed_at: None,
        grace_due: None,
        abandoned: false,
        exited: false,
    };
    while !choices.0.is_empty() && !world.exited {
        let until = world.now + choices.time();
        world.let_time_pass(until);
        match choices.below(9) {
            6 if world.main_alive && world.main_told_stop_at.is_some() => {
                world.main_refused_at.get_or_insert(world.now);
                world.step(ShutdownInput::MainRefused);
                world.consequences();
            }
            7 => {
                let grace = choices.time();
                world.config.grace = Some(grace);
                if world.main_told_stop_at.is_some() {
                    world.grace_begins(world.now);
                }
                world.step(ShutdownInput::Grace(grace));
                world.consequences();
            }
            8 if world.alive() > 0 => {
                world.abandoned = true;
                world.step(ShutdownInput::Abandoned);
                world.consequences();
            }
            0 => world.request_stop(Signal::TERM),
            1 => world.request_stop(Signal::INT),
            3 if world.main_alive => world.end(true, 0),
            kind => world.end(false, usize::from(kind % 3)),
        }
    }
    world.finish();
}

impl World {
    fn alive(&self) -> u32 {
        self.others.iter().sum::<u32>() + u32::from(self.main_alive)
    }

    fn step(&mut self, happening: ShutdownInput) {
        let actions: Vec<ShutdownAction> = self.shutdown.step(happening, self.now);
        for action in actions {
            assert!(!self.exited, "{action:?} after the exit");
            self.apply(action);
        }
        let tick = matches!(happening, ShutdownInput::Tick);
        let due = self.shutdown.deadline().is_some_and(|at| at <= self.now);
        assert!(!(tick && due), "a tick leaves something due: the loop would spin");
        assert_eq!(self.exited, self.shutdown.is_done());
    }

    fn apply(&mut self, action: ShutdownAction) {
        match action {
            ShutdownAction::Forward(signals) => {
                assert!(!signals.is_empty());
                let stop = signals.contains(Signal::TERM) || signals.contains(Signal::INT);
                if stop && self.main_told_stop_at.is_none() {
                    self.main_told_stop_at = Some(self.now);
                    self.grace_begins(self.now);
                }
            }
            ShutdownAction::Hold(_) => assert!(self.main_told_stop_at.is_none(), "held back too late"),
            ShutdownAction::TerminateAll => {
                assert!(self.alive() > 0, "told nobody");
                self.everyone_told = true;
                if self.main_alive && self.main_refused_at.is_none() {
                    assert!(self.main_told_stop_at.is_some(), "main is told first");
                    let (half, _) = self.grace_due.expect("while main lives, others are told only under a grace time");
                    assert!(self.now >= half, "told before half of the grace time");
                }
            }
            ShutdownAction::TerminateOrphans => assert!(self.everyone_told),
            ShutdownAction::Kill => {
                assert!(self.everyone_told || self.abandoned, "killed without having been told");
                assert_eq!(self.killed_at, None, "the second kill is KillAgain");
                if !self.abandoned {
                    self.kill_is_due();
                }
                self.killed_at = Some(self.now);
            }
            ShutdownAction::KillRemaining => {
                let first = self.killed_at.expect("after the first");
                assert!(self.now > first || self.abandoned);
            }
            ShutdownAction::ReportSurvivors => assert!(self.stop_came_at.is_some() || self.killed_at.is_some()),
            ShutdownAction::Exit => {
                let gave_up = self.killed_at.is_some_and(|at| self.now >= at + Duration::from_secs(5));
                let leaves = self.config.on_main_exit == OnMainExit::Exit && !self.main_alive;
                assert!(self.alive() == 0 || gave_up || leaves, "left {} behind", self.alive());
                self.exited = true;
            }
        }
    }

    /// A clock that runs already is not put back.
    fn grace_begins(&mut self, at: Duration) {
        let Some(grace) = self.config.grace else { return };
        let (half, whole) = self.grace_due.unwrap_or((Duration::MAX, Duration::MAX));
        self.grace_due = Some((half.min(at + grace / 2), whole.min(at + grace)));
    }

    /// KILL is due when the grace time or the drain time is over, and never otherwise.
    fn kill_is_due(&self) {
        let grace = self.grace_due.map(|(_, whole)| whole);
        let unlimited = self.config.drain.is_none() && self.config.runtime_has_clock && self.stop_came_at.is_some();
        let drain = self.config.drain.unwrap_or(Duration::from_secs(10));
        // Under `wait` the drain begins with the stop.
        let began = match self.config.on_main_exit {
            OnMainExit::Wait => self.main_ended_at.zip(self.stop_came_at).map(|(ended, stop)| ended.max(stop)),
            _ => self.main_ended_at,
        };
        // Main that cannot be told counts as ended.
        let began = [began, self.main_refused_at].into_iter().flatten().min();
        let drain = began.filter(|_| !unlimited).map(|began| began + drain);
        let due = [grace, drain].into_iter().flatten().min();
        assert!(due.is_some_and(|due| self.now >= due), "killed at {:?}, due {due:?}", self.now);
    }

    /// What the world does about the actions: those who were told end, those who were killed end.
    fn consequences(&mut self) {
        if self.everyone_told && self.others[0] > 0 && !self.exited {
            self.end(false, 0);
        }
        if self.killed_at.is_some() && !self.exited {
            if self.main_alive {
                self.end(true, 0);
            }
            if self.others[1] > 0 && !self.exited {
                self.end(false, 1);
            }
        }
    }

    fn request_stop(&mut self, signal: Signal) {
        if self.stop_came_at.is_none() {
            self.stop_came_at = Some(self.now);
        }
        self.step(ShutdownInput::StopRequested(signal));
        self.consequences();
    }

    /// Main, or all others of a kind, end.
    fn end(&mut self, main: bool, kind: usize) {
        if main {
            self.main_alive = false;
            self.main_ended_at = Some(self.now);
            // A stop that was held back counts from here.
            if self.main_told_stop_at.is_none() && self.stop_came_at.is_some() {
                self.main_told_stop_at = Some(self.now);
                self.grace_begins(self.now);
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

    /// Time without end, and then everyone's death: both must lead to the exit.
    fn finish(&mut self) {
        let far = self.now + Duration::from_secs(3600);
        self.let_time_pass(far);
        if self.exited {
            return;
        }
        assert_eq!(self.killed_at, None, "after KILL there is an end, whoever survives it");
        assert!(!self.abandoned, "who is abandoned is killed");
        let stop_is_limited = self.config.grace.is_some() && self.stop_came_at.is_some();
        assert!(!stop_is_limited, "a stop with a grace time has an end");
        self.others = [0, 0, u32::from(self.main_alive)];
        if self.main_alive {
            self.others = [0; 3];
            self.end(true, 0);
        } else {
            self.others = [0, 0, 1];
            self.end(false, 2);
        }
        assert!(self.exited, "everyone has ended and rinit has not");
    }
}
