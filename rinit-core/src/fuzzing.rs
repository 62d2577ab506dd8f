//! Doors for the fuzz targets to what parses foreign bytes; no part of the public interface.
//!
//! Each takes any input and must return: the caller only looks for panics, hangs and unbounded memory.
#![allow(missing_docs)]

pub fn user(spec: &str, passwd: &[u8], group: &[u8]) {
    let _ = crate::User::resolve_in(spec, passwd, group);
}

pub fn exec_head(file: &[u8]) {
    crate::exec_failure::parse_head(file);
}

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

/// Reads any bytes as what a host and its contained rinit say to each other.
pub fn containment(bytes: &[u8]) {
    crate::contain::read_any(bytes);
}
