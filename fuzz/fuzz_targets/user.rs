//! Any user with any passwd and group, divided by NUL: unchecked files of an image.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let spec = String::from_utf8_lossy(parts.next().unwrap_or_default());
    rinit_core::fuzzing::user(&spec, parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
});
