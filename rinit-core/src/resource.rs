//! Resource limits.

use rustix::process::Resource as Kernel;
use std::fmt;

/// A resource that `setrlimit(2)` limits, for [`ChildSpec::rlimit`](crate::ChildSpec::rlimit).
///
/// ```
/// use rinit_core::child::Resource;
/// assert_eq!(Resource::OpenFiles.to_string(), "RLIMIT_NOFILE");
/// ```
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
    /// One more than the highest descriptor (`RLIMIT_NOFILE`). Numbers of [`ChildSpec::pass_fd`](crate::ChildSpec::pass_fd)
    /// must be below it.
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
    const ALL: [(Self, Kernel, &'static str); 16] = [
        (Self::Cpu, Kernel::Cpu, "RLIMIT_CPU"),
        (Self::FileSize, Kernel::Fsize, "RLIMIT_FSIZE"),
        (Self::Data, Kernel::Data, "RLIMIT_DATA"),
        (Self::Stack, Kernel::Stack, "RLIMIT_STACK"),
        (Self::Core, Kernel::Core, "RLIMIT_CORE"),
        (Self::Processes, Kernel::Nproc, "RLIMIT_NPROC"),
        (Self::OpenFiles, Kernel::Nofile, "RLIMIT_NOFILE"),
        (Self::LockedMemory, Kernel::Memlock, "RLIMIT_MEMLOCK"),
        (Self::AddressSpace, Kernel::As, "RLIMIT_AS"),
        (Self::PendingSignals, Kernel::Sigpending, "RLIMIT_SIGPENDING"),
        (Self::MessageQueues, Kernel::Msgqueue, "RLIMIT_MSGQUEUE"),
        (Self::Nice, Kernel::Nice, "RLIMIT_NICE"),
        (Self::RealTimePriority, Kernel::Rtprio, "RLIMIT_RTPRIO"),
        (Self::RealTime, Kernel::Rttime, "RLIMIT_RTTIME"),
        (Self::Locks, Kernel::Locks, "RLIMIT_LOCKS"),
        (Self::ResidentMemory, Kernel::Rss, "RLIMIT_RSS"),
    ];

    /// Its place in the list above. A controlling process and the rinit of its jobs have the same list.
    pub(crate) fn index(self) -> u8 {
        (0..).zip(Self::ALL).find(|(_, (resource, ..))| *resource == self).map_or(0, |(index, _)| index)
    }

    pub(crate) fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).map(|(resource, ..)| *resource)
    }

    pub(crate) fn kernel(self) -> Kernel {
        Self::ALL.iter().find(|(resource, ..)| *resource == self).map_or(Kernel::Cpu, |(_, kernel, _)| *kernel)
    }
}

impl fmt::Display for Resource {
    /// The kernel's name, such as `RLIMIT_NOFILE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(resource, ..)| resource == self).map_or("", |(_, _, name)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_and_a_name() {
        for (index, (resource, ..)) in (0..).zip(Resource::ALL) {
            assert_eq!((resource.index(), Resource::from_index(index)), (index, Some(resource)));
            assert!(resource.to_string().starts_with("RLIMIT_"));
        }
        assert_eq!(Resource::from_index(16), None);
    }
}
