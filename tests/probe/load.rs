//! What the benches run under each init: a main with a crowd around it that makes orphans on request.

use crate::{number, option, orphans, say, say_ready, sys};

/// `load [--live N] [--batch N]`.
///
/// Starts N orphans that live on, each in a session of its own and with TERM at its default. Then says `ready …` and
/// answers signals: USR1 by `at NS`, the monotonic clock as it was when the signal arrived; USR2 by making as many orphans
/// as `--batch` says, which end at once, and then `made N`. TERM ends it with 0.
pub(crate) fn run(words: &[String]) -> i32 {
    let of = |name| option(words, name).map_or(0, |text| number(&[text.to_owned()], 0));
    let batch = of("--batch");
    orphans::by_hundreds(of("--live"), || {
        sys::new_session();
        loop {
            sys::pause();
        }
    });
    let all = sys::Mask::all();
    all.block();
    say_ready();
    loop {
        match all.wait().number {
            libc::SIGUSR1 => {
                // Before anything else is done.
                let now = sys::monotonic_ns();
                say(&format!("at {now}"));
            }
            libc::SIGUSR2 => {
                orphans::by_hundreds(batch, || ());
                say(&format!("made {batch}"));
            }
            libc::SIGTERM => return 0,
            _ => {}
        }
    }
}
