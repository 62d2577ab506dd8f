//! The program starts in the very state that rinit was started in.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use support::rinit::Rinit;
use support::running::{Running, run};
use support::{namespace, needs, probe, probe_path, require, rinit_path, test};

/// What `probe state` says, by name.
type State = BTreeMap<String, String>;

/// Runs the command, which ends in `probe state`, and returns what the probe found. The probe writes to a file, because standard
/// output may be closed.
#[track_caller]
fn state(mut command: Command) -> State {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("state");
    command.env("PROBE_STATE_FILE", &file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(Running::start_bare(command).wait(), 0);
    let text = std::fs::read_to_string(file).expect("the probe's file");
    text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Mask, ignored and caught signals, descriptors, directory, ids: all that is no number of the process itself.
const SAME: &[&str] =
    &["blocked", "ignored", "caught", "fds", "cwd", "uid", "gid", "groups", "nonewprivs", "LISTEN_FDS", "foreground"];

#[track_caller]
fn assert_same(state_words: &[&str]) {
    let direct = || probe([&["launch"], state_words, &["--", probe_path(), "state"]].concat());
    let through = Rinit::new().probe(&["state"]).in_state(state_words);
    for (name, direct, through) in [
        ("as a subreaper", state(direct()), state(through.command())),
        ("as PID 1", state(namespace::as_pid_1(&direct())), state(through.as_pid_1().command())),
    ] {
        for field in SAME {
            assert_eq!(through.get(*field), direct.get(*field), "{field} {name}, after {state_words:?}");
        }
    }
}

#[test]
fn mask_dispositions_and_descriptors_are_the_same() {
    require(namespace::available());
    for state_words in [
        &[][..],
        &["--ignore", "PIPE"],
        &["--default", "PIPE"],
        &["--ignore", "CHLD"],
        &["--ignore", "TERM", "--ignore", "INT", "--ignore", "HUP"],
        &["--ignore", "32", "--ignore", "33", "--ignore", "34", "--ignore", "64"],
        &["--block", "all"],
        &["--block", "CHLD", "--block", "PIPE", "--block", "32", "--block", "64"],
        &["--block", "all", "--ignore", "CHLD", "--ignore", "PIPE"],
        &["--close", "0"],
        &["--close", "1"],
        &["--close", "2"],
        &["--close", "0", "--close", "1", "--close", "2"],
        &["--open", "3-20"],
        &["--close", "0", "--open", "3-20"],
        &["--chdir", "/usr"],
    ] {
        assert_same(state_words);
    }
}

#[test]
fn status_is_right_where_children_were_ignored() {
    // tini and catatonit hang here for ever.
    let main = ["orphans", "200", "--together", "--exit", "7"];
    Rinit::new()
        .probe(&main)
        .in_state(&["--ignore", "CHLD"])
        .everywhere(|running| assert_eq!(running.finish().code, 7));
}

#[test]
fn signals_are_forwarded_where_all_were_blocked() {
    let run = Rinit::new().probe(&["signals", "--exit-on", "TERM:5"]);
    let mut running = run.in_state(&["--block", "all", "--ignore", "TERM"]).start();
    running.out.wait("ready");
    running.signal(15);
    assert_eq!(running.wait(), 5);
}

#[test]
fn listen_pid_that_names_rinit_names_main() {
    let found = state(Rinit::new().probe(&["state"]).in_state(&["--open", "3-3", "--listen-pid"]).command());
    assert_eq!(found["LISTEN_PID"], found["pid"]);
    assert_eq!(found["LISTEN_FDS"], "1");
    assert!(found["fds"].contains("3:/dev/null"), "{}", found["fds"]);
}

#[test]
fn listen_pid_of_another_process_is_kept() {
    let mut command = support::rinit(["--", probe_path(), "state"]);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    assert_eq!(state(command)["LISTEN_PID"], "1");
    let mut command = support::rinit(["--", probe_path(), "state"]);
    command.env_remove("LISTEN_PID").env_remove("LISTEN_FDS");
    assert_eq!(state(command)["LISTEN_PID"], "-");
}

#[test]
fn main_has_a_process_group_of_its_own_and_with_session_a_session() {
    let plain = state(support::rinit(["--", probe_path(), "state"]));
    assert_eq!(plain["pgid"], plain["pid"]);
    assert_ne!(plain["sid"], plain["pid"]);
    let session = state(support::rinit(["--session", "--", probe_path(), "state"]));
    assert_eq!(session["sid"], session["pid"]);
}

#[test]
fn workdir_and_env_reach_main_alone() {
    let finished = run(support::rinit(["--workdir", "/usr", "--env", "A=b=c", "--", "sh", "-c", "pwd; echo $A"]));
    assert_eq!(finished.out, ["/usr", "b=c"]);
}

#[test]
fn user_is_for_good_and_has_the_groups_of_a_login() {
    require(needs::root());
    let found = state_to(&["--user", "nobody"]);
    assert_eq!(found["uid"], "65534 65534 65534 65534");
    assert_eq!(found["gid"], "65534 65534 65534 65534");
    let groups = run({
        let mut id = Command::new("id");
        id.args(["-G", "nobody"]);
        id
    });
    let sorted = |text: &str| {
        let mut numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(sorted(&found["groups"]), sorted(&groups.out.join(" ")));
    let found = state_to(&["--user", "1234:4321"]);
    assert_eq!((found["uid"].as_str(), found["gid"].as_str()), ("1234 1234 1234 1234", "4321 4321 4321 4321"));
}

/// As [`state`] for a probe that may not write where root does: by standard output.
#[track_caller]
fn state_to(options: &[&str]) -> State {
    // Root's target directory may be closed to others: a copy of the probe that every user can reach.
    let directory = tempfile::tempdir_in("/tmp").expect("a directory");
    let copy = directory.path().join("probe");
    let mut install = Command::new("sh");
    install.args(["-c", "cp \"$1\" \"$2\" && chmod 755 \"$2\" \"$3\"", "sh", probe_path()]);
    install.arg(&copy).arg(directory.path());
    assert_eq!(run(install).code, 0);
    let copy = copy.to_str().expect("UTF-8");
    let finished = run(support::rinit(options.iter().chain(&["--", copy, "state"])));
    assert_eq!(finished.code, 0, "{:?}", finished.err);
    finished.out.iter().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn parent_death_signal_arrives_when_the_parent_exits() {
    require(namespace::available());
    // In a namespace, because the rinit under test loses its parent: a shell, which an outer rinit survives.
    let rinit = rinit_path();
    let script = "\"$0\" -p USR1 -- \"$1\" signals --exit-on TERM:0 & read line; exit 0";
    let outer =
        [&["--on-main-exit", "wait", "--", "sh", "-c", script], &[rinit.to_str().expect("UTF-8"), probe_path()][..]];
    let mut running = namespace::start(&support::rinit(outer.concat()));
    running.out.wait("ready");
    running.type_in("\n");
    running.out.wait("got 10 ");
    running.signal(15);
    assert_eq!(running.wait(), 0);
}
