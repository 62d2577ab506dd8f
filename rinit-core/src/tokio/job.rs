//! A contained job, waited for in tokio.

use super::{Readiness, pipes};
use crate::contain::job;
use crate::error::Error;
use crate::report::Report;
use ::tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use ::tokio::time::timeout_at;
use std::thread;

/// A contained job in tokio: see [`crate::contain::Job::into_tokio`].
///
/// **Dropping it kills the job** and does not block: a thread waits for the rest. So the cancellation of the task that owns the
/// job leaves nothing of it.
#[derive(Debug)]
#[must_use = "dropping it kills the job and all that the job has started"]
pub struct Job {
    /// `None` after it was taken out.
    job: Option<job::Job>,
    readiness: Readiness,
}

impl job::Job {
    /// The job for tokio.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`] outside a runtime, or if no descriptor is left. The job is killed then.
    ///
    /// ```no_run
    /// use rinit_core::{ChildSpec, Error};
    /// use std::time::Duration;
    /// async fn run(line: &str) -> Result<u8, Error> {
    ///     let mut job = ChildSpec::new("sh").args(["-c", line]).contain().start()?.into_tokio()?;
    ///     if tokio::time::timeout(Duration::from_secs(60), job.wait()).await.is_err() {
    ///         job.get().kill()?;
    ///     }
    ///     Ok(job.wait().await?.exit_code())
    /// }
    /// ```
    pub fn into_tokio(self) -> Result<Job, Error> {
        let readiness = Readiness::of(&self)?;
        Ok(Job { job: Some(self), readiness })
    }
}

impl Job {
    /// The job itself: its pids, signals to it, [`begin_stop`](crate::contain::Job::begin_stop),
    /// [`kill`](crate::contain::Job::kill).
    ///
    /// # Panics
    ///
    /// Never: the job is there until this value is gone.
    pub const fn get(&self) -> &job::Job {
        self.job.as_ref().expect("only a drop takes it out")
    }

    /// Waits until the job is over: main has exited, and so has every process that it has started.
    ///
    /// Cancellation changes nothing by itself: the job runs on until this value is dropped.
    ///
    /// # Errors
    ///
    /// As for [`crate::contain::Job::try_wait`]; [`Error::Reactor`] if the runtime shuts down.
    pub async fn wait(&mut self) -> Result<&Report, Error> {
        drop(self.job.as_mut().and_then(job::Job::take_stdin));
        let (job, readiness) = (self.get(), &self.readiness);
        loop {
            if let Some(report) = job.try_wait()? {
                return Ok(report);
            }
            // A job that holds its rinit causes no event: then a timer wakes this task to help.
            match job.next_help() {
                None => readiness.readable().await?,
                Some(help) => timeout_at(help.into(), readiness.readable()).await.unwrap_or(Ok(()))?,
            }
        }
    }

    /// The write end of main's standard input, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stdin(&mut self) -> Result<Option<ChildStdin>, Error> {
        pipes::stdin(self.job.as_mut().and_then(job::Job::take_stdin))
    }

    /// The read end of main's standard output, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stdout(&mut self) -> Result<Option<ChildStdout>, Error> {
        pipes::stdout(self.job.as_mut().and_then(job::Job::take_stdout))
    }

    /// The read end of main's standard error, where that is a pipe; once.
    ///
    /// # Errors
    ///
    /// [`Error::Reactor`].
    pub fn take_stderr(&mut self) -> Result<Option<ChildStderr>, Error> {
        pipes::stderr(self.job.as_mut().and_then(job::Job::take_stderr))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        if matches!(job.try_wait(), Ok(Some(_)) | Err(Error::JobLost { .. })) {
            return;
        }
        job.let_go();
        // The drop of the job waits until nothing of it is left. If no thread can be started, it does so here.
        let _ = thread::Builder::new().name("rinit-job".to_owned()).spawn(move || drop(job));
    }
}
