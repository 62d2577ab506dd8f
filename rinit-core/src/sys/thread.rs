//! `pthread_create(3)`: a detached thread without a name, a result or a panic to hand over.
//!
//! `std::thread` has all of these, and a guard page's handler that needs a tree of threads: with it a small program is 20 KB
//! larger.

use super::{block, set_mask};
use crate::signal::set::SignalSet;
use rustix::io::Errno;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

/// What the thread does.
pub(crate) type Body = Box<dyn FnOnce() + Send>;

/// Starts the thread with every signal blocked: none that is for the process may be given to it. A panic in it aborts the
/// process.
pub(crate) fn start_thread(stack: usize, body: Body) -> Result<(), Errno> {
    // The thread inherits the mask. One of its own would come too late for a signal of its first moment.
    let mask = block(SignalSet::all())?;
    let started = create(stack, body);
    set_mask(mask)?;
    started
}

fn create(stack: usize, body: Body) -> Result<(), Errno> {
    // A pointer to a trait object is two words, and the thread gets one.
    let argument = Box::into_raw(Box::new(body));
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: `attributes` and `thread` are live and of the right type. The attributes are initialized before they are used, and
    // destroyed afterwards; a stack size that is refused leaves the default one. `run` gets the pointer that it expects.
    let errno = unsafe {
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes, stack);
        let errno = libc::pthread_create(thread.as_mut_ptr(), attributes, run, argument.cast());
        libc::pthread_attr_destroy(attributes);
        errno
    };
    if errno != 0 {
        // SAFETY: no thread was started, so the box is still this function's.
        drop(unsafe { Box::from_raw(argument) });
        return Err(Errno::from_raw_os_error(errno));
    }
    Ok(())
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `create` made this pointer from a box, and has given it to this thread alone.
    let body = unsafe { Box::from_raw(argument.cast::<Body>()) };
    body();
    ptr::null_mut()
}
