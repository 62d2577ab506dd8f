//! `clone(2)` with `CLONE_VM`: a child that runs in this process's memory until it is a program of its own.
//!
//! `fork(2)` copies the page tables, and afterwards both processes fault on each page that they write to. Here nothing is
//! copied. Unlike `vfork(2)` the parent goes on meanwhile, and so can help a child that the terminal has stopped.

use crate::sys::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;

/// Far more than the child's few calls need, also in a debug build. What is not touched costs nothing.
const STACK_BYTES: usize = 256 * 1024;

/// The stack of a child that shares the parent's memory.
#[derive(Debug)]
pub(super) struct ChildStack {
    lowest: *mut c_void,
}

impl ChildStack {
    pub(super) fn new() -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let flags = flags | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new mapping wherever the kernel likes; it takes nothing from what is mapped already.
        let lowest = unsafe { libc::mmap(ptr::null_mut(), STACK_BYTES, protection, flags, -1, 0) };
        if lowest == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Self { lowest }) }
    }

    /// Starts a child at `run(argument)`, in this memory; what `run` returns is its exit status.
    ///
    /// # Safety
    ///
    /// Until the child has called `execve` or has ended, the caller must not change or free what it uses: this stack and
    /// what `argument` leads to. `run` must make only async-signal-safe calls, and must not change its user, since with
    /// that another process of the user might look at this memory.
    pub(super) unsafe fn start(
        &self,
        run: extern "C" fn(*mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> io::Result<i32> {
        // SAFETY: one past the end of the mapping that `new` has made. It is aligned to a page, more than any ABI asks.
        let top = unsafe { self.lowest.byte_add(STACK_BYTES) };
        // SAFETY: the stack is large enough and used by no one else, and the rest is the caller's part. The child shares
        // the thread's `errno`, too: the parent makes no call by which it would read one that is not its own.
        let pid = unsafe { libc::clone(run, top, libc::CLONE_VM | libc::SIGCHLD, argument) };
        Ok(check(pid.into())? as i32)
    }
}

impl Drop for ChildStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and `start`'s caller has seen to it that the child has left it.
        let _ = unsafe { libc::munmap(self.lowest, STACK_BYTES) };
    }
}
