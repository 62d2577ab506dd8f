//! Runs main for a controlling process: carries out its commands until the whole job is over.

use super::builder::Init;
use super::supervisor::Supervisor;
use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::contain::controlling_process::{Command, ControllingProcess, leave_group};
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
use std::time::{Duration, Instant};

/// Becomes a job's init if this process was started as one; otherwise does nothing. A program that contains jobs by itself calls
/// it in the first line of `main`: see [`ContainSpec::by_this_program`](crate::contain::ContainSpec::by_this_program).
///
/// In a process that was started as a job's init it does not return. It recognises such a process by its arguments
/// (`--contained NUMBER -- …`) and by the descriptor of that number, a socket that its parent has made, so that no user starts
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
    // Otherwise its name would be "exe", from the path by which it was started.
    let _ = rustix::thread::set_name(c"rinit");
    // A thread that a constructor has started would not block the signals that are blocked here. The controlling process
    // sees that no answer comes.
    let code = match sys::only_thread() {
        Ok(_) => Inherited::__capture_first()
            .and_then(|inherited| __contained(inherited, channel, program, arguments))
            .unwrap_or_else(|error| error.exit_code()),
        Err(_) => 125,
    };
    sys::exit_now(code)
}

/// Does everything for `rinit --contained NUMBER -- PROGRAM ARGUMENTS…`, and returns the exit status. The descriptor is a socket
/// to the controlling process, which uses [`ChildSpec::contain`](crate::ChildSpec::contain).
///
/// # Errors
///
/// [`Error::Channel`] if no controlling process is at the descriptor. Any other failure is sent to it.
#[doc(hidden)]
// Inlined, it would enlarge the stack frame of an rinit that is not contained, for as long as main lives.
#[inline(never)]
pub fn __contained(
    inherited: Inherited,
    number: RawFd,
    program: OsString,
    arguments: Vec<OsString>,
) -> Result<u8, Error> {
    let (mut controlling, request) = ControllingProcess::accept(&inherited, number)?;
    let Request::Setup(setup) = request else {
        controlling.send_version();
        return Ok(125);
    };
    controlling.stop = setup.stop;
    let setup_failed = |controlling: &ControllingProcess, error: Error| {
        let code = error.exit_code();
        controlling.send_failed(error);
        Ok(code)
    };
    let mut main = ChildSpec::new(program).args(arguments).inherit_signals(&inherited);
    // An rinit that gets KILL cannot clean up; at least main is killed with it.
    main = main.signal_mask(setup.mask).process_group(setup.group).parent_death_signal(Signal::KILL);
    if let Some(ids) = &setup.user {
        match User::from_ids(ids.uid, ids.gid, ids.groups.iter().copied()) {
            Ok(user) => main = main.user(user),
            Err(error) => return setup_failed(&controlling, error),
        }
        // The controlling process has set it to the user's, or as its caller chose.
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
            Err(error) => return setup_failed(&controlling, Error::Terminal(error.into())),
        }
    }
    let Setup { drain, wait, limits, sigpipe_ignored, time_limit, .. } = setup;
    main.limits = limits;
    // Main gets what the controlling process's other children get, whatever start-up code has changed here.
    let disposition = if sigpipe_ignored { &mut main.ignore } else { &mut main.default };
    *disposition = disposition.with(Signal::PIPE);
    let mut init = Init::new(inherited, main).subreaper(true);
    init = init.on_main_exit(if wait { OnMainExit::Wait } else { OnMainExit::Drain });
    if let Some(drain) = drain {
        init = init.drain(drain);
    }
    Ok(init.run_for(controlling, time_limit))
}

/// A contained job, and its controlling process.
pub(super) struct Contained {
    pub(super) controlling: ControllingProcess,
    /// Main's process group, if it was made for main.
    pub(super) group: Option<Pid>,
    time_limit: Option<TimeLimit>,
}

/// The time limit of the whole job.
///
/// It counts by the machine's clock, not by the time in which the job could run: the controlling process, which counts as well,
/// cannot see for how long the job was frozen or stopped.
struct TimeLimit {
    /// `None` if the clock cannot express it.
    at: Option<Instant>,
    stop: Stop,
    has_passed: bool,
}

impl Contained {
    /// Returns how long it is until the time limit; `None` without one, and once it has passed.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let limit = self.time_limit.as_ref().filter(|limit| !limit.has_passed)?;
        Some(limit.at?.saturating_duration_since(Instant::now()))
    }

    /// Returns true if the job was stopped because of its time limit.
    pub(super) fn timed_out(&self) -> bool {
        self.time_limit.as_ref().is_some_and(|limit| limit.has_passed)
    }
}

impl Init {
    /// Runs as [`Init::run`] does, for a controlling process: until the whole job has exited, or the controlling process
    /// lets go. Returns the exit status; a failure is sent to the controlling process.
    fn run_for(self, controlling: ControllingProcess, time_limit: Option<(Duration, Stop)>) -> u8 {
        match self.start_for(&controlling) {
            Ok((mut supervisor, group)) => {
                controlling.send_started(supervisor.main.pid);
                let time_limit = time_limit.map(|(time, stop)| TimeLimit {
                    at: Instant::now().checked_add(time),
                    stop,
                    has_passed: false,
                });
                supervisor.contained = Some(Contained { controlling, group, time_limit });
                supervisor.run().map_or_else(|error| error.exit_code(), |report| report.exit_code())
            }
            Err(error) => {
                let code = error.exit_code();
                controlling.send_failed(error);
                code
            }
        }
    }

    fn start_for(mut self, controlling: &ControllingProcess) -> Result<(Supervisor, Option<Pid>), Error> {
        let me = Pid::from(rustix::process::getpid());
        // Without /proc, rinit could not find a process that has left main's group.
        procfs::verify(&mut procfs::reader::Reader::new())?;
        // It stays a subreaper to the end.
        let _ = ManuallyDrop::new(self.become_subreaper(me)?);
        controlling.listen()?;
        let group = self.main.group;
        // The terminal is not handed over: main is to run as a child of the controlling process does, which would do that
        // itself.
        let main = self.main.start(TerminalUse::None)?.pid;
        // Main's specification is not needed any more; its descriptors are closed with the others.
        self.main = ChildSpec::new("");
        leave_group(group);
        controlling.release_all_but_socket();
        Ok((self.into_supervisor(me, main, None), (group != ProcessGroup::Inherit).then_some(main)))
    }
}

impl Supervisor {
    pub(super) fn is_from_controlling_process(&self, info: &ReceivedSignal) -> bool {
        self.contained.as_ref().is_some_and(|contained| contained.controlling.is_note(info))
    }

    /// Carries out the commands of the controlling process. Does not block.
    pub(super) fn handle_commands(&mut self) {
        let commands = self.contained.as_mut().map_or_else(Vec::new, |contained| contained.controlling.commands());
        for command in commands {
            match command {
                Command::Signal(signal) if self.main.is_alive() => {
                    self.forward(ForwardTo::Main, signal, None, false);
                }
                // The signal is only for main, which has exited.
                Command::Signal(_) => {}
                Command::Stop(Stop { signal, grace }) => {
                    self.stop_signal.get_or_insert(signal);
                    self.inputs.push_back(ShutdownInput::Grace(grace));
                    self.inputs.push_back(ShutdownInput::StopRequested(signal));
                }
                Command::Kill => self.inputs.push_back(ShutdownInput::Abandoned),
                Command::TimeLimit => self.stop_at_time_limit(),
            }
        }
    }

    /// Stops the job if its time has passed.
    pub(super) fn check_time_limit(&mut self) {
        if self.contained.as_ref().and_then(Contained::time_left) == Some(Duration::ZERO) {
            self.stop_at_time_limit();
        }
    }

    fn stop_at_time_limit(&mut self) {
        let limit = self.contained.as_mut().and_then(|contained| contained.time_limit.as_mut());
        let Some(limit) = limit.filter(|limit| !limit.has_passed) else { return };
        limit.has_passed = true;
        let Stop { signal, grace } = limit.stop;
        self.inputs.push_back(ShutdownInput::Grace(grace));
        // If a stop has begun, main gets no second signal, and the stop gets no more than this time.
        if self.stop_signal.is_none() {
            self.stop_signal = Some(signal);
            self.inputs.push_back(ShutdownInput::StopRequested(signal));
        }
    }
}
