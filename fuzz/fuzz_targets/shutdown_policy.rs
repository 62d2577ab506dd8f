//! Any configuration and any order of events: the promises of the shutdown policy hold, and it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/library/shutdown_model.rs"]
mod shutdown_model;

fuzz_target!(|bytes: &[u8]| shutdown_model::check(bytes));
