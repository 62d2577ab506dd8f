//! The environment that the process was started with.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};

unsafe extern "C" {
    /// `environ(7)`.
    static environ: *const *const c_char;
}

/// Returns every entry unchanged, including one without `=`, which `std::env::vars_os` leaves out.
///
/// The entries are borrowed: an environment may be larger than the rest of this process's memory. Use them in the same call
/// and do not keep them, because a later `set_var` may free the entry that it replaces.
pub(crate) fn environment<'a>() -> Vec<Cow<'a, CStr>> {
    // SAFETY: as for `fork` and `execv` in any C program, `environ` is read without a lock; Rust's `set_var` is unsafe
    // for that reason and its caller answers for having no other thread.
    let array = unsafe { environ };
    if array.is_null() {
        return Vec::new();
    }
    // SAFETY: `environ` points to a NULL-terminated array, and nothing is read behind its NULL.
    let entry = |at: usize| unsafe { *array.add(at) };
    // Vectors are sized up front: growing them would leave freed blocks in the heap for main's lifetime.
    let count = (0..).take_while(|at| !entry(*at).is_null()).count();
    // SAFETY: each entry of the array is a NUL-terminated string.
    (0..count).map(|at| Cow::Borrowed(unsafe { CStr::from_ptr(entry(at)) })).collect()
}
