//! Signals to a child and its process group, and the stop by them.

use super::Child;
use crate::child::registry;
use crate::child::registry::Ending;
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::process::Process;
use crate::process::signal::{Delivery, ToGroup, send, send_to_group};
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::AsFd;

impl Child {
    /// Sends a signal to the child. Once it was reaped this does nothing: the pid may be another process's by then.
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
        self.send(signal, None)
    }

    /// Sends a signal with a value, if there is one.
    pub(crate) fn send(&self, signal: Signal, value: Option<usize>) -> Result<(), Error> {
        // Under the lock nothing reaps, so that the pid of a child in the list is its own.
        let children = registry::lock();
        if !children.contains(self.pid, &self.slot) {
            return Ok(());
        }
        send(self.pid, signal, value).map_err(|source| self.not_sent(signal, source))
    }

    /// Sends a signal to the child's process group: to the child, and to every process that it started, unless that has made
    /// a group or session of its own. `ChildSpec::contain` reaches those too.
    ///
    /// If no group has the child's number ([`ProcessGroup::Inherit`](crate::ProcessGroup::Inherit)), only the child gets it. A
    /// child that has left its group (`setpgid(2)`) gets it as well as that group.
    ///
    /// **It never signals an unrelated process.** Until the child is reaped, the kernel does not reuse its pid, which is the
    /// number of its group. Afterwards a new process may get the number as soon as the group is empty. From then on the signal
    /// is sent through the pidfd, which always means this group. That needs Linux 6.9. On older kernels, and without a pidfd,
    /// nothing is sent once the child is reaped, and the answer is [`Delivery::Gone`]. [`Child::stop`] does it in the safe order.
    ///
    /// Source: `kill(2)`, `pidfd_send_signal(2)` (PIDFD_SIGNAL_PROCESS_GROUP), `setpgid(2)`.
    ///
    /// # Errors
    ///
    /// [`Error::SendSignal`], with EPERM where this process may signal no member of the group.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// use rinit_core::process::Delivery;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sh").args(["-c", "sleep 60; true"]))?;
    /// assert_eq!(child.signal_group(Signal::TERM)?, Delivery::Delivered);
    /// assert_eq!(child.wait()?.signal(), Some(Signal::TERM));
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal_group(&self, signal: Signal) -> Result<Delivery, Error> {
        let children = registry::lock();
        let result = if children.contains(self.pid, &self.slot) {
            match send_to_group(self.pid, signal) {
                ToGroup::WithLeader(sent) => sent,
                ToGroup::WithoutLeader(_) => send(self.pid, signal, None),
            }
        } else {
            match &self.ending {
                Ending::Pidfd(pidfd) => sys::pidfd_signal_group(pidfd.as_fd(), signal),
                Ending::Event(_) => return Ok(Delivery::Gone),
            }
        };
        match result {
            Ok(()) => Ok(Delivery::Delivered),
            // INVAL: the kernel does not know the flag.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOSYS) => Ok(Delivery::Gone),
            Err(error) => Err(self.not_sent(signal, error)),
        }
    }

    /// Sends KILL to the child alone, as `std::process::Child::kill` does: [`Child::signal`] with [`Signal::KILL`]. Processes
    /// that the child has started go on; [`Child::kill_group`] kills them, too.
    ///
    /// # Errors
    ///
    /// As for [`Child::signal`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// child.kill()?;
    /// assert_eq!(child.wait()?.signal(), Some(Signal::KILL));
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) -> Result<(), Error> {
        self.signal(Signal::KILL)
    }

    /// Sends KILL to the child's process group: [`Child::signal_group`] with [`Signal::KILL`].
    ///
    /// # Errors
    ///
    /// As for [`Child::signal_group`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut child = Reaper::exclusive()?.spawn(&ChildSpec::new("sleep").arg("60"))?;
    /// child.kill_group()?;
    /// assert_eq!(child.wait()?.signal(), Some(Signal::KILL));
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill_group(&self) -> Result<Delivery, Error> {
        self.signal_group(Signal::KILL)
    }

    /// Stops the child: sends it the [stop signal](crate::ChildSpec::stop_signal), waits up to the
    /// [timeout](crate::ChildSpec::stop_timeout), then sends KILL to its process group, and returns how the child exited.
    ///
    /// The group gets KILL even if the child exits in time, so that no member of it is left behind. A child that is stopped
    /// (`SIGSTOP`) gets CONT as well, because it acts on the signal only then.
    ///
    /// Blocks for the timeout, and until the kernel has terminated the child after KILL. There is no limit to that if the child
    /// is stuck in the kernel (state D). To stop several at once, send each its stop signal, and then call this for each.
    ///
    /// # Errors
    ///
    /// [`Error::SendSignal`] if this process may not signal the child; it does not wait then. Otherwise as for
    /// [`Child::try_wait`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// use std::time::Duration;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("sleep").arg("60").stop_signal(Signal::INT).stop_timeout(Duration::from_secs(5));
    /// let mut child = Reaper::exclusive()?.spawn(&spec)?;
    /// assert_eq!(child.stop()?.signal(), Some(Signal::INT));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.begin_stop()?;
        self.ended_within(self.stop_timeout)?;
        // Before the child is reaped: until then no kernel reuses the group's number.
        self.kill_group()?;
        self.wait()
    }

    /// Sends the stop signal, and CONT to a child that is stopped.
    pub(crate) fn begin_stop(&self) -> Result<(), Error> {
        self.signal(self.stop_signal)?;
        if Process::read(self.pid).is_ok_and(|seen| seen.is_some_and(|seen| seen.state == State::Stopped)) {
            self.signal(Signal::CONT)?;
        }
        Ok(())
    }

    fn not_sent(&self, signal: Signal, errno: Errno) -> Error {
        Error::SendSignal { signal, pid: self.pid, source: errno.into() }
    }
}
