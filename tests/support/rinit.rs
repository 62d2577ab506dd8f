//! One run of rinit, step by step: options, main, where it runs.
//!
//! ```ignore
//! let mut running = Rinit::with(&["--grace", "2s"]).probe(&["ignore", "TERM"]).as_pid_1().start();
//! running.out.wait("ready");
//! running.signal(15);
//! assert_eq!(running.finished().code, 137);
//! ```

use crate::running::{Finished, Running};
use crate::{namespace, probe_path, require_for_part, rinit_path};
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// A run of rinit that has not begun: as a subreaper, unless it is said to be PID 1.
#[derive(Debug, Clone, Default)]
pub struct Rinit {
    options: Vec<OsString>,
    main: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    state: Option<Vec<OsString>>,
    pid_1: bool,
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

impl Rinit {
    /// Without options.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these options.
    pub fn with(options: &[&str]) -> Self {
        Self { options: words(options), ..Self::default() }
    }

    /// Main is this program, with its arguments.
    #[must_use]
    pub fn program(mut self, main: &[&str]) -> Self {
        self.main = words(main);
        self
    }

    /// Main is the probe; see `tests/probe/main.rs` for what it can be asked to do.
    #[must_use]
    pub fn probe(self, arguments: &[&str]) -> Self {
        self.program(&[&[probe_path()], arguments].concat())
    }

    /// Main is a shell that runs the script.
    #[must_use]
    pub fn shell(self, script: &str) -> Self {
        self.program(&["sh", "-c", script])
    }

    /// Sets a variable in rinit's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// rinit starts in this state, by `probe launch STATE…`: signals blocked or ignored, descriptors open or closed.
    #[must_use]
    pub fn in_state(mut self, state: &[&str]) -> Self {
        self.state = Some(words(state));
        self
    }

    /// rinit is PID 1 of a PID namespace. The test needs [`namespace::available`].
    #[must_use]
    pub fn as_pid_1(mut self) -> Self {
        self.pid_1 = true;
        self
    }

    /// The command, for a test that starts it in its own way.
    pub fn command(&self) -> Command {
        let mut command = match &self.state {
            None => super::rinit(&self.options),
            Some(state) => {
                let mut command = super::probe(["launch"]);
                command.args(state).arg("--").arg(rinit_path()).args(&self.options);
                command
            }
        };
        command.arg("--").args(&self.main).envs(self.variables.iter().map(|(name, value)| (name, value)));
        if self.pid_1 { namespace::as_pid_1(&command) } else { command }
    }

    /// Starts it, with pipes for its standard streams.
    #[track_caller]
    pub fn start(&self) -> Running {
        let mut running = Running::start(self.command());
        if self.pid_1 {
            namespace::find_init(&mut running);
        }
        running
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Finished {
        self.start().finish()
    }

    /// Starts it as a subreaper, and then as PID 1 if this machine can.
    #[track_caller]
    pub fn everywhere(self, check: impl Fn(Running)) {
        check(self.start());
        if require_for_part(namespace::available()).is_some() {
            check(self.as_pid_1().start());
        }
    }
}
