//! Durations as people write them.

use std::time::Duration;

/// Reads `500ms`, `10s`, `1m30s`, `1.5s`, `2h`; a bare number is seconds.
///
/// Units are h, m, s, ms, each at most once and from large to small, as `systemd.time(7)` and Go's durations have them.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{text}' is not a duration: give for example 500ms, 10s, 1m30s, or a number of seconds");
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let millis = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            "" if number.len() == text.len() => 1000,
            _ => return Err(bad()),
        };
        if millis >= smallest {
            return Err(bad());
        }
        smallest = millis;
        total = times(number, millis).and_then(|part| total.checked_add(part)).ok_or_else(bad)?;
        rest = tail;
    }
    if text.is_empty() { Err(bad()) } else { Ok(total) }
}

/// A number like `1` or `1.5`, with a digit on each side of its point, times so many milliseconds.
///
/// In integers: what reads a floating-point number is a tenth of the small binary.
fn times(number: &str, millis: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut nanos = 0;
    let mut place = millis * 1_000_000;
    for digit in fraction.bytes() {
        place /= 10;
        nanos += u64::from(digit - b'0') * place;
    }
    Duration::from_millis(whole.parse::<u64>().ok()?.checked_mul(millis)?).checked_add(Duration::from_nanos(nanos))
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
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
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
            assert!(parse(text).is_err(), "{text:?} gave {:?}", parse(text));
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
            prop_assert_eq!(parse(&format!("{seconds}s{millis}ms")), Ok(expected));
        }
    }
}
