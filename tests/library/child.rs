//! `Child` and `Reaper::exclusive`: statuses, time limits, groups, parent death; with real processes.
//!
//! Each test has a process of its own, because the exclusive mode reaps every child of the process.
#![allow(unsafe_code)] // Forks without a program, and a seccomp filter.

use rinit_core::process::Delivery;
use rinit_core::{Child, ChildSpec, Error, ExitStatus, Pid, ProcessGroup, Reaper, Signal, Stdio, become_subreaper};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{namespace, require, test, wait_until};

/// This program in another role, in a process of its own.
fn role(name: &str, under: &[&str]) -> Command {
    let this = std::env::current_exe().expect("the path of this program");
    let mut words = under.iter().map(std::ffi::OsString::from).chain([this.into_os_string()]);
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).env("RINIT_TEST_ROLE", name);
    command
}

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script])
}

fn spawn(spec: &ChildSpec) -> Child {
    Reaper::exclusive().expect("reaper").spawn(spec).expect("spawn")
}

/// A child whose first line was read: so it has set up what it does before.
fn ready(spec: &ChildSpec) -> (Child, String) {
    let mut child = spawn(&spec.clone().stdout(Stdio::piped()));
    let mut line = String::new();
    let mut output = BufReader::new(child.take_stdout().expect("a pipe"));
    output.read_line(&mut line).expect("read");
    (child, line.trim_end().to_owned())
}

fn state(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn runs(pid: &str) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// Sleeps until the descriptor is readable.
fn poll_on(fd: impl AsFd) {
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let count = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&minute)).expect("poll");
    assert!(count > 0, "nothing within a minute");
}

#[test(own_process)]
fn a_status_survives_the_reuse_of_its_pid() {
    require(namespace::available());
    let as_user = if rustix::process::geteuid().is_root() { &[][..] } else { &["--user", "--map-root-user"] };
    let unshare = [&["unshare"], as_user, &["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]].concat();
    let output = role("child_pid_reuse", &unshare).output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// As PID 1, where the next pid can be chosen.
pub(crate) fn in_a_namespace_of_its_own() {
    let reaper = Reaper::exclusive().expect("reaper");
    let first = reaper.spawn(&shell("exit 1")).expect("spawn");
    poll_on(&first);
    assert_eq!(reaper.try_next().expect("next").map(|ended| ended.pid), Some(first.pid()));
    // The handle has not asked yet, the number is free, and the next child gets it.
    let last_pid = (first.pid().get() - 1).to_string();
    std::fs::write("/proc/sys/kernel/ns_last_pid", last_pid).expect("choose the next pid");
    let mut second = reaper.spawn(&ChildSpec::new("sleep").arg("1000")).expect("spawn");
    assert_eq!(second.pid(), first.pid());
    // A signal for the first one's group reaches no process: the group of that number is another one.
    assert_eq!(first.kill_group().expect("no process"), Delivery::Gone);
    first.signal(Signal::KILL).expect("no process");
    assert_eq!(first.try_wait().expect("kept"), Some(ExitStatus::Code(1)));
    assert_eq!(second.try_wait().expect("wait"), None);
    drop(first);
    second.signal(Signal::INT).expect("signal");
    assert_eq!(second.wait().expect("its own").signal(), Some(Signal::INT));
}

#[test(own_process)]
fn a_timeout_is_kept() {
    let mut child = spawn(&shell("read word; exit 3").stdin(Stdio::piped()));
    let mut input = child.take_stdin().expect("a pipe");
    let started = Instant::now();
    assert_eq!(child.wait_timeout(Duration::from_millis(50)).expect("wait"), None);
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(child.wait_timeout(Duration::ZERO).expect("a look"), None);
    input.write_all(b"go\n").expect("write");
    assert_eq!(child.wait_timeout(Duration::MAX).expect("wait"), Some(ExitStatus::Code(3)));
    assert_eq!(child.wait_timeout(Duration::ZERO).expect("again"), Some(ExitStatus::Code(3)));
    // Its input is closed for it, so that it does not wait for that.
    let mut child = spawn(&shell("read word; exit 4").stdin(Stdio::piped()));
    assert_eq!(child.wait_timeout(Duration::from_secs(60)).expect("wait"), Some(ExitStatus::Code(4)));
}

#[test(own_process)]
fn a_timeout_is_kept_without_pidfds() {
    support::seccomp::refuse(&[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal]);
    a_timeout_is_kept();
    a_stop_in_time();
    a_stop_by_force();
    // Nobody drives a reaper: then the descriptor tells of a wait in another thread.
    let reaper = Reaper::exclusive().expect("reaper");
    let child = reaper.spawn(&shell("exit 5")).expect("spawn");
    poll_on(&reaper);
    while reaper.try_next().expect("next").is_some() {}
    poll_on(&child);
    assert_eq!(
        child.kill_group().expect("no process"),
        Delivery::Gone,
        "reaped, and no pidfd: no process is signalled"
    );
    assert_eq!(child.try_wait().expect("wait"), Some(ExitStatus::Code(5)));
}

#[test(own_process)]
fn a_group_is_killed_whole() {
    let (mut child, helper) = ready(&shell("sleep 1000 >/dev/null & echo $!; wait"));
    assert!(runs(&helper));
    assert_eq!(child.kill_group().expect("kill"), Delivery::Delivered);
    assert_eq!(child.wait().expect("wait").signal(), Some(Signal::KILL));
    wait_until("the helper's end", || !runs(&helper));
}

#[test(own_process)]
fn a_group_without_its_leader() {
    let _subreaper = become_subreaper().expect("subreaper");
    let (mut child, helper) = ready(&shell("sleep 1000 >/dev/null & echo $!"));
    assert_eq!(child.wait().expect("wait"), ExitStatus::Code(0));
    assert!(runs(&helper));
    match child.kill_group().expect("kill") {
        Delivery::Delivered => {}
        // Linux before 6.9: a group that cannot be identified is not signalled.
        _ => {
            assert!(runs(&helper));
            let pid = rustix::process::Pid::from_raw(helper.parse().expect("a number")).expect("a pid");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
        }
    }
    wait_until("the helper's end", || !runs(&helper));
    let reaper = Reaper::exclusive().expect("reaper");
    wait_until("the orphan", || reaper.try_next().expect("next").is_some());
    assert_eq!(child.kill_group().expect("no process"), Delivery::Gone);
}

#[test(own_process)]
fn a_group_of_the_parent_is_spared() {
    let mut child = spawn(&ChildSpec::new("sleep").arg("1000").process_group(ProcessGroup::Inherit));
    let mut sibling = spawn(&ChildSpec::new("sleep").arg("1000").process_group(ProcessGroup::Inherit));
    assert_eq!(child.kill_group().expect("kill"), Delivery::Delivered);
    assert_eq!(child.wait().expect("wait").signal(), Some(Signal::KILL));
    assert_eq!(sibling.try_wait().expect("wait"), None);
    assert_eq!(sibling.stop().expect("stop").signal(), Some(Signal::TERM));
}

#[test(own_process)]
fn a_stop_in_time() {
    let spec = shell("trap 'exit 7' USR2; echo ready; while :; do sleep 0.01; done");
    let (mut child, _) = ready(&spec.stop_signal(Signal::USR2).stop_timeout(Duration::from_secs(60)));
    assert_eq!(child.stop().expect("stop"), ExitStatus::Code(7));
    assert_eq!(child.stop().expect("again"), ExitStatus::Code(7));
}

#[test(own_process)]
fn a_stop_by_force() {
    let spec = shell("trap '' TERM; sleep 1000 >/dev/null & echo $!; wait; wait");
    let (mut child, helper) = ready(&spec.stop_timeout(Duration::from_millis(50)));
    assert_eq!(child.stop().expect("stop").signal(), Some(Signal::KILL));
    wait_until("the helper's end", || !runs(&helper));
}

#[test(own_process)]
fn a_stop_kills_the_rest_of_the_group() {
    let spec = shell("(trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 1000 >/dev/null) & wait");
    let (mut child, helper) = ready(&spec.stop_timeout(Duration::from_secs(60)));
    assert!(runs(&helper), "{helper}");
    assert_eq!(child.stop().expect("stop").signal(), Some(Signal::TERM));
    wait_until("the helper's end", || !runs(&helper));
}

#[test(own_process)]
fn a_stop_continues_the_stopped() {
    let mut child = spawn(&ChildSpec::new("sleep").arg("1000").stop_timeout(Duration::from_secs(60)));
    child.signal(Signal::STOP).expect("signal");
    wait_until("its being stopped", || state(&child.pid().to_string()) == Some('T'));
    assert_eq!(child.stop().expect("stop").signal(), Some(Signal::TERM));
}

#[test(own_process)]
fn a_thread_exits_before_its_child() {
    let script = "read word; exit 9";
    let specs = [shell(script), shell(script).parent_death_signal(Signal::KILL)];
    for spec in specs.map(|spec| spec.stdin(Stdio::piped())) {
        let reaper = Reaper::exclusive().expect("reaper");
        let before = threads();
        let worker = std::thread::spawn(move || reaper.spawn(&spec));
        let mut child = worker.join().expect("no panic").expect("spawn");
        // The thread itself is gone, not only its closure; the one that starts such children may have come.
        wait_until("the thread's end", || threads() <= before + 1);
        let mut input = child.take_stdin().expect("a pipe");
        assert_eq!(child.wait_timeout(Duration::from_millis(100)).expect("wait"), None, "it lives");
        input.write_all(b"go\n").expect("write");
        assert_eq!(child.wait().expect("kept"), ExitStatus::Code(9));
    }
    // What the plain request would have done: the signal follows the thread.
    let worker = std::thread::spawn(|| {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        // SAFETY: prctl is a system call and allocates nothing.
        unsafe {
            command.arg("1000").pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        command.spawn().expect("spawn")
    });
    let mut child = worker.join().expect("no panic");
    assert!(child.wait().expect("wait").code().is_none(), "the naive way has changed: this test proves nothing");
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("threads").count()
}

#[test(own_process)]
fn children_are_killed_with_their_process() {
    let _subreaper = become_subreaper().expect("subreaper");
    let mut host = role("child_host", &[]).stdout(std::process::Stdio::piped()).spawn().expect("spawn");
    let mut lines = BufReader::new(host.stdout.take().expect("a pipe")).lines();
    let child = lines.next().expect("a line").expect("read");
    host.kill().expect("kill");
    host.wait().expect("wait");
    let pid: i32 = child.parse().expect("a pid");
    let reaper = Reaper::exclusive().expect("reaper");
    let ended = loop {
        poll_on(&reaper);
        if let Some(ended) = reaper.try_next().expect("next").filter(|ended| ended.pid.get() == pid) {
            break ended;
        }
    };
    assert_eq!((ended.status.signal(), ended.spawned_here), (Some(Signal::INT), false));
}

/// Starts a child from a thread that exits, prints its pid, and waits to be killed.
pub(crate) fn host() {
    let spec = ChildSpec::new("sleep").arg("1000").stdout(Stdio::null()).parent_death_signal(Signal::INT);
    let child = std::thread::spawn(move || spawn(&spec)).join().expect("no panic");
    println!("{}", child.pid());
    loop {
        std::thread::park();
    }
}

#[test(own_process)]
fn handles_outlive_the_reaper_and_change_threads() {
    let reaper = Reaper::exclusive().expect("reaper");
    let mut kept = reaper.spawn(&shell("exit 1")).expect("spawn");
    poll_on(&kept);
    assert!(reaper.try_next().expect("next").is_some());
    let mut running = reaper.spawn(&shell("read word; exit 2").stdin(Stdio::piped())).expect("spawn");
    let unasked = reaper.spawn(&shell("exit 3")).expect("spawn");
    let pid = unasked.pid();
    drop(unasked);
    drop(reaper);
    assert_eq!(kept.wait().expect("kept"), ExitStatus::Code(1));
    let waiting = std::thread::spawn(move || running.wait());
    assert_eq!(waiting.join().expect("no panic").expect("wait"), ExitStatus::Code(2));
    // Its handle is gone and there is no reaper: it stays until there is one again.
    wait_until("the zombie", || state(&pid.to_string()) == Some('Z'));
    let later = Reaper::exclusive().expect("reaper");
    poll_on(&later);
    let ended = later.try_next().expect("next").expect("the zombie");
    assert_eq!((ended.pid, ended.status, ended.spawned_here), (pid, ExitStatus::Code(3), false));
}

#[test(own_process)]
fn two_reapers_and_many_waits_lose_nothing() {
    let reapers = [Reaper::exclusive().expect("reaper"), Reaper::exclusive().expect("reaper")];
    let spawners: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                for round in 0..25_u8 {
                    let code = thread * 25 + round;
                    let mut child = spawn(&shell(&format!("exit {code}")));
                    let status = match round % 3 {
                        0 => child.wait(),
                        1 => child.wait_timeout(Duration::from_secs(90)).map(|status| status.expect("in time")),
                        _ => loop {
                            match child.try_wait() {
                                Ok(None) => std::thread::yield_now(),
                                other => break other.map(|status| status.expect("checked")),
                            }
                        },
                    };
                    assert_eq!(status.expect("kept"), ExitStatus::Code(code));
                }
            })
        })
        .collect();
    while !spawners.iter().all(std::thread::JoinHandle::is_finished) {
        for reaper in &reapers {
            while reaper.try_next().expect("next").is_some() {}
        }
    }
    for spawner in spawners {
        spawner.join().expect("every status is right");
    }
}

/// A child without a program, which exits at once.
fn bare_child() -> Pid {
    // SAFETY: one thread; the child calls only _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: terminates the child.
        unsafe { libc::_exit(6) };
    }
    Pid::new(pid).expect("fork")
}

#[test(own_process)]
fn a_child_that_exited_before_the_reaper_is_noticed() {
    let pid = bare_child();
    let raw = rustix::process::Pid::from_raw(pid.get()).expect("a pid");
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(raw), ended).expect("wait");
    let reaper = Reaper::exclusive().expect("reaper");
    poll_on(&reaper);
    let ended = reaper.try_next().expect("next").expect("the child");
    assert_eq!((ended.pid, ended.status, ended.spawned_here), (pid, ExitStatus::Code(6), false));
}

#[test(own_process)]
fn all_output_is_read() {
    // More than two pipes hold, and on one of them first.
    let script = "head -c 1000000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 500000 /dev/zero >&2; exit 2";
    let output =
        spawn(&shell(script).stdout(Stdio::piped()).stderr(Stdio::piped())).wait_with_output().expect("output");
    assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 1_500_000));
    assert_eq!(output.status, ExitStatus::Code(2));
    let output = spawn(&shell("exit 4")).wait_with_output().expect("output");
    assert_eq!((output.stdout.len(), output.stderr.len(), output.status), (0, 0, ExitStatus::Code(4)));
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Statuses that are never asked for: of orphans, and of children whose handles were dropped.
#[test(own_process)]
fn memory_stays_bounded() {
    let orphans: usize = std::env::var("RINIT_SOAK_ORPHANS").map_or(100_000, |count| count.parse().expect("a number"));
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::exclusive().expect("reaper");
    let mut reaped = 0;
    let mut take_all = |at_least: usize| {
        wait_until("the children", || {
            while let Some(ended) = reaper.try_next().expect("next") {
                assert!(!ended.spawned_here);
                reaped += 1;
            }
            reaped >= at_least
        });
    };
    let mut expected = 0;
    let mut round = |orphans: usize, handles: usize| {
        // SAFETY: one thread; the child only forks and calls _exit.
        if unsafe { libc::fork() } == 0 {
            for _ in 0..orphans {
                bare_child();
            }
            // SAFETY: terminates the child; its own children become orphans.
            unsafe { libc::_exit(0) };
        }
        for _ in 0..handles {
            drop(spawn(&ChildSpec::new("true")));
        }
        expected += orphans + handles + 1;
        take_all(expected);
    };
    round(500, 20);
    let before = resident_kilobytes();
    for _ in 0..orphans / 500 {
        round(500, 2);
    }
    let grown = resident_kilobytes().saturating_sub(before);
    println!("    {orphans} orphans and {} dropped handles: {grown} kB more", orphans / 250);
    assert!(grown < 256, "{grown} kB for {orphans} orphans");
}

#[test(own_process)]
fn a_status_reaped_by_other_code_is_an_error() {
    let mut child = spawn(&shell("exit 1"));
    let pid = rustix::process::Pid::from_raw(child.pid().get()).expect("a pid");
    // What breaks the contract of the exclusive mode: a wait that is not rinit's.
    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).expect("wait");
    assert!(matches!(child.wait(), Err(Error::StatusTaken { .. })));
    assert!(matches!(child.wait_timeout(Duration::from_secs(60)), Err(Error::StatusTaken { .. })));
}
