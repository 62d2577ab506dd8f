//! Who receives which signal: all of them × rinit and each of its personas, beside the originals, as PID 1.
//!
//! The signals come from inside the namespace, as from `docker exec … kill`. Main and a helper in its process group say
//! what they get; a third process in a session of its own sends.

use crate::original;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use support::running::number_in;
use support::{namespace, probe_path, procfs, require, rinit_path, skip_part, test, wait_until};

/// What main and the helper beside it got.
#[derive(Debug, PartialEq, Eq)]
struct Received {
    main: BTreeSet<i32>,
    helper: BTreeSet<i32>,
}

/// KILL and STOP have no effect on PID 1. CONT comes last and alone: it takes pending stops away, and it lets those go on
/// whom a terminal's stop has stopped.
fn sent() -> (Vec<i32>, i32) {
    ((1..=64).filter(|signal| ![9, 18, 19].contains(signal)).collect(), 18)
}

fn all_but(left_out: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
    let left_out: BTreeSet<_> = left_out.into_iter().chain([9, 17, 19]).collect();
    (1..=64).filter(|signal| !left_out.contains(signal)).collect()
}

/// True when it has taken every signal that it was sent, and waits for more; or when it is stopped.
fn is_idle(pid: i32) -> bool {
    let pending = ["SigPnd", "ShdPnd"].map(|name| procfs::signals(pid, name).unwrap_or(0));
    let state = procfs::read(pid).map(|process| process.state);
    state == Some('T') || (state == Some('S') && pending == [0, 0])
}

/// Starts `INIT OPTIONS… MAIN` as PID 1 and sends it every signal.
fn receivers(init: &Path, options: &[&str]) -> Received {
    let probe = probe_path();
    let (first, last) = sent();
    let first: Vec<_> = first.iter().map(i32::to_string).collect();
    // The sender waits for a line each time: by the first main and the helper have said that they are ready. It is out of the
    // group's and the session's reach.
    let sender = format!(
        "read go; for s in {}; do kill -$s 1; done; echo sent; read go; kill -{last} 1; echo sent; sleep 1000",
        first.join(" ")
    );
    let script = format!("exec 3<&0; setsid sh -c '{sender}' <&3 & '{probe}' signals & exec '{probe}' signals");
    let mut command = Command::new(init);
    command.args(options).args(["/bin/sh", "-c", &script]);
    let mut running = namespace::start(&command);
    running.out.wait_nth("ready", 2);
    let pids: Vec<_> = running.out.all().iter().filter(|line| line.starts_with("ready")).cloned().collect();
    let inside = |line: &String| (number_in(line, "pid"), number_in(line, "ppid"));
    // Main is PID 1's child, the helper is main's.
    let pids: Vec<_> = pids.iter().map(inside).collect();
    let main = pids.iter().find(|(_, parent)| *parent == 1).expect("main is a child of PID 1").0;
    let helper = pids.iter().find(|(pid, _)| *pid != main).expect("a helper").0;
    for times in 1..=2 {
        running.type_in("go\n");
        running.out.wait_nth("sent", times);
        let probes = || {
            let all = procfs::descendants(running.pid()).into_iter().map(|process| process.pid);
            let is_probe = |pid: &i32| procfs::command_line(*pid).first().is_some_and(|program| program == probe);
            all.filter(is_probe).collect::<Vec<_>>()
        };
        wait_until("all signals to be handled", || {
            // PID 1 first: what it has received, it has forwarded when it sleeps again.
            is_idle(running.pid()) && probes().into_iter().all(is_idle) && is_idle(running.pid())
        });
    }
    // After everything else; a process that got SIGUSR1 before gets it again.
    running.signal(libc::SIGUSR1);
    running.out.wait_nth(&format!("got {} ", libc::SIGUSR1), 2);
    let lines = running.out.all();
    let got = |pid: i32| {
        let own = format!("pid={pid}");
        let mine = lines.iter().filter(|line| line.starts_with("got ") && line.ends_with(&own));
        mine.filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
    };
    Received { main: got(main), helper: got(helper) }
}

#[test]
fn rinit_passes_everything_on() {
    require(namespace::available());
    let none = BTreeSet::new();
    let received = receivers(&rinit_path(), &["--"]);
    assert_eq!(received, Received { main: all_but([]), helper: none });
    let received = receivers(&rinit_path(), &["-g", "--"]);
    assert_eq!(received, Received { main: all_but([]), helper: all_but([]) });
}

/// rinit under the name, beside the original: the same signals to the same processes.
fn as_the_original(name: &str, options: &[&str]) {
    require(namespace::available());
    let directory = tempfile::tempdir().expect("a directory");
    let link = directory.path().join(name);
    symlink(rinit_path(), &link).expect("a link");
    let ours = receivers(&link, options);
    match original(name) {
        Ok(original) => assert_eq!(ours, receivers(&original, options), "{name} {options:?}"),
        Err(_) if name == "pidunu" => {
            // No distribution has it. According to its published source: the standard signals, only to its child.
            assert_eq!(ours, Received { main: all_but(32..=64), helper: BTreeSet::new() });
        }
        Err(why) => skip_part(why),
    }
}

#[test]
fn tini() {
    as_the_original("tini", &["--"]);
    as_the_original("tini", &["-g", "--"]);
}

#[test]
fn dumb_init() {
    as_the_original("dumb-init", &[]);
    as_the_original("dumb-init", &["-c"]);
}

#[test]
fn dumb_init_with_rules() {
    as_the_original("dumb-init", &["-r", "1:15", "-r", "2:0", "-r", "20:0", "-r", "17:12", "-r", "15:31"]);
    // A second TERM would terminate the probe.
    as_the_original("dumb-init", &["-c", "-r", "1:15", "-r", "15:0", "-r", "20:18"]);
}

#[test]
fn catatonit() {
    as_the_original("catatonit", &["--"]);
    as_the_original("catatonit", &["-g", "--"]);
}

#[test]
fn pidunu() {
    as_the_original("pidunu", &[]);
}
