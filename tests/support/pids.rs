//! Control groups that limit the number of processes.

use crate::control_group::{ControlGroup, enter};
use crate::wait_until;
use std::fs;

/// A control group with a limit for processes. Dropping it kills what is left in it, and removes it.
#[derive(Debug)]
pub struct Pids(ControlGroup);

impl Pids {
    /// Of whichever version has the controller.
    ///
    /// # Errors
    ///
    /// Why it cannot be made here.
    pub fn limited_to(most: u32) -> Result<Self, String> {
        let group = ControlGroup::with("pids")?;
        group.set("pids.max", most)?;
        Ok(Self(group))
    }

    /// A line for a shell: it enters it and becomes the program that its arguments name.
    #[must_use]
    pub fn enter(&self) -> String {
        enter(&self.0.directory)
    }

    /// Processes and threads that are in it.
    #[must_use]
    pub fn count(&self) -> u32 {
        let count = fs::read_to_string(self.0.directory.join("pids.current")).expect("pids.current");
        count.trim().parse().expect("a number")
    }

    /// Waits until nothing is in it.
    #[track_caller]
    pub fn wait_until_empty(&self) {
        wait_until("the control group to be empty", || self.count() == 0);
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        // Nothing new is born in it while it is emptied.
        let _ = self.0.set("pids.max", 0);
    }
}
