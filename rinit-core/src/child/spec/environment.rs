//! The environment that a child gets. Everything is pure except [`ChildSpec::child_environment`], which reads the inherited one.

use super::ChildSpec;
use crate::error::Error;
use crate::sys;
use crate::sys::{CStrings, LISTEN_PID_ROOM, c_string};
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

/// Entries for `execve(2)`, copied only where they differ from what was inherited, and where the child's own pid is still to
/// be written.
#[derive(Debug)]
pub(crate) struct ChildEnvironment<'a> {
    pub(crate) entries: CStrings<'a>,
    /// Indexes of entries that are [`LISTEN_PID_ROOM`].
    pub(crate) listen_pid: Vec<usize>,
}

impl<'a> ChildEnvironment<'a> {
    /// Applies the changes in their order, the last one for a name wins; `None` removes a variable.
    ///
    /// A socket-activated program checks that LISTEN_PID is its own pid (`sd_listen_fds(3)`). Where it names `own`, this
    /// process, it was meant for the program, whose pid is known only after the fork.
    ///
    /// # Errors
    ///
    /// [`Error::NulByte`] in a change.
    pub(crate) fn new<'b>(
        inherited: CStrings<'a>,
        changes: impl IntoIterator<Item = (&'b OsStr, Option<&'b OsStr>)>,
        own: u32,
    ) -> Result<Self, Error> {
        let mut entries = inherited;
        for (name, value) in changes {
            entries.retain(|entry| !is_variable(entry, name));
            if let Some(value) = value {
                entries.push(variable(name, value)?);
            }
        }
        let ours = variable(OsStr::new("LISTEN_PID"), own.to_string().as_ref())?;
        let is_ours = |(index, entry): (usize, &CStr)| (*entry == *ours).then_some(index);
        // An entry may be there twice, and each program decides which one counts.
        let listen_pid: Vec<usize> = entries.iter().enumerate().filter_map(is_ours).collect();
        for index in &listen_pid {
            entries.replace(*index, LISTEN_PID_ROOM.into());
        }
        Ok(Self { entries, listen_pid })
    }

    /// The value of a variable: the first entry for it, as `getenv(3)` has it.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        let entry = self.entries.iter().find(|entry| is_variable(entry, OsStr::new(name)))?;
        entry.to_bytes().get(name.len() + 1..).map(OsStr::from_bytes)
    }
}

fn variable(name: &OsStr, value: &OsStr) -> Result<CString, Error> {
    Ok(c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat(), "an environment variable")?)
}

fn is_variable(entry: &CStr, name: &OsStr) -> bool {
    entry.to_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

impl ChildSpec {
    pub(super) fn child_environment(&self) -> Result<ChildEnvironment<'_>, Error> {
        // HOME, LISTEN_PID and the changes.
        let more = self.environment.len() + 2;
        let inherited =
            if self.environment_cleared { CStrings::with_capacity(more, more) } else { sys::environment(more) };
        let home = self.user.as_ref().filter(|_| !self.environment_cleared);
        let home = home.map(|user| (OsStr::new("HOME"), Some(user.home().as_os_str())));
        let changes = self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()));
        ChildEnvironment::new(inherited, home.into_iter().chain(changes), std::process::id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[&str], changes: &[(&str, Option<&str>)]) -> (Vec<String>, Vec<usize>) {
        let inherited = CStrings::new(inherited, "an entry").unwrap();
        let changes = changes.iter().map(|(name, value)| (OsStr::new(name), value.map(OsStr::new)));
        let ChildEnvironment { entries, listen_pid } = ChildEnvironment::new(inherited, changes, 7).unwrap();
        (entries.iter().map(|entry| entry.to_str().unwrap().to_owned()).collect(), listen_pid)
    }

    #[test]
    fn the_last_change_wins_and_the_rest_is_as_it_was() {
        let inherited = ["A=1", "no equals sign", "B=2", "A=3", "AB=4", "=x"];
        let (entries, _) = environment(&inherited, &[("A", Some("5")), ("B", None), ("C", Some("")), ("A", Some("6"))]);
        assert_eq!(entries, ["no equals sign", "AB=4", "=x", "C=", "A=6"]);
    }

    #[test]
    fn the_first_entry_counts() {
        let inherited = CStrings::new(["PATHS=/x", "PATH=/a=b", "PATH=/c"], "an entry").unwrap();
        let environment = ChildEnvironment::new(inherited, [], 7).unwrap();
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/a=b")));
        assert_eq!(environment.get("HOME"), None);
    }

    #[test]
    fn listen_pid_of_this_process_becomes_the_childs() {
        let inherited = ["LISTEN_PID=70", "LISTEN_PID=7", "LISTEN_PID=07", "X", "LISTEN_PID=7", "LISTEN_FDS=1"];
        let (entries, listen_pid) = environment(&inherited, &[]);
        assert_eq!(listen_pid, [1, 4]);
        let room = LISTEN_PID_ROOM.to_str().unwrap();
        assert_eq!(entries, ["LISTEN_PID=70", room, "LISTEN_PID=07", "X", room, "LISTEN_FDS=1"]);
    }

    #[test]
    fn only_added_zeros_are_room_for_a_pid() {
        let zeros = LISTEN_PID_ROOM.to_str().unwrap();
        assert_eq!(environment(&[zeros], &[]), (vec![zeros.to_owned()], vec![]));
    }
}
