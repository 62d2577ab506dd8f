//! A job runner that leaves nothing behind.
//!
//! `job_runner [SECONDS]`: each line of standard input is a job for `sh -c`, four at a time. Each may take SECONDS
//! (60 by default); then everything that it ever started is killed, daemons too. Prints a line for each: how it ended,
//! and which processes had to be killed.
//!
//! It handles no signal and needs no clean-up: when it exits, even by SIGKILL, its jobs are killed. It needs an `rinit` in
//! PATH, or its path in the variable `RINIT`.

use rinit_core::{ChildSpec, Error, Report, Stdio};
use std::sync::Mutex;
use std::time::Duration;

const AT_A_TIME: usize = 4;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(60);
    let time = Duration::from_secs(seconds);
    let count = Mutex::new(0_usize);
    // The lock keeps a line and its number together.
    let next = || {
        let mut count = count.lock().ok()?;
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).ok()?;
        *count += 1;
        (read > 0).then(|| (*count, line.trim_end().to_owned()))
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            // Any thread can run jobs, and no thread waits for another thread's children.
            scope.spawn(|| {
                while let Some((number, line)) = next() {
                    match run(&line, time) {
                        Ok(report) => println!("{number}: {}", outcome(&report)),
                        Err(error) => println!("{number}: {error}"),
                    }
                }
            });
        }
    });
}

fn run(line: &str, time: Duration) -> Result<Report, Error> {
    let mut spec = ChildSpec::new("sh").args(["-c", line]).stdin(Stdio::null()).contain().drain(Duration::from_secs(1));
    if let Some(rinit) = std::env::var_os("RINIT") {
        spec = spec.rinit(rinit);
    }
    let mut job = spec.start()?;
    if job.wait_timeout(time)?.is_none() {
        job.kill()?;
    }
    job.wait().cloned()
}

fn outcome(report: &Report) -> String {
    let main = report.main.map_or_else(|| "cannot be killed".to_owned(), |status| status.to_string());
    let killed: Vec<_> = report.killed.iter().map(|process| process.command.as_str()).collect();
    if killed.is_empty() { main } else { format!("{main}; killed: {}", killed.join(", ")) }
}
