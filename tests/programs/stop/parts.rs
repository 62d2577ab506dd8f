//! An init, a place for it, and the outcome of a stop.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::running::Running;
use support::{self, installed, namespace, rinit_binary, target_directory, wait_until};

pub(crate) const TERM: i32 = 15;

/// Docker's time before it sends KILL.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Debian's own, because its modules belong to it.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// An init as it is started.
#[derive(Clone)]
pub(crate) struct Init {
    /// As in the table: `dumb-init -c`.
    pub(crate) name: String,
    program: PathBuf,
    options: Vec<String>,
    /// False for pidunu, to which `--` is the program.
    takes_options: bool,
}

impl Init {
    /// The rinit under test, under its own name.
    pub(crate) fn rinit(options: &[&str]) -> Self {
        Self::new("rinit", support::rinit_path(), options)
    }

    /// The rinit under test under the name of another init.
    #[track_caller]
    pub(crate) fn persona(name: &str, options: &[&str]) -> Self {
        // In the target directory, so that no test has to remove it while others use it.
        let directory = target_directory().join("personas");
        std::fs::create_dir_all(&directory).expect("make a directory");
        let link = directory.join(name);
        let binary = rinit_binary();
        if std::fs::read_link(&link).ok().as_ref() != Some(&binary) {
            let fresh = directory.join(format!("{name}.{:?}", std::thread::current().id()));
            symlink(binary, &fresh).and_then(|()| std::fs::rename(&fresh, &link)).expect("a link");
        }
        Self::new(&format!("rinit as {name}"), link, options)
    }

    /// An original, if it is installed.
    pub(crate) fn original(words: &[&str]) -> Option<Self> {
        let (name, options) = words.split_first()?;
        installed(name).then(|| Self::new(name, PathBuf::from(name), options))
    }

    fn new(name: &str, program: PathBuf, options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|word| (*word).to_owned()).collect();
        let takes_options = !name.ends_with("pidunu");
        let name = [&[name.to_owned()], &options[..]].concat().join(" ");
        Self { name, program, options, takes_options }
    }

    /// `INIT OPTIONS -- PROGRAM`
    pub(crate) fn command(&self, program: &[&str]) -> Command {
        // For what it removes from the environment.
        let mut command = support::rinit(None::<&str>);
        let clean: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        command = Command::new(&self.program);
        for name in clean {
            command.env_remove(name);
        }
        command.args(&self.options);
        if self.takes_options {
            command.arg("--");
        }
        command.args(program);
        command
    }

    /// Starts a program under it.
    #[track_caller]
    pub(crate) fn start(&self, place: Place, program: &[&str]) -> Running {
        place.start(&self.command(program))
    }

    /// Starts a program under it, with words before the init that exec it.
    #[track_caller]
    pub(crate) fn start_in(&self, place: Place, before: &[&str], program: &[&str]) -> Running {
        place.start(&after(before, &self.command(program)))
    }
}

/// The command with other words in front, which exec it.
pub(crate) fn after(before: &[&str], command: &Command) -> Command {
    let Some((program, options)) = before.split_first() else { panic!("no words") };
    let mut whole = Command::new(program);
    let rest: Vec<OsString> = command.get_args().map(OsString::from).collect();
    whole.args(options).arg(command.get_program()).args(rest);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole
}

/// Where an init is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Pid1,
    Subreaper,
}

impl Place {
    pub(crate) const BOTH: &[Self] = &[Self::Pid1, Self::Subreaper];

    #[track_caller]
    pub(crate) fn start(self, command: &Command) -> Running {
        match self {
            Self::Pid1 => namespace::start(command),
            Self::Subreaper => {
                let mut bare = Command::new(command.get_program());
                bare.args(command.get_args());
                for (name, value) in command.get_envs() {
                    match value {
                        Some(value) => bare.env(name, value),
                        None => bare.env_remove(name),
                    };
                }
                Running::start(bare)
            }
        }
    }
}

/// What a stop left.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// As `docker inspect` shows it: 137 for an init that had to be killed.
    pub(crate) status: i32,
    /// The init exited before the limit.
    pub(crate) in_time: bool,
    pub(crate) took: Duration,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Stopped {
    /// Sends TERM to the init, and KILL at the limit, as `docker stop` does.
    #[track_caller]
    pub(crate) fn by_term(running: &mut Running) -> Self {
        Self::by(running, TERM, LIMIT)
    }

    #[track_caller]
    pub(crate) fn by(running: &mut Running, signal: i32, limit: Duration) -> Self {
        let from = Instant::now();
        running.signal(signal);
        Self::wait(running, from, limit)
    }

    /// Waits for an init that stops, and sends KILL at the limit.
    #[track_caller]
    pub(crate) fn wait(running: &mut Running, from: Instant, limit: Duration) -> Self {
        let mut in_time = true;
        while running.is_running() {
            if in_time && from.elapsed() >= limit {
                in_time = false;
                running.kill_one(running.pid());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = from.elapsed();
        let code = running.wait();
        running.read_rest();
        let status = if !in_time {
            137
        } else if code < 0 {
            128 - code
        } else {
            code
        };
        Self { status, in_time, took, out: running.out.all(), err: running.err.all() }
    }

    pub(crate) fn printed(&self, text: &str) -> bool {
        self.out.iter().chain(&self.err).any(|line| line.contains(text))
    }

    /// The outcome if the status is to be this and these lines are to be printed.
    pub(crate) fn outcome(self, status: i32, lines: &[&str]) -> Outcome {
        let verdict = match lines.iter().find(|line| !self.printed(line)) {
            Some(missing) => Err(format!("no {missing:?}")),
            None => self.with_status(status),
        };
        Outcome { verdict, stopped: self }
    }

    /// As [`Stopped::outcome`], and it is over within some seconds.
    pub(crate) fn within(self, seconds: u64, status: i32, lines: &[&str]) -> Outcome {
        let mut outcome = self.outcome(status, lines);
        let took = outcome.stopped.took;
        if outcome.verdict.is_ok() && took > Duration::from_secs(seconds) {
            outcome.verdict = Err(format!("took {:.1} s", took.as_secs_f32()));
        }
        outcome
    }

    /// As [`Stopped::within`], before rinit's report of 5 s would be due: nothing was waited for that does not come.
    pub(crate) fn prompt(self, status: i32, lines: &[&str]) -> Outcome {
        self.within(4, status, lines)
    }

    fn with_status(&self, status: i32) -> Result<(), String> {
        if !self.in_time {
            Err("killed at the limit".to_owned())
        } else if self.status != status {
            Err(format!("status {}, not {status}", self.status))
        } else {
            Ok(())
        }
    }
}

/// A stop, judged.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Why it is not right, in a few words.
    pub(crate) verdict: Result<(), String>,
    pub(crate) stopped: Stopped,
}

impl Outcome {
    /// Makes it wrong if the condition does not hold and nothing else was wrong.
    pub(crate) fn and(mut self, holds: bool, otherwise: &str) -> Self {
        if self.verdict.is_ok() && !holds {
            self.verdict = Err(otherwise.to_owned());
        }
        self
    }
}

/// One way to stop.
pub(crate) struct Scenario {
    /// Its row in the table.
    pub(crate) row: &'static str,
    /// Whether this machine can run it.
    pub(crate) needs: fn() -> Result<(), String>,
    /// Options of rinit that it is about.
    pub(crate) options: &'static [&'static str],
    /// Where rinit is to do it right.
    pub(crate) places: &'static [Place],
    /// Originals that do it right as PID 1.
    pub(crate) right: &'static [&'static [&'static str]],
    /// True for one that waits for seconds by its nature.
    pub(crate) waits: bool,
    pub(crate) run: fn(&Init, Place) -> Outcome,
}

/// What a scenario needs: PID namespaces and some programs.
pub(crate) fn needs(programs: &[&str]) -> Result<(), String> {
    namespace::available()?;
    let present = |program: &str| if program.contains('/') { Path::new(program).is_file() } else { installed(program) };
    let missing: Vec<_> = programs.iter().filter(|program| !present(program)).copied().collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not installed: {}", missing.join(", "))) }
}

/// For programs that change to another user, and for mounts.
pub(crate) fn needs_root(programs: &[&str]) -> Result<(), String> {
    if support::is_root() { needs(programs) } else { Err("needs root".to_owned()) }
}

/// Waits until the condition holds; panics if the init has exited before.
#[track_caller]
pub(crate) fn wait_ready(running: &mut Running, what: &str, mut is_ready: impl FnMut() -> bool) {
    let mut is_over = false;
    wait_until(what, || {
        let ready = is_ready();
        is_over = !ready && !running.is_running();
        ready || is_over
    });
    assert!(!is_over, "the init exited before {what}: {:?}, {:?}", running.out.all(), running.err.all());
}

/// A program of this folder.
pub(crate) fn script(name: &str) -> String {
    let path = support::in_repository("tests/programs/stop").join(name);
    path.to_str().expect("UTF-8").to_owned()
}
