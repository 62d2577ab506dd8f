//! Gives a child its descriptors under fixed numbers.

use crate::sys::check;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::io::{self, Errno, FdFlags};
use std::sync::Arc;

/// Lowest number for a descriptor of this process. If a standard descriptor is closed, a new one would get its number, and
/// a message of this process or output of the child would be written to it.
const ABOVE_STDIO: RawFd = 3;

/// Descriptors, and the number that each has in the child. Every number occurs once.
///
/// No descriptor has the number that another one gets, so the child can duplicate them in any order and overwrites none
/// before it is duplicated.
#[derive(Debug, Default)]
pub(crate) struct Passed(Vec<(Arc<OwnedFd>, RawFd)>);

impl Passed {
    /// Prepares the descriptors, each with its number in the child. Fails with the number whose descriptor could not be
    /// moved to a free one.
    pub(crate) fn new(wanted: Vec<(Arc<OwnedFd>, RawFd)>) -> Result<Self, (RawFd, Errno)> {
        let mut passed = Self(wanted);
        for index in 0..passed.0.len() {
            let (fd, number) = &passed.0[index];
            if fd.as_raw_fd() != *number && passed.takes(fd.as_raw_fd()) {
                let moved = passed.duplicate(fd).map_err(|error| (*number, error))?;
                passed.0[index].0 = Arc::new(moved);
            }
        }
        Ok(passed)
    }

    /// Whether the child gets a descriptor at this number.
    fn takes(&self, number: RawFd) -> bool {
        self.0.iter().any(|(_, taken)| *taken == number)
    }

    /// Duplicates the descriptor to a number that is used neither here nor in the child.
    fn duplicate(&self, fd: &OwnedFd) -> io::Result<OwnedFd> {
        let mut from = ABOVE_STDIO;
        loop {
            let duplicate = rustix::io::fcntl_dupfd_cloexec(fd, from)?;
            if !self.takes(duplicate.as_raw_fd()) {
                return Ok(duplicate);
            }
            from = duplicate.as_raw_fd() + 1;
        }
    }

    /// The descriptor itself, or a duplicate if the child gets another descriptor at its number.
    pub(in crate::sys) fn out_of_the_way(&self, fd: OwnedFd) -> io::Result<OwnedFd> {
        if self.takes(fd.as_raw_fd()) { self.duplicate(&fd) } else { Ok(fd) }
    }

    /// Runs in the child: gives each descriptor its number. Fails with that number.
    pub(in crate::sys) fn apply(&self) -> Result<(), (RawFd, Errno)> {
        for (fd, number) in &self.0 {
            let done = if fd.as_raw_fd() == *number {
                rustix::io::fcntl_setfd(fd, FdFlags::empty())
            } else {
                // SAFETY: plain integers. No value in the child owns the descriptor at this number: the child becomes another
                // program.
                let result = unsafe { libc::dup2(fd.as_raw_fd(), *number) };
                check(result.into()).map(drop)
            };
            done.map_err(|error| (*number, error))?;
        }
        Ok(())
    }
}

/// Makes a close-on-exec pipe whose ends are above the standard descriptors.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((move_above_stdio(read)?, move_above_stdio(write)?))
}

/// Returns the descriptor, or a duplicate above the standard ones.
pub(crate) fn move_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= ABOVE_STDIO { Ok(fd) } else { io::fcntl_dupfd_cloexec(&fd, ABOVE_STDIO) }
}
