//! Containers that are locked down, or that run out of something.

use support::docker::{self, Container, Image};
use support::{require, skip, static_build, test};

/// rinit and the probe, and nothing else: no shell, no libc, no /etc.
const SCRATCH: &str = "FROM scratch
COPY rinit probe /
ENTRYPOINT [\"/rinit\", \"--drain\", \"1s\", \"--\", \"/probe\"]
";

/// System calls that Linux has since 4.4, refused as Docker's filter refused unknown ones.
const OLD_FILTER: &str = r#"{
  "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [{
    "names": [
      "mlock2", "copy_file_range", "preadv2", "pwritev2", "pkey_mprotect", "pkey_alloc", "pkey_free", "statx",
      "io_pgetevents", "rseq", "pidfd_send_signal", "io_uring_setup", "io_uring_enter", "io_uring_register",
      "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "pidfd_open", "clone3", "close_range",
      "openat2", "pidfd_getfd", "faccessat2", "process_madvise", "epoll_pwait2", "mount_setattr", "landlock_create_ruleset",
      "memfd_secret", "process_mrelease", "futex_waitv", "unshare", "setns", "mount", "umount2", "ptrace", "syslog"
    ],
    "action": "SCMP_ACT_ERRNO"
  }]
}"#;

fn image() -> Result<Image, String> {
    docker::engine()?;
    let programs = static_build::programs();
    let files = [("rinit", &*programs.rinit), ("probe", &*programs.probe)];
    Ok(Image::from_dockerfile(SCRATCH, &files))
}

#[test]
fn locked_down() {
    let image = require(image());
    let directory = tempfile::tempdir().expect("a directory");
    let filter = directory.path().join("seccomp.json");
    std::fs::write(&filter, OLD_FILTER).expect("write the filter");
    let old_filter = format!("seccomp={}", filter.display());
    let no_capability = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let kinds: [&[&str]; 6] = [
        // Docker's own filter and capabilities.
        &[],
        &no_capability,
        &["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534", "--read-only"],
        &["--security-opt", "seccomp=unconfined"],
        &["--security-opt", &old_filter],
        &["--security-opt", &old_filter, "--cap-drop", "ALL", "--read-only"],
    ];
    for options in kinds {
        let main = ["with-helper", "5", "slow-term", "50", "0", "+", "ignore", "TERM"];
        let container = Container::run(&image, options, &main);
        support::wait_until("main and its helpers", || container.logs().matches("ready pid=").count() == 3);
        assert_eq!(container.stop(60), 5, "{options:?}: {}", container.logs());
        let logs = container.logs();
        assert!(logs.contains("done\n"), "{options:?}: {logs}");
        assert!(
            logs.contains("killing (SIGKILL) 1 process") && logs.contains("ignores SIGTERM"),
            "{options:?}: {logs}"
        );
    }
}

/// The pids cgroup is full: no fork succeeds, rinit's neither; reaping, and a stop, need none.
#[test]
fn no_process_is_left_to_the_container() {
    let image = require(image());
    let limit = ["--pids-limit", "30"];
    let container = Container::run(&image, &limit, &["fill"]);
    container.wait_log("full ");
    assert_eq!(container.stop(60), 143, "{}", container.logs());
    // Another rinit, in the place of the program that has filled it.
    let container = Container::run(&image, &limit, &["fill", "/rinit", "--", "/probe", "exit", "0"]);
    assert_eq!(container.wait(), 125, "{}", container.logs());
    let logs = container.logs();
    assert!(logs.contains("rinit: cannot start a process: fork: "), "{logs}");
    assert!(logs.contains(": a limit of processes is reached (the container's pids limit"), "{logs}");
    // The orphans that could not all be started are reaped, and main's status is its own.
    let container = Container::run(&image, &limit, &["orphans", "500", "--live", "50", "--exit", "6"]);
    assert_eq!(container.wait(), 6, "{}", container.logs());
}

/// The memory cgroup is full, and the kernel kills the largest process.
#[test]
fn no_memory_is_left_to_the_container() {
    let image = require(image());
    let limit = ["--memory", "24m", "--memory-swap", "24m"];
    let container = Container::run(&image, &limit, &["eat", "200"]);
    assert_eq!(container.wait(), 137, "{}", container.logs());
    if container.inspect("{{.State.OOMKilled}}") != "true" {
        skip("this engine does not limit memory");
    }
    let logs = container.logs();
    assert!(logs.contains("rinit: main (pid ") && logs.contains("out of memory (OOM)"), "{logs}");
    // An orphan: rinit and main live on.
    let container = Container::run(&image, &limit, &["with-helper", "5", "orphan", "eat", "200"]);
    container.wait_log("out of memory (OOM)");
    assert!(container.logs().contains("rinit: an orphan (pid "), "{}", container.logs());
    assert!(container.is_running());
    assert_eq!(container.stop(60), 5, "{}", container.logs());
    // A SIGKILL that a process sends is named, but not explained as an out-of-memory kill.
    let container = Container::run(&image, &limit, &["die", "KILL"]);
    assert_eq!(container.wait(), 137);
    let logs = container.logs();
    assert!(logs.contains("was killed by SIGKILL; rinit did not send that signal") && !logs.contains("OOM"), "{logs}");
}
