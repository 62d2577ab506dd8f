//! How long a signal takes through the init, alone and with many children alive.

use super::{Extent, Figure, Results, in_turn};
use crate::contender::{Contender, GNU};
use crate::session::Session;

pub(crate) fn measure(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    // All run at once, and each gets a signal in turn.
    let with_session = contenders.iter().find(|contender| contender.name == GNU).map(Contender::with_session);
    let alone: Vec<Contender> = contenders.iter().cloned().chain(with_session).collect();
    let mut sessions: Vec<Session> = alone.iter().map(|contender| Session::start(contender, 0, 0)).collect();
    in_turn(&alone, extent.signals, |index, contender| {
        if let Some(session) = sessions.get_mut(index) {
            results.push(contender, Figure::Latency(0), session.signal_takes() / 1e3);
        }
    });
    drop(sessions);
    // One after the other: the pids do not suffice for all at once.
    let rounds = extent.repetitions * 2;
    in_turn(contenders, rounds, |_, contender| {
        if contender.path.is_some() {
            let mut session = Session::start(contender, extent.live, 0);
            for _ in 0..extent.signals / rounds / 4 {
                results.push(contender, Figure::Latency(extent.live), session.signal_takes() / 1e3);
            }
        }
    });
}
