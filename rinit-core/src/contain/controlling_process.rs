//! The contained rinit's side of the channel: it receives commands from the controlling process, and replies.

use super::protocol::{Inbox, Message, Reply, Request, Stop, VERSION};
use crate::child::spec::ProcessGroup;
use crate::contain::usage::Usage;
use crate::error::{Error, from_errno};
use crate::inherited::Inherited;
use crate::pid::Pid;
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// What the contained rinit knows of its controlling process: the process that has started the job.
#[derive(Debug)]
pub(crate) struct ControllingProcess {
    channel: OwnedFd,
    inbox: Inbox,
    /// `None` if it is in another PID namespace.
    pid: Option<Pid>,
    /// How to stop when it is gone. Without it, everything gets KILL.
    pub(crate) stop: Option<Stop>,
    /// It has closed the channel or exited: nothing more comes from it.
    gone: bool,
}

/// A command of the controlling process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Send main this signal.
    Signal(Signal),
    /// Stop in good order, within this time.
    Stop(Stop),
    /// Send KILL to everything, at once.
    Kill,
    /// The time limit has passed.
    TimeLimit,
}

/// The kernel sends it to this process when something comes over the channel. SIGCHLD is never forwarded, and means no more
/// than "check again": it does not matter where it comes from, or how many were merged into one.
const CHECK: Signal = Signal::CHLD;
/// The kernel sends it when the controlling process, or its thread that has started this process, exits. It also continues a
/// stopped rinit.
const CONTROLLING_PROCESS_EXITED: Signal = Signal::CONT;

/// How often an rinit that waits for its setup checks whether the controlling process lives. The setup comes at once, or
/// never.
const CHECK_AFTER: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl ControllingProcess {
    /// Waits for the first request.
    pub(crate) fn accept(inherited: &Inherited, number: RawFd) -> Result<(Self, Request), Error> {
        if !inherited.descriptors_are_inherited() {
            return Err(Error::Channel(io::ErrorKind::Unsupported.into()));
        }
        let channel = sys::take_inherited_fd(number).map_err(from_errno(Error::Channel))?;
        let pid = sys::peer(&channel).map_err(from_errno(Error::Channel))?;
        let mut controlling = Self { channel, inbox: Inbox::default(), pid, stop: None, gone: false };
        loop {
            if let Some(request) = controlling.inbox.next().map_err(|_| garbled())? {
                return Ok((controlling, request));
            }
            if controlling.gone {
                return Err(Error::Channel(io::ErrorKind::UnexpectedEof.into()));
            }
            controlling.wait(PollFlags::IN, Some(&CHECK_AFTER));
            controlling.receive();
            controlling.gone |= controlling.is_dead();
        }
    }

    fn wait(&self, for_: PollFlags, timeout: Option<&Timespec>) {
        // If poll is refused, the next attempt finds nothing and comes here again: that is no worse than waiting.
        let _ = poll(&mut [PollFd::new(&self.channel, for_)], timeout);
    }

    fn is_dead(&self) -> bool {
        self.pid.is_some() && self.pid != rustix::process::getppid().map(Pid::from)
    }

    /// Receives what has come; does not block.
    fn receive(&mut self) {
        let mut bytes = [0; 4096];
        while !self.gone {
            match net::recv(&self.channel, &mut bytes[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => self.gone = true,
                Ok((_, count)) => self.inbox.add(&bytes[..count]),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => self.gone = true,
            }
        }
    }

    /// From here on a signal comes when the controlling process sends something, and when it exits. The first call of
    /// [`ControllingProcess::commands`], which comes after this, sees what was sent before, and whether the process lives.
    pub(crate) fn listen(&self) -> Result<(), Error> {
        // The channel is not enough: a process that the controlling process forks without exec holds a copy of its end.
        sys::set_parent_death_signal(CONTROLLING_PROCESS_EXITED).map_err(from_errno(Error::ParentDeathSignal))?;
        sys::signal_on_input(&self.channel, CHECK).map_err(from_errno(Error::Channel))
    }

    /// True for a signal that says only that the controlling process, or a thread of it, has exited.
    pub(crate) fn is_note(&self, info: &ReceivedSignal) -> bool {
        info.signal == CONTROLLING_PROCESS_EXITED && info.sender.is_some() && info.sender == self.pid
    }

    /// Receives the commands, in order. Does not block.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        if self.gone {
            return Vec::new();
        }
        self.receive();
        let mut commands = Vec::new();
        loop {
            commands.push(match self.inbox.next() {
                Ok(Some(Request::Signal(signal))) => Command::Signal(signal),
                Ok(Some(Request::Stop(stop))) => Command::Stop(stop),
                Ok(Some(Request::Kill)) => Command::Kill,
                Ok(Some(Request::TimeLimit)) => Command::TimeLimit,
                Ok(None) => break,
                // A controlling process that sends garbage is treated as gone.
                Ok(Some(Request::Setup(_) | Request::OtherVersion)) | Err(_) => {
                    self.gone = true;
                    Command::Kill
                }
            });
            if self.gone {
                return commands;
            }
        }
        self.gone |= self.is_dead();
        if self.gone {
            commands.push(self.stop.map_or(Command::Kill, Command::Stop));
        }
        commands
    }

    /// Closes all inherited descriptors except the channel, and moves to `/`: rinit delays no end of file.
    pub(crate) fn release_all_but_socket(&self) {
        sys::close_all_but(3, &[self.channel.as_raw_fd()]);
        let _ = rustix::process::chdir("/");
    }

    pub(crate) fn send_started(&self, main: Pid) {
        self.send(&Reply::Started(main));
    }

    pub(crate) fn send_failed(&self, error: Error) {
        self.send(&Reply::Failed(error));
    }

    pub(crate) fn send_version(&self) {
        self.send(&Reply::Version(VERSION));
    }

    pub(crate) fn send_report(&self, report: &Report) {
        let usage = sys::children_usage().map(|(user_time, system_time, max_rss_kib)| Usage {
            user_time,
            system_time,
            max_rss_kib,
        });
        self.send(&Reply::Report(Box::new(report.clone()), usage.unwrap_or_default()));
    }

    /// If the reply is more than the channel holds, waits until the controlling process reads it. It may block: no process
    /// depends on this one any more.
    fn send(&self, reply: &Reply) {
        let bytes = reply.to_frame();
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            match net::send(&self.channel, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, None),
                Err(Errno::INTR) => {}
                // The controlling process is gone.
                Err(_) => return,
            }
        }
    }
}

fn garbled() -> Error {
    Error::Channel(io::ErrorKind::InvalidData.into())
}

/// Leaves the group that main was started in, if that is the controlling process's: a signal to the whole group then reaches
/// main once, and this process does not forward it a second time.
pub(crate) fn leave_group(main: ProcessGroup) {
    if main == ProcessGroup::Inherit {
        let _ = rustix::process::setpgid(None, None);
    }
}
