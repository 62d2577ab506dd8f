//! Why a child could not become its program: the step and the error, which it writes to its parent over a pipe.

use crate::pid::Pid;
use crate::signal::Signal;
use crate::sys::retry::retry_transient;
use crate::sys::signal::send::kill;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{OwnedFd, RawFd};
use rustix::io;
use rustix::io::Errno;

/// The step at which the child failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Fork,
    Pipe,
    Mask,
    Group,
    Terminal,
    Limit,
    Nice,
    Directory,
    User,
    PrivilegesRetained,
    Descriptor,
    ParentDeath,
    Exec,
}

impl Stage {
    const CHILD: [Self; 11] = [
        Self::Mask,
        Self::Group,
        Self::Terminal,
        Self::Limit,
        Self::Nice,
        Self::Directory,
        Self::User,
        Self::PrivilegesRetained,
        Self::Descriptor,
        Self::ParentDeath,
        Self::Exec,
    ];
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// The descriptor, where [`Stage::Descriptor`] failed; the place among the limits, where [`Stage::Limit`] did.
    pub(crate) number: RawFd,
    pub(crate) errno: Errno,
}

impl Failure {
    pub(super) fn here(stage: Stage) -> impl Fn(Errno) -> Self {
        move |errno| Self { stage, number: -1, errno }
    }
}

/// What the child writes to the parent: which step failed, and how.
#[derive(Clone, Copy)]
pub(super) struct Report {
    pub(super) stage: Stage,
    pub(super) number: RawFd,
    pub(super) error: Errno,
}

impl From<(Stage, Errno)> for Report {
    fn from((stage, error): (Stage, Errno)) -> Self {
        Self { stage, number: -1, error }
    }
}

impl Report {
    const SIZE: usize = 9;

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.error.raw_os_error().to_ne_bytes();
        let [e, f, g, h] = self.number.to_ne_bytes();
        [self.stage as u8, a, b, c, d, e, f, g, h]
    }

    fn parse([stage, a, b, c, d, e, f, g, h]: [u8; Self::SIZE]) -> Failure {
        Failure {
            stage: Stage::CHILD.into_iter().find(|known| *known as u8 == stage).unwrap_or(Stage::Exec),
            number: RawFd::from_ne_bytes([e, f, g, h]),
            errno: Errno::from_raw_os_error(i32::from_ne_bytes([a, b, c, d])),
        }
    }
}

/// How long the child may take before the parent checks whether it was stopped.
const CHECK_AFTER: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Waits for the child's report or its end: what `poll(2)` says of the pipe then, if it can be asked.
///
/// A ^Z that is typed while the child has the terminal but has not executed its program yet may stop it, with the signals
/// unblocked for execve. The parent would wait here for ever, and no key would help: so it continues the child.
pub(super) fn wait_for_report(read: &OwnedFd, pid: Pid) -> Option<PollFlags> {
    use rustix::process::{WaitId, WaitIdOptions};
    let mut fds = [PollFd::new(read, PollFlags::IN)];
    while retry_transient(|| poll(&mut fds, Some(&CHECK_AFTER))).ok()? == 0 {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let stopped = rustix::process::waitid(WaitId::Pid(pid.rustix()), options).ok().flatten();
        let by = stopped.and_then(|status| status.stopping_signal());
        // A process that sent STOP did so on purpose, and will continue the child.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].map(Some).contains(&by) {
            let _ = kill(pid, Signal::CONT);
        }
    }
    Some(fds[0].revents())
}

/// Reads the child's report; the end of the pipe means that `execve` has closed it.
pub(super) fn read_report(read: &OwnedFd) -> io::Result<Option<Failure>> {
    let mut bytes = [0_u8; Report::SIZE];
    // It is written at once, and pipes keep that together (`pipe(7)`, PIPE_BUF).
    let count = retry_transient(|| io::read(read, &mut bytes[..]))?;
    Ok((count == bytes.len()).then(|| Report::parse(bytes)))
}
