//! Which signals are forwarded, and where.

use crate::signal::Signal;
use crate::signal::set::SignalSet;

/// Which processes get the signals that arrive at rinit.
///
/// ```
/// assert_eq!(rinit_core::policy::ForwardTo::default(), rinit_core::policy::ForwardTo::Main);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ForwardTo {
    /// The program that rinit started, alone.
    #[default]
    Main,
    /// The program's process group: also the foreground children of a shell without job control.
    Group,
    /// Every descendant, whatever its group or session.
    All,
}

/// Which signals are forwarded.
///
/// ```
/// assert_eq!(rinit_core::policy::ForwardFilter::default(), rinit_core::policy::ForwardFilter::All);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ForwardFilter {
    /// Every signal that arrives.
    #[default]
    All,
    /// Only signals that main handles, ignores or blocks (to receive them by `sigwait` or a signalfd). A HUP or USR1 whose
    /// default action would terminate main is not forwarded. CONT and signals that request a stop always are.
    Handled,
}

impl ForwardFilter {
    /// Returns true if the signal is to be forwarded to a main that handles, ignores or blocks the signals of `known`. If `known`
    /// is `None`, because that cannot be seen, every signal is forwarded. A signal that requests a stop is never withheld: the
    /// time of the stop runs, and main would not know of it.
    #[must_use]
    pub(crate) fn lets_pass(self, signal: Signal, stop: bool, known: impl FnOnce() -> Option<SignalSet>) -> bool {
        let always = self == Self::All || stop || signal == Signal::CONT;
        always || known().is_none_or(|known| known.contains(signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handled_withholds_only_signals_that_main_does_not_know() {
        let known = || Some(SignalSet::only(Signal::HUP));
        assert!(ForwardFilter::Handled.lets_pass(Signal::HUP, false, known));
        assert!(!ForwardFilter::Handled.lets_pass(Signal::USR1, false, known));
        assert!(ForwardFilter::Handled.lets_pass(Signal::CONT, false, known));
        assert!(ForwardFilter::Handled.lets_pass(Signal::USR1, false, || None));
        assert!(ForwardFilter::All.lets_pass(Signal::USR1, false, known));
    }

    #[test]
    fn a_stop_is_never_withheld() {
        for signal in [Signal::TERM, Signal::QUIT, Signal::USR1] {
            assert!(ForwardFilter::Handled.lets_pass(signal, true, || Some(SignalSet::empty())));
        }
    }
}
