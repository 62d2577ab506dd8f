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
