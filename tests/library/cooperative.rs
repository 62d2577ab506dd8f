//! The cooperative reaper among threads that start and wait for their own children.
//!
//! Each test has a process of its own, which becomes a subreaper: the kernel gives the orphans to its main thread. The same
//! under load is `stress::no_steal`.

use rinit_core::{ExitStatus, Reaper, become_subreaper, claim, cooperative};
use rustix::event::{PollFd, PollFlags};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::{deadline, test, wait_until};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn children() -> Vec<i32> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").expect("the threads").flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found
}

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// What the whole mode rests on: no helper thread can adopt in place of the main one.
#[test(own_process)]
fn the_main_thread_gets_the_orphans_of_every_thread() {
    let _subreaper = become_subreaper().expect("subreaper");
    let of_main = || {
        let list = format!("/proc/self/task/{}/children", std::process::id());
        std::fs::read_to_string(list).expect("its children").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let helper = std::thread::spawn(move || {
        let output = shell("sleep 1000 >/dev/null 2>&1 & echo $!").output().expect("an output");
        let orphan = String::from_utf8(output.stdout).expect("text").trim().to_owned();
        // While this thread lives: what it had would go to the main one when it exits.
        (of_main(), orphan)
    });
    let (of_main, orphan) = helper.join().expect("no panic");
    assert_eq!(of_main, [orphan.as_str()]);
    support::running::kill(orphan.parse().expect("a pid"), libc::SIGTERM);
    rustix::process::wait(rustix::process::WaitOptions::empty()).expect("the orphan");
}

#[test(own_process)]
fn a_claimed_child_is_waited_for_after_five_seconds() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300)).start().expect("thread");
    let mut claimed = claim(|| shell("exit 21").spawn()).expect("spawn");
    let mut unclaimed = shell("exit 22").spawn().expect("spawn");
    wait_until("it to end", || is_zombie(claimed.id()));
    let ended = Instant::now();
    // For comparison, without a claim the status is lost, as the documentation warns: so the claim protects the other child.
    let taken = reaper.next(deadline()).expect("no failure").expect("an orphan, as it seems");
    assert_eq!((taken.pid.get().unsigned_abs(), taken.status), (unclaimed.id(), ExitStatus::Code(22)));
    assert!(unclaimed.wait().is_err());
    while ended.elapsed() < Duration::from_secs(5) {
        assert_eq!(reaper.next(Duration::from_millis(500)).expect("no failure"), None);
    }
    assert!(is_zombie(claimed.id()));
    assert_eq!(claimed.wait().expect("its status").code(), Some(21));
}

#[test(own_process)]
fn an_unclaimed_child_is_waited_for_within_the_settling_time() {
    let _subreaper = become_subreaper().expect("subreaper");
    // So long that this process cannot be late, however busy the machine is.
    let _reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_secs(3600)).start().expect("thread");
    let stats = cooperative::stats;
    let mut child = shell("exit 23").spawn().expect("spawn");
    wait_until("the zombie to be seen", || stats().settling == 1);
    let some_checks = || {
        let checks = stats().checks;
        wait_until("more checks", || stats().checks > checks + 2);
    };
    some_checks();
    assert_eq!((stats().settling, stats().reaped), (1, 0));
    assert_eq!(child.wait().expect("its status").code(), Some(23));
    some_checks();
    assert_eq!(stats().reaped, 0);
}

#[test(own_process)]
fn a_thread_exits_before_its_child() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300)).start().expect("thread");
    // Claimed: the thread exits while the child runs.
    let start = move || claim(|| shell("read x; exit 31").stdin(Stdio::piped()).spawn());
    let mut running = std::thread::spawn(start).join().expect("no panic").expect("spawn");
    // Unclaimed: seen as a zombie under its thread, which then exits.
    let (end, ended) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        send.send(shell("exit 32").spawn().expect("spawn")).expect("send");
        let _ = ended.recv();
    });
    let mut zombie = receive.recv().expect("a child");
    wait_until("it to be known as own", || is_zombie(zombie.id()) && cooperative::stats().own == 1);
    drop(end);
    thread.join().expect("no panic");
    assert_eq!(running.try_wait().expect("alive"), None, "it died with its thread");
    drop(running.stdin.take());
    wait_until("it to end", || is_zombie(running.id()));
    assert_eq!(reaper.next(Duration::from_secs(3)).expect("no failure"), None);
    assert_eq!(running.wait().expect("its status").code(), Some(31));
    assert_eq!(zombie.wait().expect("its status").code(), Some(32));
}

#[test(own_process)]
fn orphans_by_poll_with_their_status() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(300));
    assert!(
        shell("(exit 41 &); (kill -KILL $(exec sh -c 'echo $PPID') &); exit 0").status().expect("status").success()
    );
    let mut statuses = HashSet::new();
    while statuses.len() < 2 {
        let mut fds = [PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
        assert!(rustix::event::poll(&mut fds, Some(&timeout)).expect("poll") > 0, "only {statuses:?}");
        while let Some(orphan) = reaper.try_next().expect("no failure") {
            statuses.insert(orphan.status.exit_code());
        }
        let mut fds = [PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&now)).expect("poll"), 0, "readable after all was read");
    }
    assert_eq!(statuses, HashSet::from([41, 137]));
    assert!(children().is_empty());
}

#[test(own_process)]
#[expect(clippy::zombie_processes, reason = "no process waits: that is what is tested")]
fn a_released_child_is_reaped() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").settle(Duration::from_millis(100)).start().expect("thread");
    let child = claim(|| shell("exit 51").spawn()).expect("spawn");
    assert!(cooperative::release(&child) && !cooperative::release(&child));
    let orphan = reaper.next(deadline()).expect("no failure").expect("reaped");
    assert_eq!((orphan.pid.get().unsigned_abs(), orphan.status), (child.id(), ExitStatus::Code(51)));
}

#[test(own_process)]
fn a_subscriber_that_does_not_read_stops_nothing() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    assert!(shell("i=0; while [ $i -lt 2000 ]; do (exit 5 &); i=$((i+1)); done").status().expect("status").success());
    let made = Instant::now();
    wait_until("all to be reaped", || cooperative::stats().reaped == 2000);
    println!("2000 orphans at once: all reaped {} ms after the last was made", made.elapsed().as_millis());
    // They are handed over after they were counted.
    wait_until("the oldest to be dropped", || cooperative::stats().dropped == 976);
    let mut read = 0;
    while reaper.next(Duration::from_millis(100)).expect("no failure").is_some() {
        read += 1;
    }
    let stats = cooperative::stats();
    assert_eq!((read, stats.dropped, stats.settling), (1024, 976, 0));
}

#[test(own_process)]
fn without_zombies_no_list_is_read() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut living = shell("read x").stdin(Stdio::piped()).spawn().expect("spawn");
    let started = Instant::now();
    let reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    wait_until("three checks", || cooperative::stats().checks == 4);
    let took = started.elapsed();
    let stats = cooperative::stats();
    assert_eq!(stats.scans, 0);
    assert!(took >= Duration::from_millis(2900), "four checks in {took:?}");
    drop(reaper);
    drop(living.stdin.take());
    assert!(living.wait().is_ok());
}

/// How often the reaper's thread has gone to sleep.
fn sleeps() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads").flatten().map(|task| task.path());
    let is_reaper = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "rinit-reaper\n")
    };
    let task = tasks.into_iter().find(is_reaper).expect("its thread");
    let status = std::fs::read_to_string(task.join("status")).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a line");
    line.trim().parse().expect("a number")
}

/// Without any child, and with one that lives.
#[test(own_process)]
fn without_zombies_it_wakes_once_a_second() {
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = Reaper::cooperative().expect("reaper").start().expect("thread");
    let stats = cooperative::stats;
    let mut child = None;
    for what in ["no child", "a living child"] {
        wait_until("the first check", || stats().checks > 0);
        let (started, slept, checks) = (Instant::now(), sleeps(), stats().checks);
        wait_until("five checks", || stats().checks >= checks + 5);
        let (took, wakes) = (started.elapsed(), sleeps() - slept);
        println!("{what}: woke {wakes} times in {} ms", took.as_millis());
        // Both ends of the time are in the middle of something. A busy machine makes the time longer, not the wakes more.
        assert!(wakes <= took.as_secs() + 3, "{wakes} in {took:?}");
        child = child.or_else(|| shell("read x").stdin(Stdio::piped()).spawn().ok());
    }
    assert_eq!(stats().scans, 0);
    let mut child = child.expect("spawn");
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("its status").code(), Some(1), "read at the end of the file");
}
