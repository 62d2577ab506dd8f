//! The shutdown policy under arbitrary orders of events.

use proptest::prelude::*;
use rinit_core::policy::{OnMainExit, Shutdown, ShutdownAction, ShutdownConfig, ShutdownInput};
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

    fn ended(&mut self, main: bool, all: bool, at: u64) -> Vec<ShutdownAction> {
        self.0.step(ShutdownInput::ChildrenReaped { main, all }, seconds(at))
    }

    fn tick(&mut self) -> (Duration, Vec<ShutdownAction>) {
        let at = self.0.deadline().expect("something is due");
        (at, self.0.step(ShutdownInput::Tick, at))
    }
}

const TERM: ShutdownAction = ShutdownAction::Forward(SignalSet::only(Signal::TERM));

#[test]
fn without_grace_main_is_reported_after_five_seconds_and_never_killed() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.tick(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(run.0.deadline(), None);
}

#[test]
fn a_stop_is_delayed_until_its_time_a_second_signal_or_mains_end() {
    let config = ShutdownConfig { stop_delay: seconds(3), ..ShutdownConfig::default() };
    let mut waits = Run::new(config);
    assert_eq!(waits.term(1), [ShutdownAction::Hold(Signal::TERM)]);
    assert_eq!(waits.tick(), (seconds(4), vec![TERM]));
    let mut hurried = Run::new(config);
    assert_eq!(hurried.term(1), [ShutdownAction::Hold(Signal::TERM)]);
    assert_eq!(hurried.term(2), [TERM]);
    let mut ended = Run::new(config);
    assert_eq!(ended.term(1), [ShutdownAction::Hold(Signal::TERM)]);
    assert_eq!(ended.ended(true, true, 2), [ShutdownAction::Exit]);
}

#[test]
fn the_drain_has_ten_seconds_unless_the_runtime_counts_them() {
    let mut own = Run::new(ShutdownConfig::default());
    assert_eq!(own.ended(true, false, 1), [ShutdownAction::TerminateAll]);
    assert_eq!(own.tick(), (seconds(11), vec![ShutdownAction::Kill]));
    let under_runtime = ShutdownConfig { runtime_has_clock: true, ..ShutdownConfig::default() };
    let mut stopped = Run::new(under_runtime);
    assert_eq!(stopped.term(1), [TERM]);
    assert_eq!(stopped.ended(true, false, 2), [ShutdownAction::TerminateAll]);
    assert_eq!(stopped.tick(), (seconds(6), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(stopped.0.deadline(), None);
    // The stop may also come when the drain is already on its way.
    let mut late = Run::new(under_runtime);
    assert_eq!(late.ended(true, false, 1), [ShutdownAction::TerminateAll]);
    assert_eq!(late.term(3), [TERM]);
    assert_eq!(late.tick(), (seconds(8), vec![ShutdownAction::ReportSurvivors]));
    assert_eq!(late.0.deadline(), None);
    // An explicit drain stands in any case.
    let mut explicit = Run::new(ShutdownConfig { drain: Some(seconds(2)), ..under_runtime });
    assert_eq!(explicit.term(1), [TERM]);
    assert_eq!(explicit.ended(true, false, 2), [ShutdownAction::TerminateAll]);
    assert_eq!(explicit.tick(), (seconds(4), vec![ShutdownAction::Kill]));
}

#[test]
fn wait_tells_nobody_until_a_stop() {
    let mut run = Run::new(ShutdownConfig { on_main_exit: OnMainExit::Wait, ..ShutdownConfig::default() });
    assert_eq!(run.ended(true, false, 1), []);
    assert_eq!(run.0.deadline(), None);
    assert_eq!(run.term(5), [TERM, ShutdownAction::TerminateAll]);
    assert_eq!(run.ended(false, true, 6), [ShutdownAction::Exit]);
}

#[test]
fn deaths_in_the_drain_lead_to_one_look_for_orphans() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.ended(true, false, 1), [ShutdownAction::TerminateAll]);
    assert_eq!(run.ended(false, false, 2), []);
    assert_eq!(run.ended(false, false, 2), []);
    assert_eq!(run.tick(), (Duration::from_millis(2100), vec![ShutdownAction::TerminateOrphans]));
    assert_eq!(run.0.deadline(), Some(seconds(11)));
}

#[test]
fn who_survives_kill_is_left_after_five_seconds() {
    let mut run = Run::new(ShutdownConfig { grace: Some(seconds(4)), ..ShutdownConfig::default() });
    assert_eq!(run.term(0), [TERM]);
    assert_eq!(run.tick(), (seconds(2), vec![ShutdownAction::TerminateAll]));
    assert_eq!(run.tick(), (seconds(4), vec![ShutdownAction::Kill]));
    while run.0.deadline() < Some(seconds(9)) {
        assert_eq!(run.tick().1, [ShutdownAction::KillRemaining]);
    }
    assert_eq!(run.tick(), (seconds(9), vec![ShutdownAction::ReportSurvivors, ShutdownAction::Exit]));
    assert_eq!(run.term(10), []);
}

#[test]
fn who_is_abandoned_is_killed_at_once_and_looked_for_after_each_death() {
    let mut run = Run::new(ShutdownConfig { grace: Some(seconds(60)), ..ShutdownConfig::default() });
    assert_eq!(run.term(1), [TERM]);
    let abandon = |run: &mut Run, at| run.0.step(ShutdownInput::Abandoned, at);
    assert_eq!(abandon(&mut run, seconds(2)), [ShutdownAction::Kill]);
    assert_eq!(abandon(&mut run, seconds(2)), [], "once is enough");
    assert_eq!(run.tick(), (Duration::from_millis(2100), vec![ShutdownAction::KillRemaining]));
    assert_eq!(run.ended(true, false, 3), []);
    assert_eq!(run.0.deadline(), Some(Duration::from_millis(2300)), "sooner than after the death");
    while run.0.deadline() < Some(seconds(7)) {
        assert!(matches!(run.tick().1[..], [] | [ShutdownAction::KillRemaining]));
    }
    assert_eq!(run.tick(), (seconds(7), vec![ShutdownAction::ReportSurvivors, ShutdownAction::Exit]));
}

#[test]
fn a_grace_that_comes_with_the_stop_counts() {
    let mut run = Run::new(ShutdownConfig::default());
    assert_eq!(run.0.step(ShutdownInput::Grace(seconds(4)), seconds(1)).len(), 0);
    assert_eq!(run.term(1), [TERM]);
    assert_eq!(run.tick(), (seconds(3), vec![ShutdownAction::TerminateAll]));
    // A second, more patient one does not put the clock back; an impatient one puts it forward.
    assert_eq!(run.0.step(ShutdownInput::Grace(seconds(60)), seconds(3)).len(), 0);
    assert_eq!(run.0.deadline(), Some(seconds(5)));
    assert_eq!(run.0.step(ShutdownInput::Grace(seconds(1)), seconds(3)).len(), 0);
    assert_eq!(run.tick(), (seconds(4), vec![ShutdownAction::Kill]));
}
