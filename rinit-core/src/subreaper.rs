//! `PR_SET_CHILD_SUBREAPER`: orphans of this process's descendants become its children.

use crate::Error;

/// Makes this process a subreaper: descendants whose parent ends become its children, instead of PID 1's.
///
/// The attribute belongs to the process, is not inherited by children made by `fork(2)`, and survives `execve(2)`. It is
/// given back when the [`Subreaper`] is dropped; processes adopted until then stay adopted and still must be waited for.
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
    let before = rustix::process::child_subreaper().map_err(|error| Error::Subreaper(error.into()))?;
    set(true)?;
    Ok(Subreaper { before: before.is_some() })
}

fn set(on: bool) -> Result<(), Error> {
    // rustix's argument is a boolean in disguise: any pid switches on.
    let pid = on.then_some(rustix::process::Pid::INIT);
    rustix::process::set_child_subreaper(pid).map_err(|error| Error::Subreaper(error.into()))
}

/// Keeps this process a subreaper; dropping it restores what was before.
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
}

impl Drop for Subreaper {
    fn drop(&mut self) {
        // It could be set, so it can be set back; a destructor has nobody to tell.
        let _ = set(self.before);
    }
}
