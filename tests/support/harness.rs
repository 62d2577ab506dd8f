//! Runs the tests of one program: libtest's command line and output, by libtest-mimic, and two things that libtest cannot do.
//!
//! A test that cannot run here counts as ignored, with its reason; see [`mod@crate::skip`]. And `#[test(own_process)]` runs a
//! test as the only thread of a process of its own: this program, started again with `--alone`.

use crate::running::{Finished, Running};
use crate::skip::{self, Skipped};
use crate::{budget, build, deadline};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::io::Write;
use std::panic::{UnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The option by which the program runs one test in its first thread.
const ALONE: &str = "--alone";

/// The exit status of such a process if its test was skipped; the reason is the last line of its standard error. As in
/// automake's test drivers.
const SKIPPED: u8 = 77;

/// `--nocapture`: what such a process writes is shown, not only where it fails.
static SHOW: AtomicBool = AtomicBool::new(false);

/// One test function. The attribute [`crate::test`] makes these.
pub struct Test {
    path: &'static str,
    own_process: bool,
    function: fn(),
}

inventory::collect!(Test);

impl Test {
    /// `path` begins with the program's name, which libtest does not show either.
    pub const fn new(path: &'static str, own_process: bool, function: fn()) -> Self {
        Self { path, own_process, function }
    }

    fn name(&self) -> &'static str {
        self.path.split_once("::").map_or(self.path, |(_, name)| name)
    }

    fn run(&self) -> Outcome {
        if self.own_process { in_own_process(self.name()) } else { outcome(self.function) }
    }
}

/// How a test went: it passed, or it could not run, at least in part, for these reasons.
type Outcome = Result<Vec<String>, Failed>;

/// The tests of this program, as its `main` runs them.
pub fn main() -> ExitCode {
    run(&mut Arguments::from_args())
}

/// The same, one test after the other unless the command line says otherwise.
pub fn main_serial() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(1));
    run(&mut arguments)
}

/// Runs the test that the command line names with `--alone`, if it does. It has to be the first thing that a program with
/// `own_process` tests does: there must be no other thread.
pub fn run_alone() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    let name = words.iter().position(|word| word == ALONE).and_then(|at| words.get(at + 1))?;
    let test = inventory::iter::<Test>.into_iter().find(|test| test.name() == name).expect("a known test");
    match outcome(test.function) {
        Ok(reasons) if reasons.is_empty() => Some(ExitCode::SUCCESS),
        Ok(reasons) => {
            eprintln!("{}", reasons.join("; "));
            Some(ExitCode::from(SKIPPED))
        }
        Err(failed) => {
            eprintln!("{}", failed.message().unwrap_or_default());
            Some(ExitCode::FAILURE)
        }
    }
}

/// The command that runs a test of this program alone; for `own_process` tests that have to start themselves differently.
pub fn alone(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args([ALONE, name]);
    command
}

fn run(arguments: &mut Arguments) -> ExitCode {
    default_signals();
    SHOW.store(arguments.nocapture, Ordering::Relaxed);
    // libtest's variable; libtest-mimic knows the option alone.
    let threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|text| text.parse().ok());
    arguments.test_threads = arguments.test_threads.or(threads);
    let mut tests: Vec<&'static Test> = inventory::iter::<Test>.into_iter().collect();
    tests.sort_by_key(|test| test.path);
    let trial = |test: &'static Test| Trial::ignorable_test(test.name(), || complete(test));
    libtest_mimic::run(arguments, tests.into_iter().map(trial).collect()).exit_code()
}

/// A shell starts `cargo test … &` with SIGINT and SIGQUIT ignored, and `nohup` ignores SIGHUP. Each program under test would
/// inherit that, and a ^C that a test types would have no effect.
#[allow(unsafe_code)]
fn default_signals() {
    for signal in
        [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU]
    {
        // SAFETY: a plain system call, made before any other thread is started.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn complete(test: &Test) -> Result<Completion, Failed> {
    let from = Instant::now();
    let reasons = test.run();
    note_time(test, from.elapsed());
    let reasons = reasons?;
    if reasons.is_empty() {
        return Ok(Completion::Completed);
    }
    reasons.iter().for_each(|reason| skip::record(test.path, reason));
    Ok(Completion::ignored_with(reasons.join("; ")))
}

/// Appends the time that a test took to the file that `RINIT_TEST_TIMES` names.
fn note_time(test: &Test, took: Duration) {
    let Some(path) = std::env::var_os("RINIT_TEST_TIMES") else { return };
    let file = std::fs::File::options().append(true).create(true).open(path);
    // One write, so that lines of programs that run at the same time stay whole.
    let line = format!("{:9.2} s {}\n", took.as_secs_f64(), test.path);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("write to RINIT_TEST_TIMES");
}

/// Runs the function in this thread. A failure stays a panic, whose message and place the panic hook has printed.
fn outcome(function: impl FnOnce() + UnwindSafe) -> Outcome {
    skip::take_partial();
    match catch_unwind(function) {
        Ok(()) => Ok(skip::take_partial()),
        Err(payload) => match payload.downcast::<Skipped>() {
            Ok(skipped) => Ok(skip::take_partial().into_iter().chain([skipped.0]).collect()),
            Err(payload) => resume_unwind(payload),
        },
    }
}

fn in_own_process(name: &str) -> Outcome {
    // Built here, once for all of them.
    build::programs();
    let mut command = alone(name);
    command.env(build::BUILT, "1").stdin(Stdio::null());
    // Whatever the test leaves behind ends with this.
    let mut running = Running::start_with_stdin(command);
    let end = Instant::now() + hangs_after();
    while running.is_running() {
        if Instant::now() >= end {
            let lines = [running.out.all(), running.err.all()].concat().join("\n");
            return Err(format!("it hangs: {lines}").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let Finished { code, out, err } = running.finished();
    let lines = [out, err.clone()].concat().join("\n");
    if SHOW.load(Ordering::Relaxed) {
        println!("{lines}");
    }
    match code {
        0 => Ok(Vec::new()),
        code if code == i32::from(SKIPPED) => Ok(vec![err.last().cloned().unwrap_or_default()]),
        code => Err(format!("status {code}\n{lines}").into()),
    }
}

/// No test waits so long, however busy the machine is, but for the time that a long run is asked to take.
fn hangs_after() -> Duration {
    10 * deadline() + budget::seconds("RINIT_SOAK_SECONDS", 30, 60)
}
