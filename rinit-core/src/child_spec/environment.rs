//! The environment that a child gets.

use super::ChildSpec;
use crate::sys::{self, LISTEN_PID_ROOM};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl ChildSpec {
    /// The child's environment as `NAME=value` entries.
    pub(super) fn child_environment(&self) -> Vec<OsString> {
        let mut entries = if self.environment_cleared { Vec::new() } else { sys::environment() };
        let home = self.user.as_ref().filter(|_| !self.environment_cleared);
        let home = home.map(|user| user.home().as_os_str().to_os_string());
        let home = home.map(|home| (OsString::from("HOME"), Some(home)));
        for (name, value) in home.iter().chain(&self.environment) {
            entries.retain(|entry| !is_variable(entry, name));
            if let Some(value) = value {
                entries.push(variable(name, value));
            }
        }
        // A socket-activated program checks that LISTEN_PID is its own pid (`sd_listen_fds(3)`). Where it names this
        // process it was meant for the program, whose pid is known only after the fork.
        let ours = variable(OsStr::new("LISTEN_PID"), rustix::process::getpid().as_raw_pid().to_string().as_ref());
        for entry in entries.iter_mut().filter(|entry| **entry == ours) {
            *entry = OsString::from(LISTEN_PID_ROOM);
        }
        entries
    }
}

fn variable(name: &OsStr, value: &OsStr) -> OsString {
    OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat())
}

fn is_variable(entry: &OsStr, name: &OsStr) -> bool {
    entry.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}
