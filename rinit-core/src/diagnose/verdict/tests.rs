//! Verdicts over made-up trees.

use super::*;
use crate::procfs::stat::State;
use std::time::Duration;

const TERM: Signal = Signal::TERM;

fn pid(number: i32) -> Pid {
    Pid::new(number).unwrap()
}

fn init(is_rinit: bool) -> InitProgram {
    InitProgram {
        name: "an init",
        is_rinit,
        pauses: false,
        signal: Some(TERM),
        reaches_others: false,
        makes_group: true,
        kills_after: None,
        last_call: None,
        is_unclear: false,
    }
}

/// Processes as number, parent, and what SIGTERM does. The first one is an init, or not.
fn tree(program: Option<InitProgram>, rows: &[(i32, i32, Fate)]) -> Outcome {
    judged(&members(rows), program)
}

/// Main is the first child.
fn judged(members: &PidMap<Member>, program: Option<InitProgram>) -> Outcome {
    let living = members.iter().filter(|(_, member)| member.ppid == Some(Pid::INIT) && !member.has_exited);
    let main = living.map(|(pid, _)| *pid).min();
    of_container(members, Pid::INIT, program.map(|program| InitAndMain { program, main }).as_ref())
}

fn members(rows: &[(i32, i32, Fate)]) -> PidMap<Member> {
    let member = |(number, parent, fate): &(i32, i32, Fate)| {
        let reason = match fate {
            Fate::Exits => Reason::Ending(TERM),
            Fate::Stays => Reason::Ignores(TERM),
            Fate::Unknown => Reason::Handles(TERM),
        };
        let judgement = Judgement { reason, fate: *fate };
        let start_ticks = (*number).try_into().unwrap();
        let (ppid, group, has_exited) = (Pid::new(*parent), 0, false);
        let (is_held_from_outside, may_read) = (false, false);
        (pid(*number), Member { ppid, start_ticks, group, has_exited, is_held_from_outside, judgement, may_read })
    };
    rows.iter().map(member).collect()
}

#[track_caller]
fn is(outcome: &Outcome, stops: Option<bool>, named: &[i32]) {
    assert_eq!(outcome.stops, stops, "{outcome:?}");
    let who = if stops == Some(false) { &outcome.culprits } else { &outcome.undecided };
    assert_eq!(who.iter().map(|pid| pid.get()).collect::<Vec<_>>(), named, "{outcome:?}");
}

#[test]
fn without_an_init_the_first_process_decides() {
    use Fate::{Exits, Stays, Unknown};
    is(&tree(None, &[(1, 0, Stays), (2, 1, Exits)]), Some(false), &[1]);
    // Its children are killed with it.
    is(&tree(None, &[(1, 0, Exits), (2, 1, Stays)]), Some(true), &[]);
    is(&tree(None, &[(1, 0, Unknown), (2, 1, Stays)]), None, &[1]);
    is(&Outcome::unknown(vec![]), None, &[]);
}

#[test]
fn under_an_init_main_decides() {
    use Fate::{Exits, Stays, Unknown};
    let tini = || Some(init(false));
    is(&tree(tini(), &[(1, 0, Unknown), (2, 1, Exits), (3, 1, Stays)]), Some(true), &[]);
    is(&tree(tini(), &[(1, 0, Unknown), (2, 1, Stays), (3, 2, Exits)]), Some(false), &[2]);
    is(&tree(tini(), &[(1, 0, Unknown), (2, 1, Unknown)]), None, &[2]);
    is(&tree(tini(), &[(1, 0, Unknown)]), None, &[1]);
    // `tini -g`: main may wait for one that is asked with it.
    let group = || Some(InitProgram { reaches_others: true, ..init(false) });
    is(&tree(group(), &[(1, 0, Unknown), (2, 1, Stays), (3, 2, Exits)]), None, &[2]);
    is(&tree(group(), &[(1, 0, Unknown), (2, 1, Stays), (3, 2, Stays)]), Some(false), &[2, 3]);
    let pausing = Some(InitProgram { pauses: true, ..init(true) });
    is(&tree(pausing, &[(1, 0, Unknown)]), Some(true), &[]);
    let unclear = Some(InitProgram { is_unclear: true, ..init(false) });
    is(&tree(unclear, &[(1, 0, Unknown), (2, 1, Exits)]), None, &[2]);
    let dropping = Some(InitProgram { signal: None, ..init(true) });
    is(&tree(dropping, &[(1, 0, Unknown), (2, 1, Exits)]), Some(false), &[1]);
}

fn process(number: i32, group: i32, session: i32) -> Process {
    let (ppid, state, comm) = (Some(Pid::INIT), State::Sleeping, Vec::new());
    Process { pid: pid(number), ppid, group, session, start_ticks: 5, state, threads: 1, comm }
}

#[test]
fn a_child_in_the_inits_own_group_was_there_before_the_init() {
    let children = |groups: &[i32]| {
        // A daemon has the number 5 or more, and a session of its own.
        let session = |number| if number >= 5 { number } else { 1 };
        let child = |(number, group): (i32, &i32)| process(number, *group, session(number));
        (2..).zip(groups).map(child).collect::<Vec<_>>()
    };
    let main = |program: &InitProgram, init_group, groups: &[i32]| {
        main_of(children(groups).iter(), program, &process(1, init_group, 1)).map(Pid::get)
    };
    assert_eq!(main(&init(true), 1, &[2, 3]), Some(2));
    // `sh -c 'set -m; helper & exec tini main'`: either may be main.
    assert_eq!(main(&init(false), 1, &[2, 3]), None);
    // A daemon is none, and dumb-init's main leads a session.
    assert_eq!(main(&init(false), 1, &[2, 1, 1, 5]), Some(2));
    assert_eq!(main(&InitProgram { name: "dumb-init", ..init(false) }, 1, &[2, 1, 1, 5]), Some(5));
    // `sh -c 'helper & exec tini main'`.
    assert_eq!(main(&init(false), 1, &[1, 3]), Some(3));
    assert_eq!(main(&init(true), 1, &[1, 1, 4, 5]), Some(4));
    // No other one leads a group.
    assert_eq!(main(&init(false), 1, &[1, 1]), Some(2));
    // Main is left in the init's group, and a daemon leads one.
    assert_eq!(main(&init(true), 0, &[0, 3]), Some(2));
    assert_eq!(main(&InitProgram { makes_group: false, ..init(false) }, 1, &[1, 3]), Some(2));
    assert_eq!(main(&init(false), 1, &[]), None);
    // An orphan in the group of a main that has exited.
    assert_eq!(main(&init(true), 1, &[7]), None);
    assert_eq!(main(&InitProgram { makes_group: false, ..init(false) }, 1, &[7]), Some(2));
}

/// A shell that runs its trap only after its foreground child stays: the child is asked at the last call.
#[test]
fn two_children_in_the_inits_group_cannot_be_distinguished() {
    let single = InitProgram { makes_group: false, ..init(false) };
    is(&tree(Some(single.clone()), &[(1, 0, Fate::Unknown), (2, 1, Fate::Exits), (3, 1, Fate::Stays)]), None, &[2]);
    is(&tree(Some(single), &[(1, 0, Fate::Unknown), (2, 1, Fate::Exits), (3, 2, Fate::Stays)]), Some(true), &[]);
}

#[test]
fn a_main_that_has_left_its_group_is_not_reached_by_it() {
    let program = InitProgram { reaches_others: true, ..init(false) };
    let mut all = members(&[(1, 0, Fate::Unknown), (2, 1, Fate::Exits)]);
    for (group, stops, named) in [(2, Some(true), &[][..]), (3, None, &[2])] {
        all.get_mut(&pid(2)).unwrap().group = group;
        is(&judged(&all, Some(program.clone())), stops, named);
    }
}

#[test]
fn kill_does_not_act_on_what_is_frozen() {
    let killing = || Some(InitProgram { kills_after: Some(Duration::from_secs(2)), ..init(true) });
    let mut all = members(&[(1, 0, Fate::Unknown), (2, 1, Fate::Stays)]);
    is(&judged(&all, killing()), Some(true), &[]);
    all.get_mut(&pid(2)).unwrap().judgement.reason = Reason::Frozen;
    is(&judged(&all, killing()), None, &[2]);
}

/// KILL makes a zombie of it, for which the kernel waits.
#[test]
fn a_debugger_outside_keeps_the_namespace() {
    let killing = InitProgram { kills_after: Some(Duration::from_secs(2)), ..init(true) };
    let rows = |main| vec![(1, 0, Fate::Unknown), (2, 1, main), (3, 2, Fate::Exits)];
    let zombie_alone = vec![(1, 0, Fate::Unknown), (3, 1, Fate::Exits)];
    for (program, rows) in [
        (init(false), rows(Fate::Exits)),
        (init(true), rows(Fate::Exits)),
        (killing, rows(Fate::Stays)),
        (InitProgram { pauses: true, ..init(true) }, zombie_alone),
    ] {
        let mut all = members(&rows);
        let held = all.get_mut(&pid(3)).unwrap();
        (held.is_held_from_outside, held.has_exited) = (true, true);
        is(&judged(&all, Some(program)), None, &[3]);
    }
}

#[test]
fn a_late_last_call_stops_no_shell_in_time() {
    use Fate::{Exits, Stays, Unknown};
    let with = |last_call: Option<u64>| {
        let program = InitProgram { last_call: last_call.map(std::time::Duration::from_secs), ..init(true) };
        let mut members = members(&[(1, 0, Unknown), (2, 1, Stays), (3, 2, Exits)]);
        members.get_mut(&pid(2)).unwrap().judgement.reason = Reason::Blocks(TERM);
        judged(&members, Some(program))
    };
    is(&with(None), None, &[2]);
    is(&with(Some(9)), None, &[2]);
    is(&with(Some(10)), Some(false), &[2]);
}

/// A main that ignores the signal in place of TERM counts as not asked, and gets TERM by the last call, after 8 s.
#[test]
fn under_rinit_the_last_call_may_stop_what_ignores_another_signal() {
    use Fate::{Stays, Unknown};
    let rows = [(1, 0, Unknown), (2, 1, Stays)];
    let with = |is_rinit, signal| tree(Some(InitProgram { signal: Some(signal), ..init(is_rinit) }), &rows);
    is(&with(true, Signal::INT), None, &[2]);
    is(&with(true, TERM), Some(false), &[2]);
    is(&with(false, Signal::INT), Some(false), &[2]);
}

#[test]
fn a_frozen_process_is_named_before_one_that_may_wait_for_it() {
    use Fate::{Stays, Unknown};
    for (program, waiting) in [(None, 1), (Some(init(false)), 2), (Some(init(true)), 2)] {
        let mut members = members(&[(1, 0, Unknown), (2, 1, Unknown), (3, 2, Unknown), (4, 3, Stays)]);
        members.get_mut(&pid(4)).unwrap().judgement.reason = Reason::Frozen;
        is(&judged(&members, program), None, &[4, waiting]);
    }
}

#[test]
fn rinit_waits_for_the_others_too() {
    use Fate::{Exits, Stays, Unknown};
    let rinit = || Some(init(true));
    is(&tree(rinit(), &[(1, 0, Unknown), (2, 1, Exits), (3, 1, Exits)]), Some(true), &[]);
    is(&tree(rinit(), &[(1, 0, Unknown), (2, 1, Exits), (3, 1, Stays), (4, 1, Unknown)]), None, &[3, 4]);
    is(&tree(rinit(), &[(1, 0, Unknown), (2, 1, Stays), (3, 2, Stays)]), Some(false), &[2, 3]);
    // The others are asked at once where main ignores the signal, and main may wait for them.
    is(&tree(rinit(), &[(1, 0, Unknown), (2, 1, Stays), (3, 2, Exits)]), None, &[2]);
    let kills = Some(InitProgram { kills_after: Some(std::time::Duration::from_secs(2)), ..init(true) });
    is(&tree(kills, &[(1, 0, Unknown), (2, 1, Stays)]), Some(true), &[]);
    let late = Some(InitProgram { kills_after: Some(std::time::Duration::from_secs(30)), ..init(true) });
    is(&tree(late, &[(1, 0, Unknown), (2, 1, Stays)]), Some(false), &[2]);
}

/// `yes | sleep 1000`: what yes leaves in the pipe keeps rinit from asking sleep before the last call.
#[test]
fn a_reader_may_be_asked_at_a_late_last_call() {
    use Fate::{Exits, Unknown};
    let mut all = members(&[(1, 0, Unknown), (2, 1, Exits), (3, 2, Exits), (4, 2, Exits)]);
    is(&judged(&all, Some(init(true))), Some(true), &[]);
    all.get_mut(&pid(4)).unwrap().may_read = true;
    is(&judged(&all, Some(init(true))), None, &[4]);
}

#[test]
fn two_scans_that_differ_tell_nothing() {
    let stays = || Outcome::stays(vec![pid(2)]);
    assert_eq!(stays().and(stays()), stays());
    is(&stays().and(Outcome::stops()), None, &[2]);
    is(&Outcome::stops().and(Outcome::unknown(vec![pid(3)])), None, &[3]);
    // Another process in each scan: the state is temporary.
    is(&stays().and(Outcome::stays(vec![pid(3)])), None, &[2]);
}

#[test]
fn a_ring_of_reused_pids_ends() {
    let outcome = tree(None, &[(1, 2, Fate::Exits), (2, 1, Fate::Exits)]);
    is(&outcome, Some(true), &[]);
}
