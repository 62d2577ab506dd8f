//! Control groups that limit memory.

use crate::control_group::{ControlGroup, enter};

/// A control group with a limit for memory. Dropping it kills what is left in it, and removes it.
#[derive(Debug)]
pub struct Memory(ControlGroup);

impl Memory {
    /// Of whichever version has the controller. Nothing is swapped, as far as the kernel counts swap.
    ///
    /// # Errors
    ///
    /// Why it cannot be made here.
    pub fn limited_to(bytes: u64) -> Result<Self, String> {
        let group = ControlGroup::with("memory")?;
        let (memory, swap, most) = match group.version {
            1 => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes),
            _ => ("memory.max", "memory.swap.max", 0),
        };
        group.set(memory, bytes)?;
        let _ = group.set(swap, most);
        Ok(Self(group))
    }

    /// A line for a shell: it enters it and becomes the program that its arguments name.
    #[must_use]
    pub fn enter(&self) -> String {
        enter(&self.0.directory)
    }
}
