//! The error type: one variant for each operation that can fail.

use crate::duration::Seconds;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::printable::Printable;
use crate::resource::Resource;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys::{NotAlone, NulByte};
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An operation that failed, with the kernel's reason as its source.
///
/// One variant for each operation, so that a caller can tell "the program is not there" from "the machine has no
/// process left". More variants may come.
///
/// ```
/// use rinit_core::{ChildSpec, Error, Reaper};
/// # fn main() -> Result<(), Error> {
/// let reaper = Reaper::exclusive()?;
/// match reaper.spawn(&ChildSpec::new("/no/such/program")) {
///     Err(error @ Error::NotFound { .. }) => assert_eq!(error.exit_code(), 127),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program does not exist: not at its path, or in no directory of PATH.
    #[error("{}: not found{}", Printable(.program), Printable(.searched))]
    NotFound {
        /// The program as it was asked for.
        program: String,
        /// Where it was searched for, as the end of a sentence; empty for a path.
        searched: String,
        /// The answer of `execve(2)`.
        source: io::Error,
    },
    /// The program was found but cannot be executed.
    #[error("{}: cannot execute: {}", Printable(.program), Printable(.reason))]
    NotExecutable {
        /// The file that was found.
        program: String,
        /// Why, in words: the interpreter that is missing, a missing permission, code for another machine.
        reason: String,
        /// The answer of `execve(2)`.
        source: io::Error,
    },
    /// A string for the new process holds a NUL byte, which `execve(2)` cannot take.
    #[error("{what} holds a NUL byte")]
    NulByte {
        /// Which string.
        what: &'static str,
    },
    /// `fork(2)` failed: no memory, or a limit on processes (RLIMIT_NPROC, the pids cgroup) is reached.
    #[error("cannot start a process: fork: {_0}{hint}", hint = fork_hint(_0))]
    Fork(#[source] io::Error),
    /// Other threads run already, so this process cannot be split: `fork(2)` copies only the calling thread, and what the
    /// others have locked would stay locked in the copy for ever.
    #[error("cannot split: {}; split first in main", other_threads(*.count))]
    MultiThreaded {
        /// The number of threads, including this one; `None` if there is no `/proc` to count them in.
        count: Option<usize>,
    },
    /// This process cannot tell whether other threads run: there is no `/proc`, and `unshare(2)` is refused. It was not
    /// split.
    #[error("cannot split: without /proc the threads cannot be counted, and unshare fails: {0}")]
    ThreadsUnknown(#[source] io::Error),
    /// The pipe over which the new process reports its failures could not be made (`pipe(2)`).
    #[error("cannot start a process: pipe: {0}")]
    Pipe(#[source] io::Error),
    /// A descriptor for the new process could not be opened or duplicated to its number there (`dup(2)`): the number is
    /// negative or not below `RLIMIT_NOFILE`, or no descriptor is left.
    #[error("cannot give the new process its descriptor {number}: {source}")]
    Descriptor {
        /// Its number in the new process.
        number: std::os::fd::RawFd,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The new process could not enter its process group or session (`setpgid(2)`, `setsid(2)`).
    #[error("cannot make a process group or session: {0}")]
    ProcessGroup(#[source] io::Error),
    /// The new process could not get its terminal (`ioctl_tty(2)`, `tcsetpgrp(3)`).
    #[error("cannot hand over the terminal: {0}")]
    Terminal(#[source] io::Error),
    /// The working directory cannot be entered (`chdir(2)`).
    #[error("cannot change to directory {}: {source}", Printable(.directory))]
    WorkingDirectory {
        /// The directory.
        directory: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The new process could not change its user and groups (`setgroups(2)`, `setresgid(2)`, `setresuid(2)`).
    #[error("cannot become the user: {_0}{hint}", hint = user_hint(_0))]
    User(#[source] io::Error),
    /// A resource limit of the new process could not be set (`setrlimit(2)`).
    #[error("cannot set {resource} of the new process: {source}{}", limit_hint(*.resource, .source))]
    Limit {
        /// The resource to be limited.
        resource: Resource,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The nice value of the new process could not be set (`setpriority(2)`).
    #[error("cannot set the nice value of the new process: {_0}{hint}", hint = nice_hint(_0))]
    Nice(#[source] io::Error),
    /// After the change of user the new process could still become root again; it was not started.
    #[error(
        "main could become root again after the change of user, so it was not started: \
         this process's securebits or capabilities outlive the change"
    )]
    PrivilegesRetained,
    /// The user or group does not exist, or the user database cannot be read.
    #[error("{}: {}", Printable(.spec), Printable(.reason))]
    UnknownUser {
        /// The specification as given.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The signal mask could not be read or changed (`sigprocmask(2)`).
    #[error("cannot change the signal mask: {0}")]
    SignalMask(#[source] io::Error),
    /// A signal's disposition could not be read or changed (`sigaction(2)`).
    #[error("cannot change the disposition of a signal: {0}")]
    Disposition(#[source] io::Error),
    /// Another thread has signals unblocked that a [`SignalForwarder`](crate::SignalForwarder) is to receive: the kernel would
    /// give them to that thread, and their default action would kill the process.
    #[error("cannot receive {signals:?}: {} has them unblocked; create the forwarder before any thread", thread_name(.thread))]
    SignalNotBlocked {
        /// The signals.
        signals: SignalSet,
        /// The thread's name (`pthread_setname_np(3)`); empty where `/proc` cannot be read.
        thread: String,
    },
    /// The descriptor for signals could not be made (`signalfd(2)`).
    #[error("cannot make a signalfd: {0}")]
    SignalFd(#[source] io::Error),
    /// Waiting for signals failed (`sigtimedwait(2)`, `signalfd(2)`).
    #[error("cannot wait for signals: {0}")]
    SignalWait(#[source] io::Error),
    /// A signal could not be sent (`kill(2)`, `pidfd_send_signal(2)`).
    #[error("cannot send {signal} to {pid}: {source}")]
    SendSignal {
        /// The signal.
        signal: Signal,
        /// The target process.
        pid: Pid,
        /// The kernel's answer; EPERM where the target runs as another user and this process has no CAP_KILL.
        source: io::Error,
    },
    /// Waiting for children failed (`waitid(2)`, `wait4(2)`).
    #[error("cannot wait for children: {0}")]
    Wait(#[source] io::Error),
    /// A reaper of the other kind already runs in this process: an exclusive one would take the statuses that a cooperative
    /// one leaves to other code.
    #[error("cannot start {wanted}: {running} runs in this process already, and the two exclude each other")]
    OtherReaper {
        /// The constructor that was called.
        wanted: &'static str,
        /// The constructor of the reaper that runs.
        running: &'static str,
    },
    /// The child's status was taken by another `wait` in this process.
    #[error("the status of {pid} was taken by another wait in this process")]
    StatusTaken {
        /// The child.
        pid: Pid,
    },
    /// A descriptor that becomes readable when a child exits could not be made (`eventfd(2)`): no descriptor is left.
    #[error("cannot make an eventfd: {0}")]
    EventFd(#[source] io::Error),
    /// A child's output could not be read (`read(2)`, `poll(2)`).
    #[error("cannot read the output of a child: {0}")]
    Output(#[source] io::Error),
    /// The subreaper attribute could not be read or set (`PR_SET_CHILD_SUBREAPER(2const)`).
    #[error("cannot become a subreaper: {0}")]
    Subreaper(#[source] io::Error),
    /// The parent-death signal could not be set (`PR_SET_PDEATHSIG(2const)`).
    #[error("cannot set the parent-death signal: {0}")]
    ParentDeathSignal(#[source] io::Error),
    /// The timer for the next check of the children could not be made, set or waited for (`timerfd_create(2)`, `poll(2)`).
    #[error("cannot use a timer: {0}")]
    Timer(#[source] io::Error),
    /// A descriptor could not be added to the runtime's reactor, or the runtime shuts down (feature `tokio`).
    #[error("cannot wait in the runtime: {0}")]
    Reactor(#[source] io::Error),
    /// The background thread could not be started (`pthread_create(3)`, `eventfd(2)`).
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// A job could not be contained.
    #[error("cannot contain the job: {0}")]
    Containment(#[source] ContainmentError),
    /// The channel to a contained job's rinit could not be made or used (`socketpair(2)`, `send(2)`, `recv(2)`, `poll(2)`).
    #[error("cannot talk to the job's rinit: {0}")]
    Channel(#[source] io::Error),
    /// A contained job's rinit was killed, and has exited without a report. How main exited is not known, and what the job
    /// has started may still run, unless it had a cgroup of its own.
    #[error("the job's rinit, {init}, has exited without a report: {}", lost(*.status))]
    JobLost {
        /// The pid that it had.
        init: Pid,
        /// How it exited; `None` where its status was taken by another wait in this process.
        status: Option<ExitStatus>,
    },
    /// `/proc` could not be read.
    #[error("cannot read {}: {source}", Printable(.path))]
    Proc {
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The container cannot be diagnosed.
    #[error("cannot diagnose: {}", Printable(.why))]
    Diagnosis {
        /// Why not, and what to do instead.
        why: String,
    },
}

/// Why a job could not be contained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainmentError {
    /// No `rinit` was found to run the job under.
    #[error("{}: not found{}; install rinit, or name it by ContainSpec::rinit", Printable(.rinit), Printable(.searched))]
    Missing {
        /// The program that was searched for.
        rinit: String,
        /// Where, as the end of a sentence; empty for a path.
        searched: String,
    },
    /// The rinit cannot be executed.
    #[error("{0}")]
    NotExecutable(#[source] Box<Error>),
    /// The program is not an rinit, or an rinit that is too old: it exited without an answer, or sent another answer.
    #[error("{} is not an rinit, or too old: it {}", Printable(.rinit), silent(*.status))]
    NotRinit {
        /// The program.
        rinit: PathBuf,
        /// How it exited, if it exited without an answer.
        status: Option<ExitStatus>,
    },
    /// The program has not answered in time: see `ContainSpec::start_timeout`.
    #[error("{} has not answered within {} s", Printable(.rinit), Seconds(*.within))]
    Timeout {
        /// The program.
        rinit: PathBuf,
        /// How long this process waited.
        within: Duration,
    },
    /// The rinit is of another version.
    #[error("{} speaks version {theirs} of the protocol for contained jobs, and this program speaks version {ours}", Printable(.rinit))]
    WrongVersion {
        /// The program.
        rinit: PathBuf,
        /// Its version of the protocol.
        theirs: u16,
        /// The version of this library.
        ours: u16,
    },
    /// This program cannot be a job's init: `rinit_core::contain::init` was not called first in its `main`.
    ///
    /// ```
    /// use rinit_core::contain::ContainmentError;
    /// use rinit_core::{ChildSpec, Error};
    /// let started = ChildSpec::new("true").contain().by_this_program().start();
    /// assert!(matches!(started, Err(Error::Containment(ContainmentError::NoEntry))));
    /// ```
    #[error("this program does not call rinit_core::contain::init() as the first line of main")]
    NoEntry,
    /// The job's cgroup could not be made or used.
    #[error("cgroup {}: {source}", Printable(.directory))]
    Cgroup {
        /// The directory.
        directory: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The job's rinit reported another failure.
    #[error("{}", Printable(.message))]
    Failed {
        /// Why, in words.
        message: String,
    },
}

/// Says what a program that is not an rinit did, as part of a sentence.
fn silent(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "answers differently".to_owned(), |status| format!("{status} without an answer"))
}

/// Says what the kernel's answer to a resource limit means, if it has only one meaning.
fn limit_hint(resource: Resource, error: &io::Error) -> &'static str {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PERM) if resource == Resource::OpenFiles => {
            ": raising a hard limit needs CAP_SYS_RESOURCE, and /proc/sys/fs/nr_open is the maximum"
        }
        Some(rustix::io::Errno::PERM) => ": raising a hard limit needs CAP_SYS_RESOURCE",
        Some(rustix::io::Errno::INVAL) => ": the soft limit is above the hard one",
        _ => "",
    }
}

/// What the kernel's answer to a nice value means, where that is one thing.
fn nice_hint(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => ": a lower one needs CAP_SYS_NICE, or RLIMIT_NICE",
        _ => "",
    }
}

/// What the kernel's answer to a change of user means, where that is one thing.
fn fork_hint(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::AGAIN) => {
            ": a limit of processes is reached (the container's pids limit, RLIMIT_NPROC, kernel.pid_max)"
        }
        _ => "",
    }
}

fn user_hint(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PERM) => ": it needs CAP_SETUID and CAP_SETGID",
        Some(rustix::io::Errno::INVAL) => ": the user namespace has no such id",
        _ => "",
    }
}

impl Error {
    /// The exit status that container users expect for this error: 127 not found, 126 not executable, 125 anything else.
    ///
    /// Source: `docker-run(1)`, EXIT STATUS.
    ///
    /// ```
    /// # use rinit_core::Error;
    /// assert_eq!(Error::PrivilegesRetained.exit_code(), 125);
    /// ```
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } => 126,
            _ => 125,
        }
    }
}

/// Keeps the kind of the system's answer, and the whole error as the inner one.
///
/// ```
/// use rinit_core::{ChildSpec, Reaper};
/// fn run() -> std::io::Result<()> {
///     Reaper::exclusive()?.spawn(&ChildSpec::new("/no/such/program"))?;
///     Ok(())
/// }
/// assert_eq!(run().unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// ```
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Self>());
        let kind = match (source, &error) {
            (Some(source), _) => source.kind(),
            (None, Error::NulByte { .. } | Error::UnknownUser { .. }) => io::ErrorKind::InvalidInput,
            (None, Error::PrivilegesRetained) => io::ErrorKind::PermissionDenied,
            (None, _) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Makes a variant's constructor take what a system call returns.
pub(crate) fn from_errno(variant: fn(io::Error) -> Error) -> impl Fn(Errno) -> Error {
    move |errno| variant(errno.into())
}

impl From<NulByte> for Error {
    fn from(NulByte { what }: NulByte) -> Self {
        Self::NulByte { what }
    }
}

impl From<NotAlone> for Error {
    fn from(error: NotAlone) -> Self {
        match error {
            NotAlone::MultiThreaded { count } => Self::MultiThreaded { count },
            NotAlone::Unknown(errno) => Self::ThreadsUnknown(errno.into()),
        }
    }
}

/// What there is beside the calling thread, as part of a sentence.
fn other_threads(count: Option<usize>) -> String {
    count.map_or_else(|| "other threads run already".to_owned(), |count| format!("{count} threads run already"))
}

fn thread_name(name: &str) -> String {
    if name.is_empty() { "another thread".to_owned() } else { format!("the thread {name:?}") }
}

/// How a rinit that left no report ended, as part of a sentence.
fn lost(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "its status was taken by another wait".to_owned(), |status| status.to_string())
}
