//! Words for the errors of the kernel.

use super::file_kind::Head;
use crate::printable::Printable;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// Makes a name fit for a terminal and a log line; any user may have written the file that it comes from.
pub(super) fn printable(name: &OsStr) -> String {
    Printable(name).to_string()
}

/// "its interpreter /bin/x" or "its loader /lib/x".
pub(super) fn interpreter_of(head: &Head, interpreter: &Path) -> String {
    let what = if matches!(head, Head::Elf(_)) { "loader" } else { "interpreter" };
    format!("its {what} {}", printable(interpreter.as_os_str()))
}

/// Asks the same question about the interpreter, as long as there are levels left.
pub(super) fn followed(head: &Head, levels: usize, ask: fn(&Path, usize) -> Option<String>) -> Option<String> {
    let interpreter = head.interpreter()?;
    let reason = ask(&interpreter, levels.checked_sub(1)?)?;
    Some(format!("{} cannot be executed: {reason}", interpreter_of(head, &interpreter)))
}

/// Returns the words for an error that means the same for every file: `execve(2)`, ERRORS.
pub(super) fn plain(errno: Errno) -> String {
    let words = match errno {
        Errno::NOENT => "it, or the interpreter it names, is missing",
        Errno::ACCESS => "permission denied, maybe by a security module (AppArmor, SELinux)",
        Errno::NOEXEC => "the kernel does not know its format",
        Errno::PERM => "not permitted, maybe by a security module or a seccomp filter",
        Errno::TOOBIG => "its arguments and environment together are longer than the kernel allows",
        Errno::TXTBSY => "it is open for writing in some process",
        Errno::LOOP => "too many symbolic links, or too many scripts that interpret each other",
        Errno::NOMEM => "not enough memory",
        Errno::NAMETOOLONG => "its path is too long",
        Errno::IO => "it cannot be read from its disk",
        Errno::MFILE => "too many open files in this process",
        Errno::NFILE => "too many open files on this machine",
        Errno::AGAIN => "the user has as many processes as it may have (RLIMIT_NPROC)",
        Errno::ISDIR => "its loader is a directory",
        Errno::LIBBAD => "its loader is not an ELF file for this machine",
        Errno::INVAL => "it is an ELF file that names more than one loader, or is damaged",
        Errno::NOTDIR => "a part of its path is not a directory",
        _ => return std::io::Error::from(errno).to_string(),
    };
    words.to_owned()
}
