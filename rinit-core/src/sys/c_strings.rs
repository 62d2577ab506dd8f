//! Arrays of C strings, made before the fork because nothing may allocate after it.

use crate::Error;
use std::ffi::{CStr, CString, OsStr, c_char};
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

    /// Writes the decimal pid over the zeros of the entries [`LISTEN_PID_ROOM`] at these indexes; the parent cannot know it
    /// before the fork. Entries of another form are left alone. Allocates nothing.
    pub(crate) fn name_listener(&self, indexes: &[usize], pid: i32) {
        for entry in indexes.iter().filter_map(|index| self.pointers().get(*index)) {
            // SAFETY: the entry is a NUL-terminated string that this array owns.
            if unsafe { CStr::from_ptr(*entry) }.to_bytes() == LISTEN_PID_ROOM.as_bytes() {
                write_listen_pid(*entry, pid);
            }
        }
    }

    /// The strings as they stand.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: each is a NUL-terminated string that this array owns.
        self.pointers().iter().map(|string| unsafe { CStr::from_ptr(*string) }.to_bytes())
    }

    /// Points entry `index` at another string, which must live as long as this array is used.
    ///
    /// Returns the pointer that was there, for its owner to put back.
    pub(super) fn swap(&mut self, index: usize, string: *mut c_char) -> *mut c_char {
        std::mem::replace(&mut self.pointers[index], string)
    }
}

/// Room for any pid behind `LISTEN_PID=`.
pub(crate) const LISTEN_PID_ROOM: &str = "LISTEN_PID=0000000000";

/// Writes the decimal pid over the zeros.
fn write_listen_pid(entry: *mut c_char, pid: i32) {
    let name = "LISTEN_PID=".len();
    let mut digits = [0_u8; 10];
    let mut rest = pid.unsigned_abs();
    let mut count = 0;
    while rest > 0 && count < digits.len() {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    for (at, digit) in digits[..count].iter().rev().chain([&0]).enumerate() {
        // SAFETY: the entry is a copy of LISTEN_PID_ROOM, which has ten digits and a NUL behind the name; at most ten
        // digits and a NUL are written.
        unsafe { entry.add(name + at).write(*digit as c_char) };
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
