//! Any environment, entries divided by NUL: `LISTEN_PID` names the child where it named this process, and nothing else changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fuzz_target!(|bytes: &[u8]| {
    let Some(([own, child, zeros], rest)) = bytes.split_first_chunk() else { return };
    let number = |byte: &u8| u32::from(*byte).pow(u32::from(*zeros % 4) + 1) % 4_194_304;
    let (own, child) = (number(own), number(child));
    // `%` stands for this process's pid, which a fuzzer would hardly find.
    let entry = |entry: &[u8]| {
        let parts: Vec<&[u8]> = entry.split(|byte| *byte == b'%').collect();
        OsString::from_vec(parts.join(own.to_string().as_bytes()))
    };
    let entries: Vec<OsString> = rest.split(|byte| *byte == 0).map(entry).collect();
    rinit_core::fuzzing::environment(&entries, own.max(1), child.max(1) as i32);
});
