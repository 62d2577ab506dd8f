//! The environment that a child gets. Pure: the inherited entries are given.

use crate::sys::LISTEN_PID_ROOM;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Entries for `execve(2)`, and where the child's own pid is still to be written.
#[derive(Debug)]
pub(crate) struct ChildEnvironment {
    pub(crate) entries: Vec<OsString>,
    /// Indexes of entries that are [`LISTEN_PID_ROOM`].
    pub(crate) listen_pid: Vec<usize>,
}

impl ChildEnvironment {
    /// Applies the changes in their order, the last one for a name wins; `None` removes a variable.
    ///
    /// A socket-activated program checks that LISTEN_PID is its own pid (`sd_listen_fds(3)`). Where it names `own`, this
    /// process, it was meant for the program, whose pid is known only after the fork.
    pub(crate) fn new<'a>(
        inherited: Vec<OsString>,
        changes: impl IntoIterator<Item = (&'a OsStr, Option<&'a OsStr>)>,
        own: u32,
    ) -> Self {
        let mut entries = inherited;
        for (name, value) in changes {
            entries.retain(|entry| !is_variable(entry, name));
            if let Some(value) = value {
                entries.push(variable(name, value));
            }
        }
        let ours = variable(OsStr::new("LISTEN_PID"), own.to_string().as_ref());
        let is_ours = |(index, entry): (usize, &OsString)| (*entry == ours).then_some(index);
        // Nothing forbids an entry to be there twice, and which of them counts is the program's affair.
        let listen_pid: Vec<usize> = entries.iter().enumerate().filter_map(is_ours).collect();
        for index in &listen_pid {
            entries[*index] = OsString::from(LISTEN_PID_ROOM);
        }
        Self { entries, listen_pid }
    }

    /// The value of a variable: the first entry for it, as `getenv(3)` has it.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        let entry = self.entries.iter().find(|entry| is_variable(entry, OsStr::new(name)))?;
        entry.as_bytes().get(name.len() + 1..).map(OsStr::from_bytes)
    }
}

fn variable(name: &OsStr, value: &OsStr) -> OsString {
    OsString::from_vec([name.as_bytes(), b"=", value.as_bytes()].concat())
}

fn is_variable(entry: &OsStr, name: &OsStr) -> bool {
    entry.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[&str], changes: &[(&str, Option<&str>)]) -> (Vec<String>, Vec<usize>) {
        let inherited = inherited.iter().map(OsString::from).collect();
        let changes = changes.iter().map(|(name, value)| (OsStr::new(name), value.map(OsStr::new)));
        let ChildEnvironment { entries, listen_pid } = ChildEnvironment::new(inherited, changes, 7);
        (entries.into_iter().map(|entry| entry.into_string().unwrap()).collect(), listen_pid)
    }

    #[test]
    fn the_last_change_wins_and_the_rest_is_as_it_was() {
        let inherited = ["A=1", "no equals sign", "B=2", "A=3", "AB=4", "=x"];
        let (entries, _) = environment(&inherited, &[("A", Some("5")), ("B", None), ("C", Some("")), ("A", Some("6"))]);
        assert_eq!(entries, ["no equals sign", "AB=4", "=x", "C=", "A=6"]);
    }

    #[test]
    fn the_first_entry_counts() {
        let inherited = ["PATHS=/x", "PATH=/a=b", "PATH=/c"].iter().map(OsString::from).collect();
        let environment = ChildEnvironment::new(inherited, [], 7);
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/a=b")));
        assert_eq!(environment.get("HOME"), None);
    }

    #[test]
    fn whoever_names_this_process_shall_name_the_child() {
        let inherited = ["LISTEN_PID=70", "LISTEN_PID=7", "LISTEN_PID=07", "X", "LISTEN_PID=7", "LISTEN_FDS=1"];
        let (entries, listen_pid) = environment(&inherited, &[]);
        assert_eq!(listen_pid, [1, 4]);
        let room = LISTEN_PID_ROOM;
        assert_eq!(entries, ["LISTEN_PID=70", room, "LISTEN_PID=07", "X", room, "LISTEN_FDS=1"]);
    }

    #[test]
    fn zeros_of_somebody_else_s_are_no_room() {
        assert_eq!(environment(&[LISTEN_PID_ROOM], &[]), (vec![LISTEN_PID_ROOM.to_owned()], vec![]));
    }
}
