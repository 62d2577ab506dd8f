//! Why a program could not be executed, in words.
//!
//! `execve(2)` returns only one number. "No such file or directory" about a file that exists is hard to understand: its
//! interpreter or loader is missing, or the first line ends in a carriage return. The parent can still open files and allocate.
//! It examines the files after the child has failed, and names the cause.
//!
//! It only explains: nothing depends on what it finds, so a file that was replaced in between causes only a wrong sentence.
//! It has the parent's permissions; if the child runs as another user, it reads modes and does not try them. A relative
//! candidate is looked up in this process's working directory, so the caller joins it with the child's.

mod elf;
mod file_kind;
mod permission;
mod words;

use crate::error::Error;
use file_kind::Head;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use words::{followed, interpreter_of, plain, printable};

/// How far interpreters of interpreters are followed; the kernel itself gives up after four scripts (`execve(2)`, ELOOP).
const LEVELS: usize = 4;

/// Turns the kernel's answer into an error that names its cause.
///
/// The candidates are the files that were tried, in order; `searched_path` says that they come from PATH.
pub(crate) fn explain(program: &OsStr, candidates: &[PathBuf], searched_path: bool, errno: Errno) -> Error {
    let existing: Vec<&PathBuf> = candidates.iter().filter(|path| std::fs::metadata(path).is_ok()).collect();
    let nowhere = match errno {
        Errno::NOENT | Errno::NOTDIR => existing.is_empty(),
        // In a search, a directory that the user may not pass counts as one without the program.
        Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG => searched_path && existing.is_empty(),
        _ => candidates.is_empty(),
    };
    if nowhere {
        return Error::NotFound {
            program: printable(program),
            searched: where_it_is_not(program, candidates, searched_path),
            source: errno.into(),
        };
    }
    let first = |ask: fn(&Path, usize) -> Option<String>| {
        candidates.iter().find_map(|path| Some((path.as_path(), ask(path, LEVELS)?)))
    };
    let cause = match errno {
        Errno::NOENT => first(missing_interpreter),
        Errno::ACCESS => first(permission::for_all).or_else(|| first(permission::for_some)),
        Errno::NOEXEC => first(not_a_program),
        _ => None,
    };
    let (path, reason) = cause.unwrap_or_else(|| {
        let executable = |path: &&&PathBuf| rustix::fs::access(path.as_path(), rustix::fs::Access::EXEC_OK).is_ok();
        let path =
            existing.iter().find(executable).or(existing.first()).map_or(Path::new(program), |path| path.as_path());
        (path, plain(errno))
    });
    Error::NotExecutable { program: printable(path.as_os_str()), reason, source: errno.into() }
}

/// Reads a file's head from memory, for the fuzz target.
#[cfg(any(feature = "fuzzing", test))]
pub(crate) fn parse_head(file: &[u8]) {
    let head = file.get(..elf::MAX_READ).unwrap_or(file);
    let head = Head::parse(head, &|offset, length| {
        let rest = usize::try_from(offset).ok().and_then(|offset| file.get(offset..)).unwrap_or_default();
        rest.get(..length).unwrap_or(rest).to_vec()
    });
    let _ = (head.interpreter(), format_reason(&head, 0));
}

/// The end of the sentence "x: not found".
fn where_it_is_not(program: &OsStr, candidates: &[PathBuf], searched_path: bool) -> String {
    if program.is_empty() {
        return ": its name is empty".to_owned();
    }
    if searched_path {
        let directories: Vec<&OsStr> = candidates.iter().filter_map(|path| Some(path.parent()?.as_os_str())).collect();
        return if directories.is_empty() {
            " in PATH, which names no directory".to_owned()
        } else {
            format!(" in PATH ({})", printable(&directories.join(OsStr::new(":"))))
        };
    }
    let path = candidates.first().map_or(Path::new(program), PathBuf::as_path);
    if let Ok(target) = std::fs::read_link(path) {
        return format!(": it is a link to {}, which is missing", printable(target.as_os_str()));
    }
    let in_the_way = path.ancestors().skip(1).find(|path| path.is_file());
    match in_the_way {
        Some(file) => format!(": {} is not a directory", printable(file.as_os_str())),
        None => ": no such file".to_owned(),
    }
}

/// Explains ENOENT for a file that exists: something that the file needs does not exist.
fn missing_interpreter(path: &Path, levels: usize) -> Option<String> {
    let head = Head::read(path)?;
    let interpreter = head.interpreter()?;
    let exists = std::fs::metadata(&interpreter).is_ok();
    let its = interpreter_of(&head, &interpreter);
    match &head {
        Head::Script(name) if !exists && name.as_os_str().as_encoded_bytes().ends_with(b"\r") => {
            Some(format!("{its} is missing: the script has Windows line endings (CR LF)"))
        }
        Head::Elf(_) if !exists => {
            Some(format!("{its} is missing (a dynamically linked program in an image without its C library)"))
        }
        _ if !exists => Some(format!("{its} is missing")),
        _ => followed(&head, levels, missing_interpreter),
    }
}

/// Explains ENOEXEC: the kernel does not know the format.
fn not_a_program(path: &Path, levels: usize) -> Option<String> {
    format_reason(&Head::read(path)?, levels)
}

fn format_reason(head: &Head, levels: usize) -> Option<String> {
    let here = std::env::consts::ARCH;
    let reason = match head {
        Head::Empty => "it is empty".to_owned(),
        Head::ScriptWithoutInterpreter => {
            "its first line, #!, names no interpreter, or one whose name is too long for the kernel".to_owned()
        }
        Head::ByteOrderMark => "it starts with a UTF-8 byte order mark, which hides the #! from the kernel".to_owned(),
        Head::BrokenElf => "it is an ELF file whose header is damaged".to_owned(),
        Head::Elf(elf) if elf.machine() != here => format!("it is built for {}, this is {here}", elf.machine()),
        Head::Elf(elf) if !elf.is_program => {
            "it is an ELF file, but not a program: an object file or a core dump".to_owned()
        }
        Head::Elf(_) => "it is an ELF file that this kernel cannot run".to_owned(),
        Head::Script(_) => return followed(head, levels, not_a_program),
        Head::Other => "it is not a program: neither ELF nor a script with #!".to_owned(),
    };
    Some(reason)
}

#[cfg(test)]
mod tests;
