//! Reaper, children and signals in tokio, in async-io and in a plain poll loop: each by nothing but its descriptor.
//!
//! Each test has a process of its own, because the exclusive mode reaps every child of the process.

use async_io::Async;
use rinit_core::{Child, ChildSpec, ExitStatus, Reaper, Recipient, Signal, SignalForwarder, SignalSet, Stdio};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use support::{deadline, test};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;

const MANY: u8 = 40;
fn exits(code: u8) -> ChildSpec {
    ChildSpec::new("sh").args(["-c".to_owned(), format!("exit {code}")])
}

fn spawn(spec: &ChildSpec) -> Child {
    Reaper::exclusive().expect("reaper").spawn(spec).expect("spawn")
}

/// A child that a signal for this process is to terminate. If the scenario fails, it is killed.
fn sleeper() -> Child {
    spawn(&ChildSpec::new("sleep").arg("1000").parent_death_signal(Signal::KILL))
}

fn move_above_stdio(signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::getpid(), signal).expect("kill");
}

/// tokio's registration of anything that has a descriptor.
fn register<T: AsRawFd>(value: T) -> AsyncFd<T> {
    #[allow(
        deprecated,
        reason = "its successor is unsafe, for types that may lie about their descriptor; these do not"
    )]
    AsyncFd::new(value).expect("register")
}

async fn ended(child: Child) -> ExitStatus {
    let child = register(child);
    loop {
        let mut guard = child.readable().await.expect("readable");
        match guard.get_inner().try_wait().expect("wait") {
            Some(status) => return status,
            None => guard.clear_ready(),
        }
    }
}

async fn all_in_tokio() {
    let reaper = register(Reaper::exclusive().expect("reaper"));
    // The reaper reaps children before their handles wait, and the other way round.
    let reaping = tokio::spawn(async move {
        loop {
            let mut guard = reaper.readable().await.expect("readable");
            while guard.get_inner().try_next().expect("next").is_some() {}
            guard.clear_ready();
        }
    });
    let children: Vec<_> = (0..MANY).map(|code| tokio::spawn(ended(spawn(&exits(code))))).collect();
    for (code, child) in (0..).zip(children) {
        assert_eq!(child.await.expect("no panic"), ExitStatus::Code(code));
    }
    // A child's output, by tokio's own type.
    let mut talker = spawn(&ChildSpec::new("echo").arg("hello").stdout(Stdio::piped()));
    let pipe = talker.take_stdout().expect("a pipe");
    let mut pipe = tokio::process::ChildStdout::from_std(pipe).expect("register");
    let mut said = Vec::new();
    pipe.read_to_end(&mut said).await.expect("read");
    assert_eq!((said.as_slice(), ended(talker).await), (&b"hello\n"[..], ExitStatus::Code(0)));
    reaping.abort();
}

#[test(own_process)]
fn in_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::TERM)).expect("forwarder");
    runtime.block_on(async {
        tokio::time::timeout(deadline(), all_in_tokio()).await.expect("in time");
        // The forwarder stays in its thread, which this runtime has only one of.
        let mut child = sleeper();
        let forwarder = register(forwarder);
        move_above_stdio(rustix::process::Signal::TERM);
        let mut guard = forwarder.readable().await.expect("readable");
        let received = guard.get_inner().try_next().expect("next").expect("a signal");
        forwarder.get_ref().forward(&received, &child).expect("forward");
        guard.clear_ready();
        drop(guard);
        assert_eq!(child.wait().expect("wait").signal(), Some(Signal::TERM));
    });
}

#[test(own_process)]
fn in_tokio_with_many_threads() {
    // Before the runtime's threads, so that they inherit a mask with SIGCHLD in it.
    let _first = Reaper::exclusive().expect("reaper");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(deadline(), all_in_tokio()).await.expect("in time") });
}

#[test(own_process)]
fn in_async_io() {
    // Both before the first registration, which starts async-io's thread: it inherits the mask.
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::INT)).expect("forwarder");
    let reaper = Async::new(Reaper::exclusive().expect("reaper")).expect("register");
    let forwarder = Async::new(forwarder).expect("register");
    async_io::block_on(async {
        let mut left: Vec<_> = (0..MANY).map(|code| (code, spawn(&exits(code)))).collect();
        while !left.is_empty() {
            reaper.readable().await.expect("readable");
            while let Some(ended) = reaper.get_ref().try_next().expect("next") {
                let at = left.iter().position(|(_, child)| child.pid() == ended.pid).expect("one of them");
                let (code, child) = left.swap_remove(at);
                assert_eq!(child.try_wait().expect("wait"), Some(ExitStatus::Code(code)));
            }
        }
        let child = Async::new(exits_later()).expect("register");
        child.readable().await.expect("readable");
        assert_eq!(child.get_ref().try_wait().expect("wait"), Some(ExitStatus::Code(9)));

        let mut child = sleeper();
        move_above_stdio(rustix::process::Signal::INT);
        forwarder.readable().await.expect("readable");
        let received = forwarder.get_ref().try_next().expect("next").expect("a signal");
        forwarder.get_ref().forward(&received, Recipient::Group(&child)).expect("forward");
        assert_eq!(child.wait().expect("wait").signal(), Some(Signal::INT));
    });
}

fn exits_later() -> Child {
    spawn(&ChildSpec::new("sh").args(["-c", "sleep 0.05; exit 9"]))
}

#[test(own_process)]
fn in_a_poll_loop() {
    let reaper = Reaper::exclusive().expect("reaper");
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::USR1)).expect("forwarder");
    let mut left: Vec<_> = (0..MANY).map(|code| (code, spawn(&exits(code)))).collect();
    let mut target = sleeper();
    let mut talker = spawn(&ChildSpec::new("echo").arg("hello").stdout(Stdio::piped()));
    let mut output = talker.take_stdout().expect("a pipe");
    let mut said = String::new();
    move_above_stdio(rustix::process::Signal::USR1);
    let (mut target_ended, mut talker_ended) = (false, false);
    while !left.is_empty() || !target_ended || !talker_ended {
        let fds = [reaper.as_fd(), forwarder.as_fd(), target.as_fd(), talker.as_fd()];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert!(poll(&mut fds, Some(&minute)).expect("poll") > 0, "nothing within a minute");
        let [some_ended, signals, of_target, of_talker] = fds.map(|fd| !fd.revents().is_empty());
        if some_ended {
            while let Some(ended) = reaper.try_next().expect("next") {
                if let Some(at) = left.iter().position(|(_, child)| child.pid() == ended.pid) {
                    let (code, _) = left.swap_remove(at);
                    assert_eq!(ended.status, ExitStatus::Code(code));
                }
            }
        }
        while let Some(received) = signals.then(|| forwarder.try_next().expect("next")).flatten() {
            forwarder.forward(&received, &target).expect("forward");
        }
        if of_target {
            target_ended = target.try_wait().expect("wait").is_some();
        }
        if of_talker && !talker_ended {
            talker_ended = talker.try_wait().expect("wait").is_some();
            output.read_to_string(&mut said).expect("read");
        }
    }
    assert_eq!(target.wait().expect("wait").signal(), Some(Signal::USR1));
    assert_eq!(said, "hello\n");
}
