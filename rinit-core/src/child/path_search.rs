//! Where a program is looked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is searched when PATH is not set: musl's order, which holds glibc's (`/bin:/usr/bin`, `confstr(3)` _CS_PATH).
///
/// One order whatever libc this crate was built with, and `/usr/local/bin`, where images install their own programs,
/// as in the PATH that container runtimes set.
const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// Whether the program is named by a path, which is not searched for: it holds a slash (`execvp(3)`).
pub(crate) fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// The files to try in turn for a program, as `execvp(3)` does, with one difference.
///
/// An empty entry of PATH (`:/bin`, `/bin:`, `/a::/b`), which `execvp` takes for the working directory, is passed over:
/// it is the trace of an empty variable and hardly ever meant, and the working directory is often one that others may
/// write to. Container runtimes find nothing there either. An entry that says `.` is taken at its word.
///
/// An empty program is nowhere.
pub(crate) fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<PathBuf> {
    if program.is_empty() {
        return Vec::new();
    }
    if is_path(program) {
        return vec![PathBuf::from(program)];
    }
    path.unwrap_or(OsStr::new(DEFAULT_PATH))
        .as_bytes()
        .split(|&byte| byte == b':')
        .filter(|entry| !entry.is_empty())
        .map(|entry| Path::new(OsStr::from_bytes(entry)).join(program))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(program: &str, path: Option<&str>) -> Vec<String> {
        let candidates = candidates(OsStr::new(program), path.map(OsStr::new));
        candidates.into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_path_is_not_searched_for() {
        for path in ["/bin/sh", "./sh", "bin/sh", "sh/", "/"] {
            assert_eq!(tried(path, Some("/usr/bin")), [path]);
        }
    }

    #[test]
    fn a_name_is_tried_in_each_directory() {
        assert_eq!(tried("sh", Some("/usr/bin:/bin/")), ["/usr/bin/sh", "/bin/sh"]);
        assert_eq!(tried("sh", None), ["/usr/local/bin/sh", "/bin/sh", "/usr/bin/sh"]);
        assert_eq!(tried("sh", Some(".:bin")), ["./sh", "bin/sh"]);
    }

    #[test]
    fn empty_entries_do_not_mean_the_working_directory() {
        assert_eq!(tried("sh", Some(":/bin::/usr/bin:")), ["/bin/sh", "/usr/bin/sh"]);
        assert_eq!(tried("sh", Some("")), [] as [&str; 0]);
    }

    #[test]
    fn no_name_is_nowhere() {
        assert_eq!(tried("", Some("/bin")), [] as [&str; 0]);
        assert_eq!(tried("", None), [] as [&str; 0]);
    }
}
