//! Much of everything, for some time. One test after the other: each uses the whole machine.
//!
//! `RINIT_SOAK_SECONDS`, `RINIT_RACES_SECONDS` and `RINIT_SCALE` make them longer and larger.
#![allow(missing_docs)]

// Fork bombs.
mod bombs;
// A signal that dumps core, sent to main before it is its program.
mod core_signal;
// SIGTERM in rinit's first moments.
mod first_moment;
// No exit status is taken away, under load, in every mode of the library.
mod no_steal;
// Two things at the same moment, again and again.
mod races;
// Thousands of descendants.
mod scale;
// Processes that come and go, and what rinit holds after it.
mod soak;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--write-no-steal") {
        no_steal::write_table();
        return ExitCode::SUCCESS;
    }
    // Some have a process of their own, which splits or becomes a subreaper.
    support::harness::run_alone().unwrap_or_else(support::harness::main_serial)
}
