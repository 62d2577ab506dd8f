//! What of a specification an rinit is started with, and what it hands on.

use super::ChildSpec;
use crate::{ContainSpec, SignalSet, Stdio, User};
use rustix::io::fcntl_dupfd_cloexec;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

impl ChildSpec {
    /// Runs the child under an `rinit` of its own, so that nothing that it starts outlives the [`Job`](crate::Job): neither
    /// what leaves its process group or session, nor what is double-forked, nor what forks on while it is killed. See
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

    /// The rinit for this child: started as the child would be, in its surroundings, but as this process's own user and in
    /// its own directory, and with every signal blocked from its first instruction on.
    pub(crate) fn rinit(&self, path: &Path, channel: OwnedFd) -> io::Result<Self> {
        // Its number here is nobody else's, neither of what the child inherits nor, in the end, of what it is given.
        let channel = match self.descriptors.last_key_value() {
            Some((highest, _)) if self.descriptors.contains_key(&channel.as_raw_fd()) => {
                fcntl_dupfd_cloexec(&channel, highest.saturating_add(1))?
            }
            _ => channel,
        };
        let number = channel.as_raw_fd();
        let mut arguments = vec!["--contained".into(), number.to_string().into(), "--".into(), self.program.clone()];
        arguments.extend(self.arguments.iter().cloned());
        let home = self.user.as_ref().map(|user| user.home().as_os_str().to_os_string());
        let home = home.map(|home| (OsString::from("HOME"), Some(home)));
        let mut rinit = Self {
            program: path.into(),
            arguments,
            environment: home.into_iter().chain(self.environment.iter().cloned()).collect(),
            directory: None,
            user: None,
            mask: SignalSet::all(),
            ..self.clone()
        };
        rinit.descriptors.insert(number, Stdio::fd(channel));
        Ok(rinit)
    }

    pub(crate) fn directory_to_enter(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    pub(crate) fn user_to_become(&self) -> Option<&User> {
        self.user.as_ref()
    }

    pub(crate) const fn mask_to_start_with(&self) -> SignalSet {
        self.mask
    }
}
