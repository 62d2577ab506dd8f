//! What to contain, and how.

use super::job::{Job, Parts};
use super::protocol::{Ids, Request, Setup, Stop};
use crate::child::path_search;
use crate::child::spec::ChildSpec;
use crate::child::spec::start::TerminalUse;
use crate::error::Error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::ffi::OsStr;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

/// A child to run under an `rinit` of its own.
///
/// That rinit is a second process, started by fork and exec from any thread of this one: `rinit`, found in PATH, or the path
/// that [`ContainSpec::rinit`] gives. It adopts every orphan of the job, so that none comes to this process, and ends
/// everything that the job ever started:
///
/// - when main has ended: whoever remains is told TERM, and killed after [`ContainSpec::drain`];
/// - by [`Job::stop`], [`Job::kill`], and when the [`Job`] is dropped;
/// - when this process ends, in whatever way, SIGKILL included.
///
/// Everything of the [`ChildSpec`] is main's: environment, directory, user, group or session, terminal, standard streams,
/// descriptors, signal mask and dispositions; only its parent-death signal is not needed, since the job ends with this process
/// anyway. The rinit runs as this process's user, so that a main that runs as another one cannot harm
/// it.
///
/// # Limits
///
/// - The rinit needs `/proc`, to find the job's processes.
/// - Who kills the rinit itself by SIGKILL frees the job: what it has started goes to the next subreaper above, and
///   [`Job::wait`] fails with [`Error::JobLost`]. Main alone is killed with it. Only a PID namespace or a cgroup holds out
///   against that.
/// - A process of another user, made by a set-user-ID program such as `sudo`, can be killed only where this process may:
///   [`Report::left_behind`](crate::Report::left_behind) names it.
/// - A descendant that is a subreaper itself keeps its own orphans for as long as it lives; they are found below it.
///
/// ```no_run
/// use rinit_core::ChildSpec;
/// use std::time::Duration;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let spec = ChildSpec::new("./job.sh").current_dir("/srv/jobs").contain().drain(Duration::from_secs(1));
/// let report = spec.start()?.wait()?.clone();
/// println!("{:?}, {} had to be killed", report.main, report.killed.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ContainSpec {
    child: ChildSpec,
    rinit: Option<PathBuf>,
    drain: Option<Duration>,
    wait: bool,
    stop_on_drop: bool,
}

impl ContainSpec {
    pub(crate) const fn new(child: ChildSpec) -> Self {
        Self { child, rinit: None, drain: None, wait: false, stop_on_drop: false }
    }

    /// The rinit to use, instead of the first `rinit` in this process's PATH.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("true").contain().rinit("/opt/agent/rinit");
    /// ```
    #[must_use]
    pub fn rinit(mut self, path: impl Into<PathBuf>) -> Self {
        self.rinit = Some(path.into());
        self
    }

    /// Time from main's end to KILL for whoever remains; ten seconds by default. Zero kills them at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// let _ = rinit_core::ChildSpec::new("true").contain().drain(Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn drain(mut self, drain: Duration) -> Self {
        self.drain = Some(drain);
        self
    }

    /// Main's end is not the job's: for programs that daemonise. The job is over when nobody is left, or when it is stopped,
    /// killed or dropped.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("some-daemon").contain().wait_for_descendants(true);
    /// ```
    #[must_use]
    pub const fn wait_for_descendants(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// When the [`Job`] is dropped, or this process ends: an orderly stop by [`ChildSpec::stop_signal`] and
    /// [`ChildSpec::stop_timeout`], as [`Job::stop`] makes it, and not KILL for everything at once.
    ///
    /// ```
    /// use rinit_core::ChildSpec;
    /// use std::time::Duration;
    /// let _ = ChildSpec::new("postgres").stop_timeout(Duration::from_secs(30)).contain().stop_on_drop(true);
    /// ```
    #[must_use]
    pub const fn stop_on_drop(mut self, stop: bool) -> Self {
        self.stop_on_drop = stop;
        self
    }

    /// Starts the job, and returns when main runs its program.
    ///
    /// From any thread, with or without a reaper in this process: the rinit is a child like any other. Its status is nobody's
    /// business but the [`Job`]'s, which does without it where another wait has taken it.
    ///
    /// # Errors
    ///
    /// [`Error::Containment`] where there is no rinit, or what is there is something else or another version. Main's own failures
    /// are those of [`Reaper::spawn`](crate::Reaper::spawn): [`Error::NotFound`] (127), [`Error::NotExecutable`] (126),
    /// [`Error::WorkingDirectory`], [`Error::User`] and so on. [`Error::Channel`], [`Error::Fork`], [`Error::Pipe`]. No process
    /// is left then.
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Error};
    /// # fn main() -> Result<(), Error> {
    /// match ChildSpec::new("/no/such/program").contain().start() {
    ///     Err(error @ Error::NotFound { .. }) => assert_eq!(error.exit_code(), 127),
    ///     Err(Error::Containment { reason }) => eprintln!("install rinit: {reason}"),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(&self) -> Result<Job, Error> {
        let rinit = self.find_rinit()?;
        let (ours, theirs) = channel()?;
        let (spec, terminal) = self.child.rinit(&rinit, theirs).map_err(Error::Channel)?;
        let started = spec.start(TerminalUse::None).map_err(|error| match error {
            Error::NotFound { .. } | Error::NotExecutable { .. } => Error::Containment { reason: error.to_string() },
            other => other,
        })?;
        // It holds the rinit's end of the channel, whose closing must be seen.
        drop(spec);
        let stop = Stop { signal: self.child.stop_signal, grace: self.child.stop_timeout };
        let stop_on_drop = self.stop_on_drop;
        Job::begin(Parts { rinit, started, channel: ours, stop, stop_on_drop }, &self.setup(stop, terminal))
    }

    fn setup(&self, stop: Stop, terminal: Option<RawFd>) -> Request {
        Request::Setup(Setup {
            user: self.child.user.as_ref().map(|user| Ids {
                uid: user.uid(),
                gid: user.gid(),
                groups: user.groups().to_vec(),
            }),
            directory: self.child.directory.clone(),
            group: self.child.group,
            mask: self.child.mask,
            terminal,
            drain: self.drain,
            wait: self.wait,
            stop: self.stop_on_drop.then_some(stop),
        })
    }

    fn find_rinit(&self) -> Result<PathBuf, Error> {
        if let Some(path) = &self.rinit {
            return Ok(path.clone());
        }
        let path = std::env::var_os("PATH");
        let candidates = path_search::candidates(OsStr::new("rinit"), path.as_deref());
        let executable =
            |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        candidates.into_iter().find(executable).ok_or_else(|| Error::Containment {
            reason: format!(
                "there is no rinit in PATH ({}); install it, or give its path to ContainSpec::rinit",
                path.as_deref().unwrap_or(OsStr::new("not set")).to_string_lossy()
            ),
        })
    }
}

/// A pair of connected sockets, neither of which any other program gets.
fn channel() -> Result<(OwnedFd, OwnedFd), Error> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| Error::Channel(error.into()))?;
    Ok((above_stdio(ours)?, above_stdio(theirs)?))
}

fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Error> {
    crate::sys::move_above_stdio(fd).map_err(Error::Channel)
}
