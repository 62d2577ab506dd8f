//! One row of the survey: a program, how it is started, and what a person knows about it.

/// Which program is the container's first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitProgram {
    /// The row's program itself, as with `docker run IMAGE PROGRAM`.
    None,
    Rinit,
    RinitGroup,
    RinitAll,
    /// With a limit so long that the last call comes after Docker's ten seconds.
    RinitLate,
    /// With a signal in place of TERM.
    RinitRewrite(&'static str),
    Tini,
    TiniGroup,
    DumbInit,
    Catatonit,
}

impl InitProgram {
    /// What stands before the program.
    pub(crate) fn words(self, rinit: &str) -> String {
        match self {
            Self::None => String::new(),
            Self::Rinit => format!("{rinit} --"),
            Self::RinitGroup => format!("{rinit} -g --"),
            Self::RinitAll => format!("{rinit} --to all --"),
            Self::RinitLate => format!("{rinit} --grace 60s --"),
            Self::RinitRewrite(signal) => format!("{rinit} -r TERM={signal} --"),
            // `-s`: it may not be PID 1, where the PID namespace is shared.
            Self::Tini => "tini -s --".to_owned(),
            Self::TiniGroup => "tini -s -g --".to_owned(),
            Self::DumbInit => "dumb-init --".to_owned(),
            Self::Catatonit => "catatonit --".to_owned(),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rinit => "rinit",
            Self::RinitGroup => "rinit -g",
            Self::RinitAll => "rinit --to all",
            Self::RinitLate => "rinit --grace 60s",
            Self::RinitRewrite(_) => "rinit -r",
            Self::Tini => "tini",
            Self::TiniGroup => "tini -g",
            Self::DumbInit => "dumb-init",
            Self::Catatonit => "catatonit",
        }
    }

    /// The program that must be installed.
    pub(crate) fn program(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Rinit | Self::RinitGroup | Self::RinitAll | Self::RinitLate | Self::RinitRewrite(_) => {
                None
            }
            Self::Tini | Self::TiniGroup => Some("tini"),
            Self::DumbInit => Some("dumb-init"),
            Self::Catatonit => Some("catatonit"),
        }
    }

    pub(crate) fn is_rinit(self) -> bool {
        matches!(self, Self::Rinit | Self::RinitGroup | Self::RinitAll | Self::RinitLate | Self::RinitRewrite(_))
    }
}

/// Where the container's processes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// A PID namespace of its own.
    Own,
    /// The PID namespace of another container, as in a pod with `shareProcessNamespace`.
    Shared,
    /// The host's PID namespace, as with `--pid=host`.
    Host,
    /// A real container of Docker's.
    Docker,
    /// A real container in another one's PID namespace: `--pid=container:NAME`.
    DockerShared,
    /// A real container in the host's PID namespace: `--pid=host`.
    DockerHost,
}

impl Space {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::Host => "host's",
            Self::Docker => "Docker",
            Self::DockerShared => "Docker, shared",
            Self::DockerHost => "Docker, host's",
        }
    }

    pub(crate) fn is_docker(self) -> bool {
        matches!(self, Self::Docker | Self::DockerShared | Self::DockerHost)
    }
}

/// A row of the table. Every text is for `/bin/sh`, which has `$D`, a directory of the row's own, and is in it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) family: &'static str,
    /// Programs that must be installed: names in PATH, or patterns of paths.
    pub(crate) needs: Vec<&'static str>,
    /// Run as root before the program starts, by the process that becomes the program.
    pub(crate) setup: String,
    /// The words of the program.
    pub(crate) command: String,
    /// Succeeds when the program has started. Run again and again, in the container.
    pub(crate) ready: String,
    /// Run as root in the container, once it is ready. `$CG` is its cgroup.
    pub(crate) then: String,
    /// A client with a connection, outside of the container's PID namespace. It writes a line once it has its connection.
    pub(crate) client: String,
    /// A name whose group has the same name, or a number.
    pub(crate) user: &'static str,
    pub(crate) inits: Vec<InitProgram>,
    pub(crate) spaces: Vec<Space>,
    /// The other container's first process, where the PID namespace is shared.
    pub(crate) neighbour: &'static str,
    /// A part of the command of the process to which a person would point, where the container does not stop.
    pub(crate) culprit: Option<&'static str>,
    /// With which of its inits the verdict must be given: "cannot tell" is not good enough for root.
    pub(crate) certain: Vec<InitProgram>,
    /// Run where only a part of the survey is: in the gate.
    pub(crate) gate: bool,
    pub(crate) terminal: bool,
    /// It starts slowly, and is started alone.
    pub(crate) heavy: bool,
    /// All capabilities instead of Docker's.
    pub(crate) privileged: bool,
}

/// The shell's quotes around a text.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Row {
    pub(crate) fn new(family: &'static str, name: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            family,
            needs: Vec::new(),
            setup: String::new(),
            command: command.into(),
            ready: "true".to_owned(),
            then: String::new(),
            client: String::new(),
            user: "root",
            inits: vec![InitProgram::None, InitProgram::Rinit, InitProgram::Tini],
            spaces: vec![Space::Own],
            neighbour: "tini -- sleep 1000",
            culprit: None,
            certain: Vec::new(),
            gate: false,
            terminal: false,
            heavy: false,
            privileged: false,
        }
    }

    /// A script, started as `SHELL -c SCRIPT`.
    pub(crate) fn script(family: &'static str, name: impl Into<String>, shell: &str, script: &str) -> Self {
        Self::new(family, name, format!("{shell} -c {}", quote(script)))
    }

    pub(crate) fn needs(mut self, programs: &[&'static str]) -> Self {
        self.needs.extend(programs);
        self
    }

    pub(crate) fn setup(mut self, shell: impl Into<String>) -> Self {
        self.setup = shell.into();
        self
    }

    pub(crate) fn ready(mut self, shell: impl Into<String>) -> Self {
        self.ready = shell.into();
        self
    }

    /// Ready when something listens on this TCP port.
    pub(crate) fn port(self, port: u16) -> Self {
        self.ready(format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'"))
    }

    /// Ready when the text is in what the program has written.
    pub(crate) fn says(self, text: &str) -> Self {
        self.ready(format!("grep -q -- {} \"$D/log\"", quote(text)))
    }

    pub(crate) fn then(mut self, shell: impl Into<String>) -> Self {
        self.then = shell.into();
        self
    }

    pub(crate) fn client(mut self, shell: impl Into<String>) -> Self {
        self.client = shell.into();
        self
    }

    pub(crate) fn user(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    pub(crate) fn inits(mut self, inits: &[InitProgram]) -> Self {
        self.inits = inits.to_vec();
        self
    }

    pub(crate) fn spaces(mut self, spaces: &[Space]) -> Self {
        self.spaces = spaces.to_vec();
        self
    }

    pub(crate) fn neighbour(mut self, command: &'static str) -> Self {
        self.neighbour = command;
        self
    }

    pub(crate) fn culprit(mut self, part: &'static str) -> Self {
        self.culprit = Some(part);
        self
    }

    pub(crate) fn certain(mut self, inits: &[InitProgram]) -> Self {
        self.certain = inits.to_vec();
        self
    }

    pub(crate) fn gate(mut self) -> Self {
        self.gate = true;
        self
    }

    pub(crate) fn heavy(mut self) -> Self {
        self.heavy = true;
        self
    }

    pub(crate) fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    pub(crate) fn privileged(mut self) -> Self {
        self.privileged = true;
        self
    }
}
