//! A threaded service without a runtime that adopts orphans: the cooperative reaper in a thread of its own.
//!
//! Four workers run jobs by `std::process` and wait for them late; each job leaves an orphan behind. Every status arrives, and
//! every orphan is reaped.
//!
//! ```sh
//! cargo run --example threads -- 40    # the number of jobs
//! ```

use rinit_core::{Reaper, become_subreaper, claim, cooperative};
use std::error::Error;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let jobs: usize = std::env::args().nth(1).map_or(Ok(40), |count| count.parse())?;
    // As PID 1 it changes nothing; anywhere else the orphans would go to the init of the machine.
    let _subreaper = become_subreaper()?;
    let _reaper = Reaper::cooperative()?.start()?;
    let right: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(worker_jobs(worker, jobs)))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
    });
    println!("{right} of {jobs} statuses are right");
    // A service would go on for ever. This one shows that nothing is left behind.
    let end = Instant::now() + Duration::from_secs(60);
    while cooperative::stats().reaped < jobs as u64 && Instant::now() < end {
        thread::sleep(Duration::from_millis(50));
    }
    let reaped = cooperative::stats().reaped;
    println!("{reaped} orphans reaped");
    if right == jobs && reaped == jobs as u64 { Ok(()) } else { Err("a status or an orphan is missing".into()) }
}

/// The numbers of a worker's jobs.
fn worker_jobs(worker: usize, jobs: usize) -> impl Iterator<Item = usize> {
    (worker..jobs).step_by(WORKERS)
}

/// Starts all jobs of a worker, then waits for them; how many statuses were right.
fn work(jobs: impl Iterator<Item = usize>) -> usize {
    let start = |job: usize| {
        let script = format!("(exec sleep 0 &); exit {}", job % 100);
        // The claim makes the child this worker's for good, however late it waits.
        let child = claim(|| Command::new("sh").args(["-c", &script]).spawn());
        (job, child)
    };
    let started: Vec<_> = jobs.map(start).collect();
    // Later than the settling time: without the claim the reaper would take them for orphans.
    thread::sleep(Duration::from_secs(3));
    let is_right = |(job, child): (usize, std::io::Result<std::process::Child>)| {
        let status = child.and_then(|mut child| child.wait());
        status.is_ok_and(|status| status.code() == i32::try_from(job % 100).ok())
    };
    started.into_iter().map(is_right).filter(|right| *right).count()
}
