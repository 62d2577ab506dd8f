//! A small process manager in the exclusive mode: one thread, one `poll(2)` over everything that can happen.
//!
//! It starts programs, restarts those that crash (later each time, up to ten seconds), forwards HUP, USR1 and USR2 to all,
//! and on TERM, INT or QUIT stops them one after the other, the last started first. As PID 1, or a subreaper anywhere else, it
//! reaps what they leave behind. It exits when nothing is left to run.
//!
//! ```sh
//! cargo run --example process_manager -- 'redis-server --save ""' 'worker --queue mail'
//! cargo run --example process_manager -- @programs.conf   # a command on each line, # for comments
//! ```

use rinit_core::{
    Child, ChildSpec, ExitStatus, Reaper, Recipient, Signal, SignalForwarder, SignalSet, Stdio, become_subreaper,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::error::Error;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// If a program ran at least this long before it crashed, its next pause is the first one again.
const RAN_WELL: Duration = Duration::from_secs(10);
/// How long a program may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("process_manager: {error}");
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let commands = commands(std::env::args().skip(1))?;
    // In this order: the mask before any thread, then the children.
    let stop = SignalSet::from_iter([Signal::TERM, Signal::INT, Signal::QUIT]);
    let pass_on = SignalSet::from_iter([Signal::HUP, Signal::USR1, Signal::USR2]);
    let signals = SignalForwarder::new(stop | pass_on)?;
    let reaper = Reaper::exclusive()?;
    let _subreaper = become_subreaper()?;
    let programs = commands.iter().map(|words| Program::new(words)).collect();
    Manager { programs, reaper, signals, stop, stopping: false }.run()
}

/// The command lines, split at white space. A real one would know quotes.
fn commands(arguments: impl Iterator<Item = String>) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let mut lines = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('@') {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                lines.extend(text.lines().map(str::to_owned));
            }
            None => lines.push(argument),
        }
    }
    let words = lines.iter().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let commands: Vec<_> = words.filter(|words| words.first().is_some_and(|word| !word.starts_with('#'))).collect();
    if commands.is_empty() { Err("usage: process_manager COMMAND… | @FILE".into()) } else { Ok(commands) }
}

struct Program {
    name: String,
    spec: ChildSpec,
    state: State,
    pause: Duration,
}

enum State {
    /// To be started at this time.
    Waiting(Instant),
    Running {
        child: Child,
        since: Instant,
    },
    /// Was asked to stop, and is killed at this time.
    Stopping {
        child: Child,
        until: Instant,
    },
    Ended {
        well: bool,
    },
}

impl Program {
    fn new(words: &[String]) -> Self {
        let spec = ChildSpec::new(&words[0]).args(&words[1..]);
        // If this process is killed, they do not run on alone.
        let spec = spec.stdin(Stdio::null()).stop_timeout(GRACE).parent_death_signal(Signal::KILL);
        Self { name: words[0].clone(), spec, state: State::Waiting(Instant::now()), pause: FIRST_PAUSE }
    }

    fn child(&self) -> Option<&Child> {
        match &self.state {
            State::Running { child, .. } | State::Stopping { child, .. } => Some(child),
            State::Waiting(_) | State::Ended { .. } => None,
        }
    }

    /// When it must be started or killed next, if nothing else happens before.
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(at) | State::Stopping { until: at, .. } => Some(at),
            State::Running { .. } | State::Ended { .. } => None,
        }
    }

    fn start(&mut self, reaper: &Reaper) {
        match reaper.spawn(&self.spec) {
            Ok(child) => {
                println!("{}: started as {}", self.name, child.pid());
                self.state = State::Running { child, since: Instant::now() };
            }
            Err(error) => {
                println!("{error}");
                self.again();
            }
        }
    }

    fn again(&mut self) {
        println!("{}: again in {:?}", self.name, self.pause);
        self.state = State::Waiting(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn ended(&mut self, status: ExitStatus) {
        println!("{}: {status}", self.name);
        match &self.state {
            State::Running { since, .. } if !status.success() => {
                if since.elapsed() >= RAN_WELL {
                    self.pause = FIRST_PAUSE;
                }
                self.again();
            }
            _ => self.state = State::Ended { well: true },
        }
    }

    /// Asks it to stop. A program that waits for its next start has crashed, and is not started again.
    fn stop(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended { well: false }) {
            State::Running { child, .. } => match child.signal(Signal::TERM) {
                Ok(()) => State::Stopping { child, until: Instant::now() + GRACE },
                Err(error) => {
                    println!("{}: {error}", self.name);
                    State::Ended { well: false }
                }
            },
            State::Waiting(_) => State::Ended { well: false },
            other => other,
        };
    }

    /// Kills it, because its time to stop is over.
    fn kill(&mut self) {
        if let State::Stopping { child, until } = &mut self.state {
            println!("{}: killed", self.name);
            // Its whole group; not to be repeated before the kernel had time for it.
            let _ = child.kill_group();
            *until = Instant::now() + GRACE;
        }
    }
}

struct Manager {
    programs: Vec<Program>,
    reaper: Reaper,
    signals: SignalForwarder,
    stop: SignalSet,
    stopping: bool,
}

impl Manager {
    /// Runs until every program has ended; true if each of them ended well, or when it was asked to stop.
    fn run(mut self) -> Result<bool, Box<dyn Error>> {
        loop {
            self.what_is_due();
            if self.programs.iter().all(|program| matches!(program.state, State::Ended { .. })) {
                return Ok(self.programs.iter().all(|program| matches!(program.state, State::Ended { well: true })));
            }
            let ended = self.sleep()?;
            while let Some(received) = self.signals.try_next()? {
                println!("received {}", received.signal());
                if self.stop.contains(received.signal()) {
                    self.stopping = true;
                } else {
                    for child in self.programs.iter().filter_map(Program::child) {
                        self.signals.forward(&received, Recipient::Child(child))?;
                    }
                }
            }
            // Orphans; and the programs, whose statuses are kept for their handles.
            while self.reaper.try_next()?.is_some() {}
            for index in ended {
                let program = &mut self.programs[index];
                if let Some(status) = program.child().map(Child::try_wait).transpose()?.flatten() {
                    program.ended(status);
                }
            }
        }
    }

    /// Starts, stops and kills the programs whose time has come.
    fn what_is_due(&mut self) {
        let now = Instant::now();
        if self.stopping {
            // In reverse order of their start; each exits before the next is asked to stop.
            let last = self.programs.iter_mut().rev().find(|program| !matches!(program.state, State::Ended { .. }));
            match last {
                Some(program) if matches!(program.state, State::Stopping { until, .. } if until <= now) => {
                    program.kill()
                }
                Some(program) if !matches!(program.state, State::Stopping { .. }) => {
                    program.stop();
                    // One that did not run makes room for the next.
                    self.what_is_due();
                }
                _ => {}
            }
        } else {
            for program in &mut self.programs {
                if matches!(program.state, State::Waiting(at) if at <= now) {
                    program.start(&self.reaper);
                }
            }
        }
    }

    /// Sleeps until something happens or is due. Returns the programs that have exited.
    fn sleep(&self) -> Result<Vec<usize>, Box<dyn Error>> {
        let (indices, children): (Vec<_>, Vec<_>) =
            self.programs.iter().enumerate().filter_map(|(index, program)| Some((index, program.child()?))).unzip();
        let mut fds = vec![PollFd::new(&self.reaper, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(children.iter().map(|child| PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)));
        let due = self.programs.iter().filter_map(Program::due).min();
        let timeout = due.map(|due| Timespec::try_from(due.saturating_duration_since(Instant::now()))).transpose()?;
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = fds[2..].iter().map(|fd| !fd.revents().is_empty());
        Ok(indices.into_iter().zip(ready).filter_map(|(index, ready)| ready.then_some(index)).collect())
    }
}
