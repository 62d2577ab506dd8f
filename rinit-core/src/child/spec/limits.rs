//! Resource limits, file mode mask and priority of a child.

use super::ChildSpec;
use rustix::process::{Resource as Kernel, Rlimit};

/// A resource that `setrlimit(2)` limits, for [`ChildSpec::rlimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Processor time, in seconds (`RLIMIT_CPU`): XCPU at the soft limit, KILL at the hard one.
    Cpu,
    /// Size of a file that is written, in bytes (`RLIMIT_FSIZE`).
    FileSize,
    /// Data segment and private memory, in bytes (`RLIMIT_DATA`).
    Data,
    /// Main thread's stack, in bytes (`RLIMIT_STACK`).
    Stack,
    /// Size of a core dump, in bytes (`RLIMIT_CORE`); 0 for none.
    Core,
    /// Processes and threads of the child's user, in the whole user namespace (`RLIMIT_NPROC`).
    Processes,
    /// One more than the highest descriptor (`RLIMIT_NOFILE`). Numbers of [`ChildSpec::pass_fd`] must be below it.
    OpenFiles,
    /// Locked memory, in bytes (`RLIMIT_MEMLOCK`).
    LockedMemory,
    /// Address space, in bytes (`RLIMIT_AS`).
    AddressSpace,
    /// Signals queued for the child's user (`RLIMIT_SIGPENDING`).
    PendingSignals,
    /// Bytes in POSIX message queues of the child's user (`RLIMIT_MSGQUEUE`).
    MessageQueues,
    /// How far the nice value may be lowered: to 20 minus this (`RLIMIT_NICE`).
    Nice,
    /// Highest real-time priority (`RLIMIT_RTPRIO`).
    RealTimePriority,
    /// Processor time under a real-time policy without a blocking system call, in microseconds (`RLIMIT_RTTIME`).
    RealTime,
    /// File locks; no effect since Linux 2.4.25 (`RLIMIT_LOCKS`).
    Locks,
    /// Resident memory, in bytes; no effect since Linux 2.4.30 (`RLIMIT_RSS`).
    ResidentMemory,
}

impl Resource {
    const ALL: [(Self, Kernel); 16] = [
        (Self::Cpu, Kernel::Cpu),
        (Self::FileSize, Kernel::Fsize),
        (Self::Data, Kernel::Data),
        (Self::Stack, Kernel::Stack),
        (Self::Core, Kernel::Core),
        (Self::Processes, Kernel::Nproc),
        (Self::OpenFiles, Kernel::Nofile),
        (Self::LockedMemory, Kernel::Memlock),
        (Self::AddressSpace, Kernel::As),
        (Self::PendingSignals, Kernel::Sigpending),
        (Self::MessageQueues, Kernel::Msgqueue),
        (Self::Nice, Kernel::Nice),
        (Self::RealTimePriority, Kernel::Rtprio),
        (Self::RealTime, Kernel::Rttime),
        (Self::Locks, Kernel::Locks),
        (Self::ResidentMemory, Kernel::Rss),
    ];
}

/// A soft and a hard limit; `u64::MAX` stands for none, as in the kernel.
pub(crate) type Bounds = (u64, u64);

/// What a child gets instead of what this process has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// By index in [`Resource::ALL`]. It goes to a contained job's rinit, where an index means the same.
    pub(crate) resources: Vec<(u32, Bounds)>,
    pub(crate) umask: Option<u32>,
    pub(crate) nice: Option<i32>,
}

impl Limits {
    /// As the child sets them.
    pub(crate) fn for_kernel(&self) -> Vec<(Kernel, Rlimit)> {
        let bound = |value: u64| (value != u64::MAX).then_some(value);
        let limit = |&(index, (soft, hard)): &(u32, Bounds)| {
            let (_, resource) = Resource::ALL.get(usize::try_from(index).ok()?)?;
            Some((*resource, Rlimit { current: bound(soft), maximum: bound(hard) }))
        };
        self.resources.iter().filter_map(limit).collect()
    }
}

impl ChildSpec {
    /// Limits a resource for the child and what it starts: the soft limit, and the hard one up to which an unprivileged process
    /// may raise it. `None` means no limit. By default the child has the limits of this process.
    ///
    /// Set before the child changes its user, so that root may raise a limit for it. The start fails with
    /// [`Error::Limit`](crate::Error::Limit) where the kernel refuses.
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
        let index = Resource::ALL.iter().position(|(known, _)| *known == resource).unwrap_or(0) as u32;
        self.limits.resources.retain(|(known, _)| *known != index);
        self.limits.resources.push((index, (soft.unwrap_or(u64::MAX), hard.unwrap_or(u64::MAX))));
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
    /// [`Error::Limit`](crate::Error::Limit).
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
