//! The `async` forms of the feature `tokio`.

use super::contain::Mark;
use rinit_core::{
    ChildSpec, ExitStatus, Pid, Reaper, Signal, SignalForwarder, SignalSet, Stdio, become_subreaper, claim, cooperative,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{test, wait_until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script])
}

#[test(own_process)]
fn children_are_awaited_and_their_pipes_read() {
    let reaper = Reaper::exclusive().expect("a reaper");
    runtime().block_on(async {
        let spec = shell("read word; echo \"$word\"; exit 7").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = reaper.spawn(&spec).expect("spawn").into_tokio().expect("a runtime");
        let mut stdin = child.take_stdin().expect("the reactor").expect("a pipe");
        let stdout = child.take_stdout().expect("the reactor").expect("a pipe");
        // Cancelled, it loses nothing.
        let waited = tokio::time::timeout(Duration::from_millis(20), child.wait()).await;
        assert!(waited.is_err(), "it waits for a word");
        stdin.write_all(b"hello\n").await.expect("write");
        assert_eq!(BufReader::new(stdout).lines().next_line().await.expect("read").as_deref(), Some("hello"));
        assert_eq!(child.wait().await.expect("its status"), ExitStatus::Code(7));
        // Many at once, each in a task of its own.
        let tasks: Vec<_> = (0..40_u8)
            .map(|code| {
                let child = reaper.spawn(&shell(&format!("exit {code}"))).expect("spawn").into_tokio();
                tokio::spawn(async move { (code, child.expect("a runtime").wait().await) })
            })
            .collect();
        for task in tasks {
            let (code, status) = task.await.expect("no panic");
            assert_eq!(status.expect("its status"), ExitStatus::Code(code));
        }
        let spec = shell("trap '' TERM; echo ready; sleep 1000; sleep 1000").stdout(Stdio::piped());
        let spec = spec.stop_timeout(Duration::from_millis(100));
        let mut child = reaper.spawn(&spec).expect("spawn").into_tokio().expect("a runtime");
        let stdout = child.take_stdout().expect("the reactor").expect("a pipe");
        BufReader::new(stdout).lines().next_line().await.expect("read");
        assert_eq!(child.stop().await.expect("its status").signal(), Some(Signal::KILL));
    });
}

#[test(own_process)]
fn outside_of_a_runtime_it_is_an_error() {
    let reaper = Reaper::exclusive().expect("a reaper");
    let child = reaper.spawn(&shell("exit 0")).expect("spawn");
    assert!(matches!(child.into_tokio(), Err(rinit_core::Error::Reactor(_))));
}

#[test(own_process)]
fn a_cancelled_job_leaves_nothing_and_blocks_nothing() {
    let mark = Mark::new();
    runtime().block_on(async {
        let spec = mark.on(shell("setsid sleep 1000 & echo ready; trap '' TERM; sleep 1000; sleep 1000"));
        let spec = spec.stdout(Stdio::piped()).contain().by_this_program();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut job = spec.start().expect("the job starts").into_tokio().expect("a runtime");
            let stdout = job.take_stdout().expect("the reactor").expect("a pipe");
            BufReader::new(stdout).lines().next_line().await.expect("read");
            ready.send(()).expect("send");
            job.wait().await.expect("a report").exit_code()
        });
        is_ready.await.expect("the job runs");
        let started = Instant::now();
        task.abort();
        assert!(task.await.expect_err("it was cancelled").is_cancelled());
        println!("the cancellation took {:?}", started.elapsed());
        let spec = shell("exit 5").contain().by_this_program();
        let mut job = spec.start().expect("the job starts").into_tokio().expect("a runtime");
        assert_eq!(job.wait().await.expect("a report").exit_code(), 5);
        let spec = shell("sleep 1000").contain().by_this_program().time_limit(Duration::from_millis(100));
        let mut job = spec.start().expect("the job starts").into_tokio().expect("a runtime");
        assert!(job.wait().await.expect("a report").timed_out);
    });
    wait_until("the cancelled job to be gone", || mark.left().is_empty());
}

#[test(own_process)]
fn signals_are_received_by_a_task() {
    let signals = SignalForwarder::new(SignalSet::from_iter([Signal::USR1, Signal::USR2])).expect("no other thread");
    runtime().block_on(async {
        let mut signals = signals.into_tokio().expect("a runtime");
        let this = rinit_core::process::Process::read(Pid::this()).expect("/proc").expect("this process");
        for signal in [Signal::USR1, Signal::USR2] {
            rinit_core::process::signal_process(&this, signal).expect("send");
            assert_eq!(signals.recv().await.expect("a signal").signal(), signal);
        }
        let waited = tokio::time::timeout(Duration::from_millis(20), signals.recv()).await;
        assert!(waited.is_err(), "there are no more");
    });
}

#[test(own_process)]
fn orphans_are_reaped_by_a_task_and_claimed_children_are_not() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaped = Arc::new(Mutex::new(Vec::new()));
    runtime().block_on(async {
        let seen = Arc::clone(&reaped);
        let reaper = Reaper::cooperative().expect("a reaper").settle(Duration::from_millis(200));
        tokio::spawn(reaper.run(move |orphan| seen.lock().expect("no panic").push(orphan.status)));
        let mut late = claim(|| Command::new("sh").args(["-c", "exit 9"]).spawn()).expect("spawn");
        assert!(Command::new("sh").args(["-c", "(exit 41 &)"]).status().await.expect("a status").success());
        while cooperative::stats().reaped == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(late.wait().await.expect("its status").code(), Some(9));
    });
    assert_eq!(*reaped.lock().expect("no panic"), [ExitStatus::Code(41)]);
}
