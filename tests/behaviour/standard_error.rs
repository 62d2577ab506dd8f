//! Every kind of standard error: a line reaches it, or rinit goes on without it.

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use support::rinit::Rinit;
use support::running::{Running, run};
use support::{needs, require, require_for_part, rinit_path, test};
use tempfile::TempDir;

/// File systems, and how a shell mounts one on `m`, in a mount namespace of its own.
const FILE_SYSTEMS: &[(&str, &[&str], &str)] = &[
    ("ext4", &["mkfs.ext4"], "truncate -s 32M image && mkfs.ext4 -q image && mount -o loop image m"),
    ("xfs", &["mkfs.xfs"], "truncate -s 320M image && mkfs.xfs -q image && mount -o loop image m"),
    ("btrfs", &["mkfs.btrfs"], "truncate -s 128M image && mkfs.btrfs -q image && mount -o loop image m"),
    ("tmpfs", &[], "mount -t tmpfs none m"),
    (
        "overlay",
        &[],
        "mkdir l && mount -t tmpfs none l && mkdir l/l l/u l/w &&
         mount -t overlay -o lowerdir=l/l,upperdir=l/u,workdir=l/w none m",
    ),
    ("fuse", &["fuse-overlayfs"], "mkdir l u w && fuse-overlayfs -o lowerdir=l,upperdir=u,workdir=w m"),
];

/// The command with its standard error in the file `m/log` of that file system; the file is printed when it has exited.
fn on_file_system(directory: &TempDir, mount: &str, words: &[&str]) -> Command {
    let script = format!(
        "cd \"$0\" && mkdir m && {{ {mount}\n}} >&2 || {{ echo cannot mount; exit; }}
         \"$@\" 2>m/log; echo code $?; cat m/log; umount m"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c", &script]).arg(directory.path());
    command.arg(rinit_path()).args(words);
    command
}

#[test]
fn a_file_on_any_file_system() {
    require(needs::root());
    require(needs::programs(&["unshare", "mount"]));
    for (name, programs, mount) in FILE_SYSTEMS {
        if require_for_part(needs::programs(programs)).is_none() {
            continue;
        }
        for (words, code, expected) in [
            (&["/no/such"][..], "code 127", &["rinit: /no/such: not found"][..]),
            (&["-v", "true"], "code 0", &["rinit: started main as pid", "rinit: main (pid"]),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            let finished = run(on_file_system(&directory, mount, words));
            if finished.out == ["cannot mount"] {
                support::skip_part(format!("cannot mount {name}: {}", finished.err.join("; ")));
                break;
            }
            assert_eq!(finished.out.first().map(String::as_str), Some(code), "{name}: {finished:?}");
            let lines = finished.out.get(1..).unwrap_or_default();
            let all =
                lines.len() == expected.len() && lines.iter().zip(expected).all(|(line, part)| line.starts_with(part));
            assert!(all, "{name}: {lines:?}");
        }
    }
}

/// No process reads the terminal, and it has room for the beginning of a line: poll(2) calls it writable.
#[test]
fn a_terminal_with_room_for_half_a_line() {
    let capacity = {
        let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
        fill(&pty.user, usize::MAX)
    };
    for room in [1, 2, 20, 64, 300] {
        let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
        fill(&pty.user, capacity.saturating_sub(room));
        let mut command = Rinit::with(&["-vvv", "--grace", "300ms"]).probe(&["ignore", "TERM"]).command();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(pty.user.try_clone().expect("a copy"));
        let (reader, writer) = pipe();
        command.stdout(writer);
        let mut running = Running::start_bare(command);
        let lines = support::running::Lines::read(reader);
        lines.wait("ready");
        running.signal(15);
        assert_eq!(running.wait(), 137, "room for {room} bytes");
        drop(pty.controller);
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).expect("a pipe")
}

/// Writes at most that number of bytes to the terminal, as long as it takes some; returns how many.
fn fill(terminal: &OwnedFd, most: usize) -> usize {
    let name = rustix::termios::ttyname(terminal, Vec::new()).expect("its name");
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let own = rustix::fs::open(name, flags, Mode::empty()).expect("open the terminal");
    let mut count = 0;
    while count < most {
        match rustix::io::write(&own, &[b'x'; 16][..16.min(most - count)]) {
            Ok(written @ 1..) => count += written,
            _ => break,
        }
    }
    count
}

/// Pipe, socket and terminal: both lines, and no other bytes.
#[test]
fn a_stream_with_a_reader() {
    let command = || {
        let mut command = Rinit::with(&["-v"]).program(&["true"]).command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let check = |what: &str, text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let [started, exited] = lines[..] else { panic!("{what}: {lines:?}") };
        assert!(started.starts_with("rinit: started main as pid "), "{what}: {lines:?}");
        assert!(
            exited.starts_with("rinit: main (pid ") && exited.ends_with("exited with status 0"),
            "{what}: {lines:?}"
        );
    };
    let mut text = String::new();
    let (reader, writer) = pipe();
    let mut with_pipe = command();
    with_pipe.stderr(writer);
    assert_eq!(Running::start_bare(with_pipe).wait(), 0);
    File::from(reader).read_to_string(&mut text).expect("UTF-8");
    check("pipe", &text);

    text.clear();
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut with_socket = command();
    with_socket.stderr(OwnedFd::from(theirs));
    assert_eq!(Running::start_bare(with_socket).wait(), 0);
    ours.read_to_string(&mut text).expect("UTF-8");
    check("socket", &text);

    let mut terminal = support::terminal::Terminal::open(command());
    assert_eq!(terminal.running.wait(), 0);
    terminal.wait("exited with status 0\n");
    check("terminal", &terminal.screen());

    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    for (what, err) in [("full", Stdio::from(full)), ("null", Stdio::null())] {
        let mut with_device = command();
        with_device.stderr(err);
        assert_eq!(Running::start_bare(with_device).wait(), 0, "{what}");
    }
    let closed = Rinit::with(&["-v"]).in_state(&["--close", "2"]).program(&["true"]).run();
    assert_eq!(closed.code, 0, "{closed:?}");
}
