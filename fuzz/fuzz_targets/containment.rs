//! Any bytes as what a host and its contained rinit say to each other, read by either side.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rinit_core::fuzzing::containment(bytes));
