//! Any bytes as the files of /proc, of which a process chooses its name and its command line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rinit_core::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::stat(bytes);
    fuzzing::status(bytes);
    fuzzing::cmdline(bytes);
    fuzzing::children(bytes);
    fuzzing::kernel_files(bytes);
});
