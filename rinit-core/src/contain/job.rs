//! A contained job that runs.

use super::cgroup::Cgroup;
use super::connection::{Connection, Incoming, Reap, wait_for_event};
use super::protocol::{Reply, Request, Stop, VERSION};
use crate::child::output::read_to_end;
use crate::child::spec::start::Started;
use crate::contain::usage::Usage;
use crate::error::{ContainmentError, Error};
use crate::pid::Pid;
use crate::process::kill_tree::{self, KillStep};
use crate::process::signal::Delivery;
use crate::process::walk::descendants_with;
use crate::procfs::reader::Reader;
use crate::reaper::cooperative::claim::Claimable;
use crate::report::Report;
use crate::signal::Signal;
use crate::survivor::gather::Gatherer;
use crate::survivor::{self, REPORTED, Survivor};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How much longer than the grace a drop waits until the job is over. After five seconds rinit gives up on processes that not
/// even KILL terminates.
const DROP_WITHIN: Duration = Duration::from_secs(30);
/// How often an rinit that should be killing the job is continued, in case the job has stopped it.
const CONTINUE_EVERY: Duration = Duration::from_millis(50);
/// After this time this process assumes that a loop of SIGSTOP or a tracer holds the rinit, and kills the job itself.
const HELD_AFTER: Duration = Duration::from_secs(1);

/// A contained job: see [`ContainSpec`](crate::contain::ContainSpec).
///
/// **Dropping it kills the job** and waits until no process of it is left, which takes milliseconds. With
/// [`ContainSpec::stop_on_drop`](crate::contain::ContainSpec::stop_on_drop) it stops the job first. Async code must not wait in
/// a drop: it uses `Job::into_tokio` (feature `tokio`), or calls [`Job::kill`] and drops the job when it is over.
///
/// Its descriptor ([`AsFd`]) becomes readable when something has happened: then call [`Job::try_wait`]. It covers both the
/// channel to the job's rinit and the rinit's exit.
///
/// Another wait in this process does no harm. Main's status comes over a separate channel; if another wait reaps the job's
/// rinit, nothing is lost.
///
/// ```no_run
/// use rinit_core::{ChildSpec, Signal};
/// # fn main() -> Result<(), rinit_core::Error> {
/// let mut job = ChildSpec::new("sleep").arg("60").contain().start()?;
/// job.signal(Signal::TERM)?;
/// assert_eq!(job.wait()?.main.and_then(|status| status.signal()), Some(Signal::TERM));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it kills the job and all that the job has started"]
pub struct Job {
    state: Mutex<State>,
    /// Outside the state, so that it can be borrowed without the lock.
    report: OnceLock<(Report, Usage)>,
    events: OwnedFd,
    init: Pid,
    main: Pid,
    stop: Stop,
    stop_on_drop: bool,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    /// When the job has to be stopped, if it has a time limit that has not passed.
    limit_at: Option<Instant>,
    /// When the job should be dead, if it was killed or stopped.
    kill_at: Option<Instant>,
    /// When this process last helped to kill it.
    helped: Option<Instant>,
    cgroup: Option<Cgroup>,
    /// What this process has killed itself.
    killed: Vec<Survivor>,
}

/// The parts of a job that has been started.
pub(super) struct Parts {
    pub(super) rinit: PathBuf,
    pub(super) started: Started,
    pub(super) channel: OwnedFd,
    pub(super) stop: Stop,
    pub(super) stop_on_drop: bool,
    pub(super) start_timeout: Duration,
    pub(super) time_limit: Option<Duration>,
    pub(super) cgroup: Option<Cgroup>,
}

/// What a job has written, and its report: see [`Job::wait_with_output`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobOutput {
    /// How the job exited.
    pub report: Report,
    /// What it wrote to standard output; empty if that was not a pipe, or was taken.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error; empty if that was not a pipe, or was taken.
    pub stderr: Vec<u8>,
}

impl Job {
    /// Sends the rinit its setup, and waits for its answer.
    pub(super) fn begin(parts: Parts, setup: &Request) -> Result<Self, Error> {
        let Parts { rinit, started, channel, stop, stop_on_drop, start_timeout, time_limit, cgroup } = parts;
        let Started { pid, pipes } = started;
        let mut connection = Connection::new(pid, channel)?;
        // The rinit starts nothing before it has its setup, so nothing is outside the cgroup.
        let placed = cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.add(pid));
        // There is no deadline if the clock cannot express it.
        let deadline = Instant::now().checked_add(start_timeout);
        let answer = placed.and_then(|()| answer(&mut connection, setup, deadline));
        match answer {
            Ok(Answer::Started(main)) => {
                let events = connection.as_fd().try_clone_to_owned().map_err(Error::Channel)?;
                Ok(Self {
                    state: Mutex::new(State {
                        connection,
                        limit_at: time_limit.and_then(|limit| Instant::now().checked_add(limit)),
                        kill_at: None,
                        helped: None,
                        cgroup,
                        killed: Vec::new(),
                    }),
                    report: OnceLock::new(),
                    events,
                    init: pid,
                    main,
                    stop,
                    stop_on_drop,
                    stdin: pipes.stdin.map(Into::into),
                    stdout: pipes.stdout.map(Into::into),
                    stderr: pipes.stderr.map(Into::into),
                })
            }
            Ok(Answer::Failed(error)) => {
                // An rinit exits by itself now. Another program that answers like one may not, and would block this start.
                connection.kill_rinit();
                connection.wait_for_exit()?;
                Err(error)
            }
            Ok(Answer::NotRinit(what)) => {
                let silent = matches!(what, NotRinit::Silent);
                // Kill what it has started, too: a job that holds its rinit may already run.
                kill_below(pid, &mut Vec::new());
                connection.kill_rinit();
                // Its own exit belongs in the error; the KILL above does not.
                let status = connection.wait_for_exit()?.filter(|_| silent);
                Err(Error::Containment(match what {
                    NotRinit::Silent | NotRinit::Garbled => ContainmentError::NotRinit { rinit, status },
                    NotRinit::Slow => ContainmentError::Timeout { rinit, within: start_timeout },
                    NotRinit::Version(theirs) => ContainmentError::WrongVersion { rinit, theirs, ours: VERSION },
                }))
            }
            Err(error) => {
                kill_below(pid, &mut Vec::new());
                connection.kill_rinit();
                connection.wait_for_exit()?;
                Err(error)
            }
        }
    }

    /// Main's pid. At least while main runs, no other process has it.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.main
    }

    /// The pid of the job's rinit, a child of this process.
    #[must_use]
    pub const fn init(&self) -> Pid {
        self.init
    }

    /// The write end of main's standard input, where that is [`Stdio::piped`](crate::Stdio::piped); once.
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Stdio};
    /// use std::io::Write;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut job = ChildSpec::new("cat").stdin(Stdio::piped()).contain().start()?;
    /// job.take_stdin().expect("a pipe").write_all(b"hello\n")?;
    /// job.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// The read end of main's standard output, where that is [`Stdio::piped`](crate::Stdio::piped); once. Its end of file
    /// comes when the last process of the job that holds it has exited.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The read end of main's standard error, where that is [`Stdio::piped`](crate::Stdio::piped); once.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// Returns the job's report; `None` while any process of it runs. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::JobLost`] if the job's rinit was killed; [`Error::Wait`].
    pub fn try_wait(&self) -> Result<Option<&Report>, Error> {
        if self.is_over(Reap::Now)? { self.outcome().map(Some) } else { Ok(None) }
    }

    /// Waits until the job is over: main has exited, and so has every process that it has started. Main's standard input is
    /// closed first, if it was not taken.
    ///
    /// # Errors
    ///
    /// As for [`Job::try_wait`], and [`Error::Channel`] if `poll(2)` is refused.
    ///
    /// ```no_run
    /// use rinit_core::ChildSpec;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut job = ChildSpec::new("./nightly.sh").contain().start()?;
    /// for process in &job.wait()?.killed {
    ///     eprintln!("had to be killed: {process}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&mut self) -> Result<&Report, Error> {
        drop(self.stdin.take());
        self.wait_until(None)?;
        self.outcome()
    }

    /// Does what [`Job::wait`] does, but no longer than the timeout; `None` if the job is not over then.
    ///
    /// # Errors
    ///
    /// As for [`Job::wait`].
    ///
    /// ```no_run
    /// use rinit_core::ChildSpec;
    /// use std::time::Duration;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut job = ChildSpec::new("make").arg("test").contain().start()?;
    /// if job.wait_timeout(Duration::from_secs(60))?.is_none() {
    ///     job.kill()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<&Report>, Error> {
        drop(self.stdin.take());
        if self.wait_until(Instant::now().checked_add(timeout))? { self.outcome().map(Some) } else { Ok(None) }
    }

    /// Reads what the job writes to its pipes, both at once, until no process of it holds them, and waits until it is over.
    /// Memory grows with the output.
    ///
    /// # Errors
    ///
    /// [`Error::Output`], and as for [`Job::wait`].
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Stdio};
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let output = ChildSpec::new("make").stdout(Stdio::piped()).contain().start()?.wait_with_output()?;
    /// println!("{}, after {} bytes", output.report.exit_code(), output.stdout.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_with_output(mut self) -> Result<JobOutput, Error> {
        drop(self.stdin.take());
        let pipes = [self.stdout.take().map(OwnedFd::from), self.stderr.take().map(OwnedFd::from)];
        // A job that holds its rinit keeps its pipes open, too. This process helps to kill it meanwhile.
        let meanwhile = || match self.is_over(Reap::Now) {
            Ok(false) => self.next_help(),
            Ok(true) | Err(_) => None,
        };
        let [stdout, stderr] = read_to_end(pipes.map(|pipe| pipe.map(File::from)), meanwhile).map_err(Error::Output)?;
        Ok(JobOutput { report: self.wait()?.clone(), stdout, stderr })
    }

    /// What the job's processes have used, once it is over; `None` before, and if it was lost.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut job = rinit_core::ChildSpec::new("make").contain().start()?;
    /// job.wait()?;
    /// let usage = job.usage().expect("it is over");
    /// println!("{:?} of processor time, {} KiB at most", usage.user_time + usage.system_time, usage.max_rss_kib);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.report.get().map(|(_, usage)| *usage)
    }

    /// Sends a signal to main. If main has exited, no process gets it.
    ///
    /// Even TERM is only a signal here: to stop the whole job, use [`Job::stop`].
    ///
    /// # Errors
    ///
    /// [`Error::Channel`] if the job's rinit has been stopped for so long that the channel is full.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.lock().connection.send(&Request::Signal(signal))
    }

    /// Stops the job in good order, and waits until it is over. Main is sent the [stop signal](crate::ChildSpec::stop_signal).
    /// At the last call, after four fifths of the [timeout](crate::ChildSpec::stop_timeout), every process is sent TERM, and at
    /// the end of the timeout KILL. When main has exited, the remaining processes are sent TERM at once.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`] and [`Job::wait`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let mut job = rinit_core::ChildSpec::new("postgres").contain().start()?;
    /// let report = job.stop()?;
    /// println!("{:?} after {:?}", report.main, report.stop_took);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&mut self) -> Result<&Report, Error> {
        self.begin_stop(self.stop.grace)?;
        self.wait()
    }

    /// Begins a stop as [`Job::stop`] does, with this timeout, and does not wait. A second call can only shorten the time.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`].
    pub fn begin_stop(&self, grace: Duration) -> Result<(), Error> {
        let mut state = self.lock();
        state.kill_by(Instant::now().checked_add(grace));
        state.connection.send(&Request::Stop(Stop { grace, ..self.stop }))
    }

    /// Kills everything that the job ever started, at once, and does not wait for it. If the job has stopped its rinit, the
    /// rinit is continued first.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`].
    pub fn kill(&self) -> Result<(), Error> {
        let mut state = self.lock();
        state.kill_by(Some(Instant::now()));
        state.connection.wake_up();
        state.connection.send(&Request::Kill)
    }

    fn drop_grace(&self) -> Duration {
        if self.stop_on_drop { self.stop.grace } else { Duration::ZERO }
    }

    /// Begins what a drop does. Does not block.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        state.kill_by(Instant::now().checked_add(self.drop_grace()));
        state.connection.let_go();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, reap: Reap) -> Result<bool, Error> {
        let mut state = self.lock();
        self.recv(&mut state)?;
        state.keep_time_limit(self.stop);
        state.help_to_kill(self.init);
        let over = state.connection.has_exited(reap)?;
        if over {
            // Messages that arrived between the last read and the exit.
            self.recv(&mut state)?;
            // This kills processes that escaped from the rinit.
            drop(state.cgroup.take());
        }
        Ok(over)
    }

    fn recv(&self, state: &mut State) -> Result<(), Error> {
        while let Incoming::Reply(reply) = state.connection.recv()? {
            if let Reply::Report(mut report, usage) = reply {
                state.complete(&mut report);
                let _ = self.report.set((*report, usage));
            }
        }
        Ok(())
    }

    /// Waits until the job is over; false if the deadline passes first.
    fn wait_until(&self, deadline: Option<Instant>) -> Result<bool, Error> {
        while !self.is_over(Reap::WaitForExit)? {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            let next = self.next_help();
            // Without the lock: another thread may send a signal meanwhile.
            let until = [deadline, next].into_iter().flatten().min();
            wait_for_event(&self.events, until)?;
        }
        Ok(true)
    }

    /// Returns when this process must next help to stop or kill the job, for which no event comes; `None` if it need not.
    pub(crate) fn next_help(&self) -> Option<Instant> {
        let state = self.lock();
        let help = state.kill_at.map(|kill_at| state.helped.map_or(kill_at, |helped| helped + CONTINUE_EVERY));
        [state.limit_at, help].into_iter().flatten().min()
    }

    fn outcome(&self) -> Result<&Report, Error> {
        let lost = || Error::JobLost { init: self.init, status: self.lock().connection.status() };
        self.report.get().map(|(report, _)| report).ok_or_else(lost)
    }
}

impl State {
    /// Stops the job at its time limit. The rinit keeps the time as well, but a job that has stopped its rinit could run on.
    fn keep_time_limit(&mut self, stop: Stop) {
        if self.limit_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.limit_at = None;
        self.kill_by(Instant::now().checked_add(stop.grace));
        self.connection.wake_up();
        // A full channel means that the rinit has been held for long. From `kill_at` on this process continues it.
        let _ = self.connection.send(&Request::TimeLimit);
    }

    fn kill_by(&mut self, time: Option<Instant>) {
        self.kill_at = [self.kill_at, time].into_iter().flatten().min();
    }

    /// Once the job should be dead, continues an rinit that the job has stopped, and later kills the job from outside.
    ///
    /// A loop of SIGSTOP in the job, or a tracer, can hold the rinit, which then kills nothing. The processes that hold it are
    /// its descendants, and this process may signal them, too.
    fn help_to_kill(&mut self, init: Pid) {
        let now = Instant::now();
        let Some(kill_at) = self.kill_at.filter(|kill_at| *kill_at <= now) else { return };
        if self.helped.is_some_and(|helped| now < helped + CONTINUE_EVERY) {
            return;
        }
        self.helped = Some(now);
        self.connection.wake_up();
        if now < kill_at + HELD_AFTER {
            return;
        }
        // Until the rinit is reaped, no other process has its pid. If it exits in between, either no descendant is found, or
        // those that are found are the job's.
        if self.connection.status().is_some() {
            return;
        }
        match self.cgroup.as_ref() {
            Some(cgroup) => {
                let found = describe_below(init);
                // No fork escapes this one step. The rinit lives on to reap and to report.
                if cgroup.kill_all_but(init).is_ok() {
                    self.killed.extend(found);
                } else {
                    kill_below(init, &mut self.killed);
                }
            }
            None => kill_below(init, &mut self.killed),
        }
    }

    /// Adds the processes that this process has killed itself: the rinit, which was held, knows nothing of them.
    fn complete(&mut self, report: &mut Report) {
        for killed in self.killed.drain(..) {
            // A process that takes a moment to exit was killed in several rounds.
            if report.killed.len() < REPORTED && report.killed.iter().all(|known| known.pid != killed.pid) {
                report.killed.push(killed);
            }
        }
    }

    /// Kills the rinit itself, because it has not killed the job in time and might never exit.
    fn give_up(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup.kill();
        }
        self.connection.kill_rinit();
    }
}

impl AsFd for Job {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// For event loops that need a number, such as mio's `SourceFd`.
impl AsRawFd for Job {
    fn as_raw_fd(&self) -> RawFd {
        self.events.as_raw_fd()
    }
}

/// Claims the job's rinit, the only process of the job that this one waits for.
impl Claimable for Job {
    fn claimed_pids(&self) -> Vec<Pid> {
        vec![self.init()]
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if self.is_over(Reap::Now).unwrap_or(false) {
            return;
        }
        self.let_go();
        let time = self.drop_grace().saturating_add(DROP_WITHIN);
        if !self.wait_until(Instant::now().checked_add(time)).unwrap_or(false) {
            self.lock().give_up();
            // Its exit closes the channel. If it is stuck in the kernel, it exits when it can.
            let _ = self.wait_until(Instant::now().checked_add(HELD_AFTER));
        }
    }
}

/// How long the processes of a job may be searched for before a step that needs no list.
const SEARCH_WITHIN: Duration = Duration::from_millis(100);

/// Sends KILL to every descendant of a process, once. Adds those that got it to the list.
fn kill_below(init: Pid, killed: &mut Vec<Survivor>) {
    let mut gatherer = Gatherer::hasty();
    let mut description = None;
    let _ = kill_tree::kill_once_below(init, &mut |process, step| match step {
        KillStep::Before => description = survivor::examine_briefly(&mut gatherer, process, None, killed.len()),
        KillStep::After(Ok(Delivery::Delivered)) => killed.extend(description.take()),
        KillStep::After(_) => {}
    });
}

/// The living descendants of a process, as far as they are found in time.
fn describe_below(init: Pid) -> Vec<Survivor> {
    let mut gatherer = Gatherer::hasty();
    let mut found = Vec::new();
    let mut reader = Reader::until(Instant::now() + SEARCH_WITHIN, 0);
    for process in descendants_with(&mut reader, init).unwrap_or_default().iter().filter(|process| !process.has_ended())
    {
        found.extend(survivor::examine_briefly(&mut gatherer, process, None, found.len()));
    }
    found
}

/// The answer of a program that was started as an rinit.
enum Answer {
    Started(Pid),
    Failed(Error),
    NotRinit(NotRinit),
}

/// Why a program is not an rinit.
enum NotRinit {
    Silent,
    Slow,
    Garbled,
    Version(u16),
}

fn answer(connection: &mut Connection, setup: &Request, deadline: Option<Instant>) -> Result<Answer, Error> {
    if !connection.send_by(setup, deadline)? {
        return Ok(Answer::NotRinit(NotRinit::Slow));
    }
    loop {
        return Ok(match connection.recv()? {
            Incoming::Reply(Reply::Started(main)) => Answer::Started(main),
            Incoming::Reply(Reply::Failed(error)) => Answer::Failed(error),
            Incoming::Reply(Reply::Version(version)) => Answer::NotRinit(NotRinit::Version(version)),
            Incoming::Reply(Reply::Report(..)) | Incoming::Garbled => Answer::NotRinit(NotRinit::Garbled),
            Incoming::End => Answer::NotRinit(NotRinit::Silent),
            Incoming::Nothing => {
                let soon = Instant::now() + CONTINUE_EVERY;
                if !connection.wait_for_input(Some(deadline.map_or(soon, |deadline| deadline.min(soon))))? {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Ok(Answer::NotRinit(NotRinit::Slow));
                    }
                    // Main may run before its rinit has answered, and may have stopped the rinit.
                    connection.wake_up();
                }
                continue;
            }
        });
    }
}
