//! Arrays of C strings, made before the fork because nothing may allocate after it.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// The NULL-terminated array of pointers that `execve(2)` wants, and the strings that this value owns.
#[derive(Debug)]
pub(crate) struct CStrings<'a> {
    /// The last one is NULL, and no other.
    pointers: Vec<*mut c_char>,
    // Freed in `drop`; made by `CString::into_raw`, so that moving this value moves no string.
    owned: Vec<*mut c_char>,
    borrowed: PhantomData<&'a CStr>,
}

impl<'a> CStrings<'a> {
    /// Copies the strings.
    pub(crate) fn new<S: AsRef<OsStr>>(
        strings: impl IntoIterator<Item = S>,
        what: &'static str,
    ) -> Result<Self, NulByte> {
        let strings = strings.into_iter();
        let (count, _) = strings.size_hint();
        let mut array = Self::with_capacity(count, count);
        for string in strings {
            array.push(c_string(string.as_ref().as_bytes(), what)?);
        }
        Ok(array)
    }

    /// An empty array. Vectors are sized up front: growing them would leave freed blocks in the heap for main's lifetime.
    pub(crate) fn with_capacity(strings: usize, owned: usize) -> Self {
        let (mut pointers, owned) = (Vec::with_capacity(strings + 1), Vec::with_capacity(owned));
        pointers.push(ptr::null_mut());
        Self { pointers, owned, borrowed: PhantomData }
    }

    pub(crate) fn push(&mut self, string: CString) {
        let pointer = self.own(string);
        self.push_pointer(pointer);
    }

    pub(crate) fn push_borrowed(&mut self, string: &'a CStr) {
        // Only owned strings are ever written to.
        self.push_pointer(string.as_ptr().cast_mut());
    }

    /// Puts another string in the place of one.
    pub(crate) fn replace(&mut self, index: usize, string: CString) {
        self.pointers[index] = self.own(string);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&CStr) -> bool) {
        // SAFETY: every pointer but the last one, NULL, is to a NUL-terminated string that this array owns or borrows.
        self.pointers.retain(|string| string.is_null() || keep(unsafe { CStr::from_ptr(*string) }));
    }

    /// The strings as they stand.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CStr> {
        // SAFETY: as above.
        self.pointers().iter().map(|string| unsafe { CStr::from_ptr(*string) })
    }

    fn own(&mut self, string: CString) -> *mut c_char {
        let pointer = string.into_raw();
        self.owned.push(pointer);
        pointer
    }

    fn push_pointer(&mut self, pointer: *mut c_char) {
        let end = self.pointers.len() - 1;
        self.pointers.push(ptr::null_mut());
        self.pointers[end] = pointer;
    }

    /// The arguments of `sh` for a script: its own name, a place for the script, and these from the second on.
    pub(crate) fn for_shell(&'a self) -> Self {
        let mut array = Self::with_capacity(1 + self.pointers().len(), 0);
        array.push_borrowed(c"/bin/sh");
        array.push_borrowed(c"");
        for argument in self.pointers().iter().skip(1) {
            array.push_pointer(*argument);
        }
        array
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
            if unsafe { CStr::from_ptr(*entry) } == LISTEN_PID_ROOM {
                write_listen_pid(*entry, pid);
            }
        }
    }

    /// Points entry `index` at another string, which must live as long as this array is used.
    ///
    /// Returns the pointer that was there, for its owner to put back.
    pub(super) fn swap(&mut self, index: usize, string: *mut c_char) -> *mut c_char {
        std::mem::replace(&mut self.pointers[index], string)
    }
}

/// Room for any pid behind `LISTEN_PID=`.
pub(crate) const LISTEN_PID_ROOM: &CStr = c"LISTEN_PID=0000000000";

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

/// A string that holds a NUL byte, which `execve(2)` cannot pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NulByte {
    /// Which string.
    pub(crate) what: &'static str,
}

/// The bytes as a C string; `what` they are is for the error.
pub(crate) fn c_string(bytes: &[u8], what: &'static str) -> Result<CString, NulByte> {
    CString::new(bytes).map_err(|_| NulByte { what })
}

impl Drop for CStrings<'_> {
    fn drop(&mut self) {
        for pointer in &self.owned {
            // SAFETY: every pointer in the list came from `CString::into_raw` in `own`, and is freed once.
            drop(unsafe { CString::from_raw(*pointer) });
        }
    }
}
