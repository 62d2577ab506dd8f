//! Runs main for a controlling process that contains it: its commands, and the end of the whole job.

use super::builder::Init;
use super::supervisor::Supervisor;
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::contain::controller::{Command, Controller, leave_group};
use crate::contain::entry::{self, Arguments};
use crate::contain::protocol::Stop;
use crate::contain::protocol::{Request, Setup};
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

/// Becomes a job's init, if this process was started as one; else it does nothing. The first line of `main` in a program that
/// contains jobs by itself: see [`ContainSpec::by_this_program`](crate::contain::ContainSpec::by_this_program).
///
/// A process that was started as a job's init does not return from it. Such a process is recognised by its arguments
/// (`--contained NUMBER -- …`) and by the descriptor of that number, a socket that its parent has made: so no user can start
/// one by mistake.
///
/// Call it before any thread is started and any file opened. In the job's init every descriptor from 3 up is closed.
///
/// ```
/// rinit_core::contain::init();
/// // The rest of main.
/// ```
pub fn init() {
    let Some(Arguments { channel, program, arguments }) = entry::arguments() else { return };
    // Not the "exe" of the path by which it was started.
    let _ = rustix::thread::set_name(c"rinit");
    // A thread that a constructor has started would not block the signals that are blocked here. The controlling process
    // sees that there was no answer.
    let code = match sys::only_thread() {
        Ok(_) => Inherited::__capture_first()
            .and_then(|inherited| __contained(inherited, channel, program, arguments))
            .unwrap_or_else(|error| error.exit_code()),
        Err(_) => 125,
    };
    sys::exit_now(code)
}

/// The whole of `rinit --contained NUMBER -- PROGRAM ARGUMENTS…`; returns the exit status. The descriptor is a socket to the
/// controlling process, one that uses [`ChildSpec::contain`](crate::ChildSpec::contain).
///
/// # Errors
///
/// [`Error::Channel`] if no controlling process is at the descriptor. Any other failure is sent to it.
#[doc(hidden)]
// What it needs would lie on the stack of a program that is not contained, too, for as long as main lives.
#[inline(never)]
pub fn __contained(
    inherited: Inherited,
    number: RawFd,
    program: OsString,
    arguments: Vec<OsString>,
) -> Result<u8, Error> {
    let (mut controller, request) = Controller::accept(&inherited, number)?;
    let Request::Setup(setup) = request else {
        controller.send_version();
        return Ok(125);
    };
    controller.stop = setup.stop;
    let setup_failed = |controller: &Controller, error: Error| {
        let code = error.exit_code();
        controller.send_failed(error);
        Ok(code)
    };
    let mut main = ChildSpec::new(program).args(arguments).inherit_signals(&inherited);
    // An rinit that is killed by KILL cannot clean up; at least main dies with it.
    main = main.signal_mask(setup.mask).process_group(setup.group).parent_death_signal(Signal::KILL);
    if let Some(ids) = &setup.user {
        match User::from_ids(ids.uid, ids.gid, ids.groups.iter().copied()) {
            Ok(user) => main = main.user(user),
            Err(error) => return setup_failed(&controller, error),
        }
        // The controlling process has set it: to the user's, or to what its caller chose.
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
            Err(error) => return setup_failed(&controller, Error::Terminal(error.into())),
        }
    }
    let Setup { drain, wait, limits, sigpipe_ignored, .. } = setup;
    main.limits = limits;
    // As the controller's other children have it, whatever start-up code has changed here.
    let disposition = if sigpipe_ignored { &mut main.ignore } else { &mut main.default };
    *disposition = disposition.with(Signal::PIPE);
    let mut init = Init::new(inherited, main).subreaper(true);
    init = init.on_main_exit(if wait { OnMainExit::Wait } else { OnMainExit::Drain });
    if let Some(drain) = drain {
        init = init.drain(drain);
    }
    Ok(init.run_for(controller))
}

/// The controlling process of a contained job.
pub(super) struct Contained {
    pub(super) controller: Controller,
    /// Main's process group, if it was made for main.
    pub(super) group: Option<Pid>,
}

impl Init {
    /// Runs as [`Init::run`] does, for a controlling process: until the whole job has exited, or the controlling process
    /// lets go. Returns the exit status; a failure is sent to the controlling process.
    fn run_for(self, controller: Controller) -> u8 {
        match self.start_for(&controller) {
            Ok((mut supervisor, group)) => {
                controller.send_started(supervisor.main.pid);
                supervisor.contained = Some(Contained { controller, group });
                supervisor.run().map_or_else(|error| error.exit_code(), |report| report.exit_code())
            }
            Err(error) => {
                let code = error.exit_code();
                controller.send_failed(error);
                code
            }
        }
    }

    fn start_for(mut self, controller: &Controller) -> Result<(Supervisor, Option<Pid>), Error> {
        let me = Pid::from(rustix::process::getpid());
        // Without /proc a process that has left main's group could not be found.
        procfs::verify(&mut procfs::reader::Reader::new())?;
        // Kept to the end, and not given back.
        let _ = ManuallyDrop::new(self.become_subreaper(me)?);
        controller.listen()?;
        let group = self.main.group;
        // The terminal is not handed over: main stands as if it were a child of the controlling process, which would do
        // that itself.
        let main = self.main.start(TerminalUse::None)?.pid;
        // Main's specification is not needed any more; its descriptors are closed with the others.
        self.main = ChildSpec::new("");
        leave_group(group);
        controller.release_all_but_socket();
        Ok((self.into_supervisor(me, main, None), (group != ProcessGroup::Inherit).then_some(main)))
    }
}

impl Supervisor {
    pub(super) fn is_from_controller(&self, info: &ReceivedSignal) -> bool {
        self.contained.as_ref().is_some_and(|contained| contained.controller.is_note(info))
    }

    /// Takes the commands of the controlling process. Does not block.
    pub(super) fn handle_commands(&mut self) {
        let commands = self.contained.as_mut().map_or_else(Vec::new, |contained| contained.controller.commands());
        for command in commands {
            match command {
                Command::Signal(signal) if self.main.is_alive() => {
                    self.forward(ForwardTo::Main, signal, None, false);
                }
                // Processes that remain after main are not meant.
                Command::Signal(_) => {}
                Command::Stop(Stop { signal, grace }) => {
                    self.stop_signal.get_or_insert(signal);
                    self.inputs.push_back(ShutdownInput::Grace(grace));
                    self.inputs.push_back(ShutdownInput::StopRequested(signal));
                }
                Command::Kill => self.inputs.push_back(ShutdownInput::Abandoned),
            }
        }
    }
}
