//! Signals: the mask, dispositions, waiting, sending.

pub(super) mod disposition;
pub(super) mod fd;
pub(super) mod info;
pub(super) mod mask;
pub(super) mod send;
pub(super) mod wait;
