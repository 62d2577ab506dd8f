//! Which descriptors a child gets.

use super::ChildSpec;
use crate::child::spec::stdio::Kind;
use crate::child::spec::stdio::Stdio;
use crate::error::Error;
use crate::sys;
use crate::sys::Passed;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

const STDIN: RawFd = 0;
const STDOUT: RawFd = 1;
const STDERR: RawFd = 2;

/// This process's ends of a child's pipes.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

impl ChildSpec {
    /// Standard input; inherited by default.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("cat").stdin(rinit_core::Stdio::null());
    /// ```
    #[must_use]
    pub fn stdin(self, stdio: impl Into<Stdio>) -> Self {
        self.descriptor(STDIN, stdio.into())
    }

    /// Standard output; inherited by default.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("date").stdout(rinit_core::Stdio::piped());
    /// ```
    #[must_use]
    pub fn stdout(self, stdio: impl Into<Stdio>) -> Self {
        self.descriptor(STDOUT, stdio.into())
    }

    /// Standard error; inherited by default.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("date").stderr(rinit_core::Stdio::null());
    /// ```
    #[must_use]
    pub fn stderr(self, stdio: impl Into<Stdio>) -> Self {
        self.descriptor(STDERR, stdio.into())
    }

    /// Gives the child a duplicate of a descriptor under this number, whatever this process has there. The last call for a
    /// number counts; [`ChildSpec::stdin`] is such a call for 0, and so on.
    ///
    /// Only the child's duplicate survives `execve(2)`: in this process the descriptor stays close-on-exec, so that no other
    /// child gets it. It stays open here for as long as the specification lives. The numbers may overlap with those of any
    /// descriptors here: two can change places.
    ///
    /// A number that the child cannot have (negative, or not below its `RLIMIT_NOFILE`) makes the start fail with
    /// [`Error::Descriptor`].
    ///
    /// Source: `dup(2)`, `fcntl(2)` (FD_CLOEXEC).
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// use std::io::Read;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut read, write) = std::io::pipe()?;
    /// let spec = ChildSpec::new("sh").args(["-c", "echo ready >&7"]).pass_fd(write, 7);
    /// let mut child = Reaper::exclusive()?.spawn(&spec)?;
    /// drop(spec); // it holds the pipe's other end
    /// let mut said = String::new();
    /// read.read_to_string(&mut said)?;
    /// assert_eq!(said, "ready\n");
    /// child.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pass_fd(self, fd: impl Into<OwnedFd>, number: RawFd) -> Self {
        self.descriptor(number, Stdio::fd(fd))
    }

    fn descriptor(mut self, number: RawFd, stdio: Stdio) -> Self {
        self.descriptors.retain(|(taken, _)| *taken != number);
        self.descriptors.push((number, stdio));
        self
    }
}

/// Opens the child's descriptors, and the other ends of its pipes for this process.
pub(super) fn open(wanted: &[(RawFd, Stdio)]) -> Result<(Passed, Pipes), Error> {
    let mut list = Vec::new();
    let mut pipes = Pipes::default();
    for &(number, ref stdio) in wanted {
        let fd = match &stdio.0 {
            Kind::Inherit => continue,
            Kind::Null => Arc::new(null().map_err(|source| Error::Descriptor { number, source })?),
            Kind::Piped => Arc::new(pipes.open(number).map_err(Error::Pipe)?),
            Kind::Fd(fd) => Arc::clone(fd),
        };
        list.push((fd, number));
    }
    let passed = Passed::new(list).map_err(|(number, errno)| Error::Descriptor { number, source: errno.into() })?;
    Ok((passed, pipes))
}

fn null() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

impl Pipes {
    /// Makes the pipe for a standard descriptor, keeps one end and returns the child's.
    fn open(&mut self, number: RawFd) -> io::Result<OwnedFd> {
        let (read, write) = sys::pipe()?;
        let (ours, childs) = if number == STDIN { (write, read) } else { (read, write) };
        let place = match number {
            STDIN => &mut self.stdin,
            STDOUT => &mut self.stdout,
            _ => &mut self.stderr,
        };
        *place = Some(ours);
        Ok(childs)
    }
}
