//! Running main for a host that contains it: the host's wishes, and everybody's end with it.

use super::{Init, Running};
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::contain::controller::{Host, Wish, leave_group};
use crate::contain::protocol::Stop;
use crate::contain::protocol::{self, Request, Setup};
use crate::error::Error;
use crate::inherited::Inherited;
use crate::pid::Pid;
use crate::policy::forwarding::Target;
use crate::policy::shutdown::Happening;
use crate::policy::shutdown::OnMainExit;
use crate::procfs;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::sys;
use crate::user::User;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;

/// The whole of `rinit --contained NUMBER -- PROGRAM ARGUMENTS…`; returns the exit status. The descriptor is a socket to the
/// host, a process that uses [`ChildSpec::contain`](crate::ChildSpec::contain).
///
/// # Errors
///
/// [`Error::Channel`] where there is no host at the descriptor. Whatever else fails the host is told.
#[doc(hidden)]
pub fn __contained(
    inherited: Inherited,
    number: RawFd,
    program: OsString,
    arguments: Vec<OsString>,
) -> Result<u8, Error> {
    let (mut host, request) = Host::meet(&inherited, number)?;
    let Request::Setup(setup) = request else {
        host.say(&protocol::version());
        return Ok(125);
    };
    host.stop = setup.stop;
    let setup_failed = |host: &Host, error: Error| {
        host.say_failed(&error);
        Ok(error.exit_code())
    };
    let mut main = ChildSpec::new(program).args(arguments).signals_of(&inherited);
    // Its rinit's death by KILL, against which nothing helps, shall leave as little as possible.
    main = main.mask(setup.mask).group(setup.group).parent_death_signal(Signal::KILL);
    if let Some(ids) = &setup.user {
        match User::from_ids(ids.uid, ids.gid, ids.groups.iter().copied()) {
            Ok(user) => main = main.user(user),
            Err(error) => return setup_failed(&host, error),
        }
        // The host has set it, to the user's or to what it was asked for.
        main = match std::env::var_os("HOME") {
            Some(home) => main.env("HOME", home),
            None => main.env_remove("HOME"),
        };
    }
    if let Some(directory) = &setup.directory {
        main = main.directory(directory);
    }
    if let Some(number) = setup.terminal {
        match sys::adopt(number) {
            Ok(terminal) => main = main.terminal(terminal),
            Err(error) => return setup_failed(&host, Error::Terminal(error)),
        }
    }
    let Setup { drain, wait, .. } = setup;
    let mut init = Init::new(inherited, main).subreaper(true);
    init = init.on_main_exit(if wait { OnMainExit::Wait } else { OnMainExit::Drain });
    if let Some(drain) = drain {
        init = init.drain(drain);
    }
    Ok(init.run_for(host))
}

/// For whom a contained main runs.
pub(super) struct Contained {
    pub(super) host: Host,
    /// Main's process group, if it was made for main.
    pub(super) group: Option<Pid>,
}

impl Init {
    /// Runs as [`Init::run`] does, for a host: to main's end and everybody's, or until the host lets go. Returns the exit
    /// status; the host is told what has failed.
    pub(crate) fn run_for(self, host: Host) -> u8 {
        match self.start_for(&host) {
            Ok((running, group)) => {
                host.say_started(running.main);
                Running { contained: Some(Contained { host, group }), ..running }.run().exit_code()
            }
            Err(error) => {
                host.say_failed(&error);
                error.exit_code()
            }
        }
    }

    fn start_for(mut self, host: &Host) -> Result<(Running, Option<Pid>), Error> {
        let me = Pid::from(rustix::process::getpid());
        // Without it nobody could be found who has left main's group.
        procfs::verify(&mut procfs::reader::Reader::new())?;
        // Kept to the end, and not given back.
        let _ = ManuallyDrop::new(self.become_subreaper(me)?);
        host.listen()?;
        let group = self.main.group;
        // No terminal is handed over: as if main were the host's child, which would do it itself.
        let main = self.main.start(TerminalUse::None)?.pid;
        // What it holds is not needed any more, and closed with all the rest.
        self.main = ChildSpec::new("");
        leave_group(group);
        host.pin_nothing_else();
        Ok((self.into_running(me, main, None), (group != ProcessGroup::Inherit).then_some(main)))
    }
}

impl Running {
    pub(super) fn is_hosts_note(&self, info: &ReceivedSignal) -> bool {
        self.contained.as_ref().is_some_and(|contained| contained.host.is_note(info))
    }

    /// Does what the host wants. Does not block.
    pub(super) fn hear_host(&mut self) {
        let wishes = self.contained.as_mut().map_or_else(Vec::new, |contained| contained.host.wishes());
        for wish in wishes {
            match wish {
                // Whoever remains when main has ended is not meant.
                Wish::Signal(signal) if self.main_status.is_none() => {
                    self.forward_one(Target::Main, signal, None, false);
                }
                Wish::Signal(_) => {}
                Wish::Stop(Stop { signal, grace }) => {
                    self.stop_signal.get_or_insert(signal);
                    self.step(Happening::Grace(grace));
                    self.step(Happening::Signal { signal, stop: true });
                }
                Wish::Kill => self.step(Happening::Abandoned),
            }
        }
    }
}
