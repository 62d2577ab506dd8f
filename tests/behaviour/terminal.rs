//! Job control on a real terminal.

use std::process::Command;
use support::rinit::Rinit;
use support::running::number_in;
use support::terminal::Terminal;
use support::{needs, probe_path, require, rinit, rinit_path, test, wait_until};

/// The value of a `name=value` line that `probe state` shows.
#[track_caller]
fn value(terminal: &Terminal, name: &str) -> String {
    let line = terminal.wait_line(&format!("{name}="));
    line.split_once('=').map(|(_, value)| value.to_owned()).expect("a value")
}

#[test]
fn main_is_in_the_foreground_if_rinit_was() {
    let terminal = Terminal::start(&rinit(["--", probe_path(), "state"]));
    assert_eq!(value(&terminal, "foreground"), value(&terminal, "pgid"));
}

#[test]
fn main_is_in_the_background_if_rinit_was() {
    // A group of its own without being given the terminal: `rinit … &` in a shell with job control.
    let path = rinit_path();
    let words = ["launch", "--pgrp", "--", path.to_str().expect("UTF-8"), "--", probe_path(), "state"];
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\" & wait", "sh", probe_path()]).args(words);
    let terminal = Terminal::start(&shell);
    let foreground = value(&terminal, "foreground");
    assert_ne!(foreground, "-", "it has a terminal");
    assert_ne!(foreground, value(&terminal, "pgid"));
}

#[test]
fn without_a_terminal_there_is_none() {
    let command = Rinit::new().probe(&["state"]).command();
    let mut setsid = Command::new("setsid");
    setsid.arg("--wait").arg(command.get_program()).args(command.get_args());
    let finished = support::running::run(setsid);
    assert!(finished.out.contains(&"foreground=-".to_owned()), "{:?}", finished.out);
}

#[test]
fn interrupt_and_quit_reach_main_once() {
    for options in [&[][..], &["-g"], &["--to", "all"]] {
        let mut terminal =
            Terminal::start(&rinit(options.iter().chain(&["--", probe_path(), "signals", "--exit-on", "TERM:4"])));
        terminal.wait_line("ready pid=");
        terminal.type_in("\x03");
        terminal.wait_line("got 2 ");
        terminal.type_in("\x1c");
        terminal.wait_line("got 3 ");
        terminal.running.signal(15);
        assert_eq!(terminal.running.wait(), 4);
        wait_until("the end of what is shown", || terminal.ended());
        let screen = terminal.screen();
        assert_eq!(screen.matches("got 2 ").count(), 1, "{screen}");
        assert_eq!(screen.matches("got 3 ").count(), 1, "{screen}");
    }
}

#[test]
fn the_shell_has_the_terminal_back_after_main() {
    let mut shell = Command::new("sh");
    // Reading from a terminal that is not the shell's own any more would stop it.
    shell.args(["-c", "\"$0\" -- sh -c 'exit 5'; echo \"ended with $?\"; read line; echo \"read $line\""]);
    shell.arg(rinit_path());
    let mut terminal = Terminal::start(&shell);
    terminal.wait_line("ended with 5");
    terminal.type_in("hello\n");
    terminal.wait_line("read hello");
}

#[test]
fn suspend_and_resume_under_a_shell_with_job_control() {
    require(needs::programs(&["bash"]));
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "prompt> ").env("TERM", "dumb");
    let mut terminal = Terminal::start(&shell);
    terminal.wait("prompt> ");
    terminal.type_in(&format!("'{}' -- '{}' sleep\n", rinit_path().display(), probe_path()));
    let main = number_in(&terminal.wait_line("ready pid="), "pid");
    terminal.type_in("\x1a");
    terminal.wait("Stopped");
    terminal.type_in("fg\n");
    wait_until("main to go on", || support::procfs::read(main).is_some_and(|process| process.state == 'S'));
    terminal.type_in("\x03");
    wait_until("main to be interrupted", || !support::procfs::is_alive(main));
    terminal.type_in("echo status=$?\n");
    terminal.wait_line("status=130");
}

#[test]
fn a_session_of_its_own_has_the_terminal() {
    let terminal = Terminal::start(&rinit(["--session", "--", probe_path(), "state"]));
    let pid = value(&terminal, "pid");
    assert_eq!(value(&terminal, "sid"), pid);
    assert_eq!(value(&terminal, "foreground"), pid);
}
