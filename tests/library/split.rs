//! `Init::split` on real processes: as PID 1, as a subreaper, in itself, and without /proc.
//!
//! This program is also the service that the tests start (`--service NAME`). It splits in its first line.
#![allow(unsafe_code)] // The handlers of C, which a service may have: atexit, sigaction.

use rinit_core::{Error, Init, Signal};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use support::{deadline, namespace, require_for_part, test, wait_for};

const SERVICES: &[(&str, fn())] = &[
    ("exit", || std::process::exit(number_after_name(2))),
    ("die", || die_by(number_after_name(2))),
    ("pids", pids),
    ("serve", serve),
    ("spawn", spawn_under_load),
    ("buffer", || print!("half a line")),
    ("listen", || println!("{}", std::env::var("LISTEN_PID").unwrap_or_default())),
    ("orphan", leave_an_orphan),
    ("signals", print_signal_state),
    ("short-threads", spawn_from_short_threads),
    ("diagnose", diagnose),
];

pub(crate) fn role() {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("--service") => service(&words[2]),
        Some("--refused") => refused(),
        Some("--atexit") => with_exit_handler(),
        Some("--nested") => nested(),
        Some("--handler") => with_handler(),
        Some("--heap") => with_a_full_heap(),
        Some("--file") => with_a_buffered_file(Path::new(&words[2])),
        Some("--atfork") => with_fork_handlers(),
        other => panic!("not a role: {other:?}"),
    }
}

// The services.

fn service(name: &str) {
    let split = Init::split().expect("split");
    // A test that fails sends KILL to the init, and the service is not to stay behind.
    split.parent_watch().send_on_death(Signal::KILL).expect("prctl");
    let (_, run) = SERVICES.iter().find(|(known, _)| *known == name).expect("a known service");
    run();
}

fn number_after_name(at: usize) -> i32 {
    std::env::args().nth(at + 1).and_then(|word| word.parse().ok()).expect("a number")
}

fn die_by(signal: i32) {
    let signal = rustix::process::Signal::from_named_raw(signal).expect("a named signal");
    rustix::process::kill_process(rustix::process::getpid(), signal).expect("kill");
}

fn pids() {
    let raw = |pid: Option<rustix::process::Pid>| pid.map_or(0, |pid| pid.as_raw_pid());
    let (me, parent, group) = (rustix::process::getpid(), rustix::process::getppid(), rustix::process::getpgrp());
    println!("{} {} {}", raw(Some(me)), raw(parent), raw(Some(group)));
}

/// A service that ignores SIGTERM.
fn diagnose() {
    let script = r#"trap "" TERM; "$0" --diagnose; exit $?"#;
    let error = Command::new("sh").args(["-c", script]).arg(support::rinit_path()).exec();
    panic!("{error}");
}

/// Prints that it is ready, with its descriptors, and waits to be stopped.
fn serve() {
    let file = std::fs::File::open("/dev/null").expect("open");
    println!("ready {} {}", std::process::id(), file.as_raw_fd());
    loop {
        std::thread::park();
    }
}

/// Eight threads that wait for their own children, each of which leaves an orphan behind.
fn spawn_under_load() {
    let thread = |number: usize| {
        for round in 0..40 {
            let code = i32::try_from((number * 40 + round) % 200).expect("small");
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("(sleep 0.00{} &) ; echo {code}; exit {code}", round % 10));
            if round % 2 == 0 {
                let output = command.output().expect("output");
                assert_eq!(output.status.code(), Some(code));
                assert_eq!(output.stdout, format!("{code}\n").as_bytes());
            } else {
                let status = command.stdout(Stdio::null()).status().expect("status");
                assert_eq!(status.code(), Some(code));
            }
        }
    };
    let threads: Vec<_> = (0..8).map(|number| std::thread::spawn(move || thread(number))).collect();
    let right = threads.into_iter().map(std::thread::JoinHandle::join).filter(Result::is_ok).count();
    println!("{right} threads");
}

/// A process in a session of its own that would outlive all others; exits with 3.
fn leave_an_orphan() {
    Command::new("setsid").args(["sleep", "1000"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("setsid");
    std::process::exit(3);
}

fn print_signal_state() {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("status");
    status
        .lines()
        .filter(|line| line.starts_with("SigBlk") || line.starts_with("SigIgn"))
        .for_each(|l| println!("{l}"));
}

fn refused() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let threads: Vec<_> = [held].into_iter().map(|held| std::thread::spawn(move || held.recv())).collect();
    match Init::split() {
        Err(error @ Error::MultiThreaded { .. }) => println!("{error}"),
        other => println!("not refused: {other:?}"),
    }
    drop(hold);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    // None is left, not even a trace of the refused one.
    Init::split().expect("split after the join");
    std::process::exit(6);
}

extern "C" fn say_goodbye() {
    let _ = rustix::io::write(rustix::stdio::stdout(), b"goodbye\n");
}

fn with_exit_handler() {
    // SAFETY: the handler makes one system call.
    unsafe { libc::atexit(say_goodbye) };
    // Of std's buffer and of C's.
    print!("std ");
    // SAFETY: a constant string without conversions.
    unsafe { libc::printf(c"C ".as_ptr()) };
    Init::split().expect("split");
}

/// Each thread exits before the child that it has started.
fn spawn_from_short_threads() {
    let start = || Command::new("sh").args(["-c", "read x; exit 9"]).stdin(Stdio::piped()).spawn();
    let mut children: Vec<Child> =
        (0..20).map(|_| std::thread::spawn(start).join().expect("no panic").expect("spawn")).collect();
    // Without /proc that cannot be seen; a joined thread is at its very end.
    let threads = || std::fs::read_dir("/proc/self/task").ok().map(Iterator::count);
    wait_for("the threads' end", || threads().is_none_or(|count| count <= 1).then_some(()));
    let living = children.iter_mut().filter_map(|child| child.try_wait().ok()).filter(Option::is_none).count();
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    let right = children.iter_mut().filter_map(|child| child.wait().ok()?.code()).filter(|code| *code == 9).count();
    println!("{living} live, {right} right");
}

/// Blocks of all sizes, each filled with its number.
fn blocks(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number as u8; (number * 7919) % 60_000 + 1]).collect()
}

fn are_whole(blocks: &[Vec<u8>]) -> bool {
    blocks.iter().enumerate().all(|(number, block)| block.iter().all(|byte| *byte == number as u8))
}

/// Some 60 MB from before the split, half of it given back after it and taken anew, and a large piece: in the service. In the
/// init: the lists of hundreds of orphans that it reaps, and of hundreds that it ends.
fn with_a_full_heap() {
    let mut old = blocks(2000);
    Init::split().expect("split");
    let before = are_whole(&old);
    old.truncate(1000);
    let new = blocks(2000);
    let large = vec![7_u8; 300 << 20];
    let script = "i=0; while [ $i -lt 300 ]; do (exit 5 &); (sleep 1000 >&- 2>&- &); i=$((i+1)); done";
    let status = Command::new("sh").args(["-c", script]).status().expect("sh");
    let after = are_whole(&old) && are_whole(&new) && large.iter().all(|byte| *byte == 7);
    println!("{before} {after} {}", status.success());
    std::process::exit(4);
}

fn with_a_buffered_file(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("create"));
    file.write_all(b"before ").expect("write");
    let split = Init::split().expect("split");
    file.write_all(b"after").expect("write");
    file.flush().expect("flush");
    println!("{}", split.init());
}

fn say(what: &str) {
    let _ = rustix::io::write(rustix::stdio::stdout(), what.as_bytes());
}

/// Of a C library, say, that holds its locks over a fork.
fn with_fork_handlers() {
    extern "C" fn prepare() {
        say("prepare\n");
    }
    extern "C" fn parent() {
        say("parent\n");
    }
    extern "C" fn child() {
        say("child\n");
    }
    // SAFETY: each handler makes one system call.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    Init::split().expect("split");
}

extern "C" fn child_has_changed(_: libc::c_int) {}

/// A handler for SIGCHLD is the service's still.
fn with_handler() {
    let ours = child_has_changed as *const () as libc::sighandler_t;
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGCHLD, ours) };
    Init::split().expect("split");
    // SAFETY: as above.
    let found = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    println!("{}", found == ours);
}

fn nested() {
    let outer = Init::split().expect("the outer split");
    let inner = Init::split().expect("the inner split");
    println!("{} {} {}", outer.init(), inner.init(), std::process::id());
    Command::new("sh").args(["-c", "sleep 0.01 &"]).status().expect("sh");
    die_by(Signal::ABRT.number());
}

// The tests.

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Here,
    Pid1,
    Pid1WithoutProc,
}

const PLACES: [Place; 3] = [Place::Here, Place::Pid1, Place::Pid1WithoutProc];

fn this() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child=KILL"]);
    command
}

/// False, noted as a skipped part, if this user may not make PID namespaces.
fn possible(place: Place) -> bool {
    place == Place::Here || require_for_part(namespace::available()).is_some()
}

fn places() -> impl Iterator<Item = Place> {
    PLACES.into_iter().filter(|place| possible(*place))
}

fn command(place: Place, words: &[&str]) -> Command {
    let mut command = match place {
        Place::Here => Command::new(this()),
        Place::Pid1 => {
            let mut command = unshare();
            command.args(["--mount-proc", "--"]).arg(this());
            command
        }
        Place::Pid1WithoutProc => {
            let mut command = unshare();
            command.args(["--mount", "--", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\""]).arg(this());
            command
        }
    };
    command.args(words).env("RINIT_TEST_ROLE", "split").stdin(Stdio::null());
    command
}

fn output(place: Place, words: &[&str]) -> Output {
    finish(command(place, words).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("spawn"))
}

/// Reads all of its output and its status, by the deadline.
fn finish(child: Child) -> Output {
    let mut guard = Guard(child);
    let mut stdout = guard.0.stdout.take().expect("a pipe");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        let _ = sender.send(text);
    });
    let stdout = receiver.recv_timeout(deadline()).expect("its output has an end");
    let status = wait_for("its end", || guard.0.try_wait().expect("wait"));
    Output { status, stdout, stderr: Vec::new() }
}

/// Ends a process with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_code_is_the_services() {
    for place in places() {
        for code in [0, 1, 7, 125, 255] {
            let output = output(place, &["--service", "exit", &code.to_string()]);
            assert_eq!(output.status.code(), Some(code), "{place:?}");
        }
    }
}

#[test]
fn the_signal_is_the_services() {
    for place in places() {
        for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGABRT] {
            let status = output(place, &["--service", "die", &signal.to_string()]).status;
            match place {
                Place::Here => assert_eq!(status.signal(), Some(signal)),
                _ => assert_eq!(status.code(), Some(128 + signal), "{place:?}"),
            }
        }
    }
}

#[test]
fn the_service_is_a_child_in_its_own_group() {
    for place in places() {
        let child = command(place, &["--service", "pids"]).stdout(Stdio::piped()).spawn().expect("spawn");
        let started = i32::try_from(child.id()).expect("a pid");
        let output = finish(child);
        let pids: Vec<i32> = text(&output).split_whitespace().map(|pid| pid.parse().expect("a pid")).collect();
        assert_eq!(pids.len(), 3, "{place:?}");
        assert_eq!(pids[0], pids[2], "{place:?}: it leads a group");
        assert_eq!(pids[1], if place == Place::Here { started } else { 1 }, "{place:?}");
    }
}

/// Starts `serve`; its init's pid as seen from here, its own pid as it sees it, and the number of its own descriptor.
fn serving(place: Place) -> (Guard, i32, i32, i32) {
    let mut child = Guard(command(place, &["--service", "serve"]).stdout(Stdio::piped()).spawn().expect("spawn"));
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let numbers: Vec<i32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 2, "{line}");
    let started = i32::try_from(child.0.id()).expect("a pid");
    let init = if place == Place::Here {
        started
    } else {
        let children = std::fs::read_to_string(format!("/proc/{started}/task/{started}/children")).expect("children");
        children.trim().parse().expect("one child")
    };
    (child, init, numbers[0], numbers[1])
}

/// The options of such an init are in the program: from outside it is a program that takes SIGTERM.
#[test]
fn a_diagnosis_does_not_claim_to_know_the_init() {
    for place in places().filter(|place| *place == Place::Pid1) {
        let output = output(place, &["--service", "diagnose"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("cannot be told: ") && said.contains("only a stop shows whether it exits"), "{said}");
        assert!(
            said.contains("counts only if its parent waits for it") && said.contains(": ignores SIGTERM"),
            "{said}"
        );
    }
}

#[test]
fn term_reaches_the_service() {
    for place in places() {
        let (mut child, init, ..) = serving(place);
        let init = rustix::process::Pid::from_raw(init).expect("a pid");
        rustix::process::kill_process(init, rustix::process::Signal::TERM).expect("kill");
        let status = wait_for("the end", || child.0.try_wait().expect("wait"));
        match place {
            Place::Here => assert_eq!(status.signal(), Some(libc::SIGTERM)),
            _ => assert_eq!(status.code(), Some(128 + libc::SIGTERM), "{place:?}"),
        }
    }
}

#[test]
fn no_status_is_lost_while_orphans_are_reaped() {
    for place in places() {
        let output = output(place, &["--service", "spawn"]);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "8 threads\n"), "{place:?}");
    }
}

#[test]
fn remaining_processes_are_terminated() {
    for place in places() {
        // The orphan would keep its output open, so it has none: here it is enough that the init exits.
        let output = output(place, &["--service", "orphan"]);
        assert_eq!(output.status.code(), Some(3), "{place:?}");
    }
}

#[test]
fn a_buffer_is_written_once() {
    for place in places() {
        assert_eq!(text(&output(place, &["--service", "buffer"])), "half a line");
    }
}

#[test]
fn exit_handlers_run_once() {
    for place in places() {
        let text = text(&output(place, &["--atexit"]));
        for word in ["goodbye", "std", "C "] {
            assert_eq!(text.matches(word).count(), 1, "{place:?}: {word} in {text:?}");
        }
    }
}

#[test]
fn threads_are_named_in_the_refusal() {
    for place in places() {
        let output = output(place, &["--refused"]);
        let text = text(&output);
        let expected =
            if place == Place::Pid1WithoutProc { "other threads run already" } else { "2 threads run already" };
        assert!(text.contains(expected), "{place:?}: {text}");
        assert_eq!(output.status.code(), Some(6), "{place:?}");
    }
}

#[test]
fn listen_pid_names_the_service() {
    let script = "export LISTEN_PID=$$; exec \"$0\" --service listen";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(this()).env("RINIT_TEST_ROLE", "split").stdout(Stdio::piped());
    let child = shell.spawn().expect("spawn");
    let started = child.id().to_string();
    let seen = text(&finish(child));
    assert!(seen.trim().parse::<u32>().is_ok() && seen.trim() != started, "{seen}");
    let unrelated =
        command(Place::Here, &["--service", "listen"]).env("LISTEN_PID", "7").stdout(Stdio::piped()).spawn();
    assert_eq!(text(&finish(unrelated.expect("spawn"))), "7\n", "meant for another process");
}

#[test]
fn the_signal_state_is_given_back() {
    let mut command = command(Place::Here, &["--service", "signals"]);
    // SAFETY: two calls that are async-signal-safe, on the child's own state.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
            libc::sigaddset(&raw mut set, libc::SIGUSR2);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
            Ok(())
        });
    }
    let output = finish(command.stdout(Stdio::piped()).spawn().expect("spawn"));
    let text = text(&output);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the field");
        u64::from_str_radix(line.trim(), 16).expect("hexadecimal")
    };
    assert_eq!(field("SigBlk:"), 1 << (libc::SIGUSR2 - 1));
    let ignored = [libc::SIGCHLD, libc::SIGPIPE].map(|signal| 1 << (signal - 1)).iter().sum::<u64>();
    // Below 32: what glibc keeps to itself, std leaves ignored in the programs that it spawns.
    assert_eq!(field("SigIgn:") & 0x7fff_ffff, ignored, "SIGPIPE is std's doing");
    assert!(output.status.success());
    let handler = self::output(Place::Here, &["--handler"]);
    assert_eq!(self::text(&handler), "true\n");
}

#[test]
fn the_init_pins_nothing() {
    let (_child, init, service, own) = serving(Place::Here);
    let names = |pid: i32| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<i32>().ok();
        // The init's own is the pidfd of its child.
        let is_own = |fd: &i32| {
            let what = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap_or_default();
            what.to_string_lossy().contains("pidfd")
        };
        entries.filter_map(name).filter(|fd| !is_own(fd)).collect::<Vec<_>>()
    };
    assert!(names(service).contains(&own));
    wait_for("the init to let go", || names(init).iter().all(|fd| *fd < 3).then_some(()));
    wait_for("the init in /", || {
        (std::fs::read_link(format!("/proc/{init}/cwd")).expect("cwd").as_os_str() == "/").then_some(())
    });
}

#[test]
fn a_split_in_a_split() {
    for place in places() {
        let output = output(place, &["--nested"]);
        let pids: Vec<i32> = text(&output).split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        assert!(matches!(pids[..], [a, b, c] if a < b && b < c), "{place:?}: {pids:?}");
        match place {
            Place::Here => assert_eq!(output.status.signal(), Some(libc::SIGABRT)),
            _ => assert_eq!(output.status.code(), Some(128 + libc::SIGABRT), "{place:?}"),
        }
    }
}

#[test]
fn a_thread_exits_before_its_child() {
    for place in places() {
        let output = output(place, &["--service", "short-threads"]);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "20 live, 20 right\n"), "{place:?}");
    }
}

#[test]
fn memory_of_before_and_after() {
    for place in places() {
        let output = output(place, &["--heap"]);
        assert_eq!((output.status.code(), text(&output).as_str()), (Some(4), "true true true\n"), "{place:?}");
    }
}

#[test]
fn a_file_buffer_is_written_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    for place in places() {
        let output = output(place, &["--file", file.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(0), "{place:?}");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "before after", "{place:?}");
    }
}

#[test]
fn fork_handlers_run() {
    for place in places() {
        let text = text(&output(place, &["--atfork"]));
        let mut lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"prepare"), "{place:?}: {text}");
        lines.sort_unstable();
        assert_eq!(lines, ["child", "parent", "prepare"], "{place:?}");
    }
}
