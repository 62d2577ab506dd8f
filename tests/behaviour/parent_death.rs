//! `-p`: rinit's parent exits.

use std::process::Command;
use support::random::Random;
use support::running::{Running, kill, number_in};
use support::{probe, probe_path, procfs, rinit_path, test, wait_until};

/// A shell that starts `rinit -p SIGNAL -- probe MAIN…` and waits for it.
#[track_caller]
fn below_a_shell(signal: &str, main: &[&str]) -> Running {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\" & wait", "sh"]).arg(rinit_path()).args(["-p", signal, "--", probe_path()]).args(main);
    Running::start(shell)
}

#[test]
fn main_gets_the_signal_when_the_parent_exits() {
    let mut running = below_a_shell("TERM", &["signals", "--exit-on", "TERM:5"]);
    running.out.wait("ready");
    running.signal(9);
    assert_eq!(running.wait(), -9);
    running.out.wait("got 15 ");
    wait_until("rinit and main to end", || running.left().is_empty());
    // Any signal; one that requests no stop leaves main running.
    let running = below_a_shell("SIGUSR1", &["signals"]);
    running.out.wait("ready");
    running.signal(9);
    running.out.wait("got 10 ");
    assert_eq!(running.left().len(), 2);
}

#[test]
fn a_sent_kill_kills_rinit_itself() {
    let running = below_a_shell("KILL", &["sleep"]);
    let rinit = number_in(&running.out.wait("ready"), "ppid");
    assert!(procfs::is_alive(rinit));
    running.signal(9);
    wait_until("rinit to be killed", || !procfs::is_alive(rinit));
}

#[test]
fn without_the_option_the_parents_exit_has_no_effect() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\" & wait", "sh"]).arg(rinit_path()).args([
        "--",
        probe_path(),
        "signals",
        "--exit-on",
        "34:0",
    ]);
    let running = Running::start(shell);
    let ready = running.out.wait("ready");
    running.signal(9);
    wait_until("the shell's end", || !procfs::is_alive(running.pid()));
    kill(number_in(&ready, "ppid"), 34);
    running.out.wait("got 34 ");
    assert!(!running.out.all().iter().any(|line| line.starts_with("got 15 ")), "{:?}", running.out.all());
}

#[test]
fn a_parent_that_exits_while_rinit_starts_is_noticed() {
    let mut random = Random::seeded();
    for _ in 0..100 {
        // From the moment when rinit has blocked its signals, and so knows its parent, to when main runs.
        let after = random.below(3000).to_string();
        let words = [rinit_path().display().to_string(), "-p".into(), "TERM".into(), "--".into(), probe_path().into()];
        let main = ["signals", "--exit-on", "TERM:0"].map(str::to_owned);
        let mut running =
            Running::start(probe([vec!["abandon".to_owned(), after], words.into(), main.into()].concat()));
        assert_eq!(running.wait(), 0);
        // By TERM, before or after it could say so.
        wait_until("rinit and main to end", || running.left().is_empty());
    }
}
