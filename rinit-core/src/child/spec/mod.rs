//! The specification of a child: which program to start, and in which state.

pub(crate) mod descriptors;
pub(crate) mod environment;
mod from_command;
mod lifetime;
pub(crate) mod limits;
pub(crate) mod start;
pub(crate) mod stdio;

use crate::child::spec::limits::Limits;
use crate::child::spec::stdio::Stdio;
use crate::inherited::Inherited;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::user::User;
use std::ffi::{OsStr, OsString};
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The process group or session of a child.
///
/// ```
/// assert_eq!(rinit_core::ProcessGroup::default(), rinit_core::ProcessGroup::Own);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProcessGroup {
    /// The child is in the group of the process that starts it: for a child that uses the same terminal as this process.
    Inherit,
    /// The child has its own process group, so that it can be signalled with all that it starts (`setpgid(2)`). The default.
    ///
    /// At a terminal such a child is in the background, unless it is given the foreground by
    /// [`ChildSpec::terminal`](crate::ChildSpec::terminal): if it reads from the terminal it is stopped (TTIN), and
    /// [`Child::wait_change`](crate::Child::wait_change) returns that.
    #[default]
    Own,
    /// The child has its own session (`setsid(2)`), without a controlling terminal unless it is given one.
    Session,
}

/// A program to start: arguments, environment, directory, user, process group and signal state.
///
/// Unlike `std::process::Command` it sets the whole signal state: by default the child starts with an empty signal mask
/// and SIGPIPE at its default action, even if this process blocks signals. [`ChildSpec::inherit_signals`] gives the child the state
/// that this process inherited. Descriptors that are not close-on-exec are inherited, standard ones included, unless
/// [`ChildSpec::stdin`] and the like or [`ChildSpec::pass_fd`] say otherwise.
///
/// A program without a slash is searched for in PATH, of the child's environment, as `execvp(3)` does.
///
/// ```
/// use rinit_core::{ChildSpec, ExitStatus, Reaper};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let reaper = Reaper::exclusive()?;
/// let mut child = reaper.spawn(&ChildSpec::new("sh").args(["-c", "exit 7"]))?;
/// assert_eq!(child.wait()?, ExitStatus::Code(7));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ChildSpec {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// True if the child's environment starts empty.
    pub(crate) environment_cleared: bool,
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) user: Option<User>,
    pub(crate) group: ProcessGroup,
    /// By number in the child. Whether any other descriptor is inherited depends on its close-on-exec flag.
    pub(crate) descriptors: Vec<(RawFd, Stdio)>,
    pub(crate) mask: SignalSet,
    pub(crate) ignore: SignalSet,
    pub(crate) default: SignalSet,
    pub(crate) terminal: Option<Arc<OwnedFd>>,
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) stop_signal: Signal,
    pub(crate) stop_timeout: Duration,
    pub(crate) limits: Limits,
}

impl ChildSpec {
    /// The program, by path or by name.
    ///
    /// ```
    /// let spec = rinit_core::ChildSpec::new("nginx");
    /// assert_eq!(spec.program(), "nginx");
    /// ```
    #[must_use]
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment_cleared: false,
            environment: Vec::new(),
            directory: None,
            user: None,
            group: ProcessGroup::Own,
            descriptors: Vec::new(),
            mask: SignalSet::empty(),
            ignore: SignalSet::empty(),
            default: SignalSet::only(Signal::PIPE),
            terminal: None,
            parent_death_signal: None,
            stop_signal: Signal::TERM,
            stop_timeout: lifetime::DEFAULT_STOP_TIMEOUT,
            limits: Limits::default(),
        }
    }

    /// The program, as given.
    ///
    /// ```
    /// assert_eq!(rinit_core::ChildSpec::new("/bin/sh").program(), "/bin/sh");
    /// ```
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Adds one argument.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("sleep").arg("1");
    /// ```
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("sh").args(["-c", "exit 7"]);
    /// ```
    #[must_use]
    pub fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        let arguments = arguments.into_iter().map(Into::into);
        if self.arguments.is_empty() {
            // A list that is given away becomes this one, without a copy.
            self.arguments = arguments.collect();
        } else {
            self.arguments.extend(arguments);
        }
        self
    }

    /// Sets an environment variable on top of what this process has, or of nothing after [`ChildSpec::env_clear`].
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("env").env("LANG", "C.UTF-8");
    /// ```
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("env").env_remove("LD_PRELOAD");
    /// ```
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), None));
        self
    }

    /// Starts from an empty environment: the child has only what [`ChildSpec::env`] sets after this, and no HOME for its
    /// [user](ChildSpec::user) either. Without a PATH a program is searched for where `execvp(3)` searches then.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = ChildSpec::new("/usr/bin/env").env_clear().env("LANG", "C").stdout(Stdio::piped());
    /// assert_eq!(Reaper::exclusive()?.spawn(&spec)?.wait_with_output()?.stdout, b"LANG=C\n");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.environment.clear();
        self.environment_cleared = true;
        self
    }

    /// The working directory, entered as the child's user.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("ls").current_dir("/");
    /// ```
    #[must_use]
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The user that the child becomes, for good: uid, gid and supplementary groups. HOME is set to the user's home directory
    /// unless [`ChildSpec::env`] sets it.
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Reaper, User};
    /// let id = ChildSpec::new("id").user(User::resolve("www-data")?);
    /// Reaper::exclusive()?.spawn(&id)?.wait()?;
    /// # Ok::<(), rinit_core::Error>(())
    /// ```
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// The child's process group or session; a group of its own by default, which is in the background of a terminal: see
    /// [`ProcessGroup`].
    ///
    /// ```
    /// use rinit_core::{ChildSpec, ProcessGroup};
    /// let _ = ChildSpec::new("sleep").arg("1").process_group(ProcessGroup::Session);
    /// ```
    #[must_use]
    pub const fn process_group(mut self, group: ProcessGroup) -> Self {
        self.group = group;
        self
    }

    /// The signal mask with which the program starts; empty by default.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Signal, SignalSet};
    /// let _ = ChildSpec::new("sleep").signal_mask(SignalSet::only(Signal::HUP));
    /// ```
    #[must_use]
    pub const fn signal_mask(mut self, mask: SignalSet) -> Self {
        self.mask = mask;
        self
    }

    /// Signals that the program starts with ignored, on top of those that this process ignores.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Signal, SignalSet};
    /// let _ = ChildSpec::new("sleep").ignore_signals(SignalSet::only(Signal::HUP)); // as nohup(1) does
    /// ```
    #[must_use]
    pub const fn ignore_signals(mut self, signals: SignalSet) -> Self {
        self.ignore = signals;
        self
    }

    /// Signals that the program starts with at their default action, even if this process ignores them. By default that is only
    /// SIGPIPE, which std's runtime sets to ignored in every Rust program.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, SignalSet};
    /// let _ = ChildSpec::new("sleep").reset_signals(SignalSet::all());
    /// ```
    #[must_use]
    pub const fn reset_signals(mut self, signals: SignalSet) -> Self {
        self.default = signals;
        self
    }

    /// Starts the child with the signal mask and dispositions that this process inherited, as if it were not there.
    ///
    /// Exact in a program whose `main` is [`c_main!`](crate::c_main); under std's runtime SIGPIPE has been changed before
    /// `main` and is passed on as ignored.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Inherited, Reaper};
    /// let inherited = Inherited::capture()?;
    /// let program = ChildSpec::new("true").inherit_signals(&inherited);
    /// Reaper::exclusive()?.spawn(&program)?.wait()?;
    /// # Ok::<(), rinit_core::Error>(())
    /// ```
    #[must_use]
    pub const fn inherit_signals(mut self, inherited: &Inherited) -> Self {
        self.mask = inherited.mask();
        self.ignore = if inherited.sigchld_ignored() { SignalSet::only(Signal::CHLD) } else { SignalSet::empty() };
        self.default = SignalSet::empty();
        self
    }
}
