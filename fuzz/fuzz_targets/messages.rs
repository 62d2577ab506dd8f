//! Any bytes as a process's name and command line: the message stays one line, and they fill only their quoted part of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

fuzz_target!(|bytes: &[u8]| {
    let comm = &bytes[..bytes.len().min(15)];
    rinit_core::fuzzing::survivor(bytes, comm);
    rinit_core::fuzzing::survivor(b"", comm);
    let shown = rinit_cli::fuzzing::visible(OsStr::from_bytes(bytes));
    let harmful = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
    assert!(!shown.chars().any(harmful), "{shown:?}");
});
