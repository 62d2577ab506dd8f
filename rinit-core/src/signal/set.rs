//! Sets of signals.

use crate::signal::Signal;
use std::fmt;

bitflags::bitflags! {
    /// A set of signals, laid out as the kernel's own 64-bit set: bit n-1 stands for signal n.
    ///
    /// This is the layout of `rt_sigprocmask(2)` and of the `Sig…` lines in `/proc/pid/status` (`proc_pid_status(5)`).
    /// It is not the C library's `sigset_t`: libcs leave out the signals that they keep to themselves.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// let set = SignalSet::from_iter([Signal::TERM, Signal::INT]);
    /// assert!(set.holds(Signal::TERM) && !set.holds(Signal::HUP));
    /// assert_eq!(set.bits(), 0x4002);
    /// assert_eq!(format!("{set:?}"), "{SIGINT, SIGTERM}");
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SignalSet: u64 {
        // Every bit is a signal: none is unknown.
        const _ = !0;
    }
}

impl SignalSet {
    /// The set of one signal.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert_eq!(SignalSet::only(Signal::HUP).bits(), 1);
    /// ```
    #[must_use]
    pub const fn only(signal: Signal) -> Self {
        Self::from_bits_retain(1 << signal.index())
    }

    /// True if the signal is in the set.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(SignalSet::all().holds(Signal::RTMAX));
    /// ```
    #[must_use]
    pub const fn holds(self, signal: Signal) -> bool {
        self.bits() & (1 << signal.index()) != 0
    }

    /// The set with one signal more.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(SignalSet::empty().with(Signal::TERM).holds(Signal::TERM));
    /// ```
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self::from_bits_retain(self.bits() | (1 << signal.index()))
    }

    /// The set without one signal.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(!SignalSet::all().without(Signal::SEGV).holds(Signal::SEGV));
    /// ```
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        Self::from_bits_retain(self.bits() & !(1 << signal.index()))
    }

    /// The signals of the set in order of number.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// let set = SignalSet::from_iter([Signal::TERM, Signal::HUP]);
    /// assert!(set.signals().eq([Signal::HUP, Signal::TERM]));
    /// ```
    pub fn signals(self) -> impl Iterator<Item = Signal> {
        let mut bits = self.bits();
        std::iter::from_fn(move || {
            let index = bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            (index < u64::BITS).then(|| Signal::from_index(index as u8))
        })
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<T: IntoIterator<Item = Signal>>(signals: T) -> Self {
        signals.into_iter().fold(Self::empty(), Self::with)
    }
}

impl From<Signal> for SignalSet {
    fn from(signal: Signal) -> Self {
        Self::only(signal)
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.signals()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_is_what_its_signals_make(bits: u64) {
            let set = SignalSet::from_bits_retain(bits);
            prop_assert_eq!(set.signals().collect::<SignalSet>(), set);
            prop_assert_eq!(set.signals().count() as u32, bits.count_ones());
            prop_assert!(set.signals().all(|signal| set.holds(signal)));
        }
    }
}
