//! A stop that a terminal's user makes by accident.

use super::Init;
use super::parts::needs;
use support::terminal::Terminal;
use support::{require, test};

/// Main stops itself, and above PID 1 there is no shell that could continue it: the terminal must not hang for that.
#[test]
fn suspend_in_a_shell_that_is_main_of_pid_1() {
    require(needs(&["bash"]));
    let mut command = Init::rinit(&[]).command(&["bash", "--norc", "--noprofile", "-i"]);
    command.env("PS1", "prompt> ").env("TERM", "dumb").env("LC_ALL", "C").env("HISTFILE", "/dev/null");
    let mut terminal = Terminal::start_as_pid_1(&command);
    terminal.wait("prompt> ");
    terminal.type_in("suspend\n");
    terminal.ask("echo back$((40+2))\n", "back42");
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.running.wait(), 3);
}
