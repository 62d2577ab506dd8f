//! The environment that the process was started with.

use super::spawn::c_strings::CStrings;
use std::ffi::{CStr, c_char};

unsafe extern "C" {
    /// `environ(7)`.
    static environ: *const *const c_char;
}

/// Returns every entry unchanged, including one without `=`, which `std::env::vars_os` leaves out.
///
/// The entries are borrowed: an environment may be larger than the rest of this process's memory. Use them in the same call
/// and do not keep them, because a later `set_var` may free the entry that it replaces. There is room for `more` further ones.
pub(crate) fn environment<'a>(more: usize) -> CStrings<'a> {
    // SAFETY: as for `fork` and `execv` in any C program, `environ` is read without a lock; Rust's `set_var` is unsafe
    // for that reason and its caller answers for having no other thread.
    let array = unsafe { environ };
    if array.is_null() {
        return CStrings::with_capacity(more, more);
    }
    // SAFETY: `environ` points to a NULL-terminated array, and nothing is read behind its NULL.
    let entry = |at: usize| unsafe { *array.add(at) };
    let count = (0..).take_while(|at| !entry(*at).is_null()).count();
    let mut entries = CStrings::with_capacity(count + more, more);
    for at in 0..count {
        // SAFETY: each entry of the array is a NUL-terminated string.
        entries.push_borrowed(unsafe { CStr::from_ptr(entry(at)) });
    }
    entries
}

/// Returns true if the name of any variable begins with the prefix. To compare the first letters of each entry costs less than to
/// search for one name.
#[must_use]
pub fn any_variable_begins_with(prefix: &str) -> bool {
    // SAFETY: as in `environment`.
    let array = unsafe { environ };
    if array.is_null() {
        return false;
    }
    // SAFETY: as in `environment`.
    let entries = (0..).map(|at| unsafe { *array.add(at) }).take_while(|entry| !entry.is_null());
    // SAFETY: each entry is NUL-terminated. The prefix has no NUL, so that the comparison ends at that of the entry.
    let begins =
        |entry: *const c_char| prefix.bytes().enumerate().all(|(at, byte)| unsafe { *entry.add(at) } as u8 == byte);
    entries.into_iter().any(begins)
}
