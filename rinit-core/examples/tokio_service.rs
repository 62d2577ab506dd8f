//! A tokio service that is PID 1, or a subreaper, and whose jobs leave orphans behind.
//!
//! Eight workers run jobs by `tokio::process`, each of which daemonises something. Every status arrives and is right, and every
//! orphan is reaped by the cooperative reaper, which runs as a task of the same runtime: no thread, no handler for SIGCHLD.
//!
//! ```sh
//! cargo run --example tokio_service -- 200    # so many jobs
//! ```

use rinit_core::{Claims, CooperativeReaper, Reaper, become_subreaper};
use std::error::Error;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

const WORKERS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let jobs: usize = std::env::args().nth(1).map_or(Ok(200), |count| count.parse())?;
    // As PID 1 it changes nothing; anywhere else the orphans would go to the init of the machine.
    let _subreaper = become_subreaper()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(jobs))
}

async fn serve(jobs: usize) -> Result<(), Box<dyn Error>> {
    let reaper = Reaper::cooperative()?;
    let claims = reaper.claims();
    let reaping = tokio::spawn(async move {
        if let Err(error) = reap(reaper).await {
            eprintln!("tokio_service: orphans are no longer reaped: {error}");
        }
    });
    let workers: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(work(worker, jobs, claims.clone()))).collect();
    let mut right = 0;
    for worker in workers {
        right += worker.await?;
    }
    println!("{right} of {jobs} statuses are right");
    // A service would go on for ever. This one shows that nothing is left behind.
    let all_reaped = async {
        while claims.stats().reaped < jobs as u64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reaped = tokio::time::timeout(Duration::from_secs(20), all_reaped).await;
    println!("{} orphans reaped", claims.stats().reaped);
    reaping.abort();
    if right == jobs && reaped.is_ok() { Ok(()) } else { Err("a status or an orphan is missing".into()) }
}

/// The reaper's descriptor in tokio's reactor: it wakes at most once a second while nothing has ended.
async fn reap(mut reaper: CooperativeReaper) -> Result<(), Box<dyn Error + Send + Sync>> {
    // AsyncFd wants to own its descriptor. A duplicate is of the same timer.
    #[allow(
        deprecated,
        reason = "its successor is unsafe, for types that may lie about their descriptor; OwnedFd does not"
    )]
    let timer = AsyncFd::with_interest(reaper.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
    loop {
        let mut ready = timer.readable().await?;
        // Before the reaping, which sets the timer anew: what comes after that is news.
        ready.clear_ready();
        while let Some(orphan) = reaper.next()? {
            if !orphan.status.success() {
                println!("orphan {}: {}", orphan.pid, orphan.status);
            }
        }
    }
}

/// Runs this worker's share of the jobs; how many ended as they should.
async fn work(worker: usize, jobs: usize, claims: Claims) -> usize {
    let mut right = 0;
    for job in (worker..jobs).step_by(WORKERS) {
        let code = job % 100;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("(sleep 0.2 &); exit {code}")]);
        // tokio waits at once, so that this is safe without a claim too; with it, it is so under any load.
        let child = claims.claim_with(|| command.spawn(), |child| child.as_ref().ok()?.id());
        match child {
            Ok(mut child) => match child.wait().await {
                Ok(status) => right += usize::from(status.code() == Some(code as i32)),
                Err(error) => eprintln!("tokio_service: job {job}: {error}"),
            },
            Err(error) => eprintln!("tokio_service: job {job}: {error}"),
        }
    }
    right
}
