//! Descriptors: closing, giving numbers, sockets.

pub(super) mod close;
pub(super) mod remap;
pub(super) mod socket;
