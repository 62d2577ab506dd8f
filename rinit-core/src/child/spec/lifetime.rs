//! How a child depends on this process and on a terminal, and how it is stopped.

use super::ChildSpec;
use super::start::{Started, TerminalUse};
use crate::child::spawn_thread;
use crate::error::Error;
use crate::signal::Signal;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// `docker stop` waits as long (`docker-stop(1)`).
pub(super) const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(10);

impl ChildSpec {
    /// Makes the kernel send the child a signal when this **process** exits, even if KILL terminates it.
    ///
    /// The kernel watches the parent *thread*, and would send the signal as soon as a worker that has started the child exits.
    /// So [`Reaper::spawn`](crate::Reaper::spawn) starts such children from a thread of this crate that lives as long as the
    /// process. This has consequences:
    ///
    /// - There is one more thread, started for the first such child. It has all signals blocked, and sleeps except while it
    ///   starts a child. Such children are started one after the other.
    /// - A child inherits some attributes from the *thread* that starts it. Here it gets those of the thread that asked for the
    ///   first such child: CPU affinity, nice value and scheduling class, namespaces after `setns(2)` or `unshare(2)`, seccomp filters.
    /// - `execve(2)` terminates all other threads: when this process executes another program, these children get the
    ///   signal.
    /// - A program with the set-user-ID bit or file capabilities clears the request, and so does the child's own change of
    ///   user. It is not inherited by what the child forks.
    ///
    /// If this process exits between the fork and the request, the child gets the signal all the same.
    ///
    /// [`Init`](crate::Init) starts its main from the calling thread, which stays in it until main has exited.
    ///
    /// Source: `PR_SET_PDEATHSIG(2const)`.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Signal};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reaper = Reaper::exclusive()?;
    /// let spec = ChildSpec::new("sh").args(["-c", "exit 5"]).parent_death_signal(Signal::TERM);
    /// let worker = std::thread::spawn(move || reaper.spawn(&spec));
    /// let mut child = worker.join().expect("no panic")?; // the thread has ended, and the child does not notice
    /// assert_eq!(child.wait()?.exit_code(), 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn parent_death_signal(mut self, signal: Signal) -> Self {
        self.parent_death_signal = Some(signal);
        self
    }

    /// The child's terminal. What it means depends on the child's [`Group`](crate::ProcessGroup):
    ///
    /// - `Session`: the terminal becomes the controlling terminal of the new session; it must not be that of another session.
    ///   In this way a shell gets the user end of a pseudoterminal.
    /// - `Own`: the terminal is this process's controlling one, and the child's group is put into its foreground before the
    ///   program's first instruction, as a shell does with a job. The caller takes it back when the
    ///   child has exited or stopped (`tcsetpgrp(3)`, with TTOU blocked).
    /// - `Inherit`: nothing.
    ///
    /// Standard descriptors are not touched by it: [`ChildSpec::stdin`] and the others give them the terminal.
    ///
    /// If the kernel refuses, the start fails with [`Error::Terminal`].
    ///
    /// Source: `setsid(2)`, `TIOCSCTTY(2const)`, `tcsetpgrp(3)`.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, ProcessGroup, Stdio};
    /// fn shell_at(terminal: std::os::fd::OwnedFd) -> std::io::Result<ChildSpec> {
    ///     let at = || Ok::<_, std::io::Error>(Stdio::fd(terminal.try_clone()?));
    ///     let spec = ChildSpec::new("sh").stdin(at()?).stdout(at()?).stderr(at()?);
    ///     Ok(spec.process_group(ProcessGroup::Session).terminal(terminal))
    /// }
    /// ```
    #[must_use]
    pub fn terminal(mut self, terminal: impl Into<OwnedFd>) -> Self {
        self.terminal = Some(Arc::new(terminal.into()));
        self
    }

    /// The signal with which [`Child::stop`](crate::Child::stop) asks the child to stop: TERM by default.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Signal};
    /// let _ = ChildSpec::new("nginx").stop_signal(Signal::QUIT);
    /// ```
    #[must_use]
    pub const fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// How long [`Child::stop`](crate::Child::stop) waits before it kills: ten seconds by default, as `docker stop` does.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("redis-server").stop_timeout(std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Starts the child from any thread, with a parent-death signal that follows the process: see
    /// [`ChildSpec::parent_death_signal`].
    pub(crate) fn start_for_process(&self) -> Result<Started, Error> {
        if self.parent_death_signal.is_none() {
            return self.start(TerminalUse::None);
        }
        let spec = self.clone();
        spawn_thread::run(move || spec.start(TerminalUse::None))?
    }
}
