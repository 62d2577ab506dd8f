//! rinit itself holds nothing that it inherited: no descriptor from 3 up, no directory.

use support::rinit::Rinit;
use support::running::{Running, number_in, run};
use support::{namespace, probe_path, procfs, require, rinit_path, test, wait_until};

#[test]
fn no_inherited_descriptor_stays_open() {
    let running = Rinit::new().probe(&["signals"]).in_state(&["--open", "3-20"]).start();
    let ready = running.out.wait("ready");
    // Its own are anonymous: signalfd, pidfd, epoll.
    let inherited = || {
        let mut descriptors = procfs::descriptors(running.pid());
        descriptors.retain(|(fd, target)| *fd > 2 && !target.starts_with("anon_inode:"));
        descriptors
    };
    wait_until("the descriptors to be closed", || inherited().is_empty());
    // Main has them all.
    let held = procfs::descriptors(number_in(&ready, "pid"));
    for fd in 3..=20 {
        assert!(held.contains(&(fd, "/dev/null".to_owned())), "{fd} is not in {held:?}");
    }
}

#[test]
fn a_pipe_that_main_closes_is_closed() {
    // Descriptor 5 is a pipe that rinit inherits beside main. Its reader sees the end although rinit and main live on.
    let script = "{ \"$0\" -- sh -c 'exec 5>&-; exec sleep 1000' 5>&1 >/dev/null; } | { cat; echo end; }";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]).arg(rinit_path());
    Running::start(command).out.wait("end");
}

#[test]
fn its_directory_is_the_root() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = support::rinit(["--", probe_path(), "signals"]);
    command.current_dir(directory.path());
    let running = Running::start(command);
    let main = number_in(&running.out.wait("ready"), "pid");
    let directory_of = |pid: i32| std::fs::read_link(format!("/proc/{pid}/cwd")).expect("cwd");
    wait_until("rinit to be in /", || directory_of(running.pid()).as_os_str() == "/");
    assert_eq!(directory_of(main), directory.path().canonicalize().expect("a path"));
}

#[test]
fn the_directory_it_was_started_in_can_be_unmounted() {
    require(namespace::available());
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path().to_str().expect("UTF-8");
    let inner = "pwd; cd / && until umount \"$0\" 2>/dev/null; do sleep 0.02; done; echo unmounted; exit 4";
    let outer = "mount -t tmpfs none \"$1\" && cd \"$1\" && exec \"$0\" -- sh -c \"$2\" \"$1\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", outer]).arg(rinit_path()).args([directory, inner]);
    let finished = run(namespace::as_pid_1(&command));
    assert_eq!(
        (finished.code, finished.out),
        (4, vec![directory.to_owned(), "unmounted".to_owned()]),
        "{:?}",
        finished.err
    );
}
