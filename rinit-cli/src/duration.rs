//! Durations as people write them.

use std::time::Duration;

/// Reads `500ms`, `10s`, `1m30s`, `1.5s`, `2h`; a bare number is seconds.
///
/// Units are h, m, s, ms, each at most once and from large to small, as `systemd.time(7)` and Go's durations have them.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{text}' is not a duration: give for example 500ms, 10s, 1m30s, or a number of seconds");
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest = f64::INFINITY;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "" if number.len() == text.len() => 1.0,
            _ => return Err(bad()),
        };
        // A number needs a digit on each side of its point, which `f64::from_str` does not ask for.
        let well_formed = number.split('.').all(|part| !part.is_empty()) && number.split('.').count() <= 2;
        if !well_formed || seconds >= smallest {
            return Err(bad());
        }
        smallest = seconds;
        let part = number.parse::<f64>().map_err(|_| bad())? * seconds;
        let part = Duration::try_from_secs_f64(part).map_err(|_| bad())?;
        total = total.checked_add(part).ok_or_else(bad)?;
        rest = tail;
    }
    if text.is_empty() { Err(bad()) } else { Ok(total) }
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
