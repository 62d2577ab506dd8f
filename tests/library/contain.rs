//! `ChildSpec::contain`: nothing that a job has started is left behind.
//!
//! Each test has a process of its own, which is the controlling process of the jobs. This program is also a controlling process
//! that is killed (`controlling_process`).
#![allow(unsafe_code)] // A controlling process that forks without exec.

use rinit_core::contain::{ContainSpec, ContainmentError, Job};
use rinit_core::diagnose::Reason;
use rinit_core::{
    ChildSpec, Error, ExitStatus, Pid, ProcessGroup, Reaper, Report, Signal, SignalSet, Stdio, User, become_subreaper,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::procfs::{self, Process};
use support::running::{Finished, Lines, MARK, Running, marked};
use support::{needs, probe_path, require, require_for_part, rinit_path, test, wait_for, wait_until};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A mark by which all processes of a job are found; those that remain when it is dropped are killed.
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(format!("contain-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn on(&self, spec: ChildSpec) -> ChildSpec {
        spec.env(MARK, &self.0)
    }

    pub(crate) fn left(&self) -> Vec<Process> {
        marked(&self.0)
    }

    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        // Twice: one that hops from process to process may be missed by a single look.
        for _ in 0..2 {
            let left: Vec<_> = self.left().iter().map(|process| procfs::command_line(process.pid)).collect();
            assert!(left.is_empty(), "still there: {left:?}");
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(70);
        while !self.left().is_empty() && Instant::now() < end {
            for process in self.left() {
                let _ = rustix::process::Pid::from_raw(process.pid)
                    .map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
            }
        }
    }
}

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script])
}

fn probe(words: &[&str]) -> ChildSpec {
    ChildSpec::new(probe_path()).args(words.iter().copied())
}

fn contained(spec: ChildSpec) -> ContainSpec {
    spec.contain().rinit(rinit_path())
}

#[track_caller]
fn start(spec: ChildSpec) -> Job {
    contained(spec).start().expect("the job starts")
}

#[track_caller]
fn report(spec: ChildSpec) -> Report {
    start(spec).wait().expect("a report").clone()
}

/// Starts it with its output in a pipe, and waits for lines of it.
#[track_caller]
fn start_and_read(spec: ContainSpec, lines: &[&str]) -> Job {
    let mut job = spec.start().expect("the job starts");
    let out = Lines::read(job.take_stdout().expect("a pipe"));
    for line in lines {
        out.wait(line);
    }
    job
}

/// Storms in sessions of their own, beside a tree of sleepers: a session, an orphan, a grandchild.
fn storm(mark: &Mark) -> ContainSpec {
    let probe = probe_path();
    let script = format!("{probe} fork-tree {} & exec {probe} forks 3", mark.0);
    contained(mark.on(shell(&script)).stdout(Stdio::piped()))
}

#[track_caller]
fn stormy_job(mark: &Mark) -> Job {
    start_and_read(storm(mark), &["forks", "tree"])
}

#[test(own_process)]
fn kill_leaves_nothing() {
    for _ in 0..5 {
        let mark = Mark::new();
        let mut job = stormy_job(&mark);
        let sessions: std::collections::BTreeSet<_> = mark.left().iter().map(|process| process.session).collect();
        assert!(sessions.len() >= 3, "the job is in one session: {sessions:?}");
        job.kill().expect("kill");
        let report = job.wait().expect("a report").clone();
        mark.assert_nothing_is_left();
        assert_eq!(report.main.and_then(ExitStatus::signal), Some(Signal::KILL));
        assert!(report.killed.len() >= 5 && report.left_behind.is_empty(), "{report:?}");
        let names = |word: &str| report.killed.iter().any(|killed| killed.command.contains(word));
        assert!(names("-orphan") && names("-session") && names("-grandchild"), "{:#?}", report.killed);
    }
}

#[test(own_process)]
fn drop_leaves_nothing() {
    let mark = Mark::new();
    drop(stormy_job(&mark));
    mark.assert_nothing_is_left();
    assert!(procfs::children(std::process::id() as i32).is_empty(), "the rinit was not waited for");
}

/// Runs a job, in a process that the scenario kills.
pub(crate) fn controlling_process() {
    let kind = std::env::var("JOB_KIND").expect("a kind");
    let mark = Mark(std::env::var("JOB_MARK").expect("a mark"));
    let job = stormy_job(&mark);
    if kind == "forks" {
        // SAFETY: the child sleeps and exits, by async-signal-safe calls only.
        if unsafe { libc::fork() } == 0 {
            // SAFETY: as above. It outlives its parent, and has the parent's end of the channel.
            unsafe {
                libc::alarm(60);
                libc::pause();
                libc::_exit(0);
            }
        }
    }
    println!("job {} {}", job.init(), job.pid());
    loop {
        std::thread::park();
    }
}

/// Starts a controlling process with a job, lets something happen, kills it by SIGKILL, and waits until nothing is left.
fn kill_controlling_process(kind: &str, before: impl FnOnce(i32)) {
    let mark = Mark::new();
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.envs([("RINIT_TEST_ROLE", "controlling_process"), ("JOB_KIND", kind), ("JOB_MARK", &mark.0)]);
    let mut controlling = Running::start(command);
    let line = controlling.out.wait("job ");
    let init: i32 = line.split(' ').nth(1).and_then(|pid| pid.parse().ok()).expect("a pid");
    assert!(!mark.left().is_empty());
    before(init);
    controlling.signal(9);
    assert_eq!(controlling.wait(), -9);
    wait_until("the exit of all", || mark.left().is_empty());
    mark.assert_nothing_is_left();
    wait_until("the rinit's end", || !procfs::is_alive(init));
}

#[test(own_process)]
fn a_killed_controlling_process_leaves_nothing() {
    kill_controlling_process("plain", |_| ());
}

#[test(own_process)]
fn a_killed_controlling_process_whose_socket_lives_on_in_a_fork_leaves_nothing() {
    kill_controlling_process("forks", |_| ());
}

#[test(own_process)]
fn a_killed_controlling_process_leaves_nothing_of_a_job_whose_rinit_is_stopped() {
    kill_controlling_process("plain", |init| {
        support::running::kill(init, 19);
        wait_until("the stop", || procfs::read(init).is_some_and(|process| process.state == 'T'));
    });
}

/// For the kernel, the parent whose death is signalled is a thread.
#[test(own_process)]
fn a_thread_of_the_controlling_process_may_exit() {
    let spec = shell("trap 'exit 9' CONT; trap 'exit 7' HUP; echo ready; while :; do sleep 0.01; done");
    let spec = contained(spec.stdout(Stdio::piped()));
    let mut job = std::thread::spawn(move || start_and_read(spec, &["ready"])).join().expect("the thread");
    assert!(job.wait_timeout(Duration::from_millis(300)).expect("wait").is_none(), "it ended with the thread");
    job.signal(Signal::HUP).expect("signal");
    assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(7)));
}

#[test(own_process)]
fn killing_a_process_group_leaves_other_groups() {
    let mut command = support::probe(["fork-tree", "group-contrast"]);
    command.process_group(0);
    let mut running = Running::start(command);
    running.out.wait("tree");
    let group = rustix::process::Pid::from_raw(running.outer_pid()).expect("a pid");
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("kill");
    assert_eq!(running.wait(), -9);
    // A member of the group exits when it runs next, not when the signal is sent.
    wait_until("the group's end", || running.left().iter().all(|process| process.group != group.as_raw_pid()));
    let left = running.left();
    assert!(left.len() >= 2, "a process group contains after all? {left:?}");
}

#[test(own_process)]
fn the_status_is_exact() {
    for code in [0, 1, 7, 125, 126, 127, 128, 137, 255] {
        assert_eq!(report(shell(&format!("exit {code}"))).main, Some(ExitStatus::Code(code)));
    }
    for (name, number) in [("TERM", 15), ("KILL", 9), ("ABRT", 6), ("HUP", 1), ("34", 34)] {
        let signal = Signal::new(number).expect("a signal");
        let main = report(probe(&["die", name])).main.expect("main ended");
        assert_eq!((main.signal(), main.exit_code()), (Some(signal), 128 + number as u8));
    }
    let report = report(shell("exit 3"));
    assert_eq!((report.killed.len(), report.left_behind.len(), report.stop_signal), (0, 0, None));
    assert_eq!(report.reaped, 1);
}

#[test(own_process)]
fn a_failed_start_is_a_typed_error() {
    let failed = |spec: ChildSpec| contained(spec).start().expect_err("it does not start");
    let error = failed(ChildSpec::new("/no/such/program"));
    assert!(matches!(error, Error::NotFound { .. }) && error.exit_code() == 127, "{error:?}");
    assert!(error.to_string().starts_with("/no/such/program: not found"), "{error}");
    let error = failed(ChildSpec::new("no-such-program-anywhere"));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("write");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("chmod");
    let error = failed(ChildSpec::new(&script));
    assert!(matches!(error, Error::NotExecutable { .. }) && error.exit_code() == 126, "{error:?}");
    assert!(error.to_string().contains("/no/such/interpreter"), "{error}");
    let error = failed(ChildSpec::new("true").current_dir("/no/such/directory"));
    let is_it = |path: &Path| path == Path::new("/no/such/directory");
    assert!(matches!(&error, Error::WorkingDirectory { directory, .. } if is_it(directory)), "{error:?}");
    assert!(failed(ChildSpec::new("true").arg("a\0b")).to_string().contains("NUL"));
    assert!(procfs::children(std::process::id() as i32).is_empty(), "a child is left");
}

#[test(own_process)]
fn a_missing_rinit_is_named() {
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("PATH", "/no/such/directory:/bin") };
    let error = ChildSpec::new("true").contain().start().expect_err("there is none");
    assert!(matches!(error, Error::Containment(ContainmentError::Missing { .. })), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("rinit: not found in PATH (/no/such/directory:/bin)"), "{text}");
    let error = ChildSpec::new("true").contain().rinit("/no/such/rinit").start().expect_err("there is none");
    assert!(
        matches!(error, Error::Containment(ContainmentError::Missing { .. }))
            && error.to_string().contains("/no/such/rinit: not found"),
        "{error}"
    );
    // It is found where it is, whatever PATH the job gets.
    let directory = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(rinit_path(), directory.path().join("rinit")).expect("a link");
    // SAFETY: as above.
    unsafe { std::env::set_var("PATH", format!("/bin:{}", directory.path().display())) };
    let mut job = shell("exit 5").env("PATH", "/usr/bin:/bin").contain().start().expect("it is in PATH");
    assert_eq!(job.wait().expect("a report").exit_code(), 5);
}

#[test(own_process)]
fn another_program_is_not_an_rinit() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("write");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("chmod");
        path
    };
    let mistaken = |path: &Path| match ChildSpec::new("true").contain().rinit(path).start() {
        Err(Error::Containment(error)) => error,
        other => panic!("{other:?}"),
    };
    let silent = mistaken(&script("silent", "exit 3"));
    let status = Some(ExitStatus::Code(3));
    assert!(matches!(silent, ContainmentError::NotRinit { status: found, .. } if found == status), "{silent}");
    let silent = silent.to_string();
    assert!(silent.contains("exited with status 3") && silent.contains("not an rinit, or too old"), "{silent}");
    let garbled = mistaken(&script("garbled", "eval \"printf 'HTTP/1.0 400 what?' >&$2\"; exec sleep 1000"));
    assert!(matches!(garbled, ContainmentError::NotRinit { status: None, .. }), "{garbled}");
    // Version 9 of a later one.
    let newer = mistaken(&script("newer", r#"eval "printf '\003\002\000\000\000\011\000' >&$2"; exec sleep 1000"#));
    assert!(matches!(newer, ContainmentError::WrongVersion { theirs: 9, ours: 3, .. }), "{newer}");
    // A program that never answers delays a start no longer than the start allows.
    let slow = ChildSpec::new("true").contain().rinit(script("slow", "exec sleep 1000"));
    let slow = slow.start_timeout(Duration::from_millis(200)).start().expect_err("a sleep is not an rinit");
    assert!(matches!(slow, Error::Containment(ContainmentError::Timeout { .. })), "{slow}");
    assert!(procfs::children(std::process::id() as i32).is_empty(), "a child is left");
}

/// What `probe state` says.
fn state(spec: ChildSpec) -> Vec<String> {
    let mut job = start(spec.stdout(Stdio::piped()));
    let out = BufReader::new(job.take_stdout().expect("a pipe"));
    let lines = out.lines().map_while(Result::ok).collect();
    assert_eq!(job.wait().expect("a report").exit_code(), 0);
    lines
}

#[test(own_process)]
fn main_is_started_as_the_specification_says() {
    let reaper = Reaper::exclusive().expect("a reaper");
    let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let spec = || {
        probe(&["state"])
            .signal_mask(SignalSet::from_iter([Signal::USR1, Signal::RTMAX]))
            .ignore_signals(SignalSet::only(Signal::HUP))
            .reset_signals(SignalSet::from_iter([Signal::PIPE, Signal::INT]))
            .current_dir("/usr")
            .env("OF_THE_JOB", "yes")
            .pass_fd(read.try_clone().expect("a duplicate"), 9)
    };
    for group in [ProcessGroup::Own, ProcessGroup::Session, ProcessGroup::Inherit] {
        let mut plain = reaper.spawn(&spec().process_group(group).stdout(Stdio::piped())).expect("spawn");
        let out = BufReader::new(plain.take_stdout().expect("a pipe"));
        let expected: Vec<String> = out.lines().map_while(Result::ok).collect();
        plain.wait().expect("wait");
        let is = state(spec().process_group(group));
        // Processes and pipes have other numbers in each run; groups and sessions are looked at below.
        let comparable = |lines: &[String]| {
            let numbers =
                |fds: &str| fds.split(' ').filter_map(|fd| fd.split(':').next()).collect::<Vec<_>>().join(" ");
            let differs = |line: &str| ["pid=", "ppid=", "pgid=", "sid="].iter().any(|word| line.starts_with(word));
            let one = |line: &String| line.strip_prefix("fds=").map_or_else(|| line.clone(), numbers);
            lines.iter().filter(|line| !differs(line)).map(one).collect::<Vec<_>>()
        };
        assert_eq!(comparable(&is), comparable(&expected), "{group:?}");
        assert!(!is.is_empty());
    }
    let ids = |group: ProcessGroup| {
        let said = state(
            shell("exec 9<&-; echo $$ $(cut -d' ' -f5,6 /proc/$$/stat) $PWD $OF_THE_JOB")
                .process_group(group)
                .current_dir("/usr")
                .env("OF_THE_JOB", "yes"),
        );
        said[0].split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let own = procfs::read(std::process::id() as i32).expect("this process");
    let (group, session) = (own.group.to_string(), own.session.to_string());
    let is = ids(ProcessGroup::Own);
    assert_eq!(is[1..], [is[0].clone(), session.clone(), "/usr".into(), "yes".into()]);
    let is = ids(ProcessGroup::Session);
    assert_eq!(is[1..3], [is[0].clone(), is[0].clone()]);
    let is = ids(ProcessGroup::Inherit);
    assert_eq!(is[1..3], [group, session]);
}

#[test(own_process)]
fn main_runs_as_the_user() {
    require(needs::root());
    let spec = |script: &str| shell(script).user(User::resolve("65534:65533").expect("numbers"));
    assert_eq!(state(spec("id -u; id -g; id -G")), ["65534", "65533", "65533"]);
    assert_eq!(state(spec("echo $HOME").env("HOME", "/somewhere")), ["/somewhere"]);
    // Its rinit is out of its reach, and it is not out of the rinit's.
    let mark = Mark::new();
    let stubborn = "trap '' TERM; kill -9 $PPID 2>/dev/null && echo killed; echo ready; while :; do sleep 1; done";
    let spec = contained(mark.on(spec(stubborn)).stdout(Stdio::piped()));
    let mut job = spec.start().expect("the job starts");
    let mut line = String::new();
    BufReader::new(job.take_stdout().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    job.kill().expect("kill");
    job.wait().expect("a report");
    mark.assert_nothing_is_left();
}

#[test(own_process)]
fn the_jobs_own_variables_do_not_change_its_rinit() {
    let spec = shell("echo $RINIT_GRACE $RINIT_TO").env("RINIT_GRACE", "nonsense").env("RINIT_TO", "all");
    assert_eq!(state(spec), ["nonsense all"]);
}

#[test(own_process)]
fn a_job_is_written_to_and_read_from() {
    let spec = shell("cat; echo error >&2").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut job = start(spec);
    job.take_stdin().expect("a pipe").write_all(b"hello\n").expect("write");
    let (mut out, mut err) = (String::new(), String::new());
    job.take_stdout().expect("a pipe").read_to_string(&mut out).expect("read");
    job.take_stderr().expect("a pipe").read_to_string(&mut err).expect("read");
    assert_eq!((out.as_str(), err.as_str()), ("hello\n", "error\n"));
    assert_eq!(job.wait().expect("a report").exit_code(), 0);
    // Nobody has taken the pipe: the wait closes it.
    assert_eq!(report(ChildSpec::new("cat").stdin(Stdio::piped())).exit_code(), 0);
}

#[test(own_process)]
fn signals_go_to_main() {
    let mut job =
        start_and_read(contained(probe(&["signals", "--exit-on", "37:4"]).stdout(Stdio::piped())), &["ready"]);
    for signal in [Signal::HUP, Signal::TERM, Signal::CONT, Signal::new(32).expect("a signal")] {
        job.signal(signal).expect("signal");
    }
    job.signal(Signal::new(37).expect("RTMIN+3")).expect("signal");
    assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(4)));
    job.signal(Signal::TERM).expect("to no process, and no error");
    job.kill().expect("no process, and no error");
    let mut job = start(ChildSpec::new("sleep").arg("1000"));
    job.signal(Signal::KILL).expect("signal");
    assert_eq!(job.wait().expect("a report").main.and_then(ExitStatus::signal), Some(Signal::KILL));
}

/// A shell that main leaves behind, which ignores TERM; main waits until it does.
const STUBBORN_HELPER: &str = "(trap '' TERM; echo ready; exec sleep 1000) &";

#[test(own_process)]
fn a_stop_is_orderly_and_the_report_names_killed_processes() {
    let mark = Mark::new();
    let script = format!("trap 'exit 6' TERM; {STUBBORN_HELPER} while :; do sleep 0.01; done");
    let spec = contained(mark.on(shell(&script)).stdout(Stdio::piped())).drain(Duration::from_millis(100));
    let mut job = start_and_read(spec, &["ready"]);
    let report = job.stop().expect("a report");
    assert_eq!((report.main, report.stop_signal), (Some(ExitStatus::Code(6)), Some(Signal::TERM)));
    let killed: Vec<_> = report.killed.iter().map(|one| (one.command.as_str(), one.reason.clone())).collect();
    assert_eq!(killed, [("sleep 1000", Reason::Ignores(Signal::TERM))]);
    assert!(report.stop_took.is_some() && report.asked >= 1);
    mark.assert_nothing_is_left();
}

#[test(own_process)]
fn remaining_processes_are_drained() {
    let mark = Mark::new();
    let spec = contained(mark.on(shell("setsid sleep 1000 & exit 4")));
    let report = spec.start().expect("start").wait().expect("a report").clone();
    assert_eq!((report.exit_code(), report.killed.len()), (4, 0));
    mark.assert_nothing_is_left();
    let spec = contained(mark.on(shell(&format!("{STUBBORN_HELPER} sleep 0.2; exit 4")))).drain(Duration::ZERO);
    let report = spec.start().expect("start").wait().expect("a report").clone();
    assert_eq!((report.exit_code(), report.killed.len()), (4, 1));
    mark.assert_nothing_is_left();
}

#[test(own_process)]
fn a_daemon_is_waited_for() {
    let mark = Mark::new();
    let spec = contained(mark.on(shell("(setsid sleep 1000 &) ; exit 0"))).wait_for_descendants(true);
    let mut job = spec.start().expect("start");
    wait_until("main's end", || !procfs::is_alive(job.pid().get()));
    assert!(job.wait_timeout(Duration::from_millis(200)).expect("wait").is_none());
    assert_eq!(mark.left().iter().filter(|process| process.ppid == job.init().get()).count(), 1);
    job.begin_stop(Duration::from_secs(60)).expect("stop");
    assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(0)));
    mark.assert_nothing_is_left();
}

#[test(own_process)]
fn a_drop_may_be_orderly_and_a_kill_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cleaned");
    let clean = format!("trap 'echo > {}; exit 0' TERM; echo ready; while :; do sleep 0.01; done", file.display());
    let spec =
        || contained(shell(&clean).stop_timeout(Duration::from_secs(60)).stdout(Stdio::piped())).stop_on_drop(true);
    let mut job = start_and_read(spec(), &["ready"]);
    job.kill().expect("kill");
    assert_eq!(job.wait().expect("a report").main.and_then(ExitStatus::signal), Some(Signal::KILL));
    assert!(!file.exists());
    drop(start_and_read(spec(), &["ready"]));
    assert!(file.exists(), "it had no time to clean up");
}

#[test(own_process)]
fn a_lost_rinit_is_an_error() {
    let mark = Mark::new();
    let mut job = start(mark.on(ChildSpec::new("sleep").arg("1000")));
    support::running::kill(job.init().get(), 9);
    let error = job.wait().expect_err("no report");
    let by_kill = |status: &ExitStatus| status.signal() == Some(Signal::KILL);
    assert!(matches!(&error, Error::JobLost { status: Some(status), .. } if by_kill(status)), "{error:?}");
    assert!(error.to_string().ends_with("has exited without a report: killed by SIGKILL"), "{error}");
    wait_until("main's end with it", || mark.left().is_empty());
    if require_for_part(needs::root()).is_none() {
        return;
    }
    // As docs/contain.md advises: when main is killed, so is its PID namespace.
    let words = ["--pid", "--fork", "--kill-child", "sh", "-c", "setsid sleep 1000 & (setsid sleep 1000 &); wait"];
    let mut job = start(mark.on(ChildSpec::new("unshare").args(words)));
    wait_until("the sleepers", || {
        let left = mark.left();
        let sleeps = |process: &&Process| procfs::command_line(process.pid).first().is_some_and(|word| word == "sleep");
        left.iter().filter(sleeps).count() == 2
    });
    support::running::kill(job.init().get(), 9);
    assert!(matches!(job.wait(), Err(Error::JobLost { .. })));
    wait_until("the exit of all", || mark.left().is_empty());
}

#[test(own_process)]
fn main_gets_its_terminal() {
    use rustix_openpty::openpty;
    let pair = openpty(None, None).expect("a pseudoterminal");
    let at = || Stdio::fd(pair.user.try_clone().expect("a duplicate"));
    // Only a session whose terminal it is can open /dev/tty, and only its foreground reads from it unhindered.
    let spec = shell("exec 3<>/dev/tty; read word <&3; exit $word").stdin(at()).stdout(at()).stderr(at());
    let mut job =
        start(spec.process_group(ProcessGroup::Session).terminal(pair.user.try_clone().expect("a duplicate")));
    rustix::io::write(&pair.controller, b"7\n").expect("type");
    assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(7)));
    // Its rinit does not hold the terminal open: the other side reads the end when the last user has closed it.
    drop((job, at));
    drop(pair.user);
    let mut bytes = [0; 256];
    while rustix::io::read(&pair.controller, &mut bytes[..]).is_ok_and(|count| count > 0) {}
}

/// Gives a job runner three jobs: a simple one, one that daemonises, and one that runs too long with a storm below it.
fn run_jobs(runner: Command, mark: &Mark, first: &str) -> Finished {
    let mut runner = Running::start(runner);
    for line in [first, "setsid sleep 1000 & exit 4", &format!("{} forks 2", probe_path())] {
        runner.type_in(&format!("export {MARK}={}; {line}\n", mark.0));
    }
    runner.close_stdin();
    let finished = runner.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
    finished
}

/// The example, with a job that exits, one that daemonises, and one that takes too long.
#[test(own_process)]
fn the_job_runner_leaves_nothing() {
    let mark = Mark::new();
    let mut command = Command::new(support::example("job_runner"));
    command.arg("2").env("RINIT", rinit_path());
    let finished = run_jobs(command, &mark, "exit 3");
    let said = |start: &str| finished.out.iter().any(|line| line.starts_with(start));
    assert!(said("1: exited with status 3") && said("2: exited with status 4"), "{finished:?}");
    assert!(said("3: killed by SIGKILL; killed: "), "{finished:?}");
    mark.assert_nothing_is_left();
}

/// The example on tokio, which contains its jobs by itself.
#[test(own_process)]
fn the_tokio_job_runner_leaves_nothing() {
    let mark = Mark::new();
    let mut command = Command::new(support::example("tokio_jobs"));
    command.arg("2");
    let finished = run_jobs(command, &mark, "echo hello; exit 3");
    let said = |start: &str| finished.out.iter().any(|line| line.starts_with(start));
    assert!(said("1| hello") && said("1: exited with status 3") && said("2: exited with status 4"), "{finished:?}");
    let late = finished.out.iter().find(|line| line.starts_with("3: ")).expect("the third job");
    assert!(late.ends_with(", because it took too long"), "{late}");
    mark.assert_nothing_is_left();
}

/// A library carries the rinit in its own memory.
#[test(own_process)]
fn an_rinit_may_be_in_memory() {
    let memory = rustix::fs::memfd_create("rinit", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
    let memory = std::fs::File::from(memory);
    (&memory).write_all(&std::fs::read(rinit_path()).expect("the program")).expect("write");
    let spec = shell("exit 5").contain().rinit(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    assert_eq!(spec.start().expect("the job starts").wait().expect("a report").exit_code(), 5);
}

#[test(own_process)]
fn poll_and_time() {
    let mut job = start(shell("read line; exit 3").stdin(Stdio::piped()));
    let readable = |job: &Job, seconds: i64| {
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(job.as_fd(), rustix::event::PollFlags::IN)];
        let timeout = rustix::event::Timespec { tv_sec: seconds, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&timeout)).expect("poll") > 0
    };
    assert!(job.try_wait().expect("wait").is_none());
    assert!(!readable(&job, 0));
    drop(job.take_stdin());
    assert!(readable(&job, 60));
    let code = wait_for("the report", || job.try_wait().expect("wait").map(Report::exit_code));
    assert_eq!(code, 3);
    assert_eq!(job.wait_timeout(Duration::ZERO).expect("wait").map(Report::exit_code), Some(3));
}

/// Between the report and the rinit's exit there may be any time: one that is stopped there, or only looks like one.
#[test(own_process)]
fn a_check_never_waits_for_the_rinits_exit() {
    let directory = tempfile::tempdir().expect("a directory");
    // It says that main runs, reports an unknown job, and goes on.
    let says = r"\001\004\000\000\000\001\000\000\000\004\100\000\000\000\001\000\000\000";
    let rest = r"\000".repeat(60);
    for (name, then) in [("open", "exec sleep 1000"), ("closed", r#"eval "exec sleep 1000 $2>&-""#)] {
        let path = directory.path().join(name);
        let script = format!("#!/bin/sh\neval \"printf '{says}{rest}' >&$2\"\n{then}\n");
        std::fs::write(&path, script).expect("write");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("chmod");
        let job = ChildSpec::new("true").contain().rinit(&path).start().expect("it says that it is one");
        let sleeps = || procfs::command_line(job.init().get()).first().is_some_and(|word| word == "sleep");
        wait_until("it has reported", || {
            assert!(job.try_wait().expect("no failure").is_none(), "it has not exited");
            sleeps()
        });
        assert!(job.try_wait().expect("no failure").is_none(), "it has not exited");
        let init = rinit_core::process::Process::read(job.init()).expect("/proc").expect("it lives");
        rinit_core::process::signal_process(&init, Signal::KILL).expect("KILL");
        let report = wait_for("its exit", || job.try_wait().expect("no failure"));
        assert_eq!((report.main_pid, report.main), (Pid::INIT, None));
    }
}

#[test(own_process)]
fn an_idle_rinit_sleeps() {
    let job = start(ChildSpec::new("sleep").arg("1000"));
    let init = job.init().get();
    let syscall = || std::fs::read_to_string(format!("/proc/{init}/syscall")).unwrap_or_default();
    let sleeps = || syscall().split(' ').next() == Some(&libc::SYS_rt_sigtimedwait.to_string());
    wait_until("its sleep", sleeps);
    let before = procfs::waits(init);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(procfs::waits(init), before, "it woke up");
    // It holds its standard streams, the channel and main's pidfd, and pins no directory.
    let descriptors = procfs::descriptors(init);
    let others: Vec<_> = descriptors.iter().filter(|(number, what)| *number > 2 && !what.contains("pidfd")).collect();
    assert!(matches!(others[..], [(_, what)] if what.starts_with("socket:")), "{others:?}");
    assert_eq!(std::fs::read_link(format!("/proc/{init}/cwd")).expect("cwd"), Path::new("/"));
    let main = procfs::descriptors(job.pid().get());
    assert!(main.iter().all(|(_, what)| !what.starts_with("socket:")), "{main:?}");
}

#[test(own_process)]
fn hundreds_of_jobs_leak_nothing() {
    let own = std::process::id() as i32;
    let count = || procfs::descriptors(own).len();
    drop(report(shell("exit 0")));
    let before = count();
    for round in 0..300_u32 {
        let code = (round % 200) as u8;
        match round % 3 {
            0 => assert_eq!(report(shell(&format!("exit {code}"))).exit_code(), code),
            1 => drop(start(ChildSpec::new("sleep").arg("1000"))),
            _ => assert!(contained(ChildSpec::new("/no/such")).start().is_err()),
        }
    }
    assert_eq!(count(), before, "{:?}", procfs::descriptors(own));
    assert!(procfs::children(own).is_empty());
}

#[test(own_process)]
fn an_exclusive_reaper_reaps_no_rinit_of_a_job() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::exclusive().expect("a reaper");
    static DONE: AtomicBool = AtomicBool::new(false);
    let jobs = std::thread::spawn(|| {
        for code in 0..60 {
            let mut job = start(shell(&format!("exit {code}")));
            assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(code)));
        }
        let mark = Mark::new();
        drop(start(mark.on(shell("setsid sleep 1000 & sleep 1000"))));
        mark.assert_nothing_is_left();
        DONE.store(true, Ordering::Relaxed);
    });
    let mut own = 0;
    while !DONE.load(Ordering::Relaxed) && !jobs.is_finished() {
        let mut child = reaper.spawn(&shell("exit 9")).expect("spawn");
        while reaper.try_next().expect("next").is_some() {}
        assert_eq!(child.wait().expect("wait"), ExitStatus::Code(9));
        own += 1;
    }
    jobs.join().expect("the jobs");
    while reaper.try_next().expect("next").is_some() {}
    assert!(own > 0 && procfs::children(std::process::id() as i32).is_empty());
}

#[test(own_process)]
fn children_of_std_and_tokio_beside_jobs_lose_nothing() {
    const EACH: u32 = 60;
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = Reaper::cooperative().expect("a reaper").settle(Duration::from_millis(300)).start().expect("start");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..EACH {
                    let code = (round % 100) as u8;
                    let mut job = rinit_core::claim(|| contained(shell(&format!("(true &); exit {code}"))).start());
                    let job = job.as_mut().expect("the job starts");
                    assert_eq!(job.wait().expect("a report").main, Some(ExitStatus::Code(code)));
                }
            });
        }
        scope.spawn(|| {
            for round in 0..EACH {
                let code = (round % 100) as i32;
                let script = format!("(true &); exit {code}");
                let mut child = rinit_core::claim(|| Command::new("sh").args(["-c", &script]).spawn()).expect("spawn");
                assert_eq!(child.wait().expect("no ECHILD").code(), Some(code));
            }
        });
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for round in 0..EACH {
                    let code = (round % 100) as i32;
                    let status = tokio::process::Command::new("sh").args(["-c", &format!("exit {code}")]).status();
                    assert_eq!(status.await.expect("no ECHILD").code(), Some(code));
                    // A job, as a tokio program waits for it.
                    let job = start(shell(&format!("exit {code}")));
                    // SAFETY: the job keeps its descriptor open for as long as it lives.
                    let job = unsafe { AsyncFd::register_with_interest(job, Interest::READABLE) };
                    let mut job = job.expect("epoll takes it");
                    let report = loop {
                        if let Some(report) = job.get_mut().try_wait().expect("wait") {
                            break report.exit_code();
                        }
                        job.readable().await.expect("readable").clear_ready();
                    };
                    assert_eq!(i32::from(report), code);
                }
            });
        });
    });
    let own = std::process::id() as i32;
    wait_until("the last orphan", || procfs::children(own).is_empty());
}
