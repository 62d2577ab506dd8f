//! Rewriting rules: which signal is forwarded instead of the received one.

use super::HIGHEST;
use crate::printable::Quoted;
use crate::signal::{Signal, UnknownSignal};

/// For each signal, the one that is forwarded in its place, if any.
///
/// ```
/// use rinit_core::Signal;
/// use rinit_core::signal::Rewrite;
/// # fn main() -> Result<(), rinit_core::signal::BadRewrite> {
/// let mut rewrite = Rewrite::default();
/// rewrite.add("TERM=QUIT")?;
/// rewrite.add("SIGHUP:0")?; // dropped
/// assert_eq!(rewrite.apply(Signal::TERM), Some(Signal::QUIT));
/// assert_eq!(rewrite.apply(Signal::HUP), None);
/// assert_eq!(rewrite.apply(Signal::INT), Some(Signal::INT));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rewrite {
    /// At n-1, the number of the signal that replaces signal n; 0 if it is dropped.
    to: [u8; HIGHEST as usize],
}

/// The text is not a rewriting rule.
///
/// ```
/// use rinit_core::signal::{BadRewrite, Rewrite};
/// let error = Rewrite::default().add("TERM").unwrap_err();
/// assert!(matches!(error, BadRewrite::Form { .. }));
/// assert!(error.to_string().starts_with("'TERM': not a rewriting rule"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRewrite {
    /// It does not have two signals with `=` or `:` between them.
    #[error("{}: not a rewriting rule: give FROM=TO or FROM:TO; FROM= or FROM:0 drops the signal", Quoted(.rule))]
    Form {
        /// The text.
        rule: String,
    },
    /// One side is not a signal.
    #[error(transparent)]
    Signal(#[from] UnknownSignal),
    /// A process never receives KILL or STOP (`signal(7)`), so a rule for them is a mistake.
    #[error("{}: SIGKILL and SIGSTOP cannot be caught, so they cannot be rewritten", Quoted(.rule))]
    Uncatchable {
        /// The text.
        rule: String,
    },
}

impl Default for Rewrite {
    /// Forwards every signal unchanged.
    fn default() -> Self {
        let mut to = [0; HIGHEST as usize];
        for (number, to) in (1..).zip(&mut to) {
            *to = number;
        }
        Self { to }
    }
}

impl Rewrite {
    /// Adds a rule as text: `FROM=TO` or `FROM:TO` in any spelling of signals; `FROM=`, `FROM:` or `FROM:0` drops.
    /// A later rule for the same signal replaces the earlier one.
    ///
    /// # Errors
    ///
    /// [`BadRewrite`] says what is wrong with the text. The rules are unchanged then.
    ///
    /// ```
    /// use rinit_core::Signal;
    /// use rinit_core::signal::Rewrite;
    /// # fn main() -> Result<(), rinit_core::signal::BadRewrite> {
    /// let mut rewrite = Rewrite::default();
    /// rewrite.add("RTMIN+3=TERM")?;
    /// assert_eq!(Signal::new(37).and_then(|signal| rewrite.apply(signal)), Some(Signal::TERM));
    /// # Ok(())
    /// # }
    /// ```
    pub fn add(&mut self, rule: &str) -> Result<(), BadRewrite> {
        let (from, to) = rule.split_once(['=', ':']).ok_or_else(|| BadRewrite::Form { rule: rule.to_owned() })?;
        let from = from.parse::<Signal>()?;
        if from == Signal::KILL || from == Signal::STOP {
            return Err(BadRewrite::Uncatchable { rule: rule.to_owned() });
        }
        let to = if to.is_empty() || to == "0" { None } else { Some(to.parse::<Signal>()?) };
        self.set(from, to);
        Ok(())
    }

    /// Adds a rule; `None` drops the signal.
    ///
    /// ```
    /// use rinit_core::Signal;
    /// use rinit_core::signal::Rewrite;
    /// let mut rewrite = Rewrite::default();
    /// rewrite.set(Signal::WINCH, None);
    /// assert_eq!(rewrite.apply(Signal::WINCH), None);
    /// ```
    pub fn set(&mut self, from: Signal, to: Option<Signal>) {
        let to = to.map_or(0, |signal| signal.index() + 1);
        if let Some(entry) = self.to.get_mut(usize::from(from.index())) {
            *entry = to;
        }
    }

    /// The signal to forward for the received one; `None` if it is dropped.
    ///
    /// ```
    /// use rinit_core::Signal;
    /// use rinit_core::signal::Rewrite;
    /// assert_eq!(Rewrite::default().apply(Signal::HUP), Some(Signal::HUP));
    /// ```
    #[must_use]
    pub fn apply(&self, signal: Signal) -> Option<Signal> {
        self.to.get(usize::from(signal.index())).and_then(|number| Signal::new(i32::from(*number)))
    }
}

impl std::fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed = Signal::all().filter(|signal| self.apply(*signal) != Some(*signal));
        f.debug_map().entries(changed.map(|signal| (signal, self.apply(signal)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<Vec<(i32, i32)>, BadRewrite> {
        let mut rewrite = Rewrite::default();
        rewrite.add(text)?;
        let to = |signal| rewrite.apply(signal).map_or(0, Signal::number);
        Ok(Signal::all().filter(|s| to(*s) != s.number()).map(|s| (s.number(), to(s))).collect())
    }

    #[test]
    fn every_spelling() {
        for text in ["TERM=QUIT", "SIGTERM:3", "15:3", "15=sigquit", "term:QUIT"] {
            assert_eq!(rule(text), Ok(vec![(15, 3)]), "{text}");
        }
        for text in ["TERM=", "TERM:", "15:0", "SIGTERM=0"] {
            assert_eq!(rule(text), Ok(vec![(15, 0)]), "{text}");
        }
        assert_eq!(rule("RTMIN+3=TERM"), Ok(vec![(37, 15)]));
        assert_eq!(rule("USR1=KILL"), Ok(vec![(10, 9)]));
    }

    #[test]
    fn other_texts_are_not_rules() {
        for text in ["", "TERM", "15", "=", "=TERM", ":3", "NOPE=TERM", "TERM=NOPE", "TERM=QUIT=HUP", "15:3:4", "0:3"] {
            assert!(rule(text).is_err(), "{text:?}");
        }
        assert!(matches!(rule("KILL=TERM"), Err(BadRewrite::Uncatchable { .. })));
    }
}
