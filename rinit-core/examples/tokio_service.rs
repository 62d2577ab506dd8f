//! A tokio service that is PID 1, or a subreaper, and whose jobs leave orphans behind.
//!
//! Eight workers run jobs by `tokio::process`, each of which daemonises something. Every status arrives and is right, and every
//! orphan is reaped by the cooperative reaper, which runs as a task of the same runtime: no thread, no handler for SIGCHLD.
//! On TERM or INT no more jobs are started; the service exits with 0 when those that run have exited and all orphans are reaped.
//!
//! ```sh
//! cargo run --example tokio_service --features tokio           # until it is sent TERM
//! cargo run --example tokio_service --features tokio -- 200    # 200 jobs
//! ```
#![forbid(unsafe_code, deprecated)]

use rinit_core::{Reaper, become_subreaper, claim, cooperative};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

const WORKERS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let jobs: usize = std::env::args().nth(1).map_or(Ok(usize::MAX), |count| count.parse())?;
    // As PID 1 it changes nothing; anywhere else the orphans would go to the init of the machine.
    let _subreaper = become_subreaper()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(jobs))
}

/// What all workers have done.
#[derive(Default)]
struct Count {
    stop: AtomicBool,
    started: AtomicUsize,
    right: AtomicUsize,
}

async fn serve(jobs: usize) -> Result<(), Box<dyn Error>> {
    let reaper = Reaper::cooperative()?;
    let reaping = tokio::spawn(async move {
        let reaped = |orphan: cooperative::Orphan| {
            if !orphan.status.success() {
                println!("orphan {}: {}", orphan.pid, orphan.status);
            }
        };
        let Err(error) = reaper.run(reaped).await;
        eprintln!("tokio_service: orphans are no longer reaped: {error}");
    });
    let count = Arc::new(Count::default());
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopped = Arc::clone(&count);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        stopped.stop.store(true, Ordering::Relaxed);
    });
    println!("service {} runs", std::process::id());
    let work = |_| tokio::spawn(work(jobs, Arc::clone(&count)));
    let workers: Vec<_> = (0..WORKERS).map(work).collect();
    for worker in workers {
        worker.await?;
    }
    let started = count.started.load(Ordering::Relaxed);
    let right = count.right.load(Ordering::Relaxed);
    println!("{right} of {started} statuses are right");
    // Each job has left one orphan.
    let reaped = all_reaped(started as u64).await;
    println!("{} orphans reaped", cooperative::stats().reaped);
    reaping.abort();
    if right == started && reaped { Ok(()) } else { Err("a status or an orphan is missing".into()) }
}

/// Waits until this many orphans have been reaped; false if none is reaped for a while.
async fn all_reaped(count: u64) -> bool {
    let (mut reaped, mut since) = (cooperative::stats().reaped, Instant::now());
    while reaped < count && since.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if cooperative::stats().reaped > reaped {
            (reaped, since) = (cooperative::stats().reaped, Instant::now());
        }
    }
    reaped >= count
}

/// Runs one job after the other until there are enough, or the service is sent TERM.
async fn work(jobs: usize, count: Arc<Count>) {
    while !count.stop.load(Ordering::Relaxed) {
        let job = count.started.fetch_add(1, Ordering::Relaxed);
        if job >= jobs {
            count.started.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        if job % 100 == 0 {
            println!("{job} jobs started, {} orphans reaped", cooperative::stats().reaped);
        }
        let code = job % 100;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("(sleep 0.2 &); exit {code}")]);
        // tokio waits at once, so that this is safe without a claim too; with it, it is so under any load.
        let child = claim(|| command.spawn());
        let status = match child {
            Ok(mut child) => child.wait().await,
            Err(error) => Err(error),
        };
        match status {
            Ok(status) if status.code() == Some(code as i32) => drop(count.right.fetch_add(1, Ordering::Relaxed)),
            other => eprintln!("tokio_service: job {job}: {other:?}"),
        }
    }
}
