//! `close_range(2)`: closes inherited descriptors.

use crate::sys::check;
use std::fs;

/// Closes every descriptor from `first` up.
///
/// Sound only in a process where no `OwnedFd` among them is used again. Both callers ensure it: under `c_main!` nothing has
/// been opened yet, and the init that a split leaves behind runs the loop and exits. It never returns to the code that owns
/// them and never drops their owners.
pub(crate) fn close_from(first: i32) {
    close(first, i32::MAX);
}

/// Closes every descriptor from `first` up except those, which must be in order and not below `first`.
pub(crate) fn close_all_but(first: i32, kept: &[i32]) {
    let mut from = first;
    for kept in kept {
        if from < *kept {
            close(from, kept - 1);
        }
        from = kept + 1;
    }
    close(from, i32::MAX);
}

fn close(first: i32, last: i32) {
    // SAFETY: closing descriptors touches no memory; the caller ensures that no value in this process owns one of them.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if check(closed).is_err() {
        close_one_by_one(first, last);
    }
}

/// For kernels before 5.9 and for seccomp filters that do not know `close_range`.
fn close_one_by_one(first: i32, last: i32) {
    let listed = open_descriptors();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // Without /proc: up to the limit, with an upper bound. A descriptor above a lowered limit stays open.
    let all = || (first..limit.unwrap_or(1 << 20).min(1 << 20).try_into().unwrap_or(1 << 20)).collect();
    for fd in listed.unwrap_or_else(|_| all()) {
        if (first..=last).contains(&fd) {
            // SAFETY: as above. EBADF for the descriptor of the directory itself is expected.
            let _ = unsafe { libc::close(fd) };
        }
    }
}

fn open_descriptors() -> std::io::Result<Vec<i32>> {
    let mut descriptors = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        // A list that breaks off would leave descriptors open.
        descriptors.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(descriptors)
}
