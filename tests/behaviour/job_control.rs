//! Job control with real shells and real programs on real terminals: inside of rinit, and with rinit as the shell's job.

use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};
use support::running::{kill, number_in};
use support::terminal::Terminal;
use support::{
    installed, namespace, needs, probe_path, procfs, require, require_for_part, rinit, rinit_path, skip_part, test,
    wait_for, wait_until,
};

/// An interactive bash without start-up files.
const BASH: &[&str] = &["bash", "--norc", "--noprofile", "-i"];
const PROMPT: &str = "prompt> ";
/// Sent last: its number is above those of all others, so it is delivered last.
const LAST: i32 = 34;

fn bash() -> Result<(), String> {
    needs::programs(&["bash"])
}

/// Sets the prompt that the tests wait for, and a terminal type for which bash draws nothing around it.
fn with_prompt(mut command: Command) -> Command {
    command.env("PS1", PROMPT).env("TERM", "dumb").env("LC_ALL", "C").env("HISTFILE", "/dev/null");
    command
}

/// bash on a terminal of its own, at its prompt.
#[track_caller]
fn shell() -> Terminal {
    let mut command = Command::new(BASH[0]);
    command.args(&BASH[1..]);
    let terminal = Terminal::start(&with_prompt(command));
    terminal.wait(PROMPT);
    terminal
}

/// rinit with this main, quoted for a shell.
fn line<S: AsRef<OsStr>>(main: impl IntoIterator<Item = S>) -> String {
    let words = main.into_iter().map(|word| format!("'{}'", word.as_ref().to_str().expect("UTF-8")));
    format!("'{}' -- {}", rinit_path().display(), words.collect::<Vec<_>>().join(" "))
}

/// Waits until another group than this has the foreground, and returns it.
#[track_caller]
fn other_foreground(terminal: &Terminal, than: i32) -> i32 {
    wait_for("another process in the foreground", || {
        Some(terminal.foreground()).filter(|group| *group != than && *group > 0)
    })
}

#[track_caller]
fn wait_foreground(terminal: &Terminal, group: i32) {
    wait_until("the group in the foreground", || terminal.foreground() == group);
}

/// Waits until the shell, which has the foreground, prints a prompt. A key asks for it: ^C discards output that the terminal has
/// not shown yet (`termios(3)`, NOFLSH), such as the prompt after a stop. bash prints no other one if the signal comes right
/// before it sleeps in its read.
#[track_caller]
fn wait_for_prompt(terminal: &mut Terminal) {
    let from = terminal.screen().len();
    let mut typed: Option<Instant> = None;
    wait_until("the prompt", || {
        if terminal.screen().get(from..).unwrap_or_default().contains(PROMPT) {
            return true;
        }
        if typed.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            terminal.type_in("\n");
            typed = Some(Instant::now());
        }
        false
    });
}

fn state(pid: i32) -> Option<char> {
    procfs::read(pid).map(|process| process.state)
}

/// rinit on a terminal: as a subreaper, and as PID 1.
fn both(inner: &Command) -> Vec<Terminal> {
    let mut terminals = vec![Terminal::start(inner)];
    match namespace::available() {
        Ok(()) => terminals.push(Terminal::start_as_pid_1(inner)),
        Err(why) => skip_part(why),
    }
    terminals
}

#[test]
fn bash_as_main_has_job_control() {
    require(bash());
    for mut terminal in both(&with_prompt(rinit([&["--"], BASH].concat()))) {
        let shown = terminal.wait(PROMPT);
        let before = terminal.screen();
        assert!(!before.contains("job control"), "a warning: {before}{shown}");
        let shell = terminal.foreground();
        terminal.type_in(&format!("'{}' sleep\n", probe_path()));
        terminal.wait_line("ready pid=");
        let job = other_foreground(&terminal, shell);
        terminal.ask("\x1a", "Stopped");
        wait_foreground(&terminal, shell);
        assert_eq!(state(job), Some('T'));
        terminal.ask("jobs\n", "Stopped");
        terminal.type_in("fg\n");
        wait_foreground(&terminal, job);
        wait_until("the job to go on", || state(job) == Some('S'));
        terminal.type_in("\x03");
        wait_foreground(&terminal, shell);
        terminal.ask("echo status=$?\n", "status=130");
        terminal.type_in("exit 3\n");
        assert_eq!(terminal.running.wait(), 3);
    }
}

#[test]
fn suspend_in_bash_as_main_gives_the_outer_shell_its_prompt() {
    require(bash());
    let mut terminal = shell();
    let outer = terminal.foreground();
    terminal.ask(&format!("PS1='in''ner> ' {}\n", line(BASH)), "inner> ");
    let inner = other_foreground(&terminal, outer);
    terminal.ask("suspend\n", "Stopped");
    wait_foreground(&terminal, outer);
    terminal.type_in("fg\n");
    wait_foreground(&terminal, inner);
    terminal.type_in("exit 4\n");
    wait_foreground(&terminal, outer);
    terminal.ask("echo status=$?\n", "status=4");
}

/// bash at its prompt, with a job of rinit's that was stopped; how it is stopped is up to the caller.
#[track_caller]
fn stopped_job(stop: impl Fn(&mut Terminal, i32)) -> (Terminal, i32, i32) {
    let mut terminal = shell();
    let outer = terminal.foreground();
    terminal.type_in(&format!("{}\n", line([probe_path(), "sleep"])));
    let main = number_in(&terminal.wait_line("ready pid="), "pid");
    let init = procfs::read(main).expect("main").ppid;
    stop(&mut terminal, main);
    wait_foreground(&terminal, outer);
    wait_until("rinit to be stopped with main", || state(init) == Some('T') && state(main) == Some('T'));
    (terminal, init, main)
}

/// By STOP from elsewhere, and by ^Z.
fn stops() -> [fn(&mut Terminal, i32); 2] {
    [
        |terminal, main| {
            kill(main, libc::SIGSTOP);
            terminal.wait("Stopped");
        },
        |terminal, _| drop(terminal.ask("\x1a", "Stopped")),
    ]
}

#[test]
fn a_main_that_another_process_continues_is_forwarded_its_signals() {
    require(bash());
    for stop in stops() {
        let (terminal, init, main) = stopped_job(stop);
        kill(main, libc::SIGCONT);
        wait_until("rinit to go on with main", || state(init) != Some('T'));
        assert_ne!(state(main), Some('T'));
        kill(init, libc::SIGTERM);
        wait_until("both to exit", || !procfs::is_alive(main) && !procfs::is_alive(init));
        drop(terminal);
    }
}

#[test]
fn a_stopped_main_that_is_killed_is_reaped() {
    require(bash());
    for stop in stops() {
        let (mut terminal, init, main) = stopped_job(stop);
        kill(main, libc::SIGKILL);
        wait_until("rinit to reap it", || !procfs::is_alive(main) && !procfs::is_alive(init));
        terminal.ask("fg; echo over\n", "over");
    }
}

#[test]
fn interrupt_and_resize_arrive_once() {
    for options in [&[][..], &["-g"], &["--to", "all"]] {
        let words = [options, &["--", probe_path(), "signals", "--exit-on", "34:4"]].concat();
        for mut terminal in both(&rinit(words)) {
            terminal.wait_line("ready pid=");
            terminal.type_in("\x03");
            terminal.wait_line("got 2 ");
            terminal.resize(30, 100);
            terminal.wait_line("got 28 ");
            terminal.running.signal(LAST);
            assert_eq!(terminal.running.wait(), 4);
            wait_until("the end of what is shown", || terminal.ended());
            let screen = terminal.screen();
            assert_eq!(screen.matches("got 2 ").count(), 1, "{screen}");
            assert_eq!(screen.matches("got 28 ").count(), 1, "{screen}");
        }
    }
}

#[test]
fn stopped_from_a_shell_and_continued_in_both_ways() {
    require(bash());
    let mut terminal = shell();
    let outer = terminal.foreground();
    terminal.type_in(&format!("{}\n", line([probe_path(), "sleep"])));
    let main = number_in(&terminal.wait_line("ready pid="), "pid");
    wait_foreground(&terminal, main);
    for _ in 0..3 {
        terminal.ask("\x1a", "Stopped");
        wait_foreground(&terminal, outer);
        assert_eq!(state(main), Some('T'));
        terminal.type_in("bg\n");
        wait_until("main to go on", || state(main) == Some('S'));
        assert_eq!(terminal.foreground(), outer, "in the background");
        terminal.type_in("fg\n");
        // The shell gives the terminal to rinit's group and sends nothing: main is running already. What is typed now
        // must reach main by way of rinit.
        other_foreground(&terminal, outer);
        terminal.ask("\x1a", "Stopped");
        wait_foreground(&terminal, outer);
        terminal.type_in("fg\n");
        wait_foreground(&terminal, main);
        wait_until("main to go on", || state(main) == Some('S'));
    }
    terminal.type_in("\x03");
    wait_foreground(&terminal, outer);
    terminal.ask("echo status=$?\n", "status=130");
}

#[test]
fn stopped_together_with_the_script_that_started_it() {
    require(bash());
    let mut terminal = shell();
    let outer = terminal.foreground();
    let script = format!("{}; echo script went on", line([probe_path(), "sleep"]));
    terminal.type_in(&format!("sh -c \"{script}\" sh\n"));
    let main = number_in(&terminal.wait_line("ready pid="), "pid");
    wait_foreground(&terminal, main);
    terminal.ask("\x1a", "Stopped");
    wait_foreground(&terminal, outer);
    terminal.type_in("fg\n");
    wait_foreground(&terminal, main);
    wait_until("main to go on", || state(main) == Some('S'));
    kill(main, 15);
    terminal.wait("\nscript went on");
    wait_foreground(&terminal, outer);
}

#[test]
fn a_stop_by_the_terminal_in_the_first_moment_hangs_nothing() {
    require(bash());
    let mut terminal = shell();
    let outer = terminal.foreground();
    let command = format!("{}\n", line(["sleep", "1000"]));
    for round in 0..60 {
        terminal.type_in(&command);
        // rinit's group has the terminal first, and then main's: from there on ^Z hits main in one of its steps up to
        // execve, and before rinit is stopped itself, before or after it has blocked its signals.
        other_foreground(&terminal, outer);
        if round % 4 > 0 {
            // Perhaps it has it already.
            let is_rinit = |group: i32| procfs::read(group).is_some_and(|process| process.ppid == outer);
            wait_until("main in the foreground", || !is_rinit(terminal.foreground()));
        }
        terminal.type_in("\x1a");
        // It is stopped, or it goes on because only the key was lost. In both cases ^C or the shell can terminate it.
        wait_until("the prompt, or main as the program", || {
            let group = terminal.foreground();
            group == outer || procfs::command_line(group).first().is_some_and(|name| name == "sleep")
        });
        terminal.type_in("\x03");
        wait_foreground(&terminal, outer);
        wait_for_prompt(&mut terminal);
        terminal.ask("kill %% 2>&-; echo next$((1+1))\n", "next2");
    }
    // Whatever each was doing when it was stopped, it can be terminated.
    terminal.ask("kill $(jobs -p); kill -CONT $(jobs -p); echo clean$((1+1))\n", "clean2");
    wait_until("no process but the shell", || terminal.running.left().len() == 1);
}

#[test]
fn started_in_the_background_it_takes_the_foreground_when_it_is_given() {
    require(bash());
    let mut terminal = shell();
    let outer = terminal.foreground();
    // It runs, and its whole group gets the ^C that is typed after `fg`, although rinit has no notice of that.
    let script = format!("trap 'echo main interrupted' INT; '{}' sleep; echo went on", probe_path());
    terminal.type_in(&format!("{} &\n", line(["sh", "-c", &script.replace('\'', "'\\''")])));
    terminal.wait_line("ready pid=");
    assert_eq!(terminal.foreground(), outer, "rinit has taken it");
    terminal.ask("echo still$((1+1))here\n", "still2here");
    terminal.type_in("fg\n");
    other_foreground(&terminal, outer);
    terminal.type_in("\x03");
    terminal.wait("main interrupted");
    terminal.wait("went on");
    wait_foreground(&terminal, outer);

    // It reads: stopped until it is given the terminal.
    terminal.ask(&format!("{} &\n", line(["sh", "-c", "read line; echo \"got $line\""])), PROMPT);
    wait_until("the shell to see it stopped", || {
        let from = terminal.screen().len();
        terminal.ask("jobs\n", PROMPT);
        terminal.screen().get(from..).unwrap_or_default().contains("Stopped")
    });
    assert_eq!(terminal.foreground(), outer);
    terminal.type_in("fg\n");
    other_foreground(&terminal, outer);
    terminal.type_in("hello\n");
    terminal.wait("\ngot hello");
    wait_foreground(&terminal, outer);
}

#[test]
fn the_terminal_is_given_back_however_main_exits() {
    require(bash());
    // A script without job control reads from the terminal afterwards: it would be stopped for ever if it had lost it.
    let mut script = Command::new("sh");
    script.args(["-c", "\"$@\"; echo \"ended with $?\"; read line; echo \"read $line\"", "sh"]).arg(rinit_path());
    script.arg("--").args(BASH);
    for by_kill in [false, true] {
        let mut terminal = Terminal::start(&with_prompt(script_copy(&script)));
        let script = terminal.running.pid();
        terminal.wait(PROMPT);
        let main = other_foreground(&terminal, script);
        // While a job of main's has the foreground, which no shell takes back when main is killed.
        terminal.type_in(&format!("'{}' sleep\n", probe_path()));
        terminal.wait_line("ready pid=");
        let job = other_foreground(&terminal, main);
        if by_kill {
            kill(main, 9);
            terminal.wait("ended with 137");
        } else {
            kill(job, 9);
            wait_foreground(&terminal, main);
            terminal.type_in("exit 5\n");
            terminal.wait("ended with 5");
        }
        wait_foreground(&terminal, script);
        terminal.type_in("hello\n");
        terminal.wait("read hello");
        assert_eq!(terminal.running.wait(), 0);
    }
}

fn script_copy(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}

#[test]
fn as_pid_1_a_stop_by_the_terminal_has_no_effect() {
    require(namespace::available());
    let mut terminal = Terminal::start_as_pid_1(&rinit(["--", "cat"]));
    let init = terminal.running.pid();
    let main = wait_for("main", || procfs::children(init).first().map(|child| child.pid));
    wait_foreground(&terminal, main);
    for round in 0..5 {
        // Shown once by the terminal and once by cat.
        terminal.ask("\x1a", "^Z");
        terminal.ask(&format!("hello {round}\n"), &format!("hello {round}\nhello {round}\n"));
    }
    terminal.type_in("\x03");
    assert_eq!(terminal.running.wait(), 130);
}

#[test]
fn as_pid_1_a_foreground_group_without_members_hangs_nothing() {
    require(namespace::available());
    require(bash());
    // The inner shell is killed while its job has the foreground, and main reads on.
    let script = "bash --norc --noprofile -i; echo inner ended; read line; echo \"got $line\"";
    let mut terminal = Terminal::start_as_pid_1(&with_prompt(rinit(["--", "sh", "-c", script])));
    terminal.wait(PROMPT);
    let inner = terminal.foreground();
    terminal.type_in(&format!("'{}' sleep\n", probe_path()));
    terminal.wait_line("ready pid=");
    let job = other_foreground(&terminal, inner);
    kill(inner, 9);
    terminal.wait("inner ended");
    kill(job, 9);
    terminal.type_in("hello\n");
    terminal.wait("got hello");
    assert_eq!(terminal.running.wait(), 0);
}

#[test]
fn as_pid_1_of_a_namespace_whose_terminal_belongs_to_a_group_outside() {
    require(namespace::available());
    // unshare leads session and group, so that inside both read as 0: `unshare --pid --fork rinit cat` typed at a prompt.
    let mut terminal = Terminal::start(&namespace::as_pid_1(&rinit(["--", "cat"])));
    let init = wait_for("rinit", || {
        let init = procfs::children(terminal.running.pid()).first()?.pid;
        procfs::command_line(init).first().filter(|name| *name != "unshare").map(|_| init)
    });
    wait_until("main", || !procfs::children(init).is_empty());
    terminal.ask("hello\n", "hello\nhello\n");
    terminal.type_in("\x04");
    assert_eq!(terminal.running.wait(), 0);
    assert!(!terminal.screen().contains("panicked"), "{}", terminal.screen());
}

/// A program that draws, with what it shows, and what is typed to end it.
struct Drawing {
    words: Vec<String>,
    shows: &'static str,
    quit: &'static str,
    may_stop: bool,
}

fn drawing(file: &str) -> Vec<Drawing> {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let vim = ["vim.tiny", "vim", "vi"].into_iter().find(|name| installed(name)).unwrap_or("vim.tiny");
    vec![
        Drawing {
            // Without a swap file: two of them look at the same text at the same time.
            words: words(&[vim, "-u", "NONE", "-N", "-n", file]),
            shows: "the file's first line",
            quit: ":q!\r",
            may_stop: true,
        },
        Drawing { words: words(&["less", file]), shows: "the file's first line", quit: "q", may_stop: true },
        Drawing { words: words(&["top"]), shows: "load average", quit: "q", may_stop: false },
    ]
}

/// Returns true if the process seems to sleep in a read of its terminal, or in a wait for one.
fn waits_for_a_key(pid: i32) -> bool {
    let channel = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let waiting = ["wait_woken", "n_tty_read", "do_select", "do_sys_poll", "poll_schedule", "0"];
    waiting.iter().any(|name| channel.starts_with(name))
}

#[test]
fn programs_that_draw() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("text");
    let text = "the file's first line\n".to_owned() + &"another line\n".repeat(200);
    std::fs::write(&file, text).expect("write a file");
    require(bash());
    for Drawing { words, shows, quit, may_stop } in drawing(file.to_str().expect("UTF-8")) {
        if require_for_part(needs::programs(&[&words[0]])).is_none() {
            continue;
        }
        let main: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = rinit([&["--"], &main[..]].concat());
        command.env("TERM", "xterm");
        for mut terminal in both(&command) {
            terminal.wait(shows);
            terminal.type_in(quit);
            assert_eq!(terminal.running.wait(), 0, "{}", terminal.screen());
        }
        let mut terminal = shell();
        let outer = terminal.foreground();
        terminal.ask(&format!("TERM=xterm {}\n", line(&main)), shows);
        let main = other_foreground(&terminal, outer);
        if may_stop {
            // less notices a TSTP only at its next key if it comes between its last check and its read.
            wait_until("it to wait for a key", || waits_for_a_key(main));
            terminal.ask("\x1a", "Stopped");
            wait_foreground(&terminal, outer);
            terminal.ask("fg\n", shows);
            wait_foreground(&terminal, main);
        }
        terminal.type_in(quit);
        wait_foreground(&terminal, outer);
        terminal.ask("echo status=$?\n", "status=0");
    }
}
