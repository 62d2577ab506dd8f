//! Delivers a signal that arrived: rewrites it, chooses the target, sends it.

use super::descendants::signal_blindly;
use super::event::{Event, WithheldReason};
use super::supervisor::Supervisor;
use crate::error::Error;
use crate::policy::forwarding::{ForwardFilter, ForwardTo};
use crate::policy::shutdown::ShutdownInput;
use crate::process::signal::{is_gone, send};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::retry::retry_transient;

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

    /// The signals that request a stop as they arrive.
    pub(super) fn urgent_signals(&self) -> SignalSet {
        Signal::all().filter(|signal| self.apply(*signal).is_some_and(|(_, stop)| stop)).collect()
    }
}

/// A stop signal on its way through the policy, which does not know where it goes.
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

    /// True if the terminal has sent its signal to main as well: it sends to a whole group, and main is in this process's
    /// own. A hang-up goes to the session's leader alone.
    fn terminal_sent_it_to_main(&self, signal: Signal) -> bool {
        FOR_WHOLE_GROUP.contains(&signal) && self.main.living().is_some_and(sys::is_in_own_group)
    }

    /// Forwards stop signals, those that were held back included. The one that has just arrived keeps its value and its
    /// target.
    pub(super) fn forward_stop(&mut self, signals: SignalSet) {
        let arrived = self.pending_stop.take();
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
        if self.main.is_alive() && !self.routing.filter.lets_pass(signal, self.known_to_main()) {
            return self.observers.emit(Event::Withheld { signal, why: WithheldReason::Unhandled });
        }
        if signal == Signal::KILL {
            self.oom.has_killed();
        }
        let main = self.main.pid;
        let (target, result) = match target {
            // Main is this process's own unreaped child, so that its pid cannot be another process's.
            ForwardTo::Main if self.main.is_alive() => (target, send(main, signal, value)),
            ForwardTo::Group if self.main.is_alive() => {
                let result = match retry_transient(|| sys::kill_group(main, signal)) {
                    // Main has left its group, for example by setsid.
                    Err(error) if is_gone(error) => send(main, signal, value),
                    result => result,
                };
                (target, result)
            }
            _ => {
                if self.descendants.forward(signal, stop, &mut self.observers).is_err() {
                    signal_blindly(self.me, &self.main, signal);
                }
                (ForwardTo::All, Ok(()))
            }
        };
        match result {
            Ok(()) => {
                if stop && self.main.is_alive() {
                    self.asked_main_by = Some(signal);
                }
                match target {
                    ForwardTo::Main if stop => self.descendants.mark_asked(main, signal),
                    ForwardTo::Group if stop => self.descendants.mark_group_asked(main, signal),
                    _ => {}
                }
                self.observers.emit(Event::Forwarded { signal, to: target });
            }
            Err(error) if is_gone(error) => {}
            Err(errno) => {
                let error = Error::SendSignal { signal, pid: main, source: errno.into() };
                self.descendants.not_sent(main, signal, &error, &mut self.observers);
            }
        }
        if stop && self.main.is_alive() && self.descendants.was_refused(main) {
            self.main_refused = true;
            self.inputs.push_back(ShutdownInput::MainNotAsked);
        }
    }

    /// The signals that main handles, ignores, or blocks to take them by `sigwait`.
    fn known_to_main(&self) -> Option<SignalSet> {
        if self.routing.filter == ForwardFilter::All {
            return None;
        }
        let mut reader = Reader::new();
        let signals = reader.status(self.main.pid).ok().flatten()?.signals?;
        // While a `sigwait` waits, the signals that it waits for cannot be seen.
        let visible = !reader.is_in_sigwait(self.main.pid);
        visible.then_some(signals.caught | signals.ignored | signals.blocked)
    }
}
