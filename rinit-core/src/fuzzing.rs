//! The pure parsers, for the fuzz targets. Not part of the public interface.

use crate::procfs;

/// Parses any bytes as `/proc/pid/stat`.
pub fn stat(bytes: &[u8]) {
    let _ = procfs::Stat::parse(bytes);
}

/// Parses any bytes as `/proc/pid/status`.
pub fn status(bytes: &[u8]) {
    let _ = procfs::Status::parse(bytes);
}

/// Makes a line of any bytes as if they were `/proc/pid/cmdline`.
///
/// # Panics
///
/// Where the line breaks its promise: too long, or with a control character.
pub fn cmdline(bytes: &[u8]) {
    let line = procfs::cmdline::display(bytes, bytes);
    assert!(line.chars().count() <= procfs::cmdline::WIDTH, "too long: {line}");
    assert!(!line.chars().any(char::is_control), "not escaped: {line:?}");
    let _ = procfs::cmdline::program_name(bytes);
}

/// Parses any bytes as `/proc/pid/task/tid/children`.
pub fn children(bytes: &[u8]) {
    let _ = procfs::children::parse(bytes).count();
}
