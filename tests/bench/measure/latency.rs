//! How long a signal takes through the init, alone and with many children alive.

use super::{Extent, Figure, Results, in_turn, most_pids};
use crate::contender::{Contender, GNU};
use crate::session::Session;

pub(crate) fn measure(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    let with_session = contenders.iter().find(|contender| contender.name == GNU).map(Contender::with_session);
    let forwarding = contenders.iter().filter(|contender| contender.forwards).cloned();
    let alone: Vec<Contender> = forwarding.chain(with_session).collect();
    beside_each_other(&alone, 0, extent.signals, results);
    let inits = contenders.iter().filter(|contender| contender.path.is_some() && contender.forwards);
    let inits: Vec<Contender> = inits.cloned().collect();
    if extent.live * inits.len() + 1_000 < most_pids() {
        beside_each_other(&inits, extent.live, extent.signals / 2, results);
    } else {
        // The placement of the processes matters more than the init: so it is repeated often.
        let rounds = extent.repetitions * 3;
        in_turn(&inits, rounds, |_, contender| {
            let mut session = Session::start(contender, extent.live, 0);
            for _ in 0..extent.signals / rounds / 4 {
                results.push(contender, Figure::Latency(extent.live), session.signal_takes() / 1e3);
            }
        });
    }
}

/// All run at once, and each gets a signal in turn.
fn beside_each_other(contenders: &[Contender], live: usize, signals: usize, results: &mut Results) {
    let mut sessions: Vec<Session> = contenders.iter().map(|contender| Session::start(contender, live, 0)).collect();
    in_turn(contenders, signals, |index, contender| {
        if let Some(session) = sessions.get_mut(index) {
            results.push(contender, Figure::Latency(live), session.signal_takes() / 1e3);
        }
    });
}
