//! The host's side of the channel, and the rinit at its other end as a child of this process.

use super::protocol::{Inbox, Reply, Request};
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::process::Process;
use crate::signal::Signal;
use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown, shutdown};
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Connection {
    channel: OwnedFd,
    inbox: Inbox,
    /// The other end is closed: rinit has ended, or is just about to.
    closed: bool,
    init: Pid,
    /// Names the rinit for good, whoever waits for it: its number may become another child's. `None` on kernels before 5.4,
    /// and where a filter refuses it.
    pidfd: Option<OwnedFd>,
    /// Does the same there, together with the number.
    start_ticks: Option<u64>,
    ended: bool,
    status: Option<ExitStatus>,
}

/// What comes over the channel.
pub(super) enum Incoming {
    Reply(Reply),
    Garbled,
    Nothing,
    End,
}

impl Connection {
    /// For an rinit that was just started. It cannot have ended and been reaped: it waits for its setup.
    pub(super) fn new(init: Pid, channel: OwnedFd) -> Self {
        let pidfd = pidfd_open(init.rustix(), PidfdFlags::empty()).ok();
        let start_ticks = Process::read(init).ok().flatten().map(|process| process.start_ticks);
        Self { channel, inbox: Inbox::default(), closed: false, init, pidfd, start_ticks, ended: false, status: None }
    }

    pub(super) const fn init(&self) -> Pid {
        self.init
    }

    /// How the rinit ended, where it was waited for here.
    pub(super) const fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Does not block. That the other end has closed is no error: it shows when one listens.
    pub(super) fn send(&self, request: &Request) -> Result<(), Error> {
        let bytes = request.to_bytes();
        // Small, and so sent as a whole or not at all.
        match net::send(&self.channel, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(Error::Channel(error.into())),
        }
    }

    /// The same for a request of any length; false when the other end has not read it in time.
    pub(super) fn send_by(&self, request: &Request, deadline: Instant) -> Result<bool, Error> {
        let bytes = request.to_bytes();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match net::send(&self.channel, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if self.wait_for(PollFlags::OUT, Some(deadline))? => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(Error::Channel(error.into())),
            }
        }
        Ok(true)
    }

    /// The next thing that has come. Does not block.
    pub(super) fn recv(&mut self) -> Result<Incoming, Error> {
        let mut bytes = [0; 4096];
        loop {
            match self.inbox.next() {
                Ok(Some(reply)) => return Ok(Incoming::Reply(reply)),
                Err(_) => return Ok(Incoming::Garbled),
                Ok(None) if self.closed => return Ok(Incoming::End),
                Ok(None) => {}
            }
            match net::recv(&self.channel, &mut bytes[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => self.closed = true,
                Ok((_, count)) => self.inbox.add(&bytes[..count]),
                Err(Errno::AGAIN) => return Ok(Incoming::Nothing),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::Channel(error.into())),
            }
        }
    }

    /// Sleeps until something can be heard; false at the end of the time.
    pub(super) fn wait_for_input(&self, deadline: Option<Instant>) -> Result<bool, Error> {
        self.wait_for(PollFlags::IN, deadline)
    }

    fn wait_for(&self, what: PollFlags, deadline: Option<Instant>) -> Result<bool, Error> {
        // The rinit's end too: a fork of this process, without exec, may hold a copy of its end of the channel.
        let mut fds = vec![PollFd::new(&self.channel, what)];
        fds.extend(self.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) if left == Some(Duration::ZERO) => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(Error::Channel(error.into())),
            }
        }
    }

    /// True when the rinit has ended and been waited for, by this or by another wait. `soon` says that it has nothing more to
    /// do: then this waits for the rest of its exit.
    pub(super) fn has_ended(&mut self, soon: bool) -> Result<bool, Error> {
        // It closes the channel by its exit and no sooner. By number alone it is not looked for before: whoever asks again and
        // again would read /proc each time.
        let soon = soon || self.closed;
        if !self.ended && (soon || self.pidfd.is_some()) {
            self.reap(if soon { WaitIdOptions::empty() } else { WaitIdOptions::NOHANG })?;
        }
        Ok(self.ended)
    }

    /// Waits for the end of an rinit that has failed, or was killed.
    pub(super) fn wait_for_end(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.reap(WaitIdOptions::empty())?;
        Ok(self.status)
    }

    /// Takes the rinit's own status, and nobody else's.
    fn reap(&mut self, options: WaitIdOptions) -> Result<(), Error> {
        loop {
            let id = match &self.pidfd {
                Some(pidfd) => WaitId::PidFd(pidfd.as_fd()),
                None if self.has_its_number() => WaitId::Pid(self.init.rustix()),
                None => break,
            };
            match waitid(id, WaitIdOptions::EXITED | options) {
                Ok(None) => return Ok(()),
                Ok(Some(status)) => {
                    self.status = ExitStatus::from_waitid(&status);
                    break;
                }
                // Another wait in this process was faster.
                Err(Errno::CHILD) => break,
                Err(Errno::INTR) => {}
                // Linux 5.3 has pidfds, and cannot wait by them.
                Err(Errno::INVAL) if self.pidfd.is_some() => self.pidfd = None,
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Without a pidfd: true if the number is still the rinit's, as a zombie too.
    fn has_its_number(&self) -> bool {
        let now = Process::read(self.init).map(|process| process.map(|process| process.start_ticks));
        // Where /proc cannot be read nobody knows; then there was no rinit that could contain anything either.
        now.map_or(true, |start_ticks| start_ticks == self.start_ticks)
    }

    /// Continues an rinit that was stopped. It takes the signal for a note of its host's, and passes it on to nobody.
    pub(super) fn wake_up(&self) {
        self.signal_rinit(Signal::CONT);
    }

    /// Ends a program that does not behave as an rinit.
    pub(super) fn kill_rinit(&self) {
        self.signal_rinit(Signal::KILL);
    }

    fn signal_rinit(&self, signal: Signal) {
        let _ = match &self.pidfd {
            _ if self.ended => Ok(()),
            Some(pidfd) => sys::pidfd_send_signal(pidfd.as_fd(), signal),
            None if self.has_its_number() => sys::kill(self.init, signal),
            None => Ok(()),
        };
    }

    /// The other end sees this side closed, whoever else may hold a copy of it, and can still report.
    pub(super) fn let_go(&self) {
        let _ = shutdown(&self.channel, Shutdown::Write);
        self.wake_up();
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
