//! A program that contains its jobs by itself, and jobs that hold or kill their rinit.
//!
//! Each test has a process of its own, which is the controlling process of the jobs. This program is also the
//! process that traces its rinit (`tracer`).
#![allow(unsafe_code)] // `ptrace(2)`.

use super::contain::Mark;
use rinit_core::child::Resource;
use rinit_core::contain::{ContainSpec, ContainmentError};
use rinit_core::{ChildSpec, Error, ExitStatus, Signal, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{procfs, require, test, wait_until};

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script]).stdin(Stdio::null())
}

fn contained(spec: ChildSpec) -> ContainSpec {
    spec.contain().by_this_program()
}

#[track_caller]
fn output_of(spec: ChildSpec) -> String {
    let job = contained(spec.stdout(Stdio::piped())).start().expect("the job starts");
    let output = job.wait_with_output().expect("an output");
    assert_eq!(output.report.exit_code(), 0, "{:?}", output.report);
    String::from_utf8(output.stdout).expect("text")
}

#[test(own_process)]
fn a_program_contains_its_jobs_by_itself() {
    let mark = Mark::new();
    let script = "setsid sleep 1000 & (sleep 1000 &); exit 7";
    let spec = contained(mark.on(shell(script))).drain(Duration::ZERO);
    let mut job = spec.start().expect("the job starts");
    let report = job.wait().expect("a report");
    assert_eq!(report.main, Some(ExitStatus::Code(7)));
    mark.assert_nothing_is_left();
    let error = contained(ChildSpec::new("/no/such/program")).start().expect_err("it is not there");
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(procfs::children(std::process::id() as i32).is_empty(), "a child is left");
}

/// Rust's start-up code ignores SIGPIPE in the rinit, which main must not inherit.
#[test(own_process)]
fn main_starts_as_under_a_separate_rinit() {
    let ignored = || shell("grep SigIgn /proc/self/status").env_remove("LANG");
    let pipe = 1_u64 << (Signal::PIPE.number() - 1);
    let bits = |text: String| u64::from_str_radix(text.trim_start_matches("SigIgn:").trim(), 16).expect("a set");
    assert_eq!(bits(output_of(ignored())) & pipe, 0);
    let also = ignored().ignore_signals(rinit_core::SignalSet::only(Signal::PIPE));
    assert_eq!(bits(output_of(also)) & pipe, pipe);
}

#[test(own_process)]
fn limits_are_mains() {
    // Only root may go below what the tests were started with.
    let nice = (rustix::process::getpriority_process(None).expect("a nice value") + 7).min(19);
    let spec = shell("ulimit -n; ulimit -Hn; umask; nice")
        .rlimit(Resource::OpenFiles, Some(64), Some(128))
        .umask(0o027)
        .nice(nice);
    let lines = output_of(spec);
    assert_eq!(lines.lines().collect::<Vec<_>>(), ["64", "128", "0027", &nice.to_string()]);
    // The rinit has this process's own: a limit of the job's is none of its business.
    let mut job = contained(shell("sleep 1000").rlimit(Resource::OpenFiles, Some(9), Some(9))).start().expect("a job");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", job.init())).expect("its limits");
    assert!(!limits.lines().any(|line| line.starts_with("Max open files            9 ")), "{limits}");
    job.kill().expect("kill");
    job.wait().expect("a report");
    if rustix::process::geteuid().is_root() {
        return;
    }
    let error = contained(shell("true").nice(-20)).start().expect_err("only root may");
    assert!(matches!(error, Error::Nice(_)), "{error}");
}

#[test(own_process)]
fn resources_that_a_job_has_used_are_reported() {
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
    let mut job = contained(shell(script)).start().expect("the job starts");
    assert_eq!(job.usage(), None);
    job.wait().expect("a report");
    let usage = job.usage().expect("it is over");
    assert!(usage.user_time + usage.system_time > Duration::ZERO && usage.max_rss_kib > 100, "{usage:?}");
}

/// A poll(2) on only the descriptor sees the exit, and does not become a loop that never sleeps.
#[test(own_process)]
fn the_descriptor_tells_of_the_end() {
    let job = contained(shell("exit 3")).start().expect("the job starts");
    let deadline = Instant::now() + support::deadline();
    let mut wakes = 0;
    let code = loop {
        if let Some(report) = job.try_wait().expect("no failure") {
            break report.exit_code();
        }
        assert!(Instant::now() < deadline, "no event");
        let timeout = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::from_borrowed_fd(job.as_fd(), PollFlags::IN)], Some(&timeout)).expect("poll");
        wakes += ready;
    };
    assert_eq!(code, 3);
    assert!(wakes <= 3, "{wakes} events for a report, the end of the channel, and the exit");
}

/// As `stoploop.c`: a process of the job stops the rinit over and over.
#[test(own_process)]
fn a_job_that_stops_its_rinit_is_killed() {
    let mark = Mark::new();
    // The loop ignores nothing and forks nothing: only what is sent to the rinit counts.
    let script = "r=$PPID; setsid sh -c 'echo loops; while kill -STOP $0; do :; done' $r & trap '' TERM; sleep 1000";
    for dropped in [true, false] {
        let mut job = contained(mark.on(shell(script)).stdout(Stdio::piped())).start().expect("the job starts");
        let mut line = String::new();
        BufReader::new(job.take_stdout().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "loops\n");
        if dropped {
            drop(job);
        } else {
            job.kill().expect("kill");
            let report = job.wait().expect("a report");
            assert_eq!(report.main.and_then(ExitStatus::signal), Some(Signal::KILL));
        }
        mark.assert_nothing_is_left();
    }
}

/// The same in a cgroup, where the kernel kills all but the rinit in one step: so it still reports.
#[test(own_process)]
fn a_job_that_stops_its_rinit_is_killed_by_its_cgroup() {
    let parent = Parent(require(cgroup_parent()));
    let mark = Mark::new();
    let script = "r=$PPID; setsid sh -c 'echo loops; while kill -STOP $0; do :; done' $r & trap '' TERM; sleep 1000";
    let spec = contained(mark.on(shell(script)).stdout(Stdio::piped())).cgroup(&parent.0);
    let mut job = spec.start().expect("the job starts");
    let mut line = String::new();
    BufReader::new(job.take_stdout().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "loops\n");
    job.kill().expect("kill");
    let report = job.wait().expect("a report");
    assert_eq!(report.main.and_then(ExitStatus::signal), Some(Signal::KILL));
    mark.assert_nothing_is_left();
    assert!(is_empty(&parent.0), "a cgroup is left");
}

/// As `traceinit.c`: a process of the job traces the rinit and never lets it go on.
#[test(own_process)]
fn a_job_that_traces_its_rinit_is_killed() {
    let mark = Mark::new();
    let this = std::env::current_exe().expect("this program");
    let spec = mark.on(ChildSpec::new(this)).env("RINIT_TEST_ROLE", "tracer");
    let mut job = contained(spec.stdin(Stdio::piped()).stdout(Stdio::piped())).start().expect("the job starts");
    // Not before the rinit has answered: one that is traced earlier is a start that fails in time.
    writeln!(job.take_stdin().expect("a pipe")).expect("a line");
    let mut line = String::new();
    BufReader::new(job.take_stdout().expect("a pipe")).read_line(&mut line).expect("a line");
    if line != "traces\n" {
        drop(job);
        support::skip(format!("ptrace is refused here: {line}"));
    }
    job.kill().expect("kill");
    let main = job.pid().get();
    let report = job.wait().expect("a report");
    // Killed by this process, not by the rinit, which was held.
    assert!(report.killed.iter().any(|killed| killed.pid.get() == main), "{report:?}");
    mark.assert_nothing_is_left();
}

/// Attaches to the rinit above, and keeps it stopped.
pub(crate) fn tracer() {
    std::io::stdin().read_line(&mut String::new()).expect("a line");
    let rinit = rustix::process::getppid().expect("a parent").as_raw_pid();
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_ATTACH takes no memory of this process.
    let attached = unsafe { libc::ptrace(libc::PTRACE_ATTACH, rinit, none, none) };
    if attached == -1 {
        println!("{}", std::io::Error::last_os_error());
        return;
    }
    let stopped = || procfs::read(rinit).is_some_and(|process| process.state == 't');
    wait_until("the rinit to be held", stopped);
    println!("traces");
    std::thread::sleep(support::deadline());
}

const LIMIT: Duration = Duration::from_millis(300);

#[test(own_process)]
fn a_job_is_stopped_at_its_time_limit() {
    let mark = Mark::new();
    let script = "setsid sleep 1000 & trap 'exit 9' TERM; while :; do sleep 0.01; done";
    let started = Instant::now();
    let mut job = contained(mark.on(shell(script))).time_limit(LIMIT).start().expect("the job starts");
    // The rinit keeps the time, whatever the controlling process does.
    wait_until("the job to be over", || mark.left().is_empty());
    let report = job.wait().expect("a report").clone();
    assert!(started.elapsed() >= LIMIT);
    assert!(report.timed_out);
    assert_eq!((report.main, report.stop_signal), (Some(ExitStatus::Code(9)), Some(Signal::TERM)));
    assert!(report.killed.is_empty(), "{report:?}");
    // By the signal and in the time that the specification has for a stop.
    let spec = shell("trap '' QUIT TERM; while :; do sleep 0.01; done").stop_signal(Signal::QUIT).stop_timeout(LIMIT);
    let mut job = contained(spec).time_limit(LIMIT).start().expect("the job starts");
    let report = job.wait().expect("a report");
    assert_eq!((report.timed_out, report.stop_signal), (true, Some(Signal::QUIT)));
    assert_eq!(report.main.and_then(ExitStatus::signal), Some(Signal::KILL));
    // What main has left behind is the job, too.
    let spec = contained(mark.on(shell("setsid sleep 1000 & exit 4"))).wait_for_descendants(true);
    let mut job = spec.time_limit(LIMIT).start().expect("the job starts");
    let report = job.wait().expect("a report");
    assert_eq!((report.timed_out, report.main), (true, Some(ExitStatus::Code(4))));
    mark.assert_nothing_is_left();
}

#[test(own_process)]
fn a_job_that_is_over_in_time_has_not_timed_out() {
    for limit in [Duration::from_secs(600), Duration::MAX] {
        let mut job = contained(shell("exit 5")).time_limit(limit).start().expect("the job starts");
        let report = job.wait().expect("a report");
        assert_eq!((report.timed_out, report.exit_code(), report.stop_signal), (false, 5, None));
    }
    let spec = contained(shell("sleep 1000")).time_limit(Duration::from_secs(600));
    let mut job = spec.start().expect("the job starts");
    let report = job.stop().expect("a report");
    assert_eq!((report.timed_out, report.stop_signal), (false, Some(Signal::TERM)));
}

/// A stop on its way has at most the limit and its own time, and main gets no second signal.
#[test(own_process)]
fn a_time_limit_shortens_a_stop() {
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done";
    let spec = shell(script).stdout(Stdio::piped()).stop_timeout(LIMIT);
    let mut job = contained(spec).time_limit(2 * LIMIT).start().expect("the job starts");
    let mut lines = BufReader::new(job.take_stdout().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "ready");
    job.begin_stop(Duration::from_secs(3600)).expect("a stop");
    let report = job.wait().expect("a report");
    assert_eq!((report.timed_out, report.main.and_then(ExitStatus::signal)), (true, Some(Signal::KILL)));
    assert_eq!(lines.map(|line| line.expect("text")).collect::<Vec<_>>(), ["asked"]);
}

/// The job holds its rinit, which then cannot keep the time: this process does, while it waits.
#[test(own_process)]
fn a_job_that_stops_its_rinit_has_a_time_limit() {
    let mark = Mark::new();
    let script = "r=$PPID; setsid sh -c 'echo loops; while kill -STOP $0; do :; done' $r & trap '' TERM; sleep 1000";
    let spec = || mark.on(shell(script)).stdout(Stdio::piped()).stop_timeout(LIMIT);
    let mut job = contained(spec()).time_limit(LIMIT).start().expect("the job starts");
    let report = job.wait().expect("a report");
    assert!(report.timed_out, "{report:?}");
    mark.assert_nothing_is_left();
    let job = contained(spec()).time_limit(LIMIT).start().expect("the job starts");
    let output = job.wait_with_output().expect("an output");
    assert_eq!((output.report.timed_out, output.stdout.as_slice()), (true, b"loops\n".as_slice()));
    mark.assert_nothing_is_left();
}

/// A directory of a cgroup v2 file system in which this process may make others, and kill them.
fn cgroup_parent() -> Result<PathBuf, String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    });
    let mount = mount.ok_or("no cgroup v2 file system is mounted")?;
    let parent = mount.join(format!("rinit-test-{}", std::process::id()));
    std::fs::create_dir(&parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    if !parent.join("cgroup.kill").exists() {
        let _ = std::fs::remove_dir(&parent);
        return Err("this kernel has no cgroup.kill".to_owned());
    }
    Ok(parent)
}

/// Removes the directory when the test is over.
struct Parent(PathBuf);

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn is_empty(parent: &Path) -> bool {
    std::fs::read_dir(parent).expect("the cgroup").flatten().all(|entry| !entry.path().is_dir())
}

/// The one thing that frees a job without a cgroup.
#[test(own_process)]
fn a_job_that_kills_its_rinit_leaves_nothing_in_a_cgroup() {
    let parent = Parent(require(cgroup_parent()));
    let mark = Mark::new();
    // Not before the start has been answered: killed earlier, it would be no rinit at all.
    let script = "read go; setsid sleep 1000 & kill -KILL $PPID; sleep 1000";
    let spec = contained(mark.on(shell(script).stdin(Stdio::piped()))).cgroup(&parent.0);
    let mut job = spec.start().expect("the job starts");
    job.take_stdin().expect("a pipe").write_all(b"go\n").expect("write");
    let error = job.wait().expect_err("its rinit was killed");
    assert!(matches!(error, Error::JobLost { .. }), "{error}");
    mark.assert_nothing_is_left();
    assert!(is_empty(&parent.0), "a cgroup is left");
    // An ordinary job has its report, and the cgroup goes with it.
    let spec = contained(mark.on(shell("setsid sleep 1000 & exit 4"))).drain(Duration::ZERO).cgroup(&parent.0);
    let mut job = spec.start().expect("the job starts");
    assert!(!is_empty(&parent.0), "the job has no cgroup");
    assert_eq!(job.wait().expect("a report").exit_code(), 4);
    assert!(is_empty(&parent.0), "a cgroup is left");
}

#[test(own_process)]
fn a_cgroup_that_cannot_be_made_is_an_error() {
    let error = contained(shell("true")).cgroup("/no/such/cgroup").start().expect_err("there is none");
    assert!(matches!(error, Error::Containment(ContainmentError::Cgroup { .. })), "{error}");
    assert!(procfs::children(std::process::id() as i32).is_empty(), "a child is left");
}
