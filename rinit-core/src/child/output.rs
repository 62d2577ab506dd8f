//! A child's standard input, output and error, if they are pipes.

use super::Child;
use crate::error::Error;
use crate::exit_status::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::Instant;

/// What a child has written, and how it exited: see [`Child::wait_with_output`].
///
/// ```
/// use rinit_core::ExitStatus;
/// use rinit_core::child::Output;
/// fn said(output: &Output) -> Option<&str> {
///     (output.status == ExitStatus::Code(0)).then(|| std::str::from_utf8(&output.stdout).ok()).flatten()
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it exited.
    pub status: ExitStatus,
    /// What it wrote to standard output; empty if that was not a pipe, or was taken.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error; empty if that was not a pipe, or was taken.
    pub stderr: Vec<u8>,
}

impl Child {
    /// The write end of the child's standard input, where that is [`Stdio::piped`](crate::Stdio::piped); once. The child
    /// reads an end of file when it is dropped.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// use std::io::Write;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let spec = ChildSpec::new("sh").args(["-c", "read word; exit $word"]).stdin(Stdio::piped());
    /// let mut child = Reaper::exclusive()?.spawn(&spec)?;
    /// child.take_stdin().expect("a pipe").write_all(b"7\n")?;
    /// assert_eq!(child.wait()?.exit_code(), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// The read end of the child's standard output, where that is [`Stdio::piped`](crate::Stdio::piped); once.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// use std::io::{BufRead, BufReader};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("echo").arg("hello").stdout(Stdio::piped()))?;
    /// for line in BufReader::new(child.take_stdout().expect("a pipe")).lines() {
    ///     assert_eq!(line?, "hello");
    /// }
    /// child.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The read end of the child's standard error, where that is [`Stdio::piped`](crate::Stdio::piped); once.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// use std::io::Read;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("ls").arg("/no/such").stderr(Stdio::piped()))?;
    /// let mut complaint = String::new();
    /// child.take_stderr().expect("a pipe").read_to_string(&mut complaint)?;
    /// assert!(complaint.contains("/no/such"));
    /// # child.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// Reads what the child writes to its pipes, both at once, until they are closed, and waits for its exit.
    ///
    /// It also waits for processes that the child has left behind with its output open. Memory grows with the output.
    ///
    /// # Errors
    ///
    /// [`Error::Output`], and as for [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("echo").arg("hello").stdout(Stdio::piped());
    /// let output = Reaper::exclusive()?.spawn(&spec)?.wait_with_output()?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// assert!(output.status.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_with_output(mut self) -> Result<Output, Error> {
        drop(self.stdin.take());
        let pipes = [self.stdout.take().map(OwnedFd::from), self.stderr.take().map(OwnedFd::from)];
        let [stdout, stderr] = read_to_end(pipes.map(|pipe| pipe.map(File::from)), || None).map_err(Error::Output)?;
        Ok(Output { status: self.wait()?, stdout, stderr })
    }
}

/// Reads both to their ends. It must read them at the same time: the child would block when the other pipe is full.
///
/// `meanwhile` is called before each wait, and again at the time that it returns.
pub(crate) fn read_to_end(
    mut pipes: [Option<File>; 2],
    mut meanwhile: impl FnMut() -> Option<Instant>,
) -> io::Result<[Vec<u8>; 2]> {
    let mut read = [Vec::new(), Vec::new()];
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let open: Vec<_> = (0..2).filter(|&at| pipes[at].is_some()).collect();
        if open.is_empty() {
            return Ok(read);
        }
        let mut fds: Vec<_> = pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let left = meanwhile().map(|next| next.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        rustix::io::retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for at in open.into_iter().zip(ready).filter_map(|(at, ready)| ready.then_some(at)) {
            let Some(pipe) = &mut pipes[at] else { continue };
            match rustix::io::retry_on_intr(|| rustix::io::read(&*pipe, &mut chunk[..]))? {
                0 => pipes[at] = None,
                count => read[at].extend_from_slice(&chunk[..count]),
            }
        }
    }
}
