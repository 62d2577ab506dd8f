//! `--rlimit` and `--umask`: main reads its limits back, and nothing else is limited.

use support::rinit::Rinit;
use support::{needs, require, rinit, running::run, test};

/// The soft and the hard limit that `prlimit(1)` reads of itself, as main.
#[track_caller]
fn limits(options: &[&str], name: &str) -> String {
    let finished = Rinit::with(options)
        .program(&["prlimit", "--raw", "--noheadings", "-o", "SOFT,HARD", &format!("--{name}")])
        .run();
    assert_eq!(finished.code, 0, "{finished:?}");
    finished.out.join("")
}

#[test]
fn main_has_the_limits() {
    require(needs::programs(&["prlimit"]));
    for (name, limit, read) in [
        ("nofile", "64:128", "64 128"),
        ("nofile", "64", "64 64"),
        ("core", "0:unlimited", "0 unlimited"),
        ("cpu", "1000:2000", "1000 2000"),
        ("data", "1073741824", "1073741824 1073741824"),
        ("as", "1073741824", "1073741824 1073741824"),
        ("fsize", "4096:8192", "4096 8192"),
        ("locks", "7", "7 7"),
        ("memlock", "4096", "4096 4096"),
        ("msgqueue", "4096", "4096 4096"),
        ("nice", "0", "0 0"),
        ("nproc", "20000", "20000 20000"),
        ("rss", "1073741824", "1073741824 1073741824"),
        ("rtprio", "0", "0 0"),
        ("rttime", "500000", "500000 500000"),
        ("sigpending", "100", "100 100"),
        ("stack", "1048576", "1048576 1048576"),
    ] {
        // Raising a hard limit would need a privilege.
        let unlimited = Rinit::with(&["--rlimit", &format!("{name}={limit}")]).program(&["true"]).run();
        if limit.ends_with("unlimited") && unlimited.code == 125 {
            continue;
        }
        assert_eq!(limits(&["--rlimit", &format!("{name}={limit}")], name), read, "{name}={limit}");
    }
    let finished = Rinit::new().env("RINIT_RLIMIT", "nofile=64,core=0").shell("ulimit -n; ulimit -c").run();
    assert_eq!(finished.out, ["64", "0"]);
}

#[test]
fn rinit_itself_is_not_limited() {
    let mut running = Rinit::with(&["--rlimit", "nofile=33:44"]).probe(&["sleep"]).start();
    running.out.wait("ready");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", running.pid())).expect("its limits");
    let line = own.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    assert!(!line.contains(" 33 "), "{line}");
    running.signal(15);
    assert_eq!(running.wait(), 143);
}

#[test]
fn umask() {
    let mask = |rinit: Rinit| rinit.shell("umask").run().out.join("");
    assert_eq!(mask(Rinit::with(&["--umask", "027"])), "0027");
    assert_eq!(mask(Rinit::new().env("RINIT_UMASK", "077")), "0077");
    assert_eq!(mask(Rinit::with(&["--umask", "0"]).env("RINIT_UMASK", "077")), "0000");
}

/// More than the kernel has for anyone (`/proc/sys/fs/nr_open`).
#[test]
fn a_refused_limit_is_named() {
    let limits = ["--rlimit", "core=0", "--rlimit", "nofile=99999999999", "--rlimit", "nice=0"];
    let finished = run(rinit(limits.iter().chain(&["echo", "started"])));
    assert_eq!((finished.code, finished.out.len(), finished.err.len()), (125, 0, 1), "{finished:?}");
    let line = finished.err.join("");
    assert!(line.contains("RLIMIT_NOFILE") && line.contains("/proc/sys/fs/nr_open"), "{line}");
}

#[test]
fn a_wrong_value_starts_nothing() {
    for (options, word) in [
        (&["--rlimit", "files=1"][..], "nofile"),
        (&["--rlimit", "nofile=2:1"], "hard"),
        (&["--rlimit", "nofile"], "NAME=SOFT"),
        (&["--umask", "u=rwx"], "octal"),
        (&["--umask", "1000"], "octal"),
    ] {
        let finished = run(rinit(options.iter().chain(&["echo", "started"])));
        assert_eq!((finished.code, finished.out.len(), finished.err.len()), (125, 0, 1), "{finished:?}");
        assert!(finished.err.join("").contains(word), "{finished:?}");
    }
}
