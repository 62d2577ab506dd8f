//! What to contain, and how.

use super::cgroup::Cgroup;
use super::entry;
use super::job::{Job, Parts};
use super::protocol::{Ids, Request, Setup, Stop, VERSION};
use crate::child::path_search;
use crate::child::spec::ChildSpec;
use crate::child::spec::start::TerminalUse;
use crate::error::{ContainmentError, Error, from_errno};
use crate::printable::Printable;
use crate::signal::Signal;
use crate::sys;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::ffi::OsStr;
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The default time in which the rinit must start main. It takes milliseconds.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A child to run under an `rinit` of its own.
///
/// That rinit is a second process, started by fork and exec from any thread of this one. It is [this program
/// itself](ContainSpec::by_this_program), a path that [`ContainSpec::rinit`] gives, or the first `rinit` in PATH. It adopts every
/// orphan of the job, so that none comes to this process, and stops everything that the job ever started:
///
/// - when main has exited: the processes that remain are sent TERM, and killed after [`ContainSpec::drain`];
/// - by [`Job::stop`], [`Job::kill`], and when the [`Job`] is dropped;
/// - when this process exits, in any way, SIGKILL included.
///
/// Everything of the [`ChildSpec`] is main's: environment, directory, user, group or session, terminal, standard streams,
/// descriptors, limits, signal mask and dispositions; only its parent-death signal is not needed. The rinit runs as this
/// process's user, so that a main of another user cannot harm it.
///
/// # Limits
///
/// - The rinit needs `/proc`, to find the job's processes.
/// - A process of the job that kills the rinit by SIGKILL frees the job: what it has started goes to the next subreaper above,
///   and [`Job::wait`] fails with [`Error::JobLost`]. Only main is killed with it. [`ContainSpec::cgroup`] closes this gap; so
///   does a PID namespace.
/// - A job that stops its rinit (a loop of SIGSTOP, `ptrace(2)`) delays a kill by about a second: then this process kills the
///   job's processes itself.
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
    rinit: RinitProgram,
    drain: Option<Duration>,
    wait: bool,
    stop_on_drop: bool,
    start_timeout: Duration,
    time_limit: Option<Duration>,
    cgroup: Option<PathBuf>,
}

/// The program that contains the job.
#[derive(Debug, Clone)]
pub(super) enum RinitProgram {
    InPath,
    At(PathBuf),
    ThisProgram,
}

impl ContainSpec {
    pub(crate) const fn new(child: ChildSpec) -> Self {
        Self {
            child,
            rinit: RinitProgram::InPath,
            drain: None,
            wait: false,
            stop_on_drop: false,
            start_timeout: START_TIMEOUT,
            time_limit: None,
            cgroup: None,
        }
    }

    /// The rinit to use, instead of the first `rinit` in this process's PATH. It must be of the same release as this library;
    /// another version is refused by name.
    ///
    /// A program that carries the rinit in its own memory (`include_bytes!`) may write it to a `memfd_create(2)` and pass
    /// `/proc/self/fd/N`.
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("make").contain().rinit("/opt/agent/rinit");
    /// # drop(spec);
    /// ```
    #[must_use]
    pub fn rinit(mut self, path: impl Into<PathBuf>) -> Self {
        self.rinit = RinitProgram::At(path.into());
        self
    }

    /// Contains the job by this program itself, started a second time: no other file is needed, also `FROM scratch`.
    ///
    /// The program's `main` must call [`contain::init`](crate::contain::init) first, or the start fails. A library in another
    /// author's program cannot rely on that, and uses [`ContainSpec::rinit`].
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, contain};
    /// fn main() -> Result<(), rinit_core::Error> {
    ///     contain::init(); // first: in a process that was started as a job's init it does not return
    ///     let mut job = ChildSpec::new("make").arg("test").contain().by_this_program().start()?;
    ///     println!("make {}", job.wait()?.exit_code());
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn by_this_program(mut self) -> Self {
        self.rinit = RinitProgram::ThisProgram;
        self
    }

    /// Time from main's exit to KILL for the processes that remain; ten seconds by default. Zero kills them at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// let spec = rinit_core::ChildSpec::new("make").contain().drain(Duration::ZERO);
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn drain(mut self, drain: Duration) -> Self {
        self.drain = Some(drain);
        self
    }

    /// Lets the job go on after main's exit, for programs that daemonise. The job is over when no process is left, or when it
    /// is stopped, killed or dropped.
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("some-daemon").contain().wait_for_descendants(true);
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn wait_for_descendants(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// When the [`Job`] is dropped or this process exits, stops the job as [`Job::stop`] does, with
    /// [`ChildSpec::stop_signal`] and [`ChildSpec::stop_timeout`], instead of killing everything at once.
    ///
    /// ```
    /// use rinit_core::ChildSpec;
    /// use std::time::Duration;
    /// let spec = ChildSpec::new("postgres").stop_timeout(Duration::from_secs(30)).contain().stop_on_drop(true);
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn stop_on_drop(mut self, stop: bool) -> Self {
        self.stop_on_drop = stop;
        self
    }

    /// How long [`ContainSpec::start`] waits for the rinit to answer, 30 s by default. Then it kills the rinit and fails with
    /// [`ContainmentError::Timeout`]. A slow `execve(2)` of main, from a network file system, counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// let spec = rinit_core::ChildSpec::new("make").contain().start_timeout(Duration::from_secs(5));
    /// # drop(spec);
    /// ```
    #[must_use]
    pub const fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Limits the time of the whole job, from main's start until no process of it is left. A job that is not over then is
    /// stopped as by [`Job::stop`]: with [`ChildSpec::stop_signal`], and KILL for everything after
    /// [`ChildSpec::stop_timeout`]. [`Report::timed_out`](crate::Report::timed_out) is true then. There is no limit by default.
    ///
    /// The job's rinit keeps the time, so that the limit holds also while this process does something else, or is stopped. Time
    /// in which the job is stopped or frozen counts.
    ///
    /// ```no_run
    /// use rinit_core::ChildSpec;
    /// use std::time::Duration;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("make").arg("test").stop_timeout(Duration::from_secs(2));
    /// let mut job = spec.contain().time_limit(Duration::from_secs(600)).start()?;
    /// let report = job.wait()?;
    /// println!("{}{}", report.exit_code(), if report.timed_out { ", after ten minutes" } else { "" });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Runs the job, its rinit included, in a new cgroup below this one: a directory in a cgroup v2 file system that this
    /// process may write to, such as one that systemd has delegated.
    ///
    /// When the job is over, or has killed its rinit, the kernel kills every process in the cgroup in one step
    /// (`cgroup.kill`, Linux 5.14), which no fork escapes. It does so too if the job still lives a second after it was killed,
    /// as a fork bomb may; the rinit leaves the cgroup before that, and reports. Then the cgroup is removed. Limits such as
    /// `pids.max` are the parent's.
    ///
    /// The start fails with [`ContainmentError::Cgroup`] where that is not possible.
    ///
    /// Source: `cgroups(7)`; `cgroup-v2.rst` of the kernel's documentation, "cgroup.kill".
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("make").contain().cgroup("/sys/fs/cgroup/agent.slice/jobs");
    /// # drop(spec);
    /// ```
    #[must_use]
    pub fn cgroup(mut self, parent: impl Into<PathBuf>) -> Self {
        self.cgroup = Some(parent.into());
        self
    }

    /// Starts the job, and returns when main runs its program.
    ///
    /// It may be called from any thread, with or without a reaper in this process: the rinit is a child like any other. Only the
    /// [`Job`] needs its status, and does without it where another wait has taken it.
    ///
    /// # Errors
    ///
    /// [`Error::Containment`] where the job cannot be contained: [`ContainmentError`] says why. Main's own failures
    /// are those of [`Reaper::spawn`](crate::Reaper::spawn): [`Error::NotFound`] (127), [`Error::NotExecutable`] (126),
    /// [`Error::WorkingDirectory`], [`Error::User`] and so on. [`Error::Channel`], [`Error::Fork`], [`Error::Pipe`]. No process
    /// is left then.
    ///
    /// ```no_run
    /// use rinit_core::contain::ContainmentError;
    /// use rinit_core::{ChildSpec, Error};
    /// # fn main() -> Result<(), Error> {
    /// match ChildSpec::new("/no/such/program").contain().start() {
    ///     Err(error @ Error::NotFound { .. }) => assert_eq!(error.exit_code(), 127),
    ///     Err(Error::Containment(ContainmentError::Missing { .. })) => eprintln!("install rinit"),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(&self) -> Result<Job, Error> {
        let rinit = self.find_rinit().map_err(Error::Containment)?;
        let cgroup = self.cgroup.as_deref().map(Cgroup::below).transpose()?;
        let (ours, theirs) = channel()?;
        let (spec, terminal) = self.child.rinit(&rinit, theirs).map_err(Error::Channel)?;
        let started = spec.start(TerminalUse::None).map_err(|error| match error {
            Error::NotFound { program, searched, .. } => {
                Error::Containment(ContainmentError::Missing { rinit: program, searched })
            }
            Error::NotExecutable { .. } => Error::Containment(ContainmentError::NotExecutable(Box::new(error))),
            other => other,
        })?;
        // It holds the rinit's end of the channel, whose closing must be seen.
        drop(spec);
        let stop = Stop { signal: self.child.stop_signal, grace: self.child.stop_timeout };
        let parts = Parts {
            rinit,
            started,
            channel: ours,
            stop,
            stop_on_drop: self.stop_on_drop,
            start_timeout: self.start_timeout,
            time_limit: self.time_limit,
            cgroup,
        };
        Job::begin(parts, &self.setup(stop, terminal))
    }

    fn setup(&self, stop: Stop, terminal: Option<RawFd>) -> Request {
        Request::Setup(Setup {
            version: VERSION,
            user: self.child.user.as_ref().map(|user| Ids {
                uid: user.uid(),
                gid: user.gid(),
                groups: user.groups().to_vec(),
            }),
            directory: self.child.directory.clone(),
            group: self.child.group,
            mask: self.child.mask,
            sigpipe_ignored: self.sigpipe_ignored(),
            limits: self.child.limits.clone(),
            terminal,
            drain: self.drain,
            wait: self.wait,
            stop: self.stop_on_drop.then_some(stop),
            time_limit: self.time_limit.map(|limit| (limit, stop)),
        })
    }

    /// True if a child of this process would start with SIGPIPE ignored.
    fn sigpipe_ignored(&self) -> bool {
        let pipe = Signal::PIPE;
        if self.child.default.contains(pipe) {
            return self.child.ignore.contains(pipe);
        }
        self.child.ignore.contains(pipe) || sys::is_ignored(pipe)
    }

    fn find_rinit(&self) -> Result<PathBuf, ContainmentError> {
        match &self.rinit {
            RinitProgram::At(path) => return Ok(path.clone()),
            // A program without the entry would run its own main with foreign arguments.
            RinitProgram::ThisProgram if !entry::exists() => return Err(ContainmentError::NoEntry),
            RinitProgram::ThisProgram => return Ok(PathBuf::from(RinitProgram::THIS)),
            RinitProgram::InPath => {}
        }
        let path = std::env::var_os("PATH");
        let candidates = path_search::candidates(OsStr::new("rinit"), path.as_deref());
        let executable = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        candidates.into_iter().find(|path| executable(path)).ok_or_else(|| ContainmentError::Missing {
            rinit: "rinit".to_owned(),
            searched: format!(" in PATH ({})", Printable(path.as_deref().unwrap_or(OsStr::new("not set")))),
        })
    }
}

/// Returns a pair of connected sockets that no other program inherits.
fn channel() -> Result<(OwnedFd, OwnedFd), Error> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(from_errno(Error::Channel))?;
    Ok((above_stdio(ours)?, above_stdio(theirs)?))
}

fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Error> {
    crate::sys::move_above_stdio(fd).map_err(from_errno(Error::Channel))
}
