//! Words for what the kernel answered.

use super::file_kind::Head;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// Longest name that is shown; names come from files that anybody may have written.
const MAX_SHOWN: usize = 1024;

/// A name fit for a terminal and a log line: control characters, which could rewrite either, are escaped.
pub(super) fn printable(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let mut shown = String::new();
    for character in name.chars() {
        if shown.len() >= MAX_SHOWN {
            shown.push('…');
            break;
        }
        match character {
            '\\' | '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
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

/// An answer that means the same whatever the file: `execve(2)`, ERRORS.
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
        Errno::LIBBAD => "its loader is no ELF file for this machine",
        Errno::INVAL => "it is an ELF file that names more than one loader, or is damaged",
        Errno::NOTDIR => "a part of its path is not a directory",
        _ => return std::io::Error::from(errno).to_string(),
    };
    words.to_owned()
}
