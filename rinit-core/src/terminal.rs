//! Who has the terminal: handing the foreground over, and taking it back.

use crate::Pid;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::{getpgrp, getppid, getsid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::io;

/// The controlling terminal of this process.
///
/// No descriptor is kept open for it: it is reached through a standard descriptor, or opened for the moment as
/// `/dev/tty` where all three are redirected (`tty(4)`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    standard: Option<BorrowedFd<'static>>,
}

enum Opened {
    Standard(BorrowedFd<'static>),
    Device(OwnedFd),
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Standard(fd) => *fd,
            Self::Device(fd) => fd.as_fd(),
        }
    }
}

fn open_device() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

impl Terminal {
    /// The controlling terminal, if there is one.
    pub(crate) fn controlling() -> Option<Self> {
        let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
        // tcgetpgrp fails for anything but the controlling terminal (`tcgetpgrp(3)`).
        let reached = standard.into_iter().find(|fd| tcgetpgrp(fd).is_ok());
        match reached {
            Some(fd) => Some(Self { standard: Some(fd) }),
            None => open_device().is_ok().then_some(Self { standard: None }),
        }
    }

    fn open(self) -> io::Result<Opened> {
        self.standard.map_or_else(|| open_device().map(Opened::Device), |fd| Ok(Opened::Standard(fd)))
    }

    fn foreground(self) -> Option<Pid> {
        tcgetpgrp(self.open().ok()?).ok().map(Pid::from)
    }

    /// True if this process's group is in the foreground.
    pub(crate) fn is_ours(self) -> bool {
        self.foreground() == Some(getpgrp().into())
    }

    /// Runs `act` with the terminal's descriptor.
    pub(crate) fn with<T>(self, act: impl FnOnce(BorrowedFd<'_>) -> T) -> io::Result<T> {
        Ok(act(self.open()?.as_fd()))
    }

    /// Puts the group into the foreground if this process's own group has it: it never takes it from anybody else.
    pub(crate) fn give_to(self, group: Pid) {
        if self.is_ours() {
            // TTOU is blocked in this process, so that a lost race for the foreground cannot stop it.
            let _ = self.with(|fd| tcsetpgrp(fd, group.rustix()));
        }
    }

    /// Puts this process's group back into the foreground if the group has it.
    pub(crate) fn take_back_from(self, group: Pid) {
        if self.foreground() == Some(group) {
            let _ = self.with(|fd| tcsetpgrp(fd, getpgrp()));
        }
    }
}

/// True if somebody would notice that this process stopped, and could continue it: its parent is in the same session and
/// in another group, as a shell with job control is. Otherwise its group is orphaned in the sense of POSIX.1, where
/// stops from the terminal have no effect (`setpgid(2)`, NOTES).
pub(crate) fn may_stop() -> bool {
    let Some(parent) = getppid() else { return false };
    let same_session = getsid(Some(parent)).is_ok_and(|theirs| getsid(None).is_ok_and(|ours| ours == theirs));
    same_session && rustix::process::getpgid(Some(parent)).is_ok_and(|theirs| theirs != getpgrp())
}
