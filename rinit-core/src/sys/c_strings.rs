//! Arrays of C strings, made before the fork because nothing may allocate after it.

use crate::Error;
use std::ffi::{CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// Strings and the NULL-terminated array of pointers to them that `execve(2)` wants.
#[derive(Debug)]
pub(crate) struct CStrings {
    // Freed in `drop`; made by `CString::into_raw`, so that moving this value moves no string.
    pointers: Vec<*mut c_char>,
}

impl CStrings {
    pub(crate) fn new<S: AsRef<OsStr>>(
        strings: impl IntoIterator<Item = S>,
        what: &'static str,
    ) -> Result<Self, Error> {
        let mut array = Self { pointers: Vec::new() };
        for string in strings {
            let string = CString::new(string.as_ref().as_bytes()).map_err(|_| Error::NulByte { what })?;
            array.pointers.push(string.into_raw());
        }
        array.pointers.push(ptr::null_mut());
        Ok(array)
    }

    /// The array for `execve(2)`; valid while `self` is.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr().cast()
    }

    /// The single strings, without the terminating NULL.
    pub(super) fn pointers(&self) -> &[*mut c_char] {
        &self.pointers[..self.pointers.len() - 1]
    }

    /// Points entry `index` at another string, which must live as long as this array is used.
    ///
    /// Returns the pointer that was there, for its owner to put back.
    pub(super) fn swap(&mut self, index: usize, string: *mut c_char) -> *mut c_char {
        std::mem::replace(&mut self.pointers[index], string)
    }
}

impl Drop for CStrings {
    fn drop(&mut self) {
        for pointer in &self.pointers {
            if !pointer.is_null() {
                // SAFETY: every pointer in the array came from `CString::into_raw` in `new`, and is freed once.
                drop(unsafe { CString::from_raw(*pointer) });
            }
        }
    }
}
