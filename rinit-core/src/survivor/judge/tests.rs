//! The judge over made-up facts: one row for each thing that a process can do with a signal.

use super::*;
use crate::pid::Pid;
use crate::procfs::cgroup::Frozen;
use crate::procfs::stat::{Stat, State};
use crate::procfs::status::Status;
use crate::procfs::syscall::SystemCall;
use crate::signal::set::SignalSet;
use crate::survivor::facts::Credentials;
use crate::survivor::shell::{Kind, Shell};

const TERM: Signal = Signal::TERM;

/// A number that `wait4` or another call has on this machine.
fn call(waits: bool) -> i64 {
    (0..1000).find(|number| crate::sys::is_wait(*number) == waits).unwrap()
}

fn pid(number: i32) -> Pid {
    Pid::new(number).unwrap()
}

/// A process that leaves every signal to the kernel, of which everything is known.
fn facts(change: impl FnOnce(&mut Facts, &mut Signals)) -> Facts {
    let stat = Stat {
        pid: pid(12),
        comm: b"x".to_vec(),
        state: State::Sleeping,
        ppid: Some(Pid::INIT),
        pgrp: 12,
        session: 12,
        kernel_thread: false,
        exiting: false,
        threads: 1,
        start_ticks: 5,
    };
    let status = Status { uid: Some(7), euid: Some(7), saved_uid: Some(7), ..Status::default() };
    let mut facts = Facts {
        stat,
        status: Some(Status { namespace_pids: vec![pid(12)], ..status }),
        asked: Some(TERM),
        arguments: Fact::NotThere,
        blocked: SignalSet::empty(),
        in_sigwait: Fact::Known(false),
        signalfds: Fact::Known(SignalSet::empty()),
        in_kernel: false,
        is_stopped: false,
        is_held: false,
        tracer: None,
        exits_after: None,
        wait_channel: Fact::NotThere,
        frozen: Fact::Known(Frozen::No),
        shell: None,
        sender: None,
    };
    let mut signals = Signals::default();
    change(&mut facts, &mut signals);
    if let Some(status) = &mut facts.status {
        status.signals = Some(signals);
    }
    facts
}

fn init(facts: &mut Facts) {
    facts.status.as_mut().unwrap().namespace_pids = vec![pid(12), Pid::INIT];
}

#[track_caller]
fn is(reason: Reason, fate: Fate, change: impl FnOnce(&mut Facts, &mut Signals)) {
    assert_eq!(judge(&facts(change)), Judgement { reason, fate });
}

#[test]
fn a_process_below_an_init() {
    is(Reason::Ending(TERM), Fate::Exits, |_, _| {});
    is(Reason::NotAsked, Fate::Unknown, |f, _| f.asked = None);
    is(Reason::NotAsked, Fate::Unknown, |f, s| (f.asked, s.caught) = (None, TERM.into()));
    // Its parent may have asked it.
    is(Reason::Ignores(TERM), Fate::Stays, |f, s| (f.asked, s.ignored) = (None, TERM.into()));
    is(Reason::Frozen, Fate::Stays, |f, _| (f.asked, f.frozen) = (None, Fact::Known(Frozen::Entirely)));
    is(Reason::Ignores(TERM), Fate::Stays, |_, s| s.ignored = TERM.into());
    is(Reason::Handles(TERM), Fate::Unknown, |_, s| s.caught = TERM.into());
    is(Reason::Pending(TERM), Fate::Exits, |_, s| s.pending = TERM.into());
    is(Reason::IgnoredByDefault(Signal::WINCH), Fate::Stays, |f, _| f.asked = Some(Signal::WINCH));
    is(Reason::Zombie { parent: Some(Pid::INIT) }, Fate::Exits, |f, _| f.stat.state = State::Zombie);
    // A thread that outlived the first.
    is(Reason::Ending(TERM), Fate::Exits, |f, _| (f.stat.state, f.stat.threads) = (State::Zombie, 2));
}

#[test]
fn signals_that_are_received_without_a_handler() {
    is(Reason::Waits(TERM), Fate::Unknown, |f, _| f.in_sigwait = Fact::Known(true));
    is(Reason::Waits(TERM), Fate::Unknown, |f, s| (f.in_sigwait, s.ignored) = (Fact::Known(true), TERM.into()));
    is(Reason::Waits(TERM), Fate::Unknown, |f, _| {
        (f.blocked, f.signalfds) = (TERM.into(), Fact::Known(TERM.into()));
    });
    is(Reason::Blocks(TERM), Fate::Unknown, |f, _| f.blocked = TERM.into());
    // A blocked signal is kept even where it is ignored.
    is(Reason::Blocks(TERM), Fate::Unknown, |f, s| (f.blocked, s.ignored) = (TERM.into(), TERM.into()));
    // In `ppoll` alone it is let through.
    is(Reason::Handles(TERM), Fate::Unknown, |f, s| (f.blocked, s.caught) = (TERM.into(), TERM.into()));
    is(Reason::Blocks(TERM), Fate::Unknown, |f, s| {
        (f.blocked, s.caught, s.pending) = (TERM.into(), TERM.into(), TERM.into());
    });
}

#[test]
fn no_verdict_comes_of_an_absent_fact() {
    let hidden = Reason::NotReadable { uid: Some(7) };
    is(hidden.clone(), Fate::Unknown, |f, _| (init(f), f.in_sigwait = Fact::NotPermitted).1);
    is(hidden.clone(), Fate::Unknown, |f, _| f.in_sigwait = Fact::NotPermitted);
    is(hidden.clone(), Fate::Unknown, |f, s| (f.in_sigwait, s.ignored) = (Fact::NotPermitted, TERM.into()));
    is(hidden, Fate::Unknown, |f, _| (f.blocked, f.signalfds) = (TERM.into(), Fact::NotPermitted));
    is(Reason::Unknown, Fate::Unknown, |f, _| f.in_sigwait = Fact::NotThere);
    let without = Facts { status: None, ..facts(|_, _| {}) };
    assert_eq!(judge(&without), Judgement { reason: Reason::Unknown, fate: Fate::Unknown });
    // A state is seen without any right.
    let stopped = Facts { status: None, ..facts(|f, _| f.is_stopped = true) };
    assert_eq!(judge(&stopped).reason, Reason::Stopped(TERM));
}

#[test]
fn the_first_process_of_a_namespace() {
    is(Reason::NamespaceInit(TERM), Fate::Stays, |f, _| init(f));
    is(Reason::Handles(TERM), Fate::Unknown, |f, s| (init(f), s.caught = TERM.into()).1);
    is(Reason::Waits(TERM), Fate::Unknown, |f, _| (init(f), f.in_sigwait = Fact::Known(true)).1);
    is(Reason::Blocks(TERM), Fate::Unknown, |f, _| (init(f), f.blocked = TERM.into()).1);
    // The first thread blocks it and reads a signalfd, and another thread leaves it unblocked: a race.
    for (signalfds, reason, fate) in [
        (Fact::Known(TERM.into()), Reason::Waits(TERM), Fate::Unknown),
        (Fact::NotPermitted, Reason::NotReadable { uid: Some(7) }, Fate::Unknown),
        (Fact::Known(SignalSet::empty()), Reason::NamespaceInit(TERM), Fate::Stays),
    ] {
        is(reason, fate, |f, s| (init(f), s.blocked = TERM.into(), f.signalfds = signalfds).1);
    }
    // KILL from an outer namespace acts, and one from inside is dropped.
    is(Reason::Ending(Signal::KILL), Fate::Exits, |f, _| (init(f), f.asked = Some(Signal::KILL)).1);
    is(Reason::NamespaceInit(Signal::KILL), Fate::Stays, |f, _| {
        f.status.as_mut().unwrap().namespace_pids = vec![Pid::INIT];
        f.asked = Some(Signal::KILL);
    });
    // Where the kernel has no NSpid line.
    is(Reason::NamespaceInit(TERM), Fate::Stays, |f, _| {
        (f.stat.pid, f.status.as_mut().unwrap().namespace_pids) = (Pid::INIT, vec![]);
    });
}

#[test]
fn reasons_that_hold_for_any_process() {
    is(Reason::Stopped(TERM), Fate::Stays, |f, _| f.is_stopped = true);
    is(Reason::Traced(TERM), Fate::Unknown, |f, _| f.is_held = true);
    is(Reason::Frozen, Fate::Stays, |f, _| f.frozen = Fact::Known(Frozen::Entirely));
    // Version 2: what terminates a process acts, and a handler does not run.
    let v2 = || Fact::Known(Frozen::UntilTerminated);
    is(Reason::Ending(TERM), Fate::Exits, |f, _| f.frozen = v2());
    is(Reason::Frozen, Fate::Stays, |f, s| (f.frozen, s.caught) = (v2(), TERM.into()));
    is(Reason::Frozen, Fate::Stays, |f, s| (f.frozen, s.caught, s.pending) = (v2(), TERM.into(), TERM.into()));
    is(Reason::Frozen, Fate::Unknown, |f, _| (f.frozen, f.in_sigwait) = (v2(), Fact::NotPermitted));
    is(Reason::Stopped(TERM), Fate::Stays, |f, _| (f.frozen, f.is_stopped) = (v2(), true));
    is(Reason::Ending(Signal::KILL), Fate::Exits, |f, _| (f.frozen, f.asked) = (v2(), Some(Signal::KILL)));
    is(Reason::DumpsCore, Fate::Unknown, |f, _| f.status.as_mut().unwrap().core_dumping = true);
    // It runs, and the debugger may keep the signal.
    is(Reason::Traced(Signal::TERM), Fate::Unknown, |f, _| f.tracer = Some(pid(99)));
    let at = |name: &str| Fact::Known(name.to_owned());
    is(Reason::StuckInKernel { at: Some("nfs_wait".into()) }, Fate::Unknown, |f, _| {
        (f.in_kernel, f.wait_channel) = (true, at("nfs_wait"));
    });
    is(Reason::Frozen, Fate::Stays, |f, _| (f.in_kernel, f.wait_channel) = (true, at("__refrigerator")));
    is(Reason::FullPipe(TERM), Fate::Unknown, |f, s| {
        (f.wait_channel, s.caught) = (at("anon_pipe_write"), TERM.into());
    });
    // Without a handler the signal ends the write.
    is(Reason::Ending(TERM), Fate::Exits, |f, _| f.wait_channel = at("pipe_write"));
    // It would ignore the signal after SIGCONT as well.
    is(Reason::Ignores(TERM), Fate::Stays, |f, s| (f.is_stopped, s.ignored) = (true, TERM.into()));
    is(Reason::Ignores(TERM), Fate::Stays, |f, s| (f.in_kernel, s.ignored) = (true, TERM.into()));
    // KILL acts on a stopped process, not on one in the kernel.
    is(Reason::Ending(Signal::KILL), Fate::Exits, |f, _| (f.is_stopped, f.asked) = (true, Some(Signal::KILL)));
    is(Reason::StuckInKernel { at: None }, Fate::Unknown, |f, _| (f.in_kernel, f.asked) = (true, Some(Signal::KILL)));
}

fn child(number: i32, start_ticks: u64, ignored: SignalSet) -> ShellChild {
    ShellChild { pid: pid(number), command: format!("c{number}"), start_ticks, ignored }
}

fn shell(kind: Kind, call: i64, children: Vec<ShellChild>) -> Shell {
    let call = Fact::Known(Some(SystemCall { number: call, first_argument: 0 }));
    Shell { kind, call, children, exits_after: None }
}

#[test]
fn shell_idioms() {
    let background = SignalSet::only(Signal::INT).with(Signal::QUIT);
    let none = SignalSet::empty;
    let waits = |number| Reason::ShellWaits { child: pid(number), command: format!("c{number}") };
    let may = |number| Reason::ShellMayWait { child: pid(number), command: format!("c{number}") };
    let handles = || Reason::Handles(TERM);
    let one = || vec![child(20, 1, none())];
    let rows = [
        // dash: `trap … TERM; server; :`.
        (shell(Kind::WaitIsVisible, call(true), one()), waits(20)),
        // dash: `sleep 1000 & wait`, where the server sets INT and QUIT again.
        (shell(Kind::WaitIsVisible, call(false), one()), handles()),
        // bash shows the same for both.
        (shell(Kind::WaitIsAmbiguous, call(true), one()), may(20)),
        (shell(Kind::WaitIsAmbiguous, call(true), vec![child(20, 1, background)]), handles()),
        (shell(Kind::WaitIsAmbiguous, call(false), one()), handles()),
        (shell(Kind::WaitIsVisible, call(true), vec![]), handles()),
        // The youngest that was not started with `&`.
        (
            shell(
                Kind::WaitIsVisible,
                call(true),
                vec![child(20, 1, none()), child(21, 2, none()), child(22, 3, background)],
            ),
            waits(21),
        ),
    ];
    for (shell, reason) in rows {
        is(reason, Fate::Unknown, |f, s| (f.shell, s.caught) = (Some(shell), TERM.into()));
    }
    // The call is not permitted to be read: dash is no more known than bash.
    let hidden = Shell { call: Fact::NotPermitted, ..shell(Kind::WaitIsVisible, 0, one()) };
    is(may(20), Fate::Unknown, |f, s| (f.shell, s.caught) = (Some(hidden), TERM.into()));
    // dash: `trap … TERM; sleep N; :`, with nothing in the container that could end the sleep.
    for (seconds, fate) in [(15, Fate::Unknown), (16, Fate::Stays)] {
        let exits_after = Some(Duration::from_secs(seconds));
        let sleeps = Shell { exits_after, ..shell(Kind::WaitIsVisible, call(true), one()) };
        is(waits(20), fate, |f, s| (f.shell, s.caught) = (Some(sleeps), TERM.into()));
        // bash may be in `wait`.
        let sleeps = Shell { exits_after, ..shell(Kind::WaitIsAmbiguous, call(true), one()) };
        is(may(20), Fate::Unknown, |f, s| (f.shell, s.caught) = (Some(sleeps), TERM.into()));
    }
    // Without a trap it would have exited.
    let without = shell(Kind::WaitIsVisible, call(true), one());
    is(Reason::Ending(TERM), Fate::Exits, |f, _| f.shell = Some(without));
    // A shell that ignores both itself: so do all its children.
    let ignoring = shell(Kind::WaitIsVisible, call(true), vec![child(20, 1, background)]);
    is(waits(20), Fate::Unknown, |f, s| (f.shell, s.caught, s.ignored) = (Some(ignoring), TERM.into(), background));
}

#[test]
fn what_is_over_soon_stays_no_longer_than_that() {
    let after = |seconds| Some(Duration::from_secs(seconds));
    is(Reason::Ignores(TERM), Fate::Unknown, |f, s| (f.exits_after, s.ignored) = (after(15), TERM.into()));
    is(Reason::Ignores(TERM), Fate::Stays, |f, s| (f.exits_after, s.ignored) = (after(16), TERM.into()));
    is(Reason::NamespaceInit(TERM), Fate::Unknown, |f, _| (init(f), f.exits_after = after(0)).1);
}

#[test]
fn rights_to_send() {
    let may = |uid, euid, cap_kill, saved: u32| {
        let facts = facts(|f, _| {
            f.sender = Some(Credentials { uid, euid, cap_kill });
            f.status.as_mut().unwrap().saved_uid = Some(saved);
        });
        judge(&facts).reason
    };
    assert_eq!(may(5, 5, false, 7), Reason::NotPermitted { uid: 7, our_uid: 5 });
    assert_eq!(may(5, 5, true, 7), Reason::Ending(TERM));
    assert_eq!(may(7, 5, false, 7), Reason::Ending(TERM));
    assert_eq!(may(5, 7, false, 7), Reason::Ending(TERM));
    assert_eq!(may(5, 5, false, 5), Reason::Ending(TERM));
    // Root without the capability has no right.
    assert_eq!(may(0, 0, false, 7), Reason::NotPermitted { uid: 7, our_uid: 0 });
}
