//! The environment as the process got it.

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    /// `environ(7)`.
    static environ: *const *const c_char;
}

/// Every entry as it stands, also one without `=`, which `std::env::vars_os` leaves out.
///
/// Not copies: an environment may be larger than all else that this process has. They are for the caller's call and not
/// to be kept beyond it, since a later `set_var` may free what it replaces.
pub(crate) fn environment<'a>() -> Vec<&'a CStr> {
    let mut entries = Vec::new();
    // SAFETY: as for `fork` and `execv` in any C program, `environ` is read without a lock; Rust's `set_var` is unsafe
    // for that reason and its caller answers for having no other thread.
    let mut entry = unsafe { environ };
    loop {
        if entry.is_null() {
            return entries;
        }
        // SAFETY: `environ` points to a NULL-terminated array, and the walk ends at its NULL.
        let string = unsafe { *entry };
        if string.is_null() {
            return entries;
        }
        // SAFETY: each entry of the array is a NUL-terminated string.
        entries.push(unsafe { CStr::from_ptr(string) });
        // SAFETY: the entry was not the terminating NULL, so that one more follows.
        entry = unsafe { entry.add(1) };
    }
}
