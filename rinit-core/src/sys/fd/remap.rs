//! Descriptors that a child gets under given numbers.

use crate::sys::check;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags};
use std::io;
use std::sync::Arc;

/// Lowest descriptor for what this process opens for itself: with standard descriptors closed a new one would take their
/// place, and a message of this process, or output of the child, would land in it.
const ABOVE_STDIO: RawFd = 3;

/// Descriptors, and the number that each has in the child. Every number occurs once.
///
/// No descriptor in it has another one's number, so that the child can duplicate them in any order and none is overwritten
/// before its turn.
#[derive(Debug, Default)]
pub(crate) struct Passed(Vec<(Arc<OwnedFd>, RawFd)>);

impl Passed {
    /// Prepares the descriptors, each with its number in the child. Fails with the number whose descriptor could not be
    /// moved out of another one's way.
    pub(crate) fn new(wanted: Vec<(Arc<OwnedFd>, RawFd)>) -> Result<Self, (RawFd, io::Error)> {
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

    /// True if something is put at this number in the child.
    fn takes(&self, number: RawFd) -> bool {
        self.0.iter().any(|(_, taken)| *taken == number)
    }

    /// A duplicate at a number that nothing is put at, neither here nor in the child.
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

    /// The descriptor itself, or a duplicate where the child puts something at its number.
    pub(in crate::sys) fn out_of_the_way(&self, fd: OwnedFd) -> io::Result<OwnedFd> {
        if self.takes(fd.as_raw_fd()) { self.duplicate(&fd) } else { Ok(fd) }
    }

    /// In the child: gives each its number. Fails with the number.
    pub(in crate::sys) fn apply(&self) -> Result<(), (RawFd, Errno)> {
        for (fd, number) in &self.0 {
            let done = if fd.as_raw_fd() == *number {
                rustix::io::fcntl_setfd(fd, FdFlags::empty())
            } else {
                // SAFETY: plain integers. In the child nobody owns what was at this number: it becomes another program.
                let result = unsafe { libc::dup2(fd.as_raw_fd(), *number) };
                check(result.into()).map(drop).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::BADF))
            };
            done.map_err(|error| (*number, error))?;
        }
        Ok(())
    }
}

/// A pipe, close-on-exec, whose ends are no standard descriptors.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((move_above_stdio(read)?, move_above_stdio(write)?))
}

/// The descriptor, or a duplicate that is no standard one.
pub(crate) fn move_above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= ABOVE_STDIO { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, ABOVE_STDIO)?) }
}
