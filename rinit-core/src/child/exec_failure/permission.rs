//! Why `execve(2)` returned EACCES.

use super::file_kind::Head;
use super::words::{followed, printable};
use rustix::fs::StatVfsMountFlags;
use std::fs::{FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

const ALL_MAY_EXECUTE: u32 = 0o111;
const OTHERS_MAY_SEARCH: u32 = 0o001;

/// Returns a reason that holds for every user.
pub(super) fn for_all(path: &Path, levels: usize) -> Option<String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return unsearchable(path),
        Err(_) => return None,
    };
    if !metadata.is_file() {
        return Some(format!("it is {}, not a program", name(metadata.file_type())));
    }
    if metadata.mode() & ALL_MAY_EXECUTE == 0 {
        return Some(format!("it has no execute permission (mode {:04o})", metadata.mode() & 0o7777));
    }
    if rustix::fs::statvfs(path).is_ok_and(|file_system| file_system.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        return Some("it is on a file system that is mounted noexec".to_owned());
    }
    followed(&Head::read(path)?, levels, for_all)
}

/// Returns a likely reason that depends on the user. The child may run as another user, so this reads modes and tries
/// nothing.
pub(super) fn for_some(path: &Path, levels: usize) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if metadata.mode() & ALL_MAY_EXECUTE != ALL_MAY_EXECUTE {
        return Some(format!("the user may not execute it ({})", rights(&metadata)));
    }
    unsearchable(path).or_else(|| followed(&Head::read(path)?, levels, for_some))
}

/// Returns the first directory in the path of a file that not every user may pass, with or without links resolved.
pub(super) fn unsearchable(path: &Path) -> Option<String> {
    let real = std::fs::canonicalize(path).ok();
    closed_directory(path).or_else(|| closed_directory(real.as_deref()?))
}

fn closed_directory(path: &Path) -> Option<String> {
    let mut ancestors: Vec<&Path> = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    ancestors.reverse();
    let mut passed: Option<(PathBuf, Metadata)> = None;
    for directory in ancestors {
        match std::fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() && metadata.mode() & OTHERS_MAY_SEARCH == 0 => {
                return Some(closed(directory, &metadata));
            }
            Ok(metadata) => passed = Some((directory.to_owned(), metadata)),
            Err(_) => break,
        }
    }
    // All modes allow it. An access control list or a security module may still refuse it.
    let (directory, metadata) = passed?;
    let refused = std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    refused.then(|| closed(&directory, &metadata))
}

fn closed(directory: &Path, metadata: &Metadata) -> String {
    format!("the user may not pass the directory {} ({})", printable(directory.as_os_str()), rights(metadata))
}

fn rights(metadata: &Metadata) -> String {
    format!("mode {:04o}, owner {}, group {}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

fn name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
