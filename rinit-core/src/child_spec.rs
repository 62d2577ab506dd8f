//! What to start, and in which state.

use crate::child_environment::ChildEnvironment;
use crate::exec_failure;
use crate::program_path;
use crate::sys::{self, CStrings, Placement, Plan, Stage};
use crate::{Error, Inherited, Pid, Signal, SignalSet, User};
use rustix::fd::BorrowedFd;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a child stands among process groups and sessions.
///
/// ```
/// assert_eq!(rinit_core::Group::default(), rinit_core::Group::Own);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Group {
    /// In the group of the process that starts it.
    Inherit,
    /// In a process group of its own, so that it can be signalled with all that it starts (`setpgid(2)`).
    #[default]
    Own,
    /// In a session of its own (`setsid(2)`), without a controlling terminal unless it is given one.
    Session,
}

/// A program to start: arguments, environment, directory, user, process group and signal state.
///
/// Unlike `std::process::Command` it says all of the signal state: by default the child starts with an empty signal mask
/// and SIGPIPE at its default action, whatever this process has blocked; [`ChildSpec::signals_of`] hands on what this
/// process had inherited itself. Descriptors that are not close-on-exec are inherited, standard ones included.
///
/// A relative program without a slash is looked for in PATH, of the child's environment, as `execvp(3)` does.
///
/// ```
/// use rinit_core::{ChildSpec, ExitStatus, Reaper};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut reaper = Reaper::exclusive()?;
/// let mut child = reaper.spawn(&ChildSpec::new("sh").args(["-c", "exit 7"]))?;
/// assert_eq!(child.wait()?, ExitStatus::Code(7));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ChildSpec {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
    user: Option<User>,
    group: Group,
    mask: SignalSet,
    ignore: SignalSet,
    default: SignalSet,
}

/// How the caller places the child at a terminal; decided by `Init`, which knows who has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TerminalUse<'a> {
    None,
    /// By staying in the caller's group, whatever the child's group was to be.
    Shared,
    Foreground(BorrowedFd<'a>),
    Controlling(BorrowedFd<'a>),
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
            environment: Vec::new(),
            directory: None,
            user: None,
            group: Group::Own,
            mask: SignalSet::empty(),
            ignore: SignalSet::empty(),
            default: SignalSet::only(Signal::PIPE),
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
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable on top of what this process has.
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

    /// The working directory, entered as the child's user.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("ls").directory("/");
    /// ```
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The user that the child becomes: uid, gid and supplementary groups, for good. HOME is set to the user's home
    /// unless [`ChildSpec::env`] sets it.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let spec = rinit_core::ChildSpec::new("id").user(rinit_core::User::resolve("0")?);
    /// # let _ = spec;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// The child's process group or session.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Group};
    /// let _ = ChildSpec::new("sleep").arg("1").group(Group::Session);
    /// ```
    #[must_use]
    pub const fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// The signal mask with which the program starts; empty by default.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Signal, SignalSet};
    /// let _ = ChildSpec::new("sleep").mask(SignalSet::only(Signal::HUP));
    /// ```
    #[must_use]
    pub const fn mask(mut self, mask: SignalSet) -> Self {
        self.mask = mask;
        self
    }

    /// Signals that the program starts with ignored, on top of those that this process ignores.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Signal, SignalSet};
    /// let _ = ChildSpec::new("sleep").ignore(SignalSet::only(Signal::HUP)); // as nohup(1) does
    /// ```
    #[must_use]
    pub const fn ignore(mut self, signals: SignalSet) -> Self {
        self.ignore = signals;
        self
    }

    /// Signals that the program starts with at their default action, even where this process ignores them: only SIGPIPE
    /// unless said otherwise, which std's runtime sets to ignored in every Rust program.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, SignalSet};
    /// let _ = ChildSpec::new("sleep").default_action(SignalSet::all());
    /// ```
    #[must_use]
    pub const fn default_action(mut self, signals: SignalSet) -> Self {
        self.default = signals;
        self
    }

    /// Starts the child with the signal mask and dispositions that this process inherited, as if it were not there.
    ///
    /// Exact in a program whose `main` is [`c_main!`](crate::c_main); under std's runtime SIGPIPE has been changed before
    /// `main` and is handed on as ignored.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Inherited};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let inherited = Inherited::capture()?;
    /// let spec = ChildSpec::new("sleep").arg("1").signals_of(&inherited);
    /// # let _ = spec;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn signals_of(mut self, inherited: &Inherited) -> Self {
        self.mask = inherited.mask();
        self.ignore = if inherited.child_ignored() { SignalSet::only(Signal::CHLD) } else { SignalSet::empty() };
        self.default = SignalSet::empty();
        self
    }

    pub(crate) const fn group_kind(&self) -> Group {
        self.group
    }

    /// Starts the child. The caller answers for its being waited for, by exactly one side.
    pub(crate) fn start(&self, terminal: TerminalUse<'_>) -> Result<Pid, Error> {
        let environment = self.child_environment();
        let candidates = program_path::candidates(&self.program, environment.get("PATH"));
        let directory = self.directory.as_deref().map(c_path).transpose()?;
        let ids = self.user.as_ref().filter(|user| !user.is_current()).map(User::ids);
        let arguments =
            || std::iter::once(self.program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let shell = [OsStr::new("/bin/sh"), OsStr::new("")];
        let mut plan = Plan {
            candidates: CStrings::new(&candidates, "the program's name")?,
            arguments: CStrings::new(arguments(), "an argument")?,
            shell_arguments: CStrings::new(shell.into_iter().chain(arguments().skip(1)), "an argument")?,
            environment: CStrings::new(&environment.entries, "an environment variable")?,
            listen_pid: &environment.listen_pid,
            directory: directory.as_deref(),
            ids: ids.as_ref(),
            placement: match (self.group, terminal) {
                (Group::Inherit, _) | (_, TerminalUse::Shared) => Placement::Inherit,
                (Group::Own, TerminalUse::Foreground(tty)) => Placement::Foreground(tty),
                (Group::Own, _) => Placement::Group,
                (Group::Session, TerminalUse::Controlling(tty)) => Placement::SessionWithTerminal(tty),
                (Group::Session, _) => Placement::Session,
            },
            ignore: self.ignore,
            default: self.default,
            mask: self.mask,
        };
        sys::spawn(&mut plan).map_err(|(stage, error)| match stage {
            Stage::Fork => Error::Fork(error),
            Stage::Pipe => Error::Pipe(error),
            Stage::Group => Error::ProcessGroup(error),
            Stage::Terminal => Error::Terminal(error),
            Stage::Directory => {
                Error::WorkingDirectory { directory: self.directory.clone().unwrap_or_default(), source: error }
            }
            Stage::User => Error::User(error),
            Stage::UserNotFinal => Error::UserNotFinal,
            Stage::Exec => {
                // A relative path was looked up by the child, in its own directory.
                let directory = self.directory.as_deref().unwrap_or(Path::new(""));
                let tried: Vec<_> = candidates.iter().map(|candidate| directory.join(candidate)).collect();
                exec_failure::explain(&self.program, &tried, !program_path::is_path(&self.program), error)
            }
        })
    }

    fn child_environment(&self) -> ChildEnvironment {
        let home = self.user.as_ref().map(|user| (OsStr::new("HOME"), Some(user.home().as_os_str())));
        let changes = self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_deref()));
        ChildEnvironment::new(sys::environment(), home.into_iter().chain(changes), std::process::id())
    }
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::NulByte { what: "the working directory" })
}
