//! `TIOCNOTTY`, which rustix does not have.

use super::check;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io;

/// Gives up the controlling terminal.
pub(crate) fn give_up_terminal(tty: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes no argument and touches no memory of this process.
    let result = unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCNOTTY) };
    check(result.into())?;
    Ok(())
}
