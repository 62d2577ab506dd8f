//! `PR_SET_CHILD_SUBREAPER`: orphans of this process's descendants become its children.

use crate::error::{Error, from_errno};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Makes this process a subreaper: descendants whose parent exits become its children, instead of PID 1's.
///
/// The attribute belongs to the process, not to a thread, is not inherited by children made by `fork(2)`, and survives
/// `execve(2)`. It is given back when the [`Subreaper`] is dropped, or the last of several, in whatever order; processes
/// adopted until then stay adopted and still must be waited for. PID 1 does not need it, but may have it.
///
/// Source: `PR_SET_CHILD_SUBREAPER(2const)`, since Linux 3.4.
///
/// # Errors
///
/// [`Error::Subreaper`] on a kernel without it, or where a seccomp filter refuses it.
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let subreaper = rinit_core::become_subreaper()?;
/// assert!(!subreaper.was_set());
/// # Ok(())
/// # }
/// ```
pub fn become_subreaper() -> Result<Subreaper, Error> {
    let mut holders = holders();
    let before = rustix::process::child_subreaper().map_err(from_errno(Error::Subreaper))?.is_some();
    set(true)?;
    if holders.count == 0 {
        holders.before = before;
    }
    holders.count += 1;
    Ok(Subreaper { before, process: holders.process })
}

/// The [`Subreaper`]s of a process.
struct Holders {
    /// A child made by `fork(2)` has a copy of this value and not the attribute.
    process: u32,
    count: usize,
    /// What the first of them found.
    before: bool,
}

static HOLDERS: Mutex<Holders> = Mutex::new(Holders { process: 0, count: 0, before: false });

fn holders() -> MutexGuard<'static, Holders> {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if holders.process != process {
        *holders = Holders { process, count: 0, before: false };
    }
    holders
}

fn set(on: bool) -> Result<(), Error> {
    // rustix's argument is in fact a boolean: any pid means on.
    let pid = on.then_some(rustix::process::Pid::INIT);
    rustix::process::set_child_subreaper(pid).map_err(from_errno(Error::Subreaper))
}

/// Keeps this process a subreaper; dropping it restores what was before, unless another one lives.
///
/// ```
/// # fn main() -> Result<(), rinit_core::Error> {
/// let subreaper = rinit_core::become_subreaper()?;
/// drop(subreaper); // no subreaper any more
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the attribute back"]
pub struct Subreaper {
    before: bool,
    process: u32,
}

impl Subreaper {
    /// True if the process was a subreaper already.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let outer = rinit_core::become_subreaper()?;
    /// let inner = rinit_core::become_subreaper()?;
    /// assert!(inner.was_set() && !outer.was_set());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn was_set(&self) -> bool {
        self.before
    }

    /// Keeps the attribute until the process ends, for a library that has no place to keep this value.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::become_subreaper()?.keep();
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(self) {
        // It stays counted, so that no other drop gives the attribute back.
        std::mem::forget(self);
    }
}

impl Drop for Subreaper {
    fn drop(&mut self) {
        let mut holders = holders();
        // In a copy of the process, made by `fork(2)`, there is nothing to give back.
        if holders.process != self.process {
            return;
        }
        holders.count = holders.count.saturating_sub(1);
        if holders.count == 0 {
            // It could be set, so it can be set back; a destructor cannot return an error.
            let _ = set(holders.before);
        }
    }
}
