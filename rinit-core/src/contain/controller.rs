//! The side of the contained rinit: commands of its host, and replies to it.

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

/// The host, as its contained rinit knows it.
#[derive(Debug)]
pub(crate) struct Controller {
    channel: OwnedFd,
    inbox: Inbox,
    /// `None` where it is in another PID namespace.
    pid: Option<Pid>,
    /// What to do when it has gone; without a stop, KILL for everything.
    pub(crate) stop: Option<Stop>,
    /// It has let go, and nothing more comes from it.
    gone: bool,
}

/// A command of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Send main this signal.
    Signal(Signal),
    /// An orderly stop within this time.
    Stop(Stop),
    /// KILL for everything, at once.
    Kill,
}

/// Sent to this process when something comes over the channel. SIGCHLD is never forwarded, and means no more than "check
/// again": its origin and the number of signals merged into one make no difference.
const CHECK: Signal = Signal::CHLD;
/// Sent when the host, or its thread that has started this process, exits. It continues a stopped rinit, too.
const CONTROLLER_EXITED: Signal = Signal::CONT;

/// How often an rinit that waits for its setup checks whether its host lives. The setup comes at once, or never.
const CHECK_AFTER: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Controller {
    /// Waits for the host's first request.
    pub(crate) fn accept(inherited: &Inherited, number: RawFd) -> Result<(Self, Request), Error> {
        if !inherited.descriptors_are_inherited() {
            return Err(Error::Channel(io::ErrorKind::Unsupported.into()));
        }
        let channel = sys::take_inherited_fd(number).map_err(from_errno(Error::Channel))?;
        let pid = sys::peer(&channel).map_err(from_errno(Error::Channel))?;
        let mut controller = Self { channel, inbox: Inbox::default(), pid, stop: None, gone: false };
        loop {
            if let Some(request) = controller.inbox.next().map_err(|_| garbled())? {
                return Ok((controller, request));
            }
            if controller.gone {
                return Err(Error::Channel(io::ErrorKind::UnexpectedEof.into()));
            }
            controller.wait(PollFlags::IN, Some(&CHECK_AFTER));
            controller.receive();
            controller.gone |= controller.is_dead();
        }
    }

    fn wait(&self, for_: PollFlags, timeout: Option<&Timespec>) {
        // Where poll is refused the next attempt finds nothing, and comes here again: no worse than waiting.
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

    /// From here on a signal comes when the host sends something, and when it exits. What it has sent before, and whether it
    /// lives, is seen by the first [`Controller::commands`], which comes after this.
    pub(crate) fn listen(&self) -> Result<(), Error> {
        // The channel alone would do, were it not for copies of the host's end in processes that it forks without exec.
        sys::set_parent_death_signal(CONTROLLER_EXITED).map_err(from_errno(Error::ParentDeathSignal))?;
        sys::signal_on_input(&self.channel, CHECK).map_err(from_errno(Error::Channel))
    }

    /// True for a signal that means no more than that the host, or a thread of it, has exited.
    pub(crate) fn is_note(&self, info: &ReceivedSignal) -> bool {
        info.signal == CONTROLLER_EXITED && info.sender.is_some() && info.sender == self.pid
    }

    /// The host's commands, in order. Does not block.
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
                Ok(None) => break,
                // A host that sends garbage is treated as gone.
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

    /// Closes everything that keeps another process from an end of file, except the channel.
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

    /// Waits until the host reads it, if it is more than the channel holds: no process is left that this keeps waiting.
    fn send(&self, reply: &Reply) {
        let bytes = reply.to_frame();
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            match net::send(&self.channel, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, None),
                Err(Errno::INTR) => {}
                // It has gone.
                Err(_) => return,
            }
        }
    }
}

fn garbled() -> Error {
    Error::Channel(io::ErrorKind::InvalidData.into())
}

/// Leaves the group that main was started in, if that is the host's: a signal to the whole group then reaches main once, and
/// is not forwarded by this process a second time.
pub(crate) fn leave_group(main: ProcessGroup) {
    if main == ProcessGroup::Inherit {
        let _ = rustix::process::setpgid(None, None);
    }
}
