//! Any bytes as the head of a program that could not be executed: `#!` lines and ELF headers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rinit_core::fuzzing::exec_head(bytes));
