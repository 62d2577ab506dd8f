//! The foreground process group of the controlling terminal: hands it over and takes it back.

use crate::pid::Pid;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::io;
use std::time::Duration;

/// The controlling terminal of this process.
///
/// No descriptor stays open for it. It is used through a standard descriptor, or opened briefly as `/dev/tty` if all three are
/// redirected (`tty(4)`).
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
    // Non-blocking: the open file description is its own, and `may_read` must not wait for another reader.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(rustix::fs::open("/dev/tty", flags, Mode::empty())?)
}

/// tcgetpgrp fails for anything but the controlling terminal (`tcgetpgrp(3)`). rustix reports OPNOTSUPP for a foreground
/// group of number 0, which lies outside this PID namespace.
fn is_controlling(fd: BorrowedFd<'_>) -> bool {
    matches!(tcgetpgrp(fd), Ok(_) | Err(Errno::OPNOTSUPP))
}

impl Terminal {
    /// The controlling terminal, if there is one.
    pub(crate) fn controlling() -> Option<Self> {
        let standard = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
        let reached = standard.into_iter().find(|fd| is_controlling(*fd));
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

    /// Returns true if this process's group is in the foreground.
    pub(crate) fn is_ours(self) -> bool {
        match (self.foreground(), sys::own_group()) {
            (Some(foreground), Some(own)) => foreground == own,
            // Both lie outside this PID namespace, so their numbers do not say whether they are the same.
            (None, None) => may_read(),
            _ => false,
        }
    }

    /// Returns true if the group is in the foreground.
    pub(crate) fn belongs_to(self, group: Pid) -> bool {
        self.foreground() == Some(group)
    }

    /// Returns true if the foreground group has no member left: the process that had the foreground was killed before it gave it
    /// back.
    pub(crate) fn is_deserted(self) -> bool {
        let gone = |group: Pid| rustix::process::test_kill_process_group(group.rustix()) == Err(Errno::SRCH);
        self.foreground().is_some_and(gone)
    }

    /// Runs `act` with the terminal's descriptor.
    pub(crate) fn with<T>(self, act: impl FnOnce(BorrowedFd<'_>) -> T) -> io::Result<T> {
        Ok(act(self.open()?.as_fd()))
    }

    /// Puts the group into the foreground. Callers ensure that no other group loses it wrongly.
    pub(crate) fn give_to(self, group: Pid) {
        // TTOU is blocked in this process, so that a lost race for the foreground cannot stop it.
        let _ = self.with(|fd| tcsetpgrp(fd, group.rustix()));
    }

    /// Puts this process's group back into the foreground if `group`, or a group without members, has it.
    pub(crate) fn take_back_from(self, group: Pid) {
        if let Some(own) = sys::own_group().filter(|_| self.belongs_to(group) || self.is_deserted()) {
            self.give_to(own);
        }
    }
}

/// Returns true if the kernel regards this process as in the foreground. With TTIN blocked, a read in the background fails with
/// EIO, even a read of zero bytes (`termios(3)`, TTIN and orphaned groups).
fn may_read() -> bool {
    let Ok(device) = open_device() else { return false };
    rustix::io::read(&device, &mut [0_u8; 0][..]) != Err(Errno::IO)
}

/// Stops this process and its group, as the terminal's ^Z would have done if main were in it: a shell above waits for all of
/// them, including the script that started this process and the other end of a pipe. Returns when the process was continued;
/// returns false at once if no process could continue it.
///
/// It uses TSTP because the kernel drops a TSTP, unlike a STOP, that would stop PID 1 or an orphaned process group, in which no
/// member has a parent in another group of the same session (`setpgid(2)`, NOTES).
pub(crate) fn suspend() -> bool {
    let tstp = SignalSet::only(Signal::TSTP);
    // TSTP is blocked here, so it becomes pending. A stop signal discards a pending CONT, so a CONT that is pending afterwards
    // answers this stop, even if it came before the stop took effect.
    let sent = sys::own_group().is_some_and(|own| sys::kill_group(own, Signal::TSTP).is_ok());
    if !sent || sys::unblock(tstp).is_err() {
        return false;
    }
    let _ = sys::block(tstp);
    matches!(sys::sigtimedwait(SignalSet::only(Signal::CONT), Some(Duration::ZERO)), Ok(Some(_)))
}
