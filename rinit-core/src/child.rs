//! A started child and how it ended.

use crate::child_spec::Started;
use crate::reaper::Table;
use crate::{Error, ExitStatus, Pid, Signal, sys};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A child of an exclusive [`Reaper`](crate::Reaper).
///
/// Its status is kept until it is asked for, and forgotten when the handle is dropped; the process itself is neither
/// ended nor left a zombie by that: the reaper takes it when its time comes.
///
/// As a descriptor ([`AsFd`]) it becomes readable when the child has ended: its pidfd, or, on kernels before 5.3 and
/// under seccomp filters that refuse `pidfd_open(2)`, an eventfd that the reaper writes to when it has reaped the child.
///
/// ```
/// use rinit_core::{ChildSpec, ExitStatus, Reaper};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut reaper = Reaper::exclusive()?;
/// let mut child = reaper.spawn(&ChildSpec::new("true"))?;
/// assert!(child.pid().get() > 1);
/// assert_eq!(child.wait()?, ExitStatus::Code(0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    fd: OwnedFd,
    table: Arc<Mutex<Table>>,
    status: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// What the reaper keeps of a child whose handle lives.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: Option<ExitStatus>,
    /// To be written to when the child was reaped, where there is no pidfd.
    pub(crate) wake: Option<OwnedFd>,
}

impl Child {
    /// Registers a child that was just forked. The table's lock is held since before the fork, so that no reaper can
    /// have taken the child yet, even if it has ended.
    pub(crate) fn register(started: Started, table: &Arc<Mutex<Table>>, locked: &mut Table) -> Result<Self, Error> {
        let Started { pid, pipes } = started;
        let (fd, wake) = match pidfd_open(pid.rustix(), PidfdFlags::empty()) {
            Ok(pidfd) => (pidfd, None),
            Err(_) => {
                let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
                let event = event.map_err(|error| Error::Wait(error.into()))?;
                let wake = event.try_clone().map_err(Error::Wait)?;
                (event, Some(wake))
            }
        };
        locked.insert(pid, Entry { status: None, wake });
        Ok(Self {
            pid,
            fd,
            table: Arc::clone(table),
            status: None,
            stdin: pipes.stdin.map(Into::into),
            stdout: pipes.stdout.map(Into::into),
            stderr: pipes.stderr.map(Into::into),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere cannot leave the table half changed: each change is one insertion or one store.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The child's pid. It stays the child's own at least until the status was taken by the reaper.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let child = Reaper::exclusive()?.spawn(&ChildSpec::new("true"))?;
    /// println!("started {}", child.pid());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

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

    /// How the child ended; `None` while it runs. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::StatusTaken`] if something else in this process waits for children too, which breaks the exclusive
    /// mode's contract; [`Error::Wait`] if the kernel refuses to wait.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// assert_eq!(child.try_wait()?, None);
    /// child.signal(rinit_core::Signal::KILL)?;
    /// assert_eq!(child.wait()?.exit_code(), 137);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_none() {
            self.status = self.take()?;
        }
        Ok(self.status)
    }

    /// Under the lock: the status that the reaper has recorded, or the child itself if it has ended since.
    fn take(&self) -> Result<Option<ExitStatus>, Error> {
        let mut table = self.table();
        let Some(entry) = table.get_mut(&self.pid) else { return Err(Error::StatusTaken { pid: self.pid }) };
        if entry.status.is_none() {
            let options = rustix::process::WaitOptions::NOHANG;
            match rustix::process::waitpid(Some(self.pid.rustix()), options) {
                Ok(Some((_, status))) => entry.status = ExitStatus::from_wait(status.as_raw()),
                Ok(None) => {}
                Err(Errno::CHILD) => return Err(Error::StatusTaken { pid: self.pid }),
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
        Ok(entry.status)
    }

    /// Waits for the child to end. The write end of its standard input is closed first, if it was not taken, so that it
    /// cannot wait for input while this waits for it. The reaper need not be driven meanwhile, and may be.
    ///
    /// # Errors
    ///
    /// As for [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, ExitStatus, Reaper};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sh").args(["-c", "exit 3"]))?;
    /// assert_eq!(child.wait()?, ExitStatus::Code(3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            // Sleeps without taking and without the lock: a reaper in another thread may take the child meanwhile, and
            // then this fails with ECHILD and the next round finds the status in the table.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            match rustix::process::waitid(WaitId::Pid(self.pid.rustix()), options) {
                Ok(_) | Err(Errno::INTR | Errno::CHILD) => {}
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
    }

    /// Sends a signal to the child. Once its status was taken this does nothing: the pid may be a stranger's by then.
    ///
    /// # Errors
    ///
    /// [`Error::SendSignal`], with EPERM where the child runs as another user and this process has no CAP_KILL.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// child.signal(Signal::TERM)?;
    /// assert_eq!(child.wait()?.signal(), Some(Signal::TERM));
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        // Under the lock nobody reaps, so that an entry without a status is a pid that is still the child's.
        let table = self.table();
        if table.get(&self.pid).is_none_or(|entry| entry.status.is_some()) {
            return Ok(());
        }
        sys::kill(self.pid, signal).map_err(|source| Error::SendSignal { signal, pid: self.pid, source })
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.table().remove(&self.pid);
    }
}
