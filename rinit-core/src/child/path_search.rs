//! Where a program is searched for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directories to search if PATH is not set: musl's list, which contains glibc's (`/bin:/usr/bin`, `confstr(3)` _CS_PATH).
///
/// It is the same whatever libc this crate was built with. As in the PATH that container runtimes set, it has `/usr/local/bin`,
/// where images install their own programs.
const DEFAULT_PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// Returns true if the program is given as a path, which is not searched for: it contains a slash (`execvp(3)`).
pub(crate) fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

/// Returns the files to try in turn for a program, as `execvp(3)` does, with one difference.
///
/// An empty entry of PATH (`:/bin`, `/bin:`, `/a::/b`) means the working directory to `execvp`. It is skipped here: mostly it
/// comes from an empty variable, and often other users may write to the working directory. Container runtimes skip it, too. An
/// entry `.` means the working directory.
///
/// An empty program name has no candidates.
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
    fn an_empty_name_has_no_candidates() {
        assert_eq!(tried("", Some("/bin")), [] as [&str; 0]);
        assert_eq!(tried("", None), [] as [&str; 0]);
    }
}
