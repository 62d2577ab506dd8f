//! Standard error has no reader, is full, or is closed at the other end: neither rinit nor main is disturbed.

use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use support::namespace::as_pid_1;
use support::rinit::Rinit;
use support::running::{Running, run};
use support::{namespace, needs, probe_path, procfs, require, rinit, test, wait_until};

/// An rinit that prints many lines, with a main that exits late, with 7.
fn talkative() -> std::process::Command {
    rinit(["-vvv", "-w", "--", probe_path(), "signals", "--exit-on", "TERM:7"])
}

/// Sends it signals, for each of which it prints a line, and stops it. Standard error has no reader.
#[track_caller]
fn stops_in_good_order(running: &mut Running) {
    // Main waits for signals. Until its exec it is a copy of rinit, which blocks them, too.
    let is_ready = |main: &procfs::Process| {
        procfs::command_line(main.pid).first().is_some_and(|word| word == probe_path()) && procfs::blocks(main.pid, 15)
    };
    wait_until("main", || procfs::children(running.pid()).first().is_some_and(is_ready));
    for _ in 0..50 {
        running.signal(10);
    }
    running.signal(15);
    assert_eq!(running.wait(), 7, "main's own status");
}

#[track_caller]
fn with_standard_error(err: impl Into<Stdio>) {
    let mut command = talkative();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err);
    stops_in_good_order(&mut Running::start_bare(command));
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

/// The kernel sends SIGPIPE to rinit for it. That must not terminate main.
#[test]
fn a_pipe_without_a_reader() {
    let (reader, writer) = pipe();
    drop(reader);
    with_standard_error(writer);
}

#[test]
fn a_socket_without_a_reader() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    drop(ours);
    with_standard_error(OwnedFd::from(theirs));
}

#[test]
fn a_full_pipe_and_a_full_socket_without_a_reader() {
    let (reader, writer) = pipe();
    rustix::io::ioctl_fionbio(&writer, true).expect("non-blocking");
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("blocking");
    with_standard_error(writer);
    drop(reader);
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    theirs.set_nonblocking(true).expect("non-blocking");
    while rustix::io::write(&theirs, &[b'x'; 4096]).is_ok() {}
    theirs.set_nonblocking(false).expect("blocking");
    with_standard_error(OwnedFd::from(theirs));
    drop(ours);
}

/// A log that is read slowly: the pipe has some room, but less than a line.
#[test]
fn a_pipe_with_room_for_half_a_line() {
    let (reader, writer) = pipe();
    rustix::io::ioctl_fionbio(&writer, true).expect("non-blocking");
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    // One page of it is free again. Its lines are shorter, so that some go in, and then no more.
    rustix::io::read(&reader, &mut [0_u8; 4096][..]).expect("read");
    rustix::io::ioctl_fionbio(&writer, false).expect("blocking");
    with_standard_error(writer);
    drop(reader);
}

#[test]
fn a_device_that_is_full() {
    with_standard_error(File::options().write(true).open("/dev/full").expect("/dev/full"));
}

#[test]
fn a_terminal_that_has_gone() {
    let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
    drop(pty.controller);
    with_standard_error(pty.user);
}

/// No process reads what the terminal shows, and ^S was typed: writes to it wait for ever.
#[test]
fn a_terminal_that_is_held() {
    let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
    rustix::termios::tcflow(&pty.user, rustix::termios::Action::OOff).expect("hold the terminal");
    with_standard_error(pty.user.try_clone().expect("a copy"));
    drop(pty.controller);
}

/// A file that may not grow any more: the kernel sends SIGXFSZ. That must not terminate main either.
#[test]
fn a_file_at_the_limit_of_its_size() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut command = std::process::Command::new("prlimit");
    require(needs::programs(&["prlimit"]));
    let inner = talkative();
    command.args(["--fsize=64:64", "--"]).arg(inner.get_program()).args(inner.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file.reopen().expect("a file"));
    stops_in_good_order(&mut Running::start_bare(command));
    assert!(file.path().metadata().expect("its size").len() <= 64);
}

#[test]
fn a_file_on_a_full_disk() {
    require(namespace::available());
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().to_str().expect("UTF-8");
    // Filled to its last byte; main's report goes to the outside.
    let script = "mount -t tmpfs -o size=64k none \"$0\" && cd \"$0\" || exit 90
        : > log; cat /dev/zero > filler 2>/dev/null
        exec \"$@\" 2>log";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, directory]).arg(support::rinit_path());
    command.args(["-vvv", "-w", "--", probe_path(), "orphans", "20", "--exit", "7"]);
    assert_eq!(run(as_pid_1(&command)).code, 7);
}

/// The same as PID 1, whose exit would kill all others.
#[test]
fn as_pid_1_without_a_reader() {
    require(namespace::available());
    let (reader, writer) = pipe();
    drop(reader);
    let mut command = as_pid_1(&talkative());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    let mut running = Running::start_bare(command);
    namespace::find_init(&mut running);
    stops_in_good_order(&mut running);
}

/// It is only the signals of rinit's own writing that are kept from main.
#[test]
fn a_sigpipe_that_a_process_sends_is_forwarded() {
    let running = Rinit::new().probe(&["signals"]).start();
    running.out.wait("ready");
    running.signal(libc::SIGPIPE);
    running.out.wait("got 13 ");
    running.signal(libc::SIGXFSZ);
    running.out.wait("got 25 ");
}
