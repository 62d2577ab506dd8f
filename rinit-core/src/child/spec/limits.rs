//! Resource limits, file mode mask and priority of a child.

use super::ChildSpec;
use crate::resource::Resource;
use rustix::process::{Resource as Kernel, Rlimit};

/// A soft and a hard limit; `u64::MAX` means no limit, as in the kernel.
pub(crate) type Bounds = (u64, u64);

/// Values that a child gets instead of those of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) resources: Vec<(Resource, Bounds)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
}

impl Limits {
    /// Returns them in the form in which the child sets them.
    pub(crate) fn for_kernel(&self) -> Vec<(Kernel, Rlimit)> {
        let bound = |value: u64| (value != u64::MAX).then_some(value);
        let limit = |&(resource, (soft, hard)): &(Resource, Bounds)| {
            (resource.kernel(), Rlimit { current: bound(soft), maximum: bound(hard) })
        };
        self.resources.iter().map(limit).collect()
    }
}

impl ChildSpec {
    /// Limits a resource for the child and what it starts: the soft limit, and the hard one up to which an unprivileged process
    /// may raise it. `None` means no limit. By default the child has the limits of this process.
    ///
    /// Set before the child changes its user, so that root may raise a limit for it. The start fails with
    /// [`Error::Limit`](crate::Error::Limit) if the kernel refuses.
    ///
    /// Source: `setrlimit(2)`.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio, child::Resource};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("sh").args(["-c", "ulimit -n"]).rlimit(Resource::OpenFiles, Some(64), Some(64));
    /// let output = Reaper::exclusive()?.spawn(&spec.stdout(Stdio::piped()))?.wait_with_output()?;
    /// assert_eq!(output.stdout, b"64\n");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rlimit(mut self, resource: Resource, soft: Option<u64>, hard: Option<u64>) -> Self {
        self.limits.resources.retain(|(known, _)| *known != resource);
        self.limits.resources.push((resource, (soft.unwrap_or(u64::MAX), hard.unwrap_or(u64::MAX))));
        self
    }

    /// The file mode creation mask with which the program starts (`umask(2)`); this process's by default.
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("./server").umask(0o027);
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn umask(mut self, mask: u32) -> Self {
        self.limits.umask = Some(mask & 0o777);
        self
    }

    /// The nice value with which the program starts, from -20 (most processor time) to 19 (least); this process's by default.
    /// A lower one than this process has needs CAP_SYS_NICE, or `RLIMIT_NICE`; else the start fails with
    /// [`Error::Nice`](crate::Error::Nice).
    ///
    /// Source: `setpriority(2)`.
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("make").nice(10);
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn nice(mut self, value: i32) -> Self {
        self.limits.nice = Some(value);
        self
    }
}
