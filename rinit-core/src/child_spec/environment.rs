//! The environment that a child gets.

use super::ChildSpec;
use crate::Error;
use crate::child_environment::ChildEnvironment;
use crate::sys;
use std::ffi::OsStr;

impl ChildSpec {
    pub(super) fn child_environment(&self) -> Result<ChildEnvironment<'_>, Error> {
        let inherited = if self.environment_cleared { Vec::new() } else { sys::environment() };
        let home = self.user.as_ref().filter(|_| !self.environment_cleared);
        let home = home.map(|user| (OsStr::new("HOME"), Some(user.home().as_os_str())));
        let changes = self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()));
        ChildEnvironment::new(inherited, home.into_iter().chain(changes), std::process::id())
    }
}
