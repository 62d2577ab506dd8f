//! Signal numbers and their names.

pub(crate) mod received;
pub(crate) mod rewrite;
pub(crate) mod set;

pub use received::ReceivedSignal;
pub use rewrite::{BadRewrite, Rewrite};
pub use set::{SignalSet, Signals};

use crate::printable::Quoted;
use std::fmt;
use std::str::FromStr;

use rustix::process::Signal as Named;

/// One signal: a number from 1 to 64, by the kernel's numbering.
///
/// Real-time signals count from [`Signal::RTMIN`] = 34, the number that Docker and every glibc
/// program call `SIGRTMIN`, with any libc. musl reserves 34 and would start at 35.
///
/// All usual spellings are read; one is printed:
///
/// ```
/// use rinit_core::Signal;
/// for spelling in ["TERM", "SIGTERM", "sigterm", "term", "15"] {
///     assert_eq!(spelling.parse(), Ok(Signal::TERM));
/// }
/// assert_eq!("RTMIN+3".parse::<Signal>().map(|s| s.number()), Ok(37));
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// ```
///
/// Source: `signal(7)`, sections "Standard signals" and "Real-time signals".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Highest signal number of the kernel (`_NSIG` in `asm/signal.h`).
pub(crate) const HIGHEST: u8 = 64;

macro_rules! signals {
    ($($name:ident = $number:ident $doc:literal)*) => {
        impl Signal {
            $(
                #[doc = concat!("`SIG", stringify!($name), "`: ", $doc, ".")]
                pub const $name: Self = Self(Named::$number.as_raw() as u8);
            )*
        }

        /// Every named signal, without the `SIG`.
        const NAMES: &[(&str, Signal)] = &[$((stringify!($name), Signal::$name)),*];
    };
}

signals! {
    HUP = HUP "terminal hangup, or by custom: reload"
    INT = INT "interrupt from the keyboard (^C)"
    QUIT = QUIT "quit from the keyboard (^\\), with a core dump"
    ILL = ILL "illegal instruction"
    TRAP = TRAP "trace or breakpoint trap"
    ABRT = ABORT "abort(3)"
    BUS = BUS "access to memory that does not exist"
    FPE = FPE "arithmetic error"
    KILL = KILL "terminates the process; cannot be caught, blocked or ignored"
    USR1 = USR1 "free for the program's own use"
    SEGV = SEGV "invalid memory access"
    USR2 = USR2 "free for the program's own use"
    PIPE = PIPE "write to a pipe without a reader"
    ALRM = ALARM "timer of alarm(2)"
    TERM = TERM "request to terminate; what `docker stop` sends"
    STKFLT = STKFLT "unused by the kernel"
    CHLD = CHILD "a child stopped or exited"
    CONT = CONT "continue when stopped"
    STOP = STOP "stops the process; cannot be caught, blocked or ignored"
    TSTP = TSTP "stop from the terminal (^Z)"
    TTIN = TTIN "read from the terminal by a background process"
    TTOU = TTOU "write to the terminal by a background process"
    URG = URG "urgent data on a socket"
    XCPU = XCPU "limit of processor time exceeded"
    XFSZ = XFSZ "limit of file size exceeded"
    VTALRM = VTALARM "virtual timer"
    PROF = PROF "profiling timer"
    WINCH = WINCH "the terminal changed its size"
    IO = IO "input or output is possible"
    PWR = POWER "power failure"
    SYS = SYS "bad system call, or refused by seccomp"
}

/// Second names, read but never printed.
const ALIASES: &[(&str, Signal)] = &[("CLD", Signal::CHLD), ("IOT", Signal::ABRT), ("POLL", Signal::IO)];

impl Signal {
    /// The first real-time signal, 34. The kernel's own range starts at 32, but glibc's threads use 32 and 33.
    pub const RTMIN: Self = Self(34);
    /// The last real-time signal, 64.
    pub const RTMAX: Self = Self(HIGHEST);

    /// Makes a signal from its number, 1 to 64; `None` for any other.
    ///
    /// ```
    /// use rinit_core::Signal;
    /// assert_eq!(Signal::new(15), Some(Signal::TERM));
    /// assert_eq!(Signal::new(0), None);
    /// assert_eq!(Signal::new(65), None);
    /// ```
    #[must_use]
    pub const fn new(number: i32) -> Option<Self> {
        if number >= 1 && number <= HIGHEST as i32 { Some(Self(number as u8)) } else { None }
    }

    /// The number, 1 to 64.
    ///
    /// ```
    /// assert_eq!(rinit_core::Signal::KILL.number(), 9);
    /// ```
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// All 64 signals, in order of number.
    ///
    /// ```
    /// assert_eq!(rinit_core::Signal::all().count(), 64);
    /// ```
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=HIGHEST).map(Self)
    }

    /// Whether a fault of the program itself raises the signal: SEGV, BUS, FPE, ILL, TRAP, SYS.
    ///
    /// Blocking it does not help against a real fault: the kernel then unblocks the signal, resets it to its default action
    /// and terminates the process (`force_sig_info` in the kernel; `sigprocmask(2)`, NOTES).
    ///
    /// ```
    /// use rinit_core::Signal;
    /// assert!(Signal::SEGV.is_synchronous_fault());
    /// assert!(!Signal::TERM.is_synchronous_fault());
    /// ```
    #[must_use]
    pub fn is_synchronous_fault(self) -> bool {
        [Self::SEGV, Self::BUS, Self::FPE, Self::ILL, Self::TRAP, Self::SYS].contains(&self)
    }

    /// Whether the default action terminates the process; false if it stops or continues the process or does nothing.
    ///
    /// Source: `signal(7)`, column "Action".
    ///
    /// ```
    /// use rinit_core::Signal;
    /// assert!(Signal::HUP.terminates_by_default());
    /// assert!(!Signal::WINCH.terminates_by_default());
    /// ```
    #[must_use]
    pub fn terminates_by_default(self) -> bool {
        let harmless = [Self::CHLD, Self::CONT, Self::URG, Self::WINCH];
        let stopping = [Self::STOP, Self::TSTP, Self::TTIN, Self::TTOU];
        !harmless.contains(&self) && !stopping.contains(&self)
    }

    pub(crate) const fn from_index(index: u8) -> Self {
        Self(index + 1)
    }

    /// Position in the kernel's signal set, 0 to 63.
    pub(crate) const fn index(self) -> u8 {
        self.0 - 1
    }
}

impl fmt::Display for Signal {
    /// `SIGTERM`, `SIGRTMIN+3`; the two numbers that glibc reserves print as `SIG32` and `SIG33`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().find(|(_, signal)| signal == self);
        match (named, self.0.checked_sub(Self::RTMIN.0)) {
            (Some((name, _)), _) => write!(f, "SIG{name}"),
            (None, Some(0)) => f.write_str("SIGRTMIN"),
            (None, Some(offset)) => write!(f, "SIGRTMIN+{offset}"),
            (None, None) => write!(f, "SIG{}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the name of a signal.
///
/// ```
/// use rinit_core::Signal;
/// let error = "SIGNOPE".parse::<Signal>().unwrap_err();
/// assert!(error.to_string().starts_with("'SIGNOPE': not a signal"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: not a signal: give a name (TERM, SIGTERM), a number from 1 to 64, RTMIN+n or RTMAX-n", Quoted(.text))]
pub struct UnknownSignal {
    text: String,
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        parse(text).ok_or_else(|| UnknownSignal { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Signal> {
    if let Some(number) = decimal(text) {
        return Signal::new(number);
    }
    let name = strip_prefix_ignoring_case(text, "SIG").unwrap_or(text);
    let named = NAMES.iter().chain(ALIASES).find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, signal)) = named {
        return Some(*signal);
    }
    if let Some(number) = decimal(name) {
        // Accepts only the forms that `Display` prints for the two nameless numbers; "SIG15" is not a usual spelling.
        return Signal::new(number).filter(|s| s.0 == 32 || s.0 == 33);
    }
    real_time(name)
}

/// `RTMIN`, `RTMIN+3`, `RTMAX`, `RTMAX-2`, in any case.
fn real_time(name: &str) -> Option<Signal> {
    let number = if let Some(offset) = strip_prefix_ignoring_case(name, "RTMIN") {
        let offset = if offset.is_empty() { 0 } else { decimal(offset.strip_prefix('+')?)? };
        Signal::RTMIN.number().checked_add(offset)?
    } else {
        let offset = strip_prefix_ignoring_case(name, "RTMAX")?;
        let offset = if offset.is_empty() { 0 } else { decimal(offset.strip_prefix('-')?)? };
        Signal::RTMAX.number().checked_sub(offset)?
    };
    Signal::new(number).filter(|signal| *signal >= Signal::RTMIN)
}

/// Digits alone: `i32::from_str` would accept a sign, which is not part of a signal number.
fn decimal(text: &str) -> Option<i32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_signal_prints_and_reads_back() {
        for signal in Signal::all() {
            let text = signal.to_string();
            assert_eq!(text.parse(), Ok(signal), "{text}");
            assert_eq!(text.to_lowercase().parse(), Ok(signal), "{text} in lower case");
            assert_eq!(text[3..].parse(), Ok(signal), "{text} without SIG");
            assert_eq!(signal.number().to_string().parse(), Ok(signal));
        }
    }

    #[test]
    fn usual_names_and_numbers() {
        for (text, number) in [
            ("ALRM", 14),
            ("SIGCHLD", 17),
            ("CLD", 17),
            ("IOT", 6),
            ("POLL", 29),
            ("PWR", 30),
            ("RTMIN", 34),
            ("SIGRTMIN+0", 34),
            ("rtmin+30", 64),
            ("RTMAX", 64),
            ("RTMAX-30", 34),
            ("07", 7),
        ] {
            assert_eq!(text.parse::<Signal>().map(Signal::number), Ok(number), "{text}");
        }
        assert_eq!(Signal::ALRM.to_string(), "SIGALRM");
        assert_eq!(Signal::ABRT.to_string(), "SIGABRT");
        assert_eq!(Signal::IO.to_string(), "SIGIO");
    }

    #[test]
    fn other_texts_are_not_signals() {
        for text in [
            "",
            "0",
            "65",
            "-1",
            "+15",
            "SIG",
            "SIG15",
            "SIGSIGTERM",
            "TERM ",
            " TERM",
            "RTMIN-1",
            "RTMIN+31",
            "RTMIN+",
            "RTMAX-31",
            "RTMAX+1",
            "RTMIN+-1",
            "99999999999999999999",
            "RTMIN+99999999999",
            "é",
            "SIé",
            "TERM\0",
        ] {
            assert_eq!(text.parse::<Signal>(), Err(UnknownSignal { text: text.to_owned() }));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_prints_back(text in ".{0,12}") {
            if let Ok(signal) = text.parse::<Signal>() {
                prop_assert_eq!(signal.to_string().parse(), Ok(signal));
            }
        }
    }
}
