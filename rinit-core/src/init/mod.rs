//! Runs one program as an init runs it: forwards signals, reaps every child, ends everyone in good order.

pub(crate) mod contained;
mod descendants;
pub(crate) mod event;
mod exit;
mod job_control;
mod oom;
mod pause;
pub(crate) mod split;

use contained::Contained;

pub use event::{Event, NextStep, WithheldReason};
pub use exit::exit_as;
pub use pause::run_pause;
pub use split::{Split, ThisProcess};

use event::Observers;

use crate::child::spec::start::TerminalUse;
use crate::child::spec::{ChildSpec, ProcessGroup};
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::inherited::Inherited;
use crate::init::descendants::{Descendants, REPORTED, signal_blindly};
use crate::pid::Pid;
use crate::policy::forwarding::{ForwardFilter, ForwardTo};
use crate::policy::shutdown::{Shutdown, ShutdownConfig};
use crate::policy::shutdown::{ShutdownAction, ShutdownInput};
use crate::process::signal::{is_gone, send};
use crate::procfs;
use crate::reaper::subreaper::{Subreaper, become_subreaper};
use crate::reaper::wait::{Reaped, reap_one};
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::received::ReceivedSignal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::retry::{self, retry_transient};
use crate::terminal::Terminal;
use std::fmt;
use std::time::{Duration, Instant};

/// Children reaped in one go before signals get their turn: neither a storm of deaths nor one of signals starves the
/// other.
const BATCH: usize = 256;
/// Signals taken in a row before children get their turn. The kernel hands out the lowest number first, so that a flood
/// of a signal below SIGCHLD would hide it, and a host's notes, for ever.
const SIGNALS_IN_A_ROW: u32 = 32;
/// Pause after a wait that the kernel refused, so that a loop that cannot work does not take the processor too.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_millis(100);

/// An init for one program, called main: a program that it starts ([`Init::new`]), or this very process, which it leaves
/// behind as the program's parent ([`Init::split`]).
///
/// It starts main in its own process group (in the foreground of the terminal if and only if this process was), forwards
/// every signal, reaps every child, and when main has ended tells the others TERM and waits for them. [`Init::run`]
/// returns when nobody is left.
///
/// **Exclusive**: it waits for any child, and it takes every signal that is sent to the process. Nothing else in the
/// process may spawn or wait. As PID 1 orphans come to it by themselves; elsewhere it becomes a subreaper unless
/// [`Init::subreaper`] declines. It sleeps in the kernel while nothing happens.
///
/// ```no_run
/// use rinit_core::{ChildSpec, Inherited, Init};
/// use std::time::Duration;
/// # fn main() -> Result<(), rinit_core::Error> {
/// // First of all, before any thread is started: from here on no signal is lost.
/// let inherited = Inherited::capture()?;
/// let main = ChildSpec::new("nginx").args(["-g", "daemon off;"]).inherit_signals(&inherited);
/// let report = Init::new(inherited, main).drain(Duration::from_secs(5)).run()?;
/// std::process::exit(report.exit_code().into());
/// # }
/// ```
pub struct Init<M = ChildSpec> {
    /// `None` only before a split that shall capture the signals itself.
    inherited: Option<Inherited>,
    main: M,
    shutdown: ShutdownConfig,
    stop_signals: SignalSet,
    target: ForwardTo,
    forward: ForwardFilter,
    rewrite: Rewrite,
    subreaper: Adoption,
    stop_along: bool,
    out: Observers,
}

/// Whether this process adopts orphans where it is not PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adoption {
    /// Nobody has said anything: it shall not fail for that.
    IfPossible,
    Required,
    Declined,
}

impl<M: fmt::Debug> fmt::Debug for Init<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("main", &self.main)
            .field("shutdown", &self.shutdown)
            .field("target", &self.target)
            .field("forward", &self.forward)
            .field("rewrite", &self.rewrite)
            .field("subreaper", &self.subreaper)
            .finish_non_exhaustive()
    }
}

impl Init {
    /// An init for `main`, with everything at its default. The [`Inherited`] is proof that the signals are blocked.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Inherited, Init};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let init = Init::new(Inherited::capture()?, ChildSpec::new("true"));
    /// assert!(init.run()?.main.is_some_and(|status| status.success()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(inherited: Inherited, main: ChildSpec) -> Self {
        Self::with_defaults(Some(inherited), main)
    }

    /// Calls the observer for every event within the loop, without a thread: **it must not block**, because nothing is
    /// reaped or forwarded meanwhile. A panic is caught, and ends the observing; under `panic = "abort"` it ends the
    /// process.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let mut reaped = 0;
    /// let init = init.observe(move |event| {
    ///     if let rinit_core::init::Event::Reaped { .. } = event {
    ///         reaped += 1;
    ///     }
    /// });
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Event) + 'static) -> Self {
        self.out.observer = Some(Box::new(observer));
        self
    }

    /// Starts main and runs until it has ended and nobody is left, or the policy says to leave.
    ///
    /// If the [`Inherited`] comes from [`c_main!`](crate::c_main), every descriptor from 3 up is closed and the working
    /// directory becomes `/` once main runs: nothing is kept from being unmounted or from reading an end of file.
    ///
    /// # Errors
    ///
    /// Only where main could not be started: [`Error::NotFound`], [`Error::NotExecutable`], [`Error::Subreaper`] and the
    /// other variants that name a step of the start. No failure after that ends the run.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Inherited, Init};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("sh").args(["-c", "(sleep 0.1; true) & exit 7"]);
    /// let report = Init::new(Inherited::capture()?, spec).run()?;
    /// assert_eq!(report.exit_code(), 7);
    /// assert!(report.reaped >= 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(mut self) -> Result<Report, Error> {
        let me = Pid::from(rustix::process::getpid());
        let _subreaper = self.become_subreaper(me)?;
        let terminal = terminal_that_is_ours();
        // Under `c_main!` nobody has installed a handler either.
        let owns_whole_process = self.inherited.is_some_and(|inherited| inherited.descriptors_are_inherited());
        if owns_whole_process {
            self.main.share_memory();
        }
        let main = start(&self.main, terminal)?;
        if owns_whole_process {
            release_inherited();
            sys::give_back_free_memory();
        }
        Ok(self.into_running(me, main, terminal).run())
    }
}

impl<M> Init<M> {
    fn with_defaults(inherited: Option<Inherited>, main: M) -> Self {
        let runtime_has_clock = rustix::process::getpid().is_init();
        Self {
            inherited,
            main,
            shutdown: ShutdownConfig { runtime_has_clock, ..ShutdownConfig::default() },
            stop_signals: SignalSet::from_iter([Signal::TERM, Signal::INT, Signal::QUIT]),
            target: ForwardTo::default(),
            forward: ForwardFilter::default(),
            rewrite: Rewrite::default(),
            subreaper: Adoption::IfPossible,
            stop_along: false,
            out: Observers::default(),
        }
    }

    /// Who gets forwarded signals.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.forward_to(rinit_core::policy::ForwardTo::Group);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn forward_to(mut self, target: ForwardTo) -> Self {
        self.target = target;
        self
    }

    /// Which signals are forwarded.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.forward_filter(rinit_core::policy::ForwardFilter::Handled);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn forward_filter(mut self, forward: ForwardFilter) -> Self {
        self.forward = forward;
        self
    }

    /// As what signals are forwarded. A stop is requested by a stop signal before or after rewriting, unless it is
    /// dropped.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) -> Result<(), rinit_core::signal::BadRewrite> {
    /// let mut rewrite = rinit_core::signal::Rewrite::default();
    /// rewrite.add("TERM=QUIT")?;
    /// let init = init.rewrite(rewrite);
    /// # let _ = init;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// One more signal that requests a stop, beside TERM, INT and QUIT.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.add_stop_signal(rinit_core::Signal::WINCH);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn add_stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signals |= signal.into();
        self
    }

    /// How long the first stop signal is held back: for load balancers that go on sending requests for a while. A second
    /// stop signal ends the delay.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.stop_delay(std::time::Duration::from_secs(5));
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn stop_delay(mut self, delay: Duration) -> Self {
        self.shutdown.stop_delay = delay;
        self
    }

    /// Time from telling main to KILL; at half of it every descendant is told TERM. Without it main is never killed.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.grace(std::time::Duration::from_secs(8));
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.shutdown.grace = Some(grace);
        self
    }

    /// Time from main's end to KILL for whoever remains. Without it: ten seconds, and no limit while a requested stop
    /// runs as PID 1, where the container's runtime counts the time.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.drain(std::time::Duration::from_secs(30));
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.shutdown.drain = Some(drain);
        self
    }

    /// What happens to others when main has ended.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.on_main_exit(rinit_core::policy::OnMainExit::Wait);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn on_main_exit(mut self, what: crate::policy::shutdown::OnMainExit) -> Self {
        self.shutdown.on_main_exit = what;
        self
    }

    /// Whether to become a subreaper where this process is not PID 1: yes, unless told otherwise. Without it orphans go
    /// to another process and are neither reaped nor told.
    ///
    /// Where nothing was said here and the kernel refuses it, the run goes on without, and [`Event::Error`] says so. With
    /// `true` that is [`Error::Subreaper`], and main is not started.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.subreaper(false);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn subreaper(mut self, become_one: bool) -> Self {
        self.subreaper = if become_one { Adoption::Required } else { Adoption::Declined };
        self
    }

    /// Whether this process stops itself (`SIGSTOP`) after every TSTP, TTIN or TTOU that it gets, and takes no other care
    /// of main's stops: no, unless told otherwise. For callers who stop and continue main by signals to this process and
    /// expect to see it stopped; main in a session of its own sees no ^Z itself. As PID 1 it has no effect.
    ///
    /// Without it this process stops when main was stopped from the terminal, if there is a shell that notices.
    ///
    /// ```
    /// # fn f(init: rinit_core::Init) {
    /// let init = init.stop_along(true);
    /// # let _ = init;
    /// # }
    /// ```
    #[must_use]
    pub fn stop_along(mut self, stop: bool) -> Self {
        self.stop_along = stop;
        self
    }

    /// Adopts orphans where this process does not anyway, as PID 1 does.
    fn become_subreaper(&mut self, me: Pid) -> Result<Option<Subreaper>, Error> {
        if me == Pid::INIT || self.subreaper == Adoption::Declined {
            return Ok(None);
        }
        match become_subreaper() {
            // A container without its init would be worse than one in which orphans go to another process.
            Err(error) if self.subreaper == Adoption::IfPossible => {
                self.out.emit(Event::Error { what: format!("{error}: orphans go to another process") });
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// The loop, for a main that runs.
    fn into_running(self, me: Pid, main: Pid, terminal: Option<Terminal>) -> Supervisor {
        Supervisor {
            me,
            main,
            main_status: None,
            reaped: 0,
            stop_signal: None,
            terminal,
            shutdown: Shutdown::new(self.shutdown),
            everyone: Descendants::new(me),
            started: Instant::now(),
            out: self.out,
            target: self.target,
            forward: self.forward,
            rewrite: self.rewrite,
            stop_signals: self.stop_signals,
            main_refused: false,
            refused_main_had_time: false,
            stop_along: self.stop_along,
            wants_terminal: false,
            has_killed: false,
            unexplained: None,
            out_of_memory_kills: 0,
            troubles: Vec::new(),
            contained: None,
        }
    }
}

/// The controlling terminal, if this process has its foreground.
fn terminal_that_is_ours() -> Option<Terminal> {
    Terminal::controlling().filter(|terminal| terminal.is_ours())
}

/// Lets go of what would keep a descriptor from its end of file and a directory from being unmounted.
fn release_inherited() {
    sys::close_from(3);
    // From a directory that was deleted or is not ours to enter, `/` can always be reached.
    let _ = rustix::process::chdir("/");
}

/// Starts main where it belongs at the terminal.
fn start(main: &ChildSpec, terminal: Option<Terminal>) -> Result<Pid, Error> {
    // Nobody could be given the other ends of main's pipes.
    let start = |terminal_use: TerminalUse<'_>| main.start(terminal_use).map(|started| started.pid);
    let Some(terminal) = terminal else { return start(TerminalUse::None) };
    match main.group {
        ProcessGroup::Inherit => start(TerminalUse::None),
        // The foreground belongs to a group outside of this PID namespace, which could never be given it back for want of
        // a number: `unshare --pid --fork rinit sh`. Main stays in that group, which is this process's own.
        ProcessGroup::Own if sys::own_group().is_none() => start(TerminalUse::Shared),
        ProcessGroup::Own => terminal.with(|tty| start(TerminalUse::Foreground(tty))).map_err(Error::Terminal)?,
        ProcessGroup::Session => terminal
            .with(|tty| {
                let free = job_control::give_up_terminal(tty);
                // A terminal that stays somebody else's cannot be main's: then its session has none.
                start(if free { TerminalUse::Controlling(tty) } else { TerminalUse::None })
            })
            .map_err(Error::Terminal)?,
    }
}

/// True if SIGCHLD is pending, which it takes, or cannot be asked for. To look at the children instead would walk all that live:
/// beside ten thousand it takes the time of ten signals.
fn child_has_ended() -> bool {
    !matches!(sys::sigtimedwait(SignalSet::only(Signal::CHLD), Some(Duration::ZERO)), Ok(None))
}

/// The loop's state. One thread, one blocking wait.
struct Supervisor {
    me: Pid,
    main: Pid,
    main_status: Option<ExitStatus>,
    reaped: u64,
    stop_signal: Option<Signal>,
    /// The terminal, if this process had its foreground at the start or was given it since.
    terminal: Option<Terminal>,
    shutdown: Shutdown,
    everyone: Descendants,
    started: Instant,
    out: Observers,
    target: ForwardTo,
    forward: ForwardFilter,
    rewrite: Rewrite,
    stop_signals: SignalSet,
    /// Main could not be told to stop, for lack of permission.
    main_refused: bool,
    /// That was so, and the time has passed in which it might have ended by itself.
    refused_main_had_time: bool,
    stop_along: bool,
    /// Main was stopped because somebody else has the terminal.
    wants_terminal: bool,
    /// This process has sent a KILL: who dies of one needs no other explanation.
    has_killed: bool,
    /// A child of this batch that died of somebody else's KILL, main before any other.
    unexplained: Option<(Pid, bool)>,
    /// Kills for want of memory, when they were last asked for.
    out_of_memory_kills: u64,
    /// Which troubles were said already: what was done, and the error.
    troubles: Vec<(&'static str, Option<i32>)>,
    /// For whom it runs, if it is a process's means to contain main.
    contained: Option<Contained>,
}

impl Supervisor {
    fn run(mut self) -> Report {
        self.out.emit(Event::Spawned { pid: self.main });
        // Whatever ended before the first wait has left SIGCHLD pending; the first look needs no note.
        let mut look_for_ended = true;
        let mut in_a_row = 0;
        while !self.shutdown.is_done() {
            if look_for_ended {
                self.handle_commands();
            }
            let more = look_for_ended && self.reap_batch();
            look_for_ended = more;
            if self.shutdown.deadline().is_some_and(|at| at <= self.started.elapsed()) {
                self.step(ShutdownInput::Tick);
            }
            if self.shutdown.is_done() {
                break;
            }
            match sys::sigtimedwait(SignalSet::all(), self.timeout(more)) {
                Ok(Some(info)) if info.signal == Signal::CHLD || self.is_controllers_note(&info) => {
                    look_for_ended = true
                }
                Ok(Some(info)) if self.is_for_own_writing(&info) => {}
                Ok(Some(info)) => {
                    in_a_row = (in_a_row + 1) % SIGNALS_IN_A_ROW;
                    self.received(info);
                    if in_a_row == 0 {
                        self.handle_commands();
                        look_for_ended |= child_has_ended();
                    }
                }
                // Out of time, or interrupted. It costs little to look at the children too.
                Ok(None) => look_for_ended = true,
                Err(error) => {
                    self.trouble("waiting for signals", &error);
                    look_for_ended = true;
                }
            }
        }
        self.report()
    }

    /// True for what the kernel sends to whoever writes where nobody reads (`pipe(7)`) or beyond a file's limit
    /// (`setrlimit(2)`): here that is this process's own observer, whose log has lost its reader. It is not main's to die of,
    /// and not even an event: to log it would raise the next one, for ever.
    fn is_for_own_writing(&self, info: &ReceivedSignal) -> bool {
        [Signal::PIPE, Signal::XFSZ].contains(&info.signal) && info.sender == Some(self.me)
    }

    /// How long to sleep: not at all with work left, for ever with nothing due.
    fn timeout(&self, more: bool) -> Option<Duration> {
        if more {
            return Some(Duration::ZERO);
        }
        self.shutdown.deadline().map(|at| at.saturating_sub(self.started.elapsed()))
    }

    /// True if there may be more to reap.
    fn reap_batch(&mut self) -> bool {
        let mut any = false;
        let mut main_ended = false;
        let mut more = true;
        let mut nobody_left = false;
        for _ in 0..BATCH {
            match reap_one() {
                Ok(Reaped::Ended(pid, status)) => {
                    any = true;
                    main_ended |= self.ended(pid, status);
                }
                Ok(Reaped::Stopped(pid, signal)) if pid == self.main => self.main_stopped(signal),
                Ok(Reaped::Stopped(..)) => {}
                Ok(Reaped::Nothing) => {
                    more = false;
                    break;
                }
                Ok(Reaped::NoChildren) => {
                    nobody_left = true;
                    more = false;
                    break;
                }
                Err(error) => {
                    self.trouble("waiting for children", &error);
                    break;
                }
            }
        }
        if let Some((pid, main)) = self.unexplained.take() {
            // Once for a batch: ten thousand that somebody has killed are not ten thousand looks at files.
            self.ask_for_memory(pid, main);
        }
        if any {
            self.give_if_deserted();
        }
        if any && self.refused_main_had_time {
            self.leave_if_out_of_reach();
        }
        if any || nobody_left {
            self.step(ShutdownInput::ChildrenReaped { main: main_ended, all: nobody_left });
        }
        more
    }

    /// Takes note of an ended child; true if it was main.
    fn ended(&mut self, pid: Pid, status: ExitStatus) -> bool {
        self.reaped += 1;
        self.everyone.forget(pid);
        // After main was reaped its number may come back as an orphan's.
        let main = pid == self.main && self.main_status.is_none();
        if main {
            self.main_status = Some(status);
            if let Some(terminal) = self.terminal {
                terminal.take_back_from(self.main);
            }
        } else {
            self.out.emit(Event::Adopted { pid });
        }
        self.out.emit(Event::Reaped { pid, status, main });
        if status.signal() == Some(Signal::KILL) && !self.has_killed && (main || self.unexplained.is_none()) {
            self.unexplained = Some((pid, main));
        }
        main
    }

    /// Somebody else has sent KILL. Where it was the kernel for want of memory, nothing else in the container says so.
    fn ask_for_memory(&mut self, pid: Pid, main: bool) {
        if let Some(kills) = oom::kills().filter(|kills| *kills > self.out_of_memory_kills) {
            self.out_of_memory_kills = kills;
            self.out.emit(Event::OutOfMemory { pid, main, kills });
        }
    }

    fn received(&mut self, received: ReceivedSignal) {
        self.out.emit(Event::Received(received));
        self.pass_on(received);
        if self.stop_along && [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&received.signal()) {
            // STOP and not the signal itself, which is blocked here. Main was told before: it could not be afterwards.
            let _ = sys::kill(self.me, Signal::STOP);
        }
    }

    fn pass_on(&mut self, received: ReceivedSignal) {
        let signal = received.signal();
        let Some(rewritten) = self.rewrite.apply(signal) else {
            self.out.emit(Event::Withheld { signal, why: WithheldReason::Dropped });
            return;
        };
        let mut target = self.target;
        if received.is_from_kernel() {
            if self.terminal_gave_it_to_main() {
                self.out.emit(Event::Withheld { signal: rewritten, why: WithheldReason::SentByTerminal });
                return;
            }
            if target == ForwardTo::Main && self.is_meant_for_mains_group(signal) {
                target = ForwardTo::Group;
            }
        }
        if signal == Signal::CONT {
            self.continued();
        }
        let stop = [signal, rewritten].into_iter().any(|signal| self.stop_signals.contains(signal));
        if stop {
            self.stop_signal.get_or_insert(signal);
        }
        let mut delayed = stop;
        for action in self.shutdown.step(ShutdownInput::Signal { signal: rewritten, stop }, self.started.elapsed()) {
            delayed = false;
            match action {
                ShutdownAction::Forward(signals) => {
                    for signal in signals.iter() {
                        let value = received.value().filter(|_| signal == rewritten);
                        self.forward_one(target, signal, value, stop);
                    }
                }
                action => self.act(action),
            }
        }
        if delayed {
            self.out.emit(Event::Withheld { signal: rewritten, why: WithheldReason::Delayed });
        }
    }

    /// True if the terminal has sent its signal to main as well: to the whole foreground group, and main is in this
    /// process's own.
    fn terminal_gave_it_to_main(&self) -> bool {
        self.main_status.is_none() && sys::is_in_own_group(self.main)
    }

    fn step(&mut self, happening: ShutdownInput) {
        for action in self.shutdown.step(happening, self.started.elapsed()) {
            self.act(action);
        }
    }

    fn act(&mut self, action: ShutdownAction) {
        self.has_killed |= matches!(action, ShutdownAction::Kill | ShutdownAction::KillRemaining);
        let Self { everyone, out, contained, .. } = self;
        let emit = &mut |event| out.emit(event);
        let (result, blind) = match action {
            // Who is contained does not get another chance to fork.
            ShutdownAction::Kill | ShutdownAction::KillRemaining if contained.is_some() => {
                let group = contained.as_ref().and_then(|contained| contained.group);
                (everyone.kill_all(group, emit), Some(Signal::KILL))
            }
            // Outside of `received` only stop signals that were held back are forwarded.
            ShutdownAction::Forward(signals) => {
                for signal in signals.iter() {
                    self.forward_one(self.target, signal, None, true);
                }
                return;
            }
            ShutdownAction::TerminateAll => (everyone.tell(emit), Some(Signal::TERM)),
            ShutdownAction::TerminateOrphans => (everyone.tell_newcomers(emit), None),
            ShutdownAction::Kill => (everyone.kill(emit), Some(Signal::KILL)),
            ShutdownAction::KillRemaining => (everyone.kill_again(emit), Some(Signal::KILL)),
            ShutdownAction::ReportSurvivors => {
                let next = if self.shutdown.is_done() { NextStep::Leave } else { NextStep::Wait };
                everyone.report(next, emit);
                self.refused_main_had_time = self.main_refused;
                self.leave_if_out_of_reach();
                return;
            }
            ShutdownAction::Exit => return,
        };
        if let (Err(_), Some(signal)) = (result, blind) {
            signal_blindly(self.me == Pid::INIT, self.main, signal);
        }
    }

    /// `stop` says that the signal requests a stop, so that whoever gets it counts as told.
    fn forward_one(&mut self, target: ForwardTo, signal: Signal, value: Option<usize>, stop: bool) {
        let main_lives = self.main_status.is_none();
        if main_lives && !self.forward.lets_pass(signal, self.known_to_main()) {
            self.out.emit(Event::Withheld { signal, why: WithheldReason::Unhandled });
            return;
        }
        let target = if main_lives { target } else { ForwardTo::All };
        self.has_killed |= signal == Signal::KILL;
        let Self { everyone, out, .. } = self;
        let result = match target {
            // Main is this process's own unreaped child, so that its pid cannot be a stranger's.
            ForwardTo::Main => send(self.main, signal, value),
            ForwardTo::Group => match retry_transient(|| sys::kill_group(self.main, signal)) {
                // Main has left its group, for example by setsid.
                Err(error) if is_gone(&error) => send(self.main, signal, value),
                result => result,
            },
            ForwardTo::All => {
                if everyone.forward(signal, stop, &mut |event| out.emit(event)).is_err() {
                    signal_blindly(self.me == Pid::INIT, self.main, signal);
                }
                Ok(())
            }
        };
        match result {
            Ok(()) => {
                if stop {
                    match target {
                        ForwardTo::Main => self.everyone.mark_told(self.main, signal),
                        ForwardTo::Group => self.everyone.mark_group_told(self.main, signal),
                        ForwardTo::All => {}
                    }
                }
                self.out.emit(Event::Forwarded { signal, to: target });
            }
            Err(error) if is_gone(&error) => {}
            Err(source) => {
                let error = Error::SendSignal { signal, pid: self.main, source };
                everyone.not_sent(self.main, signal, &error, &mut |event| out.emit(event));
            }
        }
        if stop && self.main_status.is_none() && self.everyone.was_refused(self.main) {
            self.main_refused = true;
            self.step(ShutdownInput::MainRefused);
        }
    }

    /// Where main may not be signalled, nothing that is done here ends it: once it is alone with its like, and has had its
    /// time, waiting on would only make this process as unstoppable as main. As PID 1 the exit makes the kernel end them.
    fn leave_if_out_of_reach(&mut self) {
        if self.main_refused && !self.shutdown.is_done() && self.everyone.is_out_of_reach() {
            self.step(ShutdownInput::OutOfReach);
        }
    }

    /// The signals that main handles, ignores, or blocks to take them by `sigwait`.
    fn known_to_main(&self) -> Option<SignalSet> {
        if self.forward == ForwardFilter::All {
            return None;
        }
        let mut reader = procfs::reader::Reader::new();
        let signals = reader.status(self.main).ok().flatten()?.signals?;
        // Which signals a `sigwait` waits for cannot be seen while it waits.
        let visible = !reader.is_in_sigwait(self.main);
        visible.then_some(signals.caught | signals.ignored | signals.blocked)
    }

    fn trouble(&mut self, doing: &'static str, error: &std::io::Error) {
        // A trouble that lasts would fill the log.
        let trouble = (doing, error.raw_os_error());
        if !self.troubles.contains(&trouble) {
            self.troubles.push(trouble);
            self.out.emit(Event::Error { what: format!("{doing}: {error}") });
        }
        retry::sleep(PAUSE_AFTER_TROUBLE);
    }

    fn report(mut self) -> Report {
        // A job of main's, killed with it, may have had the foreground until now.
        if let Some(terminal) = self.terminal {
            terminal.take_back_from(self.main);
        }
        let left_behind = if self.main_status.is_none() || self.left_someone() {
            self.everyone.remaining(REPORTED)
        } else {
            Vec::new()
        };
        let stop_took = self.shutdown.stop_requested().map(|at| self.started.elapsed().saturating_sub(at));
        let report = Report {
            main_pid: self.main,
            main: self.main_status,
            reaped: self.reaped,
            told: self.everyone.told_count(),
            killed: self.everyone.take_killed(),
            left_behind,
            stop_signal: self.stop_signal,
            stop_took,
        };
        if let Some(Contained { controller, .. }) = &self.contained {
            controller.send_report(&report);
        }
        report
    }

    /// True if children remain; takes nothing away, because this process may live on.
    fn left_someone(&self) -> bool {
        let options = rustix::process::WaitIdOptions::EXITED
            | rustix::process::WaitIdOptions::NOHANG
            | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::All, options).is_ok()
    }
}
