//! A job runner on tokio, in a single file: it contains its jobs by itself.
//!
//! Each line of standard input is a job for `sh -c`. At most four run at a time. What a job writes is printed line by line as it
//! comes; a job that takes longer than the time is stopped, with everything that it ever started. TERM and INT cancel all jobs:
//! their tasks are dropped, and nothing of them is left.
//!
//! ```sh
//! printf 'echo hello\nsleep 100 & setsid sleep 100\n' | cargo run --example tokio_jobs --features tokio -- 2    # seconds
//! ```
#![forbid(unsafe_code, deprecated)]

use rinit_core::contain::{self, ContainSpec};
use rinit_core::{ChildSpec, Error, Signal, SignalForwarder, SignalSet, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const AT_A_TIME: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First: in a process that was started as a job's init this does not return.
    contain::init();
    let seconds = std::env::args().nth(1).map_or(Ok(60), |text| text.parse())?;
    // Before the runtime starts threads: they inherit the mask.
    let signals = SignalForwarder::new(SignalSet::from_iter([Signal::TERM, Signal::INT]))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(signals, Duration::from_secs(seconds)))
}

async fn serve(signals: SignalForwarder, time: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let mut signals = signals.into_tokio()?;
    let mut jobs = JoinSet::new();
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut number = 0;
    let all = async {
        while let Some(line) = input.next_line().await? {
            number += 1;
            let permit = Arc::clone(&room).acquire_owned().await?;
            jobs.spawn(async move {
                match run(number, &line, time).await {
                    Ok(outcome) => println!("{number}: {outcome}"),
                    Err(error) => println!("{number}: {error}"),
                }
                drop(permit);
            });
        }
        while jobs.join_next().await.is_some() {}
        Ok(())
    };
    tokio::select! {
        result = all => result,
        received = signals.recv() => {
            println!("{}: all jobs are cancelled", received?.signal());
            // Drops the tasks, and the jobs with them: each is killed.
            jobs.shutdown().await;
            Ok(())
        }
    }
}

fn specification(line: &str, time: Duration) -> ContainSpec {
    let second = Duration::from_secs(1);
    let spec =
        ChildSpec::new("sh").args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spec.stop_timeout(second).contain().by_this_program().drain(second).time_limit(time)
}

async fn run(number: usize, line: &str, time: Duration) -> Result<String, Error> {
    let mut job = specification(line, time).start()?.into_tokio()?;
    let (stdout, stderr) = (job.take_stdout()?, job.take_stderr()?);
    let lines = async { tokio::join!(print_lines(number, stdout), print_lines(number, stderr)) };
    // The lines end with the job, unless it has killed its init: what it leaves behind is not waited for.
    let lines = tokio::time::timeout(time + Duration::from_secs(10), lines);
    let (report, _) = tokio::join!(job.wait(), lines);
    let report = report?;
    let mut outcome = report.main.map_or_else(|| "cannot be killed".to_owned(), |status| status.to_string());
    let killed: Vec<_> = report.killed.iter().map(|process| process.command.as_str()).collect();
    if !killed.is_empty() {
        outcome += &format!("; killed: {}", killed.join(", "));
    }
    if report.timed_out {
        outcome += ", because it took too long";
    }
    Ok(outcome)
}

async fn print_lines(number: usize, pipe: Option<impl AsyncRead + Unpin>) {
    let Some(pipe) = pipe else { return };
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        println!("{number}| {line}");
    }
}
