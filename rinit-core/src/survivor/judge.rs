//! The judgement: facts in, reason out, nothing read and nothing asked.

use super::Reason;
use super::facts::{Facts, ShellChild};
use crate::pid::Pid;
use crate::procfs::stat::State;
use crate::procfs::status::Signals;
use crate::signal::Signal;
use crate::signal::set::SignalSet;

/// The first reason that holds, in an order from what no signal can change to what will pass by itself.
pub(crate) fn judge(facts: &Facts) -> Reason {
    let stat = &facts.stat;
    if stat.has_ended() {
        return Reason::Zombie { parent: stat.ppid };
    }
    if let (Some(sender), Some(status)) = (facts.sender, &facts.status) {
        if let Some(uid) = status.uid.filter(|_| !sender.may_signal(status)) {
            return Reason::NotPermitted { uid, our_uid: sender.uid };
        }
    }
    let Some(signal) = facts.told else { return Reason::NeverTold };
    let signals = facts.status.as_ref().and_then(|status| status.signals);
    if facts.in_kernel {
        return Reason::StuckInKernel { at: facts.wait_channel.clone() };
    }
    // KILL acts on a stopped and a traced process too.
    if signal != Signal::KILL {
        // Before "stopped": it would ignore the signal after SIGCONT as well.
        if signals.is_some_and(|signals| signals.ignored.contains(signal)) {
            return Reason::Ignores(signal);
        }
        match stat.state {
            State::Stopped => return Reason::Stopped(signal),
            State::Traced => return Reason::Traced(signal),
            _ => {}
        }
    }
    signals.map_or(Reason::Unknown, |signals| by_action(facts, signal, signals))
}

fn by_action(facts: &Facts, signal: Signal, signals: Signals) -> Reason {
    let blocks = facts.blocked.contains(signal);
    let catches = signals.caught.contains(signal);
    // A blocked signal is kept even for the first process of a namespace, which may take it by sigwait. SIGKILL, dropped
    // when it comes from inside, acts when it comes from an outer namespace, where the process has a second pid.
    let pids = facts.status.as_ref().map_or(&[][..], |status| &status.namespace_pids);
    let is_init = pids.last().copied().unwrap_or(facts.stat.pid) == Pid::INIT;
    let killed_from_outside = signal == Signal::KILL && pids.len() > 1;
    let loses = !blocks && !catches && !killed_from_outside;
    if facts.in_sigwait && !blocks && !catches {
        return Reason::Waits(signal);
    }
    if is_init && loses {
        return Reason::NamespaceInit(signal);
    }
    if blocks {
        return Reason::Blocks(signal);
    }
    if facts.is_shell && catches {
        if let Some(child) = foreground(&facts.children, signals.ignored) {
            return Reason::ShellWaits { child: child.pid, command: child.command.clone() };
        }
    }
    if signals.pending.contains(signal) {
        return Reason::Pending(signal);
    }
    match (catches, signal.terminates_by_default()) {
        (true, _) => Reason::Handles(signal),
        (false, true) => Reason::Ending(signal),
        (false, false) => Reason::Unknown,
    }
}

/// The child that the shell most likely waits for: the youngest that was not started with `&`.
///
/// A shell without job control starts those with INT and QUIT ignored (POSIX Shell Command Language, 2.12 "Signals and
/// Error Handling"). Where it ignores both itself, all children do, and nothing can be told from it.
fn foreground(children: &[ShellChild], ignored_by_shell: SignalSet) -> Option<&ShellChild> {
    let keyboard = SignalSet::only(Signal::INT).with(Signal::QUIT);
    let tells = !ignored_by_shell.is_superset(keyboard);
    let in_foreground = children.iter().filter(|child| !(tells && child.ignored.is_superset(keyboard)));
    in_foreground.max_by_key(|child| (child.start_ticks, child.pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::stat::Stat;
    use crate::procfs::status::Status;
    use crate::survivor::Credentials;

    const TERM: Signal = Signal::TERM;

    fn facts(change: impl FnOnce(&mut Facts, &mut Signals)) -> Facts {
        let pid = Pid::new(12).unwrap();
        let stat = Stat {
            pid,
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
            status: Some(Status { namespace_pids: vec![pid], ..status }),
            told: Some(TERM),
            command: String::new(),
            blocked: SignalSet::empty(),
            in_sigwait: false,
            in_kernel: false,
            wait_channel: None,
            is_shell: false,
            children: vec![],
            sender: None,
        };
        let mut signals = Signals::default();
        change(&mut facts, &mut signals);
        if let Some(status) = &mut facts.status {
            status.signals = Some(signals);
        }
        facts
    }

    fn reason(change: impl FnOnce(&mut Facts, &mut Signals)) -> Reason {
        judge(&facts(change))
    }

    fn child(pid: i32, start_ticks: u64, ignored: SignalSet) -> ShellChild {
        ShellChild { pid: Pid::new(pid).unwrap(), command: format!("c{pid}"), start_ticks, ignored }
    }

    #[test]
    fn each_reason() {
        assert_eq!(reason(|_, _| {}), Reason::Ending(TERM));
        assert_eq!(reason(|f, _| f.in_sigwait = true), Reason::Waits(TERM));
        assert_eq!(reason(|f, _| f.told = None), Reason::NeverTold);
        assert_eq!(reason(|_, s| s.ignored = TERM.into()), Reason::Ignores(TERM));
        assert_eq!(reason(|f, _| f.blocked = TERM.into()), Reason::Blocks(TERM));
        assert_eq!(reason(|_, s| s.caught = TERM.into()), Reason::Handles(TERM));
        assert_eq!(reason(|_, s| s.pending = TERM.into()), Reason::Pending(TERM));
        assert_eq!(reason(|f, _| f.stat.state = State::Stopped), Reason::Stopped(TERM));
        assert_eq!(reason(|f, _| f.stat.state = State::Traced), Reason::Traced(TERM));
        assert_eq!(reason(|f, _| f.stat.state = State::Zombie), Reason::Zombie { parent: Some(Pid::INIT) });
        let at = Some("nfs_wait".to_string());
        let stuck = reason(|f, _| (f.in_kernel, f.wait_channel) = (true, at.clone()));
        assert_eq!(stuck, Reason::StuckInKernel { at });
        assert_eq!(judge(&Facts { status: None, ..facts(|_, _| {}) }), Reason::Unknown);
        assert_eq!(reason(|f, _| f.told = Some(Signal::WINCH)), Reason::Unknown);
    }

    #[test]
    fn a_thread_that_outlived_the_first_is_no_zombie() {
        let threads = |f: &mut Facts| (f.stat.state, f.stat.threads) = (State::Zombie, 2);
        assert_eq!(reason(|f, _| threads(f)), Reason::Ending(TERM));
    }

    #[test]
    fn the_first_of_a_namespace_loses_what_it_does_not_catch() {
        let init = |f: &mut Facts| {
            f.status.as_mut().unwrap().namespace_pids = vec![Pid::new(12).unwrap(), Pid::INIT];
        };
        assert_eq!(reason(|f, _| init(f)), Reason::NamespaceInit(TERM));
        assert_eq!(reason(|f, s| (init(f), s.caught = TERM.into()).1), Reason::Handles(TERM));
        assert_eq!(reason(|f, _| (init(f), f.in_sigwait = true).1), Reason::Waits(TERM));
        assert_eq!(reason(|f, _| (init(f), f.blocked = TERM.into()).1), Reason::Blocks(TERM));
        assert_eq!(reason(|f, _| (init(f), f.told = Some(Signal::KILL)).1), Reason::Ending(Signal::KILL));
        // Where the kernel has no NSpid line.
        let alone = |f: &mut Facts| (f.stat.pid, f.status) = (Pid::INIT, Some(Status::default()));
        assert_eq!(reason(|f, _| alone(f)), Reason::NamespaceInit(TERM));
    }

    #[test]
    fn a_shell_waits_for_its_youngest_child_in_the_foreground() {
        let background = SignalSet::only(Signal::INT).with(Signal::QUIT);
        let children =
            vec![child(20, 1, SignalSet::empty()), child(21, 2, SignalSet::empty()), child(22, 3, background)];
        let shell = |f: &mut Facts, s: &mut Signals| {
            (f.is_shell, f.children, s.caught) = (true, children.clone(), TERM.into());
        };
        let waits = |pid| Reason::ShellWaits { child: Pid::new(pid).unwrap(), command: format!("c{pid}") };
        assert_eq!(reason(shell), waits(21));
        assert_eq!(reason(|f, s| (shell(f, s), s.ignored = background).1), waits(22));
        // In the builtin `wait` a shell runs its trap at once: the trap itself takes its time.
        assert_eq!(reason(|f, s| (shell(f, s), f.children.drain(..2)).1.for_each(drop)), Reason::Handles(TERM));
        assert_eq!(reason(|f, s| (shell(f, s), f.children.clear()).1), Reason::Handles(TERM));
        // Without a trap it would have ended.
        assert_eq!(reason(|f, s| (shell(f, s), s.caught = SignalSet::empty()).1), Reason::Ending(TERM));
    }

    #[test]
    fn rights_to_send() {
        let may = |uid, euid, cap_kill, saved: u32| {
            reason(|f, _| {
                f.sender = Some(Credentials { uid, euid, cap_kill });
                f.status.as_mut().unwrap().saved_uid = Some(saved);
            })
        };
        assert_eq!(may(5, 5, false, 7), Reason::NotPermitted { uid: 7, our_uid: 5 });
        assert_eq!(may(5, 5, true, 7), Reason::Ending(TERM));
        assert_eq!(may(7, 5, false, 7), Reason::Ending(TERM));
        assert_eq!(may(5, 7, false, 7), Reason::Ending(TERM));
        assert_eq!(may(5, 5, false, 5), Reason::Ending(TERM));
        // Root without the capability is nobody.
        assert_eq!(may(0, 0, false, 7), Reason::NotPermitted { uid: 7, our_uid: 0 });
    }

    #[test]
    fn what_weighs_more() {
        let told_nothing = |f: &mut Facts| f.told = None;
        assert_eq!(reason(|f, _| (told_nothing(f), f.in_kernel = true).1), Reason::NeverTold);
        let stopped = |f: &mut Facts| f.stat.state = State::Stopped;
        assert_eq!(reason(|f, s| (stopped(f), s.ignored = TERM.into()).1), Reason::Ignores(TERM));
        assert_eq!(reason(|f, _| (stopped(f), f.told = Some(Signal::KILL)).1), Reason::Ending(Signal::KILL));
    }
}
