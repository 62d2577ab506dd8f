//! Any text as a duration: what is taken means what its digits say, and comes back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rinit_cli::fuzzing::duration;
use std::time::Duration;

fuzz_target!(|text: &str| {
    let Some(read) = duration(text) else { return };
    assert!(text.chars().all(|c| c.is_ascii_digit() || ".hms".contains(c)), "{text:?} is {read:?}");
    assert_eq!(text.parse::<u64>().map_or(read, Duration::from_secs), read, "a number is seconds: {text:?}");
    let (seconds, nanoseconds) = (read.as_secs(), read.subsec_nanos());
    assert_eq!(duration(&format!("{seconds}.{nanoseconds:09}s")), Some(read), "{text:?}");
});
