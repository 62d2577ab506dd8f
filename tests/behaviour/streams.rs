//! Standard streams under `--user`: main can open `/dev/stdout` and `/dev/stderr`.

use std::process::{Command, Stdio};
use support::docker::{self, Container, Image};
use support::running::{Running, run};
use support::terminal::Terminal;
use support::{needs, require, rinit, static_build, test};

const SCRIPT: &str = "echo out >/dev/stdout; echo err >/dev/stderr; echo done; exit 7";

fn as_nobody() -> Command {
    rinit(["--user", "65534:65534", "--", "sh", "-c", SCRIPT])
}

#[test]
fn a_pipe_can_be_opened_anew() {
    require(needs::root());
    let finished = run(as_nobody());
    assert_eq!((finished.code, finished.out.len(), finished.err), (7, 2, vec!["err".to_owned()]), "{:?}", finished.out);
}

/// And belongs to its owner again when rinit has exited.
#[test]
fn a_terminal_can_be_opened_anew() {
    require(needs::root());
    let terminal = &mut Terminal::start(&as_nobody());
    assert_eq!(terminal.running.wait(), 7);
    for line in ["out", "err", "done"] {
        terminal.wait(line);
    }
    assert!(!terminal.screen().contains("ermission denied"), "{}", terminal.screen());
    let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
    let mut command = as_nobody();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(pty.user.try_clone().expect("a copy"));
    assert_eq!(Running::start_bare(command).wait(), 7);
    assert_eq!(rustix::fs::fstat(&pty.user).expect("fstat").st_uid, 0);
}

/// Files stay whose they are, and so does what is not root's.
#[test]
fn no_file_no_device_and_nothing_of_another_user_is_given() {
    require(needs::root());
    let file = tempfile::NamedTempFile::new().expect("a file");
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    rustix::fs::fchown(&pipe.1, Some(rustix::fs::Uid::from_raw(4242)), None).expect("chown");
    let mut command =
        rinit(["--user", "65534:65534", "--", "stat", "-L", "-c", "%u", "/dev/stdin", "/dev/stdout", "/dev/stderr"]);
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let owner = rustix::fs::fstat(&null).expect("fstat").st_uid;
    command.stdin(null).stdout(file.reopen().expect("the file")).stderr(pipe.1);
    assert_eq!(Running::start_bare(command).wait(), 0);
    let said = std::fs::read_to_string(file.path()).expect("the file");
    assert_eq!(said, format!("{owner}\n0\n4242\n"));
}

#[test]
fn in_docker_with_pipes_and_with_a_terminal() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let programs = static_build::programs();
    let files: &[(&str, &std::path::Path)] = &[("rinit", &programs.rinit), ("bin/sh", &busybox)];
    let image = Image::from_dockerfile("FROM scratch\nCOPY . /\nENTRYPOINT [\"/rinit\"]\n", files);
    let words = ["--user", "33:33", "--", "/bin/sh", "-c", SCRIPT];
    for options in [&[][..], &["--tty"]] {
        let container = Container::run(&image, options, &words);
        assert_eq!(container.wait(), 7, "{}", container.logs());
        let logs = container.logs().replace('\r', "");
        assert!(["out\n", "err\n", "done\n"].iter().all(|line| logs.contains(line)), "{options:?}: {logs}");
    }
}
