//! The options of an [`Init`].

use super::delivery::Routing;
use super::event::Event;
use super::observer::Observers;
use crate::child::spec::ChildSpec;
use crate::inherited::Inherited;
use crate::policy::forwarding::{ForwardFilter, ForwardTo};
use crate::policy::shutdown::{OnMainExit, ShutdownConfig};
use crate::signal::Signal;
use crate::signal::rewrite::Rewrite;
use std::fmt;
use std::time::Duration;

/// An init for one program, called main: a program that it starts ([`Init::new`]), or this very process, which it leaves
/// behind as the program's parent ([`Init::split`]).
///
/// It starts main in its own process group (in the foreground of the terminal if and only if this process was there),
/// forwards every signal and reaps every child. When main has exited it sends TERM to the other processes and waits for
/// them. [`Init::run`] returns when no process is left.
///
/// **Exclusive**: it waits for any child, and it takes every signal that is sent to the process. Nothing else in the
/// process may spawn or wait. Orphans become children of PID 1 anyway; elsewhere `Init` becomes a subreaper unless
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
    /// `None` only before a split that captures the signals itself.
    pub(super) inherited: Option<Inherited>,
    pub(super) main: M,
    pub(super) shutdown: ShutdownConfig,
    pub(super) routing: Routing,
    pub(super) subreaper: Adoption,
    pub(super) stop_along: bool,
    pub(super) observers: Observers,
}

/// Whether this process adopts orphans if it is not PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adoption {
    /// The default: a refusal of the kernel is reported, and the run goes on.
    IfPossible,
    Required,
    Declined,
}

impl<M: fmt::Debug> fmt::Debug for Init<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("main", &self.main)
            .field("shutdown", &self.shutdown)
            .field("routing", &self.routing)
            .field("subreaper", &self.subreaper)
            .finish_non_exhaustive()
    }
}

impl Init {
    /// An init for `main`, with every option at its default. The [`Inherited`] proves that the signals are blocked.
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

    /// Calls the observer for every event, within the loop and without a thread: **it must not block**, because nothing
    /// is reaped or forwarded meanwhile. A panic is caught, and the observer is not called again; under
    /// `panic = "abort"` it aborts the process.
    ///
    /// ```
    /// use rinit_core::init::Event;
    /// use rinit_core::{ChildSpec, Inherited, Init};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let init = Init::new(Inherited::capture()?, ChildSpec::new("true"));
    /// init.observe(|event| {
    ///     if let Event::Reaped { pid, status, .. } = event {
    ///         println!("{pid} {status}");
    ///     }
    /// })
    /// .run()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Event) + 'static) -> Self {
        self.observers.set(Box::new(observer));
        self
    }
}

impl<M> Init<M> {
    pub(super) fn with_defaults(inherited: Option<Inherited>, main: M) -> Self {
        let runtime_has_clock = rustix::process::getpid().is_init();
        Self {
            inherited,
            main,
            shutdown: ShutdownConfig { runtime_has_clock, ..ShutdownConfig::default() },
            routing: Routing::default(),
            subreaper: Adoption::IfPossible,
            stop_along: false,
            observers: Observers::default(),
        }
    }

    /// Which processes get forwarded signals: main alone by default.
    #[must_use]
    pub fn forward_to(mut self, target: ForwardTo) -> Self {
        self.routing.target = target;
        self
    }

    /// Which signals are forwarded: all by default.
    #[must_use]
    pub fn forward_filter(mut self, filter: ForwardFilter) -> Self {
        self.routing.filter = filter;
        self
    }

    /// Rewrites signals before they are forwarded. A signal requests a stop if it is a stop signal before or after
    /// rewriting, unless it is dropped.
    ///
    /// ```
    /// use rinit_core::signal::{BadRewrite, Rewrite};
    /// fn quit_nginx(init: rinit_core::Init) -> Result<rinit_core::Init, BadRewrite> {
    ///     let mut rewrite = Rewrite::default();
    ///     rewrite.add("TERM=QUIT")?;
    ///     Ok(init.rewrite(rewrite))
    /// }
    /// ```
    #[must_use]
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.routing.rewrite = rewrite;
        self
    }

    /// Adds a signal that requests a stop, beside TERM, INT and QUIT.
    #[must_use]
    pub fn add_stop_signal(mut self, signal: Signal) -> Self {
        self.routing.stop_signals |= signal.into();
        self
    }

    /// Whether an ALRM that the kernel sends to this process is forwarded: that of an alarm which this process inherited
    /// (`setitimer(2)`). False by default: main has not set it.
    #[must_use]
    pub fn forward_alarm(mut self, forward: bool) -> Self {
        self.routing.forward_alarm = forward;
        self
    }

    /// How long the first stop signal is held back, for load balancers that still send requests for a while. A second
    /// stop signal cuts the delay short. No delay by default.
    #[must_use]
    pub fn stop_delay(mut self, delay: Duration) -> Self {
        self.shutdown.stop_delay = delay;
        self
    }

    /// Time from asking main to stop until KILL. Without it main is never killed.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.shutdown.grace = Some(grace);
        self
    }

    /// Time from main's exit until KILL for the processes that remain. Without it: ten seconds, and no limit while a
    /// requested stop runs as PID 1, because the container's runtime limits it.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.shutdown.drain = Some(drain);
        self
    }

    /// Time from the stop request to TERM for all processes that were not asked yet. Without it: four fifths of the limit
    /// that [`Init::grace`] or [`Init::drain`] sets, or eight seconds if there is none.
    #[must_use]
    pub fn last_call(mut self, time: Duration) -> Self {
        self.shutdown.last_call = Some(time);
        self
    }

    /// How long a step of the stop may take before [`Event::Remaining`] reports it: one second by default, zero for each
    /// at once.
    #[must_use]
    pub fn report_steps_after(mut self, time: Duration) -> Self {
        self.shutdown.report_steps_after = time;
        self
    }

    /// What happens to the other processes when main has exited.
    #[must_use]
    pub fn on_main_exit(mut self, what: OnMainExit) -> Self {
        self.shutdown.on_main_exit = what;
        self
    }

    /// Whether to become a subreaper if this process is not PID 1. Without it orphans go to another process, and are
    /// neither reaped nor asked to stop.
    ///
    /// By default this process tries to become one; if the kernel refuses, [`Event::Error`] reports it and the run goes on.
    /// With `true` a refusal is [`Error::Subreaper`](crate::Error::Subreaper), and main is not started.
    #[must_use]
    pub fn subreaper(mut self, become_one: bool) -> Self {
        self.subreaper = if become_one { Adoption::Required } else { Adoption::Declined };
        self
    }

    /// Whether this process stops itself (`SIGSTOP`) after every TSTP, TTIN or TTOU that it gets, instead of following
    /// main's stops. False by default.
    ///
    /// For callers that stop and continue main by signals to this process and expect to see it stopped; main in a session
    /// of its own gets no ^Z itself. It has no effect in PID 1.
    ///
    /// Without it this process stops when main was stopped from the terminal, if there is a shell that notices.
    #[must_use]
    pub fn stop_along(mut self, stop: bool) -> Self {
        self.stop_along = stop;
        self
    }
}
