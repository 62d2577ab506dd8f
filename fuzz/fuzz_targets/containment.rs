//! Reads any bytes as messages between a controlling process and its contained rinit, as either side does.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rinit_core::fuzzing::containment(bytes));
