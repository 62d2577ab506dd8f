//! Durations as people write them, computed in whole numbers: code for floating-point numbers would add 24 KB to a small program.

use std::fmt;
use std::time::Duration;

/// Reads `500ms`, `10s`, `1m30s`, `1.5s`, `2h`; a bare number means seconds. Digits below a nanosecond are ignored.
///
/// Units are h, m, s, ms, each at most once and from large to small, as `systemd.time(7)` and Go's durations have them.
/// `None` if it is not a duration.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let nanoseconds = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "" if number.len() == text.len() => 1_000_000_000,
            _ => return None,
        };
        if nanoseconds >= smallest {
            return None;
        }
        smallest = nanoseconds;
        total = total.checked_add(decimal(number, nanoseconds)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Reads a decimal number of units, to the nanosecond; `unit` is the length of one in nanoseconds.
pub(crate) fn decimal(number: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = u128::from(digits(whole)?) * u128::from(unit);
    let fraction = match fraction {
        // Thirteen digits of an hour are less than a nanosecond.
        Some(fraction) => {
            digits(fraction.get(..1)?)?;
            let shown = fraction.get(..13).unwrap_or(fraction);
            let all_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
            let value = u128::from(digits(shown).filter(|_| all_digits)?);
            value * u128::from(unit) / 10_u128.pow(u32::try_from(shown.len()).ok()?)
        }
        None => 0,
    };
    let nanoseconds = whole + fraction;
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanoseconds % 1_000_000_000).ok()?))
}

/// Reads a number without a sign; `parse` would accept a sign.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Shows a duration in seconds, for people: `2`, `0.5`, `0.125`. Digits below a millisecond are left out.
#[derive(Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match millis {
            0 => write!(f, "{seconds}"),
            _ if millis % 100 == 0 => write!(f, "{seconds}.{}", millis / 100),
            _ => write!(f, "{seconds}.{millis:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("10", 10_000),
            ("0", 0),
            ("0s", 0),
            ("1m30s", 90_000),
            ("1.5s", 1_500),
            ("0.5", 500),
            ("0.0005h", 1_800),
            ("0.125000000000000000000000000000s", 125),
            ("2h", 7_200_000),
            ("1h1m1s1ms", 3_661_001),
            ("0.1h", 360_000),
            ("1.0005s", 1_000),
            ("0.00000000000000000000000000001s", 0),
            ("00000000000000000000000000000007", 7_000),
        ] {
            let read = parse(text).map(|time| time.as_millis());
            assert_eq!(read, Some(millis), "{text}");
        }
        // A floating-point number of 53 bits would round these.
        assert_eq!(parse("4404481824938182493"), Some(Duration::from_secs(4_404_481_824_938_182_493)));
        assert_eq!(parse("18446744073709551615s999.999999ms"), Some(Duration::MAX));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "s",
            "10x",
            "-1",
            "+1",
            "1 s",
            "1s1s",
            "1s1m",
            "1m30",
            "1e3",
            "inf",
            "nan",
            ".",
            "1.",
            ".5s",
            "1..5s",
            "10S",
            "1.2.3",
            "9999999999999999999999999",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn seconds_for_people() {
        for (millis, text) in [(0, "0"), (2_000, "2"), (500, "0.5"), (12_125, "12.125"), (1_050, "1.050")] {
            assert_eq!(Seconds(Duration::from_millis(millis)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9.hms é]{0,12}") {
            let _ = parse(&text);
        }

        #[test]
        fn whole_seconds_and_milliseconds_are_exact(seconds in 0_u32..1_000_000, millis in 0_u32..1000) {
            let expected = Duration::from_millis(u64::from(seconds) * 1000 + u64::from(millis));
            prop_assert_eq!(parse(&format!("{seconds}s{millis}ms")), Some(expected));
        }
    }
}
