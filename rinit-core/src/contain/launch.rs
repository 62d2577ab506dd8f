//! Which parts of a specification an rinit is started with, and which it passes to main.

use crate::child::spec::ChildSpec;
use crate::child::spec::limits::Limits;
use crate::child::spec::stdio::Stdio;
use crate::contain::entry;
use crate::contain::spec::ContainSpec;
use crate::signal::set::SignalSet;
use rustix::io::fcntl_dupfd_cloexec;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

impl ChildSpec {
    /// Runs the child under an `rinit` of its own, so that no process that it starts outlives the [`Job`](crate::contain::Job):
    /// not even a daemon, a process in another process group or session, or one that forks while it is killed. See
    /// [`ContainSpec`].
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Error};
    /// # fn main() -> Result<(), Error> {
    /// let mut job = ChildSpec::new("make").arg("test").contain().start()?;
    /// println!("make {}", job.wait()?.exit_code());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn contain(self) -> ContainSpec {
        ContainSpec::new(self)
    }

    /// Returns the specification of this child's rinit. It is started as the child would be, but as this process's user, in
    /// this process's directory, without the child's limits, and with every signal blocked from its first instruction on. Also
    /// returns the number of the terminal that it passes to main.
    pub(crate) fn rinit(&self, path: &Path, channel: OwnedFd) -> io::Result<(Self, Option<RawFd>)> {
        let mut rinit = Self {
            program: path.into(),
            directory: None,
            user: None,
            mask: SignalSet::all(),
            limits: Limits::default(),
            terminal: None,
            parent_death_signal: None,
            ..self.clone()
        };
        if let Some(user) = self.user.as_ref().filter(|_| !self.environment_cleared) {
            // A child of that user has this HOME. What the specification says itself comes later and wins.
            let home = user.home().as_os_str().to_os_string();
            rinit.environment.insert(0, (OsString::from("HOME"), Some(home)));
        }
        let terminal = match &self.terminal {
            Some(terminal) => Some(rinit.pass(fcntl_dupfd_cloexec(&**terminal, 3)?)?),
            None => None,
        };
        let channel = rinit.pass(channel)?;
        let words = [entry::OPTION.into(), channel.to_string().into(), "--".into(), self.program.clone()];
        rinit.arguments.splice(0..0, words);
        Ok((rinit, terminal))
    }

    /// Passes a descriptor to the child under its number here. No other descriptor that the child inherits or is given has
    /// that number.
    fn pass(&mut self, fd: OwnedFd) -> io::Result<RawFd> {
        let taken = self.descriptors.iter().any(|(number, _)| *number == fd.as_raw_fd());
        let highest = self.descriptors.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let fd = if taken { fcntl_dupfd_cloexec(&fd, highest.saturating_add(1))? } else { fd };
        let number = fd.as_raw_fd();
        self.descriptors.push((number, Stdio::fd(fd)));
        Ok(number)
    }
}
