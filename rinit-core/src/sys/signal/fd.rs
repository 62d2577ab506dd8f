//! `signalfd4(2)`: reads pending signals from a descriptor that `poll(2)` accepts.

use super::info;
use super::mask::KERNEL_SET_BYTES;
use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::set::SignalSet;
use crate::sys::check;
use rustix::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// An owned signalfd: non-blocking, close-on-exec.
#[derive(Debug)]
pub(crate) struct SignalFd(OwnedFd);

impl SignalFd {
    /// A descriptor for the signals of the set. A signal arrives here only if every thread blocks it.
    pub(crate) fn new(set: SignalSet) -> io::Result<Self> {
        let bits = set.bits();
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: the set is a live u64 of the size passed; -1 asks for a new descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_signalfd4, -1, ptr::from_ref(&bits), KERNEL_SET_BYTES, flags) };
        let fd = check(fd)?;
        // SAFETY: the kernel has just made this descriptor, and no other value owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// The next pending signal; `None` when there is none.
    pub(crate) fn read(&self) -> io::Result<Option<ReceivedSignal>> {
        let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
        match io::read(&self.0, &mut bytes[..]) {
            Ok(read) if read == bytes.len() => {}
            Ok(_) | Err(io::Errno::AGAIN | io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error),
        }
        // SAFETY: signalfd_siginfo is plain integers, so any bytes are a valid value; the length is its own.
        let info: libc::signalfd_siginfo = unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) };
        let Some(signal) = Signal::new(info.ssi_signo as i32) else { return Ok(None) };
        let sender = (info.ssi_code <= 0).then(|| Pid::new(info.ssi_pid as i32)).flatten();
        let value = (info.ssi_code == libc::SI_QUEUE).then_some(info.ssi_ptr as usize);
        let child = info::names_child(signal, info.ssi_code).then(|| Pid::new(info.ssi_pid as i32)).flatten();
        Ok(Some(ReceivedSignal { signal, sender, from_kernel: info.ssi_code == libc::SI_KERNEL, child, value }))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
