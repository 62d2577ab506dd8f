//! Resources that a job has used.

use std::time::Duration;

/// What the processes of a contained job have used, if they were reaped: see [`Job::usage`](crate::contain::Job::usage).
///
/// Source: `getrusage(2)`, RUSAGE_CHILDREN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time in user mode, of all processes together.
    pub user_time: Duration,
    /// Processor time in the kernel, of all processes together.
    pub system_time: Duration,
    /// The largest resident set of any one process, in KiB.
    pub max_rss_kib: u64,
}
