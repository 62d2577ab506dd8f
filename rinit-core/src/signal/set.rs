//! Sets of signals.

use crate::signal::Signal;
use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not, Sub};

bitflags::bitflags! {
    /// The bits of a set: bit n-1 stands for signal n.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
    struct Bits: u64 {
        // Every bit is a signal: none is unknown.
        const _ = !0;
    }
}

/// A set of signals, laid out as the kernel's own 64-bit set: bit n-1 stands for signal n.
///
/// This is the layout of `rt_sigprocmask(2)` and of the `Sig…` lines in `/proc/pid/status` (`proc_pid_status(5)`).
/// It is not the C library's `sigset_t`: libcs leave out the signals that they keep to themselves.
///
/// ```
/// use rinit_core::{Signal, SignalSet};
/// let set: SignalSet = [Signal::TERM, Signal::INT].into_iter().collect();
/// assert!(set.contains(Signal::TERM) && !set.contains(Signal::HUP));
/// assert_eq!(set.bits(), 0x4002);
/// assert_eq!(format!("{set:?}"), "{SIGINT, SIGTERM}");
/// for signal in set | SignalSet::only(Signal::HUP) {
///     println!("{signal}");
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SignalSet(Bits);

impl SignalSet {
    /// The set without any signal.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Bits::empty())
    }

    /// The set of all 64 signals.
    ///
    /// ```
    /// use rinit_core::SignalSet;
    /// assert_eq!(SignalSet::all().len(), 64);
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self(Bits::all())
    }

    /// The set of one signal.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert_eq!(SignalSet::only(Signal::HUP).bits(), 1);
    /// ```
    #[must_use]
    pub const fn only(signal: Signal) -> Self {
        Self::from_bits(1 << signal.index())
    }

    /// Makes a set from the bits of the kernel's own set.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert_eq!(SignalSet::from_bits(0x4000), SignalSet::only(Signal::TERM));
    /// ```
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(Bits::from_bits_retain(bits))
    }

    /// The bits of the kernel's own set.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0.bits()
    }

    /// Returns true if the set has no signal.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// How many signals the set has.
    #[must_use]
    pub const fn len(self) -> usize {
        self.bits().count_ones() as usize
    }

    /// Returns true if the signal is in the set.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(SignalSet::all().contains(Signal::RTMAX));
    /// ```
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.bits() & (1 << signal.index()) != 0
    }

    /// Returns true if the two sets have a signal in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0.intersects(other.0)
    }

    /// Returns true if every signal of the other set is in this one.
    #[must_use]
    pub const fn is_superset(self, other: Self) -> bool {
        self.0.contains(other.0)
    }

    /// Returns the set with this signal added.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(SignalSet::empty().with(Signal::TERM).contains(Signal::TERM));
    /// ```
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        self.union(Self::only(signal))
    }

    /// Returns the set with this signal removed.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// assert!(!SignalSet::all().without(Signal::SEGV).contains(Signal::SEGV));
    /// ```
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        self.difference(Self::only(signal))
    }

    /// The signals that are in at least one of the sets; `a | b` is the same.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0.union(other.0))
    }

    /// The signals that are in both sets; `a & b` is the same.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0.intersection(other.0))
    }

    /// The signals of this set that are not in the other; `a - b` is the same.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0.difference(other.0))
    }

    /// The signals that are not in this set; `!a` is the same.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(self.0.complement())
    }

    /// The signals of the set in order of number.
    ///
    /// ```
    /// use rinit_core::{Signal, SignalSet};
    /// let set = SignalSet::from_iter([Signal::TERM, Signal::HUP]);
    /// assert!(set.iter().eq([Signal::HUP, Signal::TERM]));
    /// ```
    #[must_use]
    pub const fn iter(self) -> Signals {
        Signals { bits: self.bits() }
    }
}

/// The signals of a [`SignalSet`], in order of number.
#[derive(Debug, Clone)]
pub struct Signals {
    bits: u64,
}

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        let index = self.bits.trailing_zeros();
        self.bits &= self.bits.wrapping_sub(1);
        (index < u64::BITS).then(|| Signal::from_index(index as u8))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.bits.count_ones() as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Signals {}

impl IntoIterator for SignalSet {
    type Item = Signal;
    type IntoIter = Signals;

    fn into_iter(self) -> Signals {
        self.iter()
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<T: IntoIterator<Item = Signal>>(signals: T) -> Self {
        signals.into_iter().fold(Self::empty(), Self::with)
    }
}

impl Extend<Signal> for SignalSet {
    fn extend<T: IntoIterator<Item = Signal>>(&mut self, signals: T) {
        *self |= signals.into_iter().collect();
    }
}

impl From<Signal> for SignalSet {
    fn from(signal: Signal) -> Self {
        Self::only(signal)
    }
}

impl BitOr for SignalSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for SignalSet {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl BitAnd for SignalSet {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl Sub for SignalSet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.difference(other)
    }
}

impl Not for SignalSet {
    type Output = Self;

    fn not(self) -> Self {
        self.complement()
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(*self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_full_set_yields_every_signal_once() {
        let mut seen = Vec::new();
        for signal in SignalSet::all() {
            seen.push(signal);
        }
        assert_eq!(seen, Signal::all().collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn a_set_equals_the_collection_of_its_signals(bits: u64) {
            let set = SignalSet::from_bits(bits);
            prop_assert_eq!(set.iter().collect::<SignalSet>(), set);
            prop_assert_eq!(set.iter().len(), set.len());
            prop_assert!(set.iter().all(|signal| set.contains(signal)));
        }

        #[test]
        fn operators_act_signal_by_signal(a: u64, b: u64) {
            let (left, right) = (SignalSet::from_bits(a), SignalSet::from_bits(b));
            for signal in Signal::all() {
                let (in_left, in_right) = (left.contains(signal), right.contains(signal));
                prop_assert_eq!((left | right).contains(signal), in_left || in_right);
                prop_assert_eq!((left & right).contains(signal), in_left && in_right);
                prop_assert_eq!((left - right).contains(signal), in_left && !in_right);
                prop_assert_eq!((!left).contains(signal), !in_left);
            }
        }
    }
}
