//! Which kind of reaper a process has: exclusive and cooperative ones exclude each other.
//!
//! An exclusive reaper takes every status, also those of claimed children. A cooperative reaper takes orphans only, and an
//! exclusive one beside it would break every promise that it makes. So the second one is refused.

use crate::error::Error;
use std::sync::{Mutex, PoisonError};

/// A kind of reaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Exclusive,
    Cooperative,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Exclusive => "Reaper::exclusive",
            Self::Cooperative => "Reaper::cooperative",
        }
    }
}

/// How many reapers of one kind live in this process.
#[derive(Debug)]
struct Running {
    /// A child made by `fork(2)` has a copy of this value, but its reapers are not meant to run there.
    process: u32,
    mode: Mode,
    count: usize,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { process: 0, mode: Mode::Exclusive, count: 0 });

/// Counts one reaper for as long as it lives.
#[derive(Debug)]
pub(super) struct ModeGuard {
    process: u32,
}

impl ModeGuard {
    /// Enters a reaper of this kind.
    pub(super) fn enter(mode: Mode) -> Result<Self, Error> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if running.process != process || running.count == 0 {
            *running = Running { process, mode, count: 0 };
        }
        if running.mode != mode {
            return Err(Error::OtherReaper { wanted: mode.name(), running: running.mode.name() });
        }
        running.count += 1;
        Ok(Self { process })
    }
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if running.process == self.process {
            running.count = running.count.saturating_sub(1);
        }
    }
}
