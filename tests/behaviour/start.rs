//! What happens until main has executed its program.

use rustix::fs::{Mode, OFlags};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use support::rinit::Rinit;
use support::{namespace, needs, procfs, require, rinit_path, skip, test, wait_until};

/// The kernel lets `open(2)` and `execve(2)` wait until the lease is given back (`fcntl(2)`), as a network file system does
/// that does not answer.
#[allow(unsafe_code)]
fn lease(file: &std::os::fd::OwnedFd) -> bool {
    const F_SETSIG: libc::c_int = 10;
    // SAFETY: integers alone. URG is ignored by default: the lease's end is of no interest here.
    unsafe {
        libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) == 0
            && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) == 0
    }
}

#[test]
fn a_stop_is_not_held_up_by_a_slow_exec() {
    require(namespace::available());
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("program");
    std::fs::copy("/bin/sleep", &program).expect("copy");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = program.to_str().expect("UTF-8");
    for as_pid_1 in [true, false] {
        let file = rustix::fs::open(&program, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("open");
        if !lease(&file) {
            skip("no leases on this file system");
        }
        let run = Rinit::new().program(&[path, "1000"]);
        let mut running = if as_pid_1 { run.as_pid_1().start() } else { run.start() };
        let waits = |process: &procfs::Process| {
            std::fs::read_to_string(format!("/proc/{}/wchan", process.pid)).is_ok_and(|at| at.contains("lease"))
        };
        wait_until("the exec to wait", || procfs::descendants(running.pid()).iter().any(waits));
        running.signal(15);
        assert_eq!(running.wait(), 143);
        drop(file);
    }
}

#[test]
fn main_finds_its_init_in_the_root_directory_and_without_descriptors() {
    require(namespace::available());
    let see = "readlink /proc/$PPID/cwd; for fd in /proc/$PPID/fd/*; do echo ${fd##*/}; done; echo end";
    let directory = tempfile::tempdir().expect("a directory");
    for attempt in 0..50 {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 9</dev/null; exec \"$@\"", "sh"]).arg(rinit_path());
        command.args(["--", "sh", "-c", see]).current_dir(directory.path());
        let out = if attempt % 2 == 0 {
            support::running::run(command).out
        } else {
            command.stdin(Stdio::piped());
            support::running::run(namespace::as_pid_1(&command)).out
        };
        assert_eq!(out.first().map(String::as_str), Some("/"), "{out:?}");
        assert!(!out.contains(&"9".to_owned()), "{out:?}");
    }
}

#[test]
fn an_alarm_that_rinit_inherited_is_not_mains() {
    require(needs::programs(&["python3"]));
    let mut command = Command::new("python3");
    let script =
        "import os, signal, sys; signal.setitimer(signal.ITIMER_REAL, 0.1); os.execv(sys.argv[1], sys.argv[1:])";
    command.args(["-c", script]).arg(rinit_path()).args(["-v", "--", "sleep", "0.5"]);
    let finished = support::running::run(command);
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn a_flood_of_a_lower_signal_hides_no_stop() {
    require(namespace::available());
    for options in [&["--to", "all"][..], &["--forward", "handled"]] {
        // HUP has a lower number than TERM, and the kernel hands that out first.
        let script = "trap '' HUP; trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done";
        Rinit::with(options).shell(script).everywhere(|mut running| {
            running.out.wait("ready");
            let pid = rustix::process::Pid::from_raw(running.pid()).expect("a pid");
            let held = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("a pidfd");
            let over = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        while !over.load(std::sync::atomic::Ordering::Relaxed) {
                            let _ = rustix::process::pidfd_send_signal(&held, rustix::process::Signal::HUP);
                        }
                    });
                }
                running.signal(15);
                let code = running.wait();
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                assert_eq!(code, 4);
            });
        });
    }
}
