//! Running main for a controller that contains it: the host's commands, and everybody's end with it.

use super::{Init, Supervisor};
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::contain::controller::{Command, Controller, leave_group};
use crate::contain::protocol::Stop;
use crate::contain::protocol::{self, Request, Setup};
use crate::error::Error;
use crate::inherited::Inherited;
use crate::pid::Pid;
use crate::policy::forwarding::ForwardTo;
use crate::policy::shutdown::OnMainExit;
use crate::policy::shutdown::ShutdownInput;
use crate::procfs;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::sys;
use crate::user::User;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;

/// The whole of `rinit --contained NUMBER -- PROGRAM ARGUMENTS…`; returns the exit status. The descriptor is a socket to the
/// controller, a process that uses [`ChildSpec::contain`](crate::ChildSpec::contain).
///
/// # Errors
///
/// [`Error::Channel`] where there is no controller at the descriptor. Whatever else fails the controller is told.
#[doc(hidden)]
pub fn __contained(
    inherited: Inherited,
    number: RawFd,
    program: OsString,
    arguments: Vec<OsString>,
) -> Result<u8, Error> {
    let (mut controller, request) = Controller::accept(&inherited, number)?;
    let Request::Setup(setup) = request else {
        controller.send(&protocol::version());
        return Ok(125);
    };
    controller.stop = setup.stop;
    let setup_failed = |controller: &Controller, error: Error| {
        controller.send_failed(&error);
        Ok(error.exit_code())
    };
    let mut main = ChildSpec::new(program).args(arguments).inherit_signals(&inherited);
    // Its rinit's death by KILL, against which nothing helps, shall leave as little as possible.
    main = main.signal_mask(setup.mask).process_group(setup.group).parent_death_signal(Signal::KILL);
    if let Some(ids) = &setup.user {
        match User::from_ids(ids.uid, ids.gid, ids.groups.iter().copied()) {
            Ok(user) => main = main.user(user),
            Err(error) => return setup_failed(&controller, error),
        }
        // The controller has set it, to the user's or to what it was asked for.
        main = match std::env::var_os("HOME") {
            Some(home) => main.env("HOME", home),
            None => main.env_remove("HOME"),
        };
    }
    if let Some(directory) = &setup.directory {
        main = main.current_dir(directory);
    }
    if let Some(number) = setup.terminal {
        match sys::take_inherited_fd(number) {
            Ok(terminal) => main = main.terminal(terminal),
            Err(error) => return setup_failed(&controller, Error::Terminal(error)),
        }
    }
    let Setup { drain, wait, .. } = setup;
    let mut init = Init::new(inherited, main).subreaper(true);
    init = init.on_main_exit(if wait { OnMainExit::Wait } else { OnMainExit::Drain });
    if let Some(drain) = drain {
        init = init.drain(drain);
    }
    Ok(init.run_for(controller))
}

/// For whom a contained main runs.
pub(super) struct Contained {
    pub(super) controller: Controller,
    /// Main's process group, if it was made for main.
    pub(super) group: Option<Pid>,
}

impl Init {
    /// Runs as [`Init::run`] does, for a controller: to main's end and everybody's, or until the controller lets go. Returns the exit
    /// status; the controller is told what has failed.
    pub(crate) fn run_for(self, controller: Controller) -> u8 {
        match self.start_for(&controller) {
            Ok((running, group)) => {
                controller.send_started(running.main);
                Supervisor { contained: Some(Contained { controller, group }), ..running }.run().exit_code()
            }
            Err(error) => {
                controller.send_failed(&error);
                error.exit_code()
            }
        }
    }

    fn start_for(mut self, controller: &Controller) -> Result<(Supervisor, Option<Pid>), Error> {
        let me = Pid::from(rustix::process::getpid());
        // Without it nobody could be found who has left main's group.
        procfs::verify(&mut procfs::reader::Reader::new())?;
        // Kept to the end, and not given back.
        let _ = ManuallyDrop::new(self.become_subreaper(me)?);
        controller.listen()?;
        let group = self.main.group;
        // No terminal is handed over: as if main were the host's child, which would do it itself.
        let main = self.main.start(TerminalUse::None)?.pid;
        // What it holds is not needed any more, and closed with all the rest.
        self.main = ChildSpec::new("");
        leave_group(group);
        controller.release_all_but_socket();
        Ok((self.into_running(me, main, None), (group != ProcessGroup::Inherit).then_some(main)))
    }
}

impl Supervisor {
    pub(super) fn is_controllers_note(&self, info: &ReceivedSignal) -> bool {
        self.contained.as_ref().is_some_and(|contained| contained.controller.is_note(info))
    }

    /// Does what the controller wants. Does not block.
    pub(super) fn handle_commands(&mut self) {
        let commands = self.contained.as_mut().map_or_else(Vec::new, |contained| contained.controller.commands());
        for command in commands {
            match command {
                // Whoever remains when main has ended is not meant.
                Command::Signal(signal) if self.main_status.is_none() => {
                    self.forward_one(ForwardTo::Main, signal, None, false);
                }
                Command::Signal(_) => {}
                Command::Stop(Stop { signal, grace }) => {
                    self.stop_signal.get_or_insert(signal);
                    self.step(ShutdownInput::Grace(grace));
                    self.step(ShutdownInput::Signal { signal, stop: true });
                }
                Command::Kill => self.step(ShutdownInput::Abandoned),
            }
        }
    }
}
