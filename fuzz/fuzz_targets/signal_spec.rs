//! Any text: a signal that is read prints as itself, in any case, and a rewriting rule never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rinit_core::Signal;
use rinit_core::signal::Rewrite;

fuzz_target!(|text: &str| {
    if let Ok(signal) = text.parse::<Signal>() {
        assert!((1..=64).contains(&signal.number()));
        assert_eq!(signal.to_string().parse(), Ok(signal));
        assert_eq!(text.to_ascii_lowercase().parse(), Ok(signal));
        assert_eq!(signal.number().to_string().parse(), Ok(signal));
    }
    let mut rewrite = Rewrite::default();
    let before = rewrite;
    match rewrite.add(text) {
        // Exactly one signal may have changed, and the uncatchable ones never do.
        Ok(()) => {
            let changed = Signal::all().filter(|signal| rewrite.apply(*signal) != before.apply(*signal)).count();
            assert!(changed <= 1, "{text:?} changed {changed}");
            assert_eq!(rewrite.apply(Signal::KILL), Some(Signal::KILL));
            assert_eq!(rewrite.apply(Signal::STOP), Some(Signal::STOP));
        }
        Err(_) => assert_eq!(rewrite, before),
    }
});
