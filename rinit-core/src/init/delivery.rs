//! Delivers a signal that arrived: rewrites it, chooses the target, sends it.

use super::descendants::hearing::{Hearing, hearing};
use super::descendants::signal_blindly;
use super::event::{Event, WithheldReason};
use super::supervisor::Supervisor;
use crate::error::Error;
use crate::pid::Pid;
use crate::policy::forwarding::{ForwardFilter, ForwardTo};
use crate::policy::shutdown::ShutdownInput;
use crate::process::signal::{ToGroup, is_gone, send, send_to_group};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use crate::sys;

/// What a terminal sends to a whole process group (`termios(3)`, `tty_ioctl(4)`).
const FOR_WHOLE_GROUP: [Signal; 6] =
    [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::WINCH, Signal::TTIN, Signal::TTOU];

/// Where signals go, and which of them request a stop.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) target: ForwardTo,
    pub(super) filter: ForwardFilter,
    pub(super) rewrite: Rewrite,
    pub(super) stop_signals: SignalSet,
    /// An alarm that this process inherited is main's.
    pub(super) forward_alarm: bool,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            target: ForwardTo::default(),
            filter: ForwardFilter::default(),
            rewrite: Rewrite::default(),
            stop_signals: SignalSet::from_iter([Signal::TERM, Signal::INT, Signal::QUIT]),
            forward_alarm: false,
        }
    }
}

impl Routing {
    /// What the signal is forwarded as, and whether it requests a stop; `None` if a rule drops it.
    fn apply(&self, signal: Signal) -> Option<(Signal, bool)> {
        let rewritten = self.rewrite.apply(signal)?;
        let stop = [signal, rewritten].into_iter().any(|signal| self.stop_signals.contains(signal));
        Some((rewritten, stop))
    }

    /// Returns the signals that request a stop when they arrive.
    pub(super) fn urgent_signals(&self) -> SignalSet {
        if self.rewrite == Rewrite::default() {
            return self.stop_signals;
        }
        Signal::all().filter(|signal| self.apply(*signal).is_some_and(|(_, stop)| stop)).collect()
    }
}

/// A stop signal that the policy is deciding on. The policy does not know the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingStop {
    signal: Signal,
    target: ForwardTo,
    value: Option<usize>,
}

impl Supervisor {
    /// Handles a signal that was sent to this process. A stop request goes to the policy, anything else to main.
    pub(super) fn deliver(&mut self, received: ReceivedSignal) {
        self.observers.emit(Event::Received(received));
        self.route(received);
        self.stop_along_with(received.signal());
    }

    fn route(&mut self, received: ReceivedSignal) {
        let Some((signal, stop)) = self.routing.apply(received.signal()) else {
            let (signal, why) = (received.signal(), WithheldReason::Dropped);
            return self.observers.emit(Event::Withheld { signal, why });
        };
        let mut target = self.routing.target;
        if received.is_from_kernel() {
            if self.terminal_sent_it_to_main(received.signal()) {
                return self.observers.emit(Event::Withheld { signal, why: WithheldReason::SentByTerminal });
            }
            if target == ForwardTo::Main && self.is_meant_for_mains_group(received.signal()) {
                target = ForwardTo::Group;
            }
        }
        if received.signal() == Signal::CONT {
            self.continued();
        }
        if stop {
            self.stop_signal.get_or_insert(received.signal());
            self.pending_stop = Some(PendingStop { signal, target, value: received.value() });
            self.inputs.push_back(ShutdownInput::StopRequested(signal));
        } else {
            self.forward(target, signal, received.value(), false);
        }
    }

    /// Returns true if the terminal has sent its signal to main as well: it sends to a whole group, and main is in this
    /// process's group. A hang-up goes only to the session leader.
    fn terminal_sent_it_to_main(&self, signal: Signal) -> bool {
        // Both read as `None` where this process's group lies outside the PID namespace. Main is in that group then: it
        // cannot join another group outside.
        let is_in_own_group = |main: Pid| sys::group_of(main) == sys::own_group();
        FOR_WHOLE_GROUP.contains(&signal) && self.main.living().is_some_and(is_in_own_group)
    }

    /// Forwards stop signals, including those that were held back. The one that has just arrived keeps its value and its
    /// target.
    pub(super) fn forward_stop(&mut self, signals: SignalSet) {
        let arrived = self.pending_stop.take();
        // This tries again if it failed at the start: main may be gone soon.
        self.main.hold_group(self.me);
        for signal in signals.iter() {
            match arrived.filter(|arrived| arrived.signal == signal) {
                Some(PendingStop { target, value, .. }) => self.forward(target, signal, value, true),
                None => self.forward(self.routing.target, signal, None, true),
            }
        }
    }

    /// Sends a signal to the target, or to all descendants if main has exited. A process that gets a signal which requests
    /// a stop counts as asked.
    pub(super) fn forward(&mut self, target: ForwardTo, signal: Signal, value: Option<usize>, stop: bool) {
        if self.main.is_alive() && !self.routing.filter.lets_pass(signal, stop, || self.known_to_main()) {
            return self.observers.emit(Event::Withheld { signal, why: WithheldReason::Unhandled });
        }
        if signal == Signal::KILL {
            self.oom.has_killed();
        }
        let main = self.main.pid;
        let asks_main = stop && self.main.is_alive();
        let before = if asks_main { hearing(main, signal) } else { Hearing::Acts };
        let (target, result) = match target {
            // Main is this process's own unreaped child, so that its pid cannot be another process's.
            ForwardTo::Main if self.main.is_alive() => (target, send(main, signal, value)),
            ForwardTo::Group if self.main.is_alive() => (target, self.signal_mains_group(signal, value, stop)),
            _ => {
                if self.descendants.forward(signal, stop, &mut self.observers).is_err() {
                    signal_blindly(self.me, &self.main, signal);
                }
                (ForwardTo::All, Ok(()))
            }
        };
        match result {
            Ok(()) => {
                if asks_main {
                    self.asked_main_by = Some(signal);
                }
                match target {
                    ForwardTo::Main | ForwardTo::Group if stop => self.descendants.mark_asked(main, signal),
                    _ => {}
                }
                if asks_main {
                    self.descendants.mark_main(main, before);
                }
                self.observers.emit(Event::Forwarded { signal, to: target });
            }
            Err(error) if is_gone(error) => {}
            Err(errno) => {
                let error = Error::SendSignal { signal, pid: main, source: errno.into() };
                self.descendants.not_sent(main, signal, &error, &mut self.observers);
            }
        }
        if asks_main && self.descendants.was_refused(main) {
            self.main_refused = true;
            self.inputs.push_back(ShutdownInput::MainNotAsked);
        }
    }

    /// Sends a signal to main, and to the group that was made for it. If main has left that group, the other members of its
    /// present group get the signal as well: one after the other, because the group may have members that are not descendants.
    fn signal_mains_group(&mut self, signal: Signal, value: Option<usize>, stop: bool) -> rustix::io::Result<()> {
        let main = self.main.pid;
        let to_group = send_to_group(main, signal);
        if stop {
            self.descendants.mark_group_asked(main, signal);
        }
        let present = match to_group {
            ToGroup::WithLeader(sent) => return sent,
            ToGroup::WithoutLeader(present) => present,
        };
        if let Some(group) = present.filter(|group| *group != main) {
            self.descendants.forward_to_group(group, main, signal, stop, &mut self.observers);
        }
        send(main, signal, value)
    }

    /// Returns the signals that main handles, ignores, or blocks to receive them by `sigwait`.
    fn known_to_main(&self) -> Option<SignalSet> {
        let mut reader = Reader::new();
        let signals = reader.status(self.main.pid).ok().flatten()?.signals?;
        // While a `sigwait` waits, the signals that it waits for cannot be seen.
        let visible = !reader.is_in_sigwait(self.main.pid);
        visible.then_some(signals.caught | signals.ignored | signals.blocked)
    }
}
