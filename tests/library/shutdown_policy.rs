//! The shutdown policy under arbitrary orders of events.

use proptest::prelude::*;
use rinit_core::policy::{OnMainExit, Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput, StopStep};
use rinit_core::{Signal, SignalSet};
use std::time::Duration;
use support::test;

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_order_of_events_keeps_the_promises(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        crate::shutdown_model::check(&bytes);
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Run(Shutdown);

impl Run {
    fn new(config: ShutdownConfig) -> Self {
        Self(Shutdown::new(config))
    }

    fn term(&mut self, at: u64) -> Vec<ShutdownAction> {
        self.0.step(ShutdownInput::StopRequested(Signal::TERM), seconds(at))
    }

    fn reaped(&mut self, main: bool, all: bool, at: u64) -> Vec<ShutdownAction> {
        self.0.step(ShutdownInput::ChildrenReaped { main, all }, seconds(at))
    }

    fn tick(&mut self) -> (Duration, Vec<ShutdownAction>) {
        let at = self.0.deadline().expect("something is due");
        (at, self.0.step(ShutdownInput::Tick, at))
    }

    /// Takes ticks until one has other actions than `Examine`.
    fn next(&mut self) -> (Duration, Vec<ShutdownAction>) {
        loop {
            let (at, mut actions) = self.tick();
            actions.retain(|action| *action != ShutdownAction::Examine);
            if !actions.is_empty() {
                return (at, actions);
            }
        }
    }
}

const TERM: ShutdownAction = ShutdownAction::Forward(SignalSet::only(Signal::TERM));
const DRAIN: ShutdownAction = ShutdownAction::ReportStep(StopStep::Drain);
const LAST_CALL: ShutdownAction = ShutdownAction::ReportStep(StopStep::LastCall);

fn config(change: impl FnOnce(&mut ShutdownConfig)) -> ShutdownConfig {
    let mut config = ShutdownConfig::default();
    change(&mut config);
    config
}

#[test]
fn without_grace_there_is_a_last_call_and_main_is_reported_and_never_killed() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.next(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(run.next(), (seconds(9), vec![ShutdownAction::TerminateAll]));
    assert_eq!(run.next(), (seconds(10), vec![LAST_CALL]));
    for at in [11, 21, 41] {
        assert_eq!(run.next(), (seconds(at), vec![ShutdownAction::ReportSurvivors]));
    }
}

#[test]
fn main_is_examined_only_if_it_does_not_exit_soon() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.tick(), (Duration::from_millis(1050), vec![ShutdownAction::Examine]));
    assert_eq!(run.tick(), (Duration::from_millis(1150), vec![ShutdownAction::Examine]));
    assert_eq!(run.0.step(ShutdownInput::MainNotAsked, seconds(2)), [ShutdownAction::TerminateNext]);
    assert_eq!(run.next(), (seconds(3), vec![DRAIN]));
    // It has no limit by that, and is not killed.
    assert_eq!(
        run.0.step(ShutdownInput::NoneCanAct, seconds(4)),
        [ShutdownAction::Kill],
        "the driver says so of others alone"
    );
}

#[test]
fn a_stop_is_delayed_until_its_time_a_second_signal_or_mains_exit() {
    let config = config(|config| config.stop_delay = seconds(3));
    let held = [ShutdownAction::Hold(Signal::TERM)];
    let mut waits = Run::new(config);
    assert_eq!(waits.term(1), held);
    assert_eq!(waits.tick(), (seconds(4), vec![TERM]));
    let mut hurried = Run::new(config);
    assert_eq!(hurried.term(1), held);
    assert_eq!(hurried.term(2), [TERM]);
    let mut exited = Run::new(config);
    assert_eq!(exited.term(1), held);
    assert_eq!(exited.reaped(true, true, 2), [ShutdownAction::Exit]);
}

#[test]
fn the_drain_has_ten_seconds_unless_the_runtime_counts_them() {
    let mut own = Run::new(ShutdownConfig::default());
    assert_eq!(own.reaped(true, false, 1), [ShutdownAction::TerminateNext]);
    assert_eq!(own.next(), (seconds(2), vec![DRAIN]));
    assert_eq!(own.next(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(own.next(), (seconds(9), vec![ShutdownAction::TerminateAll]));
    assert_eq!(own.next(), (seconds(10), vec![LAST_CALL]));
    assert_eq!(own.next(), (seconds(11), vec![ShutdownAction::Kill]));
    let under_runtime = config(|config| config.runtime_has_clock = true);
    let mut stopped = Run::new(under_runtime);
    assert_eq!(stopped.term(1), [TERM]);
    assert_eq!(stopped.reaped(true, false, 2), [ShutdownAction::TerminateNext]);
    assert_eq!(stopped.next(), (seconds(3), vec![DRAIN]));
    assert_eq!(stopped.next(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(stopped.next(), (seconds(9), vec![ShutdownAction::TerminateAll]));
    for _ in 0..9 {
        assert_ne!(stopped.next().1, [ShutdownAction::Kill]);
    }
    // The stop may also come when the drain is already on its way.
    let mut late = Run::new(under_runtime);
    assert_eq!(late.reaped(true, false, 1), [ShutdownAction::TerminateNext]);
    assert_eq!(late.term(3), [], "the order goes on, and no worker is asked over the head of its master");
    for _ in 0..9 {
        assert_ne!(late.next().1, [ShutdownAction::Kill]);
    }
    // An explicit drain stands in any case, and its last call is known.
    let mut explicit = Run::new(config(|config| (config.runtime_has_clock, config.drain) = (true, Some(seconds(5)))));
    assert_eq!(explicit.term(1), [TERM]);
    assert_eq!(explicit.reaped(true, false, 2), [ShutdownAction::TerminateNext]);
    assert_eq!(explicit.next(), (seconds(3), vec![DRAIN]));
    assert_eq!(explicit.next(), (seconds(6), vec![ShutdownAction::TerminateAll, ShutdownAction::ReportSurvivors]));
    assert_eq!(explicit.next(), (seconds(7), vec![ShutdownAction::Kill]));
}

#[test]
fn the_last_call_has_a_time_of_its_own() {
    let mut run = Run::new(config(|config| {
        (config.grace, config.last_call) = (Some(seconds(10)), Some(Duration::from_millis(9500)));
    }));
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.next(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(run.next(), (Duration::from_millis(10_500), vec![ShutdownAction::TerminateAll]));
    assert_eq!(run.next(), (seconds(11), vec![ShutdownAction::Kill]));
}

#[test]
fn the_last_call_counts_from_the_stop_request() {
    let called_at = |delay: u64, last_call: Option<Duration>| {
        let mut run = Run::new(config(|config| (config.stop_delay, config.last_call) = (seconds(delay), last_call)));
        assert_eq!(run.term(1).len(), 1);
        loop {
            let (at, actions) = run.next();
            if actions.contains(&ShutdownAction::TerminateAll) {
                return at;
            }
        }
    };
    assert_eq!(called_at(3, None), seconds(9), "before Docker's KILL at 11 s");
    assert_eq!(called_at(10, None), seconds(19), "a limit beyond Docker's: main has its time alone");
    assert_eq!(called_at(3, Some(seconds(5))), seconds(6));
    assert_eq!(called_at(3, Some(seconds(2))), seconds(4), "never before main was asked");
}

#[test]
fn wait_asks_no_process_until_a_stop() {
    let mut run = Run::new(config(|config| config.on_main_exit = OnMainExit::Wait));
    assert_eq!(run.reaped(true, false, 1), []);
    assert_eq!(run.0.deadline(), None);
    assert_eq!(run.term(5), [ShutdownAction::TerminateNext]);
    assert_eq!(run.term(6), [TERM], "a second one is for all");
    assert_eq!(run.reaped(false, true, 6), [ShutdownAction::Exit]);
}

#[test]
fn finish_asks_main_alone() {
    let mut run = Run::new(config(|config| config.on_main_exit = OnMainExit::Finish));
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.0.step(ShutdownInput::MainNotAsked, seconds(1)), []);
    assert_eq!(run.reaped(true, false, 2), []);
    assert_eq!(run.next(), (seconds(3), vec![ShutdownAction::ReportStep(StopStep::Wait)]));
    for at in [6, 11, 21, 41] {
        assert_eq!(run.next(), (seconds(at), vec![ShutdownAction::ReportSurvivors]));
    }
    let mut limited = Run::new(config(|config| {
        (config.on_main_exit, config.drain) = (OnMainExit::Finish, Some(seconds(4)));
    }));
    assert_eq!(limited.reaped(true, false, 1), []);
    assert_eq!(limited.next(), (seconds(2), vec![ShutdownAction::ReportStep(StopStep::Wait)]));
    assert_eq!(limited.next(), (seconds(5), vec![ShutdownAction::Kill]));
    assert_eq!(limited.next().1, [ShutdownAction::KillRemaining], "TERM at the limit, and KILL after it");
}

#[test]
fn the_group_is_asked_as_the_init_leaves() {
    let mut run = Run::new(config(|config| config.on_main_exit = OnMainExit::TerminateGroup));
    assert_eq!(run.reaped(true, false, 1), [ShutdownAction::TerminateGroup, ShutdownAction::Exit]);
    // Without a subreaper no child may be left here, and members of the group elsewhere.
    let mut run = Run::new(config(|config| config.on_main_exit = OnMainExit::TerminateGroup));
    assert_eq!(run.reaped(true, true, 1), [ShutdownAction::TerminateGroup, ShutdownAction::Exit]);
}

#[test]
fn exits_in_the_drain_lead_to_one_check_for_orphans() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.reaped(true, false, 1), [ShutdownAction::TerminateNext]);
    for (at, again) in [(2, 10), (3, 20), (4, 40)] {
        assert_eq!(run.reaped(false, false, at), []);
        assert_eq!(run.reaped(false, false, at), []);
        while run.0.deadline() <= Some(seconds(at)) {
            run.tick();
        }
        assert_eq!(run.next(), (seconds(at) + Duration::from_millis(again), vec![ShutdownAction::TerminateNext]));
    }
}

#[test]
fn processes_that_cannot_act_are_killed_if_nothing_else_limits_the_drain() {
    let mut run = Run::new(config(|config| config.runtime_has_clock = true));
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.reaped(true, false, 2), [ShutdownAction::TerminateNext]);
    assert_eq!(run.0.step(ShutdownInput::NoneCanAct, seconds(6)), [ShutdownAction::Kill]);
    assert_eq!(run.reaped(false, true, 7), [ShutdownAction::Exit]);
    let mut limited = Run::new(ShutdownConfig::default());
    assert_eq!(limited.reaped(true, false, 2), [ShutdownAction::TerminateNext]);
    assert_eq!(limited.0.step(ShutdownInput::NoneCanAct, seconds(7)), []);
    assert_eq!(
        limited.0.step(ShutdownInput::OutOfReach, seconds(8)),
        [ShutdownAction::ReportSurvivors, ShutdownAction::Exit]
    );
}

#[test]
fn processes_that_survive_kill_are_left_after_five_seconds() {
    let mut run = Run::new(config(|config| config.grace = Some(seconds(4))));
    assert_eq!(run.term(0), [TERM]);
    assert_eq!(run.next(), (Duration::from_millis(3200), vec![ShutdownAction::TerminateAll]));
    assert_eq!(run.next(), (seconds(4), vec![ShutdownAction::Kill]));
    while run.0.deadline() < Some(seconds(9)) {
        assert_eq!(run.tick().1, [ShutdownAction::KillRemaining]);
    }
    assert_eq!(run.tick(), (seconds(9), vec![ShutdownAction::ReportSurvivors, ShutdownAction::Exit]));
    assert_eq!(run.term(10), []);
}

#[test]
fn an_abandoned_job_is_killed_at_once_and_checked_after_each_exit() {
    let mut run = Run::new(config(|config| config.grace = Some(seconds(60))));
    assert_eq!(run.term(1), [TERM]);
    let abandon = |run: &mut Run, at| run.0.step(ShutdownInput::Abandoned, at);
    assert_eq!(abandon(&mut run, seconds(2)), [ShutdownAction::Kill]);
    assert_eq!(abandon(&mut run, seconds(2)), [], "once is enough");
    assert_eq!(run.tick(), (Duration::from_millis(2100), vec![ShutdownAction::KillRemaining]));
    assert_eq!(run.reaped(true, false, 3), []);
    assert_eq!(run.0.deadline(), Some(Duration::from_millis(2300)), "sooner than after the exit");
    while run.0.deadline() < Some(seconds(7)) {
        assert!(matches!(run.tick().1[..], [] | [ShutdownAction::KillRemaining]));
    }
    assert_eq!(run.tick(), (seconds(7), vec![ShutdownAction::ReportSurvivors, ShutdownAction::Exit]));
}

#[test]
fn a_grace_that_comes_with_the_stop_counts() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.0.step(ShutdownInput::Grace(seconds(5)), seconds(1)).len(), 0);
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.next(), (seconds(5), vec![ShutdownAction::TerminateAll]));
    // A second, more patient one does not put the clock back; an impatient one puts it forward.
    let mut patient = Run(run.0.clone());
    assert_eq!(patient.0.step(ShutdownInput::Grace(seconds(60)), seconds(5)).len(), 0);
    assert_eq!(patient.next(), (seconds(6), vec![ShutdownAction::Kill]));
    assert_eq!(run.0.step(ShutdownInput::Grace(Duration::from_millis(500)), seconds(5)).len(), 0);
    assert_eq!(run.next(), (Duration::from_millis(5500), vec![ShutdownAction::Kill]));
}

#[test]
fn steps_are_reported_at_once_if_asked() {
    let mut run = Run::new(config(|config| config.report_steps_after = Duration::ZERO));
    assert_eq!(run.reaped(true, false, 1), [ShutdownAction::TerminateNext, DRAIN]);
}
