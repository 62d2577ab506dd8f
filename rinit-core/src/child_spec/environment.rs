//! The environment that a child gets.

use super::ChildSpec;
use crate::Error;
use crate::sys::{self, LISTEN_PID_ROOM, c_string};
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

impl ChildSpec {
    /// The child's environment as `NAME=value` entries, copied only where they differ from this process's own.
    pub(super) fn child_environment(&self) -> Result<Vec<Cow<'_, CStr>>, Error> {
        let inherited = if self.environment_cleared { Vec::new() } else { sys::environment() };
        let mut entries: Vec<Cow<'_, CStr>> = inherited.into_iter().map(Cow::Borrowed).collect();
        let home = self.user.as_ref().filter(|_| !self.environment_cleared);
        let home = home.map(|user| user.home().as_os_str().to_os_string());
        let home = home.map(|home| (OsString::from("HOME"), Some(home)));
        for (name, value) in home.iter().chain(&self.environment) {
            entries.retain(|entry| !is_variable(entry, name));
            if let Some(value) = value {
                entries.push(Cow::Owned(variable(name, value)?));
            }
        }
        // A socket-activated program checks that LISTEN_PID is its own pid (`sd_listen_fds(3)`). Where it names this
        // process it was meant for the program, whose pid is known only after the fork.
        let ours = variable(OsStr::new("LISTEN_PID"), rustix::process::getpid().as_raw_pid().to_string().as_ref())?;
        for entry in entries.iter_mut().filter(|entry| ***entry == *ours) {
            *entry = Cow::Owned(LISTEN_PID_ROOM.into());
        }
        Ok(entries)
    }
}

fn variable(name: &OsStr, value: &OsStr) -> Result<CString, Error> {
    c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat(), "an environment variable")
}

fn is_variable(entry: &CStr, name: &OsStr) -> bool {
    entry.to_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}
