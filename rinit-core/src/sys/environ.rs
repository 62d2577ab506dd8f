//! The environment as the process got it.

use std::borrow::Cow;
use std::ffi::{CStr, c_char};

unsafe extern "C" {
    /// `environ(7)`.
    static environ: *const *const c_char;
}

/// Every entry as it stands, also one without `=`, which `std::env::vars_os` leaves out.
///
/// Not copies: an environment may be larger than all else that this process has. They are for the caller's call and not
/// to be kept beyond it, since a later `set_var` may free what it replaces.
pub(crate) fn environment<'a>() -> Vec<Cow<'a, CStr>> {
    // SAFETY: as for `fork` and `execv` in any C program, `environ` is read without a lock; Rust's `set_var` is unsafe
    // for that reason and its caller answers for having no other thread.
    let array = unsafe { environ };
    if array.is_null() {
        return Vec::new();
    }
    // SAFETY: `environ` points to a NULL-terminated array, and nothing is read behind its NULL.
    let entry = |at: usize| unsafe { *array.add(at) };
    // Counted first: a list that grows leaves its former places behind, in memory that is never used again.
    let count = (0..).take_while(|at| !entry(*at).is_null()).count();
    // SAFETY: each entry of the array is a NUL-terminated string.
    (0..count).map(|at| Cow::Borrowed(unsafe { CStr::from_ptr(entry(at)) })).collect()
}
