//! A contained job that runs.

use super::connection::{Connection, Incoming};
use super::protocol::{Reply, Request, Stop};
use crate::child::spec::start::Started;
use crate::error::Error;
use crate::pid::Pid;
use crate::reaper::cooperative::claim::Claimable;
use crate::report::Report;
use crate::signal::Signal;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// How long a rinit may take to say that main runs. It takes milliseconds; a program that is no rinit and never ends must not
/// keep its host waiting.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How much longer than it should take a drop waits for the job's end: rinit gives up on processes that not even KILL ends
/// after five seconds.
const DROP_WITHIN: Duration = Duration::from_secs(30);

/// A contained job: see [`ContainSpec`](crate::contain::ContainSpec).
///
/// **Dropping it ends the job** and waits until nothing of it is left, which takes milliseconds, or as long as
/// the orderly stop that [`ContainSpec::stop_on_drop`](crate::contain::ContainSpec::stop_on_drop) asks for. Async code, which must not wait there, calls [`Job::kill`], and drops it
/// when it is over.
///
/// As a descriptor ([`AsFd`]) it becomes readable when the job is over: then [`Job::try_wait`] has the report, or is about to.
///
/// No wait in this process takes anything away from it. How main ended comes over a channel of its own; if another wait
/// takes the status of the job's rinit, nothing is lost.
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
#[must_use = "dropping it ends the job and all that the job has started"]
pub struct Job {
    connection: Connection,
    main: Pid,
    stop: Stop,
    stop_on_drop: bool,
    report: Option<Report>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// What a job is made of.
pub(super) struct Parts {
    pub(super) rinit: PathBuf,
    pub(super) started: Started,
    pub(super) channel: OwnedFd,
    pub(super) stop: Stop,
    pub(super) stop_on_drop: bool,
}

impl Job {
    /// Tells the rinit what it has to do, and waits for its answer.
    pub(super) fn begin(parts: Parts, setup: &Request) -> Result<Self, Error> {
        let Parts { rinit, started: Started { pid, pipes }, channel, stop, stop_on_drop } = parts;
        let mut connection = Connection::new(pid, channel);
        match answer(&mut connection, setup, Instant::now() + ANSWER_WITHIN) {
            Ok(Answer::Started(main)) => Ok(Self {
                connection,
                main,
                stop,
                stop_on_drop,
                report: None,
                stdin: pipes.stdin.map(Into::into),
                stdout: pipes.stdout.map(Into::into),
                stderr: pipes.stderr.map(Into::into),
            }),
            Ok(Answer::Failed(error)) => {
                connection.wait_for_end()?;
                Err(error)
            }
            Ok(Answer::NotRinit(what)) => {
                connection.kill_rinit();
                let ended = connection.wait_for_end()?;
                let ended = ended.map_or_else(String::new, |status| format!(", and {status}"));
                let rinit = rinit.display();
                let reason = match what {
                    NotRinit::Silent => {
                        format!("{rinit} has ended without an answer{ended}: it is no rinit, or too old")
                    }
                    NotRinit::Slow => format!("{rinit} has not answered within {} s", ANSWER_WITHIN.as_secs()),
                    NotRinit::Garbled => format!("{rinit} has answered something that no rinit says"),
                    NotRinit::Version(theirs) => {
                        let ours = super::protocol::VERSION;
                        format!("{rinit} speaks version {theirs} with its host, and this program speaks version {ours}")
                    }
                };
                Err(Error::Containment { reason })
            }
            Err(error) => {
                connection.kill_rinit();
                connection.wait_for_end()?;
                Err(error)
            }
        }
    }

    /// Main's pid. It is main's own at least while main runs.
    ///
    /// ```no_run
    /// # fn f(job: rinit_core::contain::Job) {
    /// println!("main is {}", job.pid());
    /// # }
    /// ```
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.main
    }

    /// The pid of the job's rinit, a child of this process.
    ///
    /// ```no_run
    /// # fn f(job: rinit_core::contain::Job) {
    /// println!("contained by {}", job.init());
    /// # }
    /// ```
    #[must_use]
    pub const fn init(&self) -> Pid {
        self.connection.init()
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

    /// The read end of main's standard output, where that is [`Stdio::piped`](crate::Stdio::piped); once. It comes to its
    /// end when the last process of the job that holds it has ended.
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> std::io::Result<String> {
    /// std::io::read_to_string(job.take_stdout().expect("a pipe"))
    /// # }
    /// ```
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The read end of main's standard error, where that is [`Stdio::piped`](crate::Stdio::piped); once.
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> std::io::Result<String> {
    /// std::io::read_to_string(job.take_stderr().expect("a pipe"))
    /// # }
    /// ```
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// How the job ended; `None` while anything of it runs. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::JobLost`] where the job's rinit was killed; [`Error::Wait`].
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// if let Some(report) = job.try_wait()? {
    ///     println!("over: {}", report.exit_code());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> Result<Option<&Report>, Error> {
        if self.is_over()? { self.outcome().map(Some) } else { Ok(None) }
    }

    /// Waits until the job is over: main has ended, and so has everybody that it has started. Main's standard input is
    /// closed first, if it was not taken.
    ///
    /// # Errors
    ///
    /// As for [`Job::try_wait`], and [`Error::Channel`] where `poll(2)` is refused.
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// let report = job.wait()?;
    /// for process in &report.killed {
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

    /// The same, for so long at most; `None` when the time is over and the job is not.
    ///
    /// # Errors
    ///
    /// As for [`Job::wait`].
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// if job.wait_timeout(std::time::Duration::from_secs(60))?.is_none() {
    ///     job.kill()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<&Report>, Error> {
        drop(self.stdin.take());
        if self.wait_until(Instant::now().checked_add(timeout))? { self.outcome().map(Some) } else { Ok(None) }
    }

    /// Sends a signal to main. When main has ended it goes to nobody.
    ///
    /// TERM sent so is a signal and no stop: use [`Job::stop`] for that.
    ///
    /// # Errors
    ///
    /// [`Error::Channel`] where the job's rinit does not read: it was stopped, and many signals ago.
    ///
    /// ```no_run
    /// # fn f(job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// job.signal(rinit_core::Signal::HUP)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.connection.send(&Request::Signal(signal))
    }

    /// Stops the job in order, and waits for it: main gets the [`ChildSpec::stop_signal`](crate::ChildSpec::stop_signal), at the
    /// last call, four fifths of the [`grace`](crate::ChildSpec::stop_timeout), the others get TERM, and KILL comes at its end.
    /// The processes that remain when main has exited are asked at once.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`] and [`Job::wait`].
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// let report = job.stop()?;
    /// println!("{:?} after {:?}", report.main, report.stop_took);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&mut self) -> Result<&Report, Error> {
        self.begin_stop(self.stop.grace)?;
        self.wait()
    }

    /// The same with another time, and without waiting. A second call can only make the time shorter.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`].
    ///
    /// ```no_run
    /// # fn f(jobs: &mut [rinit_core::contain::Job]) -> Result<(), rinit_core::Error> {
    /// for job in &*jobs {
    ///     job.begin_stop(std::time::Duration::from_secs(3))?;
    /// }
    /// for job in jobs {
    ///     println!("{:?}", job.wait()?.main);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin_stop(&self, grace: Duration) -> Result<(), Error> {
        self.connection.send(&Request::Stop(Stop { grace, ..self.stop }))
    }

    /// Kills everything that the job ever started, at once, and does not wait for it. A rinit that somebody has stopped is
    /// continued for it.
    ///
    /// # Errors
    ///
    /// As for [`Job::signal`].
    ///
    /// ```no_run
    /// # fn f(mut job: rinit_core::contain::Job) -> Result<(), rinit_core::Error> {
    /// job.kill()?;
    /// job.wait()?; // nothing of it is left
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) -> Result<(), Error> {
        self.connection.wake_up();
        self.connection.send(&Request::Kill)
    }

    fn is_over(&mut self) -> Result<bool, Error> {
        self.recv()?;
        let over = self.connection.has_ended(self.report.is_some())?;
        if over {
            // What it has said between the two looks.
            self.recv()?;
        }
        Ok(over)
    }

    fn recv(&mut self) -> Result<(), Error> {
        while let Incoming::Reply(reply) = self.connection.recv()? {
            if let Reply::Report(report) = reply {
                self.report = Some(report);
            }
        }
        Ok(())
    }

    /// True when it is over, false at the end of the time.
    fn wait_until(&mut self, deadline: Option<Instant>) -> Result<bool, Error> {
        while !self.is_over()? {
            if !self.connection.wait_for_input(deadline)? {
                return self.is_over();
            }
        }
        Ok(true)
    }

    fn outcome(&self) -> Result<&Report, Error> {
        self.report.as_ref().ok_or(Error::JobLost { init: self.connection.init(), status: self.connection.status() })
    }
}

impl AsFd for Job {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

/// For event loops that want a number, such as tokio's `AsyncFd`.
impl AsRawFd for Job {
    fn as_raw_fd(&self) -> RawFd {
        self.connection.as_fd().as_raw_fd()
    }
}

/// By its rinit, the only process of the job that this one has to wait for.
impl Claimable for Job {
    fn claimed_pid(&self) -> Option<Pid> {
        Some(self.init())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !self.is_over().unwrap_or(false) {
            self.connection.let_go();
            let grace = if self.stop_on_drop { self.stop.grace } else { Duration::ZERO };
            let time = grace.saturating_add(DROP_WITHIN);
            // One that takes longer than it can is itself stuck in the kernel. The channel closes then, and it does its part
            // when it can.
            let _ = self.wait_until(Instant::now().checked_add(time));
        }
    }
}

/// What a program that was started as an rinit says first.
enum Answer {
    Started(Pid),
    Failed(Error),
    NotRinit(NotRinit),
}

/// Why it is none.
enum NotRinit {
    Silent,
    Slow,
    Garbled,
    Version(u16),
}

fn answer(connection: &mut Connection, setup: &Request, deadline: Instant) -> Result<Answer, Error> {
    if !connection.send_by(setup, deadline)? {
        return Ok(Answer::NotRinit(NotRinit::Slow));
    }
    loop {
        return Ok(match connection.recv()? {
            Incoming::Reply(Reply::Started(main)) => Answer::Started(main),
            Incoming::Reply(Reply::Failed(error)) => Answer::Failed(error),
            Incoming::Reply(Reply::Version(version)) => Answer::NotRinit(NotRinit::Version(version)),
            Incoming::Reply(Reply::Report(_)) | Incoming::Garbled => Answer::NotRinit(NotRinit::Garbled),
            Incoming::End => Answer::NotRinit(NotRinit::Silent),
            Incoming::Nothing if connection.wait_for_input(Some(deadline))? => continue,
            Incoming::Nothing => Answer::NotRinit(NotRinit::Slow),
        });
    }
}
