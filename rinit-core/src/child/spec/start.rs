//! Starts a program from its specification.

use super::descriptors::{self, Pipes};
use super::{ChildSpec, ProcessGroup};
use crate::child::{exec_failure, path_search};
use crate::error::Error;
use crate::pid::Pid;
use crate::resource::Resource;
use crate::sys;
use crate::sys::{CStrings, Failure, Leads, Placement, Plan, Stage};
use crate::user::User;
use rustix::fd::BorrowedFd;
use std::ffi::{CString, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How the child gets a terminal. `Init` decides it, because it knows which process has the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TerminalUse<'a> {
    None,
    /// The child stays in the caller's group, whatever group the specification says.
    Shared,
    Foreground(BorrowedFd<'a>),
    Controlling(BorrowedFd<'a>),
}

/// A child that runs its program.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) pipes: Pipes,
}

/// A child that has not executed its program yet.
#[derive(Debug)]
pub(crate) struct Starting {
    pub(crate) child: sys::Starting,
    /// The files that it tries in turn.
    candidates: Vec<PathBuf>,
    /// The working directory of this process at that time, where a relative path starts from it. This process may have moved
    /// to `/` when the child fails.
    directory: PathBuf,
}

impl ChildSpec {
    /// Starts the child, and waits until it has executed its program. The caller must see to it that exactly one wait reaps it.
    pub(crate) fn start(&self, terminal: TerminalUse<'_>) -> Result<Started, Error> {
        let (pid, _, pipes) = self.run_plan(terminal, false, sys::spawn)?;
        Ok(Started { pid, pipes })
    }

    /// Starts the child, and does not wait until it has executed its program. A gated child executes it only when the caller has
    /// closed its descriptors. No process reads its pipes, if it has any.
    pub(crate) fn begin(&self, terminal: TerminalUse<'_>, is_gated: bool) -> Result<Starting, Error> {
        let (child, candidates, _) = self.run_plan(terminal, is_gated, sys::start)?;
        let paths = candidates.iter().map(PathBuf::as_path).chain(self.directory.as_deref());
        let directory = if paths.clone().all(Path::is_absolute) { None } else { std::env::current_dir().ok() };
        Ok(Starting { child, candidates, directory: directory.unwrap_or_default() })
    }

    /// Returns why the start of the child failed.
    pub(crate) fn explain_start(&self, starting: &Starting, failure: Failure) -> Error {
        self.explain(failure, &starting.candidates, &starting.directory)
    }

    /// Prepares all that the child needs, because nothing may be allocated after the fork, and runs it.
    fn run_plan<T>(
        &self,
        terminal: TerminalUse<'_>,
        is_gated: bool,
        run: impl FnOnce(&mut Plan<'_>) -> Result<T, Failure>,
    ) -> Result<(T, Vec<PathBuf>, Pipes), Error> {
        let environment = self.child_environment()?;
        let candidates = path_search::candidates(&self.program, environment.get("PATH"));
        let directory = self.directory.as_deref().map(c_path).transpose()?;
        let ids = self.user.as_ref().filter(|user| !user.is_current()).map(User::ids);
        let arguments = std::iter::once(self.program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let arguments = CStrings::new(arguments, "an argument")?;
        let terminal = self.terminal.as_ref().map_or(terminal, |own| match self.group {
            ProcessGroup::Inherit => TerminalUse::None,
            ProcessGroup::Own => TerminalUse::Foreground(own.as_fd()),
            ProcessGroup::Session => TerminalUse::Controlling(own.as_fd()),
        });
        let resources = self.limits.for_kernel();
        let (passed, pipes) = descriptors::open(&self.descriptors)?;
        let placement = |leads, terminal| Placement { leads, terminal };
        let mut plan = Plan {
            candidates: CStrings::new(&candidates, "the program's name")?,
            arguments: &arguments,
            shell_arguments: arguments.for_shell(),
            environment: environment.entries,
            listen_pid: &environment.listen_pid,
            directory: directory.as_deref(),
            ids: ids.as_ref(),
            placement: match (self.group, terminal) {
                (ProcessGroup::Inherit, _) | (_, TerminalUse::Shared) => placement(Leads::Nothing, None),
                (ProcessGroup::Own, TerminalUse::Foreground(tty)) => placement(Leads::Group, Some(tty)),
                (ProcessGroup::Own, _) => placement(Leads::Group, None),
                (ProcessGroup::Session, TerminalUse::Controlling(tty)) => placement(Leads::Session, Some(tty)),
                (ProcessGroup::Session, _) => placement(Leads::Session, None),
            },
            passed: &passed,
            limits: sys::Limits { resources: &resources, umask: self.limits.umask, nice: self.limits.nice },
            parent_death: self.parent_death_signal.map(|signal| (signal, rustix::process::getpid().into())),
            ignore: self.ignore,
            default: self.default,
            mask: self.mask,
            is_gated,
        };
        let result = run(&mut plan);
        drop(plan);
        Ok((result.map_err(|failure| self.explain(failure, &candidates, Path::new("")))?, candidates, pipes))
    }

    fn explain(&self, Failure { stage, number, errno }: Failure, candidates: &[PathBuf], from: &Path) -> Error {
        let source = errno.into();
        match stage {
            Stage::Fork => Error::Fork(source),
            Stage::Pipe => Error::Pipe(source),
            Stage::Mask => Error::SignalMask(source),
            Stage::Limit => {
                let limit = usize::try_from(number).ok().and_then(|at| self.limits.resources.get(at));
                Error::Limit { resource: limit.map_or(Resource::Cpu, |(resource, _)| *resource), source }
            }
            Stage::Nice => Error::Nice(source),
            Stage::Group => Error::ProcessGroup(source),
            Stage::Terminal => Error::Terminal(source),
            Stage::Directory => {
                Error::WorkingDirectory { directory: self.directory.clone().unwrap_or_default(), source }
            }
            Stage::User => Error::User(source),
            Stage::PrivilegesRetained => Error::PrivilegesRetained,
            Stage::ParentDeath => Error::ParentDeathSignal(source),
            Stage::Descriptor => Error::Descriptor { number, source },
            Stage::Exec => {
                // A relative path was looked up by the child, in its own directory.
                let directory = from.join(self.directory.as_deref().unwrap_or(Path::new("")));
                let tried: Vec<_> = candidates.iter().map(|candidate| directory.join(candidate)).collect();
                exec_failure::explain(&self.program, &tried, !path_search::is_path(&self.program), errno)
            }
        }
    }
}

fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::NulByte { what: "the working directory" })
}
