//! The controlling process's side of the channel, and the rinit at its other end, which is a child of this process.

use super::protocol::{Inbox, Message, Reply, Request};
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::process::Process;
use crate::signal::Signal;
use crate::sys;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown, shutdown};
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Connection {
    channel: OwnedFd,
    /// An epoll descriptor over the channel and the pidfd: readable when there is something to do here.
    events: OwnedFd,
    inbox: Inbox,
    /// The other end is closed: the rinit has exited, or is about to.
    closed: bool,
    init: Pid,
    /// It refers to the rinit for good: another wait may reap the rinit, and its pid may be reused. `None` on kernels before
    /// 5.4, and if a filter refuses it.
    pidfd: Option<OwnedFd>,
    /// The start time. With the pid, it identifies the rinit if there is no pidfd.
    start_ticks: Option<u64>,
    exited: bool,
    status: Option<ExitStatus>,
}

/// What comes over the channel.
pub(super) enum Incoming {
    Reply(Reply),
    Garbled,
    Nothing,
    End,
}

/// Whether to wait for the rest of the rinit's exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reap {
    Now,
    WaitForExit,
}

impl Connection {
    /// Takes an rinit that was just started. It cannot have been reaped: it waits for its setup.
    pub(super) fn new(init: Pid, channel: OwnedFd) -> Result<Self, Error> {
        let pidfd = pidfd_open(init.rustix(), PidfdFlags::empty()).ok();
        let start_ticks = Process::read(init).ok().flatten().map(|process| process.start_ticks);
        let failed = |error: Errno| Error::Channel(error.into());
        let events = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        for fd in std::iter::once(&channel).chain(&pidfd) {
            epoll::add(&events, fd, EventData::new_u64(0), EventFlags::IN).map_err(failed)?;
        }
        let inbox = Inbox::default();
        Ok(Self { channel, events, inbox, closed: false, init, pidfd, start_ticks, exited: false, status: None })
    }

    /// Returns how the rinit exited, if it was reaped here.
    pub(super) const fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// Sends a request; does not block. A closed other end is not an error here: receiving shows it.
    pub(super) fn send(&self, request: &Request) -> Result<(), Error> {
        let bytes = request.to_frame();
        // It is small, and therefore sent whole or not at all.
        match net::send(&self.channel, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(Error::Channel(error.into())),
        }
    }

    /// Sends a request of any length; false if the other end has not read it in time.
    pub(super) fn send_by(&self, request: &Request, deadline: Option<Instant>) -> Result<bool, Error> {
        let bytes = request.to_frame();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match net::send(&self.channel, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if self.wait_for_room(deadline)? => {}
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(Error::Channel(error.into())),
            }
        }
        Ok(true)
    }

    /// Sleeps until more can be sent, or the rinit has exited; false if the deadline passes first.
    fn wait_for_room(&self, deadline: Option<Instant>) -> Result<bool, Error> {
        let mut fds = vec![PollFd::new(&self.channel, PollFlags::OUT)];
        fds.extend(self.pidfd.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        poll_until(&mut fds, deadline)
    }

    /// Receives the next message. Does not block.
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
                Ok((_, 0)) | Err(Errno::CONNRESET) => self.close(),
                Ok((_, count)) => self.inbox.add(&bytes[..count]),
                Err(Errno::AGAIN) => return Ok(Incoming::Nothing),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::Channel(error.into())),
            }
        }
    }

    /// Notes that nothing more comes. From here on only the exit is an event: a closed channel stays readable, and would wake
    /// an event loop again and again until the exit.
    fn close(&mut self) {
        self.closed = true;
        if self.pidfd.is_some() {
            let _ = epoll::delete(&self.events, &self.channel);
        }
    }

    /// Sleeps until something can be received, or the rinit has exited; false if the deadline passes first.
    pub(super) fn wait_for_input(&self, deadline: Option<Instant>) -> Result<bool, Error> {
        wait_for_event(&self.events, deadline)
    }

    /// Returns true if the rinit has exited and was reaped, by this wait or another.
    pub(super) fn has_exited(&mut self, reap: Reap) -> Result<bool, Error> {
        // Only its exit closes the channel. Without a pidfd the pid is not checked before that: a caller that polls would
        // read /proc each time. The rest of the exit is short, and is waited for.
        if !self.exited && (self.closed || self.pidfd.is_some()) {
            let wait = reap == Reap::WaitForExit && self.closed || self.pidfd.is_none();
            self.reap(if wait { WaitIdOptions::empty() } else { WaitIdOptions::NOHANG })?;
        }
        Ok(self.exited)
    }

    /// Waits for the exit of an rinit that has failed, or was killed.
    pub(super) fn wait_for_exit(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.reap(WaitIdOptions::empty())?;
        Ok(self.status)
    }

    /// Reaps the rinit, never another child.
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
                Err(Errno::INVAL) if self.pidfd.is_some() => {
                    self.pidfd = None;
                    if self.closed {
                        let _ = epoll::add(&self.events, &self.channel, EventData::new_u64(0), EventFlags::IN);
                    }
                }
                Err(error) => return Err(Error::Wait(error.into())),
            }
        }
        self.exited = true;
        Ok(())
    }

    /// Without a pidfd: true if the pid is still the rinit's, as a zombie too.
    fn has_its_number(&self) -> bool {
        let now = Process::read(self.init).map(|process| process.map(|process| process.start_ticks));
        // Without /proc the rinit could not have contained anything.
        now.map_or(true, |start_ticks| start_ticks == self.start_ticks)
    }

    /// Continues an rinit that was stopped. The rinit sees that the signal is from its controlling process, and does not
    /// forward it.
    pub(super) fn wake_up(&self) {
        self.signal_rinit(Signal::CONT);
    }

    /// Kills a program that does not behave as an rinit, or an rinit that is held.
    pub(super) fn kill_rinit(&self) {
        self.signal_rinit(Signal::KILL);
    }

    fn signal_rinit(&self, signal: Signal) {
        let _ = match &self.pidfd {
            _ if self.exited => Ok(()),
            Some(pidfd) => sys::pidfd_send_signal(pidfd.as_fd(), signal),
            None if self.has_its_number() => sys::kill(self.init, signal),
            None => Ok(()),
        };
    }

    /// Shows the other end that this side is closed, even if another process holds a copy of it. It can still report.
    pub(super) fn let_go(&self) {
        let _ = shutdown(&self.channel, Shutdown::Write);
        self.wake_up();
    }
}

/// Sleeps until there is an event; false if the deadline passes first.
pub(super) fn wait_for_event(events: &OwnedFd, deadline: Option<Instant>) -> Result<bool, Error> {
    poll_until(&mut [PollFd::new(events, PollFlags::IN)], deadline)
}

/// Sleeps until one of the descriptors has an event; false if the deadline passes first.
fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> Result<bool, Error> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Ok(0) if left == Some(Duration::ZERO) => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(Error::Channel(error.into())),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
