//! The C entry point: the function that `c_main!` calls.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// The arguments of a C `main`.
///
/// # Safety
///
/// `argc` and `argv` must be what the C runtime passed to `main`: `argc` pointers to NUL-terminated strings that live as
/// long as the process.
#[must_use]
pub unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<OsString> {
    (0..usize::try_from(argc).unwrap_or(0))
        .map(|index| {
            // SAFETY: the caller vouches for `argc` readable pointers at `argv`.
            let argument = unsafe { *argv.add(index) };
            // SAFETY: the caller vouches that each is a NUL-terminated string.
            let argument = unsafe { CStr::from_ptr(argument) };
            OsStr::from_bytes(argument.to_bytes()).to_os_string()
        })
        .collect()
}
