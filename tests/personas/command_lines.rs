//! rinit under another program's name beside that program: the same command lines, the same answers.
//!
//! Both are run in the same test and compared. They differ in the cases of `departures.rs`, and in no others.

use crate::departures::DEPARTURES;
use crate::original;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::running::{Finished, Running, number_in};
use support::terminal::Terminal;
use support::{
    in_repository, installed, namespace, probe_path, procfs, require, require_for_part, rinit_path, test, wait_until,
};
use tempfile::TempDir;

/// rinit under another name.
struct Stand {
    directory: TempDir,
}

impl Stand {
    fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        symlink(rinit_path(), directory.path().join(name)).expect("a link");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// What of an answer is compared.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: i32,
    out: bool,
    err: bool,
}

/// A command line: variables, words, and where the two differ: the difference's name in `docs/personas.md`.
struct Case {
    variables: Vec<(String, String)>,
    words: Vec<String>,
    differs: Option<&'static str>,
    /// They differ only where they are not PID 1.
    only_inside: bool,
}

/// Reads a table of cases, one in a line: `NAME=value… | words`, and in [`DEPARTURES`] `| difference`. Words are separated by
/// blanks; `'` quotes; `@/` is the directory with the files of [`files`].
fn cases(table: &'static str, directory: &Path) -> Vec<Case> {
    let place = format!("{}/", directory.display());
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let case = |line: &'static str| {
        let mut columns = line.split('|').map(str::trim);
        let mut column = || columns.next().unwrap_or_default();
        let pair = |text: String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = split(column()).into_iter().filter_map(pair).collect();
        let words = split(column()).iter().map(|word| word.replace("@/", &place)).collect();
        let difference = column();
        let (name, only_inside) = match difference.strip_suffix(" inside") {
            Some(name) => (name, true),
            None => (difference, false),
        };
        Case { variables, words, differs: Some(name).filter(|name| !name.is_empty()), only_inside }
    };
    lines.map(case).collect()
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn tables_are_read_as_meant() {
    assert_eq!(split("-c 'a b' '' c' 'd"), ["-c", "a b", "", "c d"]);
}

/// Programs that cannot be started, or not as one would think.
fn files(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let write = |name: &str, content: &[u8], mode| {
        let path = directory.join(name);
        std::fs::write(&path, content).expect("write a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set its mode");
    };
    write("no-mode", b"#!/bin/sh\n", 0o644);
    write("no-interpreter", b"#!/no/such/interpreter\n", 0o755);
    write("no-first-line", b"exit 9\n", 0o755);
    write("empty", b"", 0o755);
    write("damaged", b"\x7fELF and nothing behind it", 0o755);
    symlink("loop", directory.join("loop")).expect("a link");
    symlink("nowhere", directory.join("dangling")).expect("a link");
}

/// For each program: options that print, bad usage, values, variables, and exits of programs.
const TINI: &str = "
    | --version
    | --version x
    | -s --version
    | --versio
    | -h
    | -vh
    | -h -z
    | -h --version
    | -l
    | -l true
    | -s -l
    |
    | --
    | -z
    | -V
    | -zh
    | --help
    | -s
    | -e
    | -p
    | -e 5
    | -e x true
    | -e 256 true
    | -e -1 true
    | -e '' true
    | -e 7x true
    | -e 0x7 true
    | -e 07 true
    | -e +7 true
    | -e ' 7' -- sh -c 'exit 7'
    | -e '7 ' true
    | -p BAD true
    | -p KILL true
    | -p sigkill true
    | -p 9 true
    | -p SIGRTMIN true
    | -p SIGIO true
    | -p SIGSTKFLT true
    | -p SIGPWR true
    | -p SIGTERM true
    | -p SIGKILL true
    | -pSIGSYS true
    | true -v
    | true -s -vv
    | true -z
    | sh -c 'exit 7'
    POSIXLY_CORRECT=1 | sh -c 'exit 7'
    POSIXLY_CORRECT= | true -z
    | -- sh -c 'exit 7'
    | sh -- -c 'exit 7'
    | -svwg -- sh -c 'exit 255'
    | -vvv true
    | -v -v -v -v -v true
    | -e143 -- sh -c 'kill $$'
    | -e 3 -e 4 -- sh -c 'exit 4'
    | -e 3 -e 4 -- sh -c 'exit 3'
    | -e 3 -- sh -c 'exit 4'
    | -- sh -c 'kill $$'
    | -- sh -c 'kill -9 $$'
    | -s -- sh -c 'kill -34 $$'
    | -w -s -- sh -c '(sleep 0.01 & ); sleep 0.2; exit 3'
    TINI_VERBOSITY=0 | -vvv true
    TINI_VERBOSITY=0 | -w -- sh -c '(sleep 0.01 & ); sleep 0.2'
    TINI_VERBOSITY=0 | @/no-such
    TINI_VERBOSITY=2 | true
    TINI_VERBOSITY=3 | true
    TINI_VERBOSITY=4 | -s true
    TINI_VERBOSITY= | -vvv true
    TINI_VERBOSITY=x | -vvv true
    TINI_VERBOSITY=-1 | -s true
    TINI_SUBREAPER= | true
    TINI_SUBREAPER=0 TINI_VERBOSITY=4 | true
    TINI_KILL_PROCESS_GROUP= | -- sh -c 'exit 3'
    | no-such-program-anywhere
    | @/no-such
    | @/no-mode
    | @/no-interpreter
    | @/no-first-line
    | @/empty
    | @/loop
    | @/dangling
    | @/no-mode/x
    | @/
    | ''
    | -- -v
";

const DUMB_INIT: &str = "
    | -V
    | --version
    | --vers
    | --ver
    | --v
    | --version=3
    | -V -h
    | -h
    | --help
    | --hel
    | -h -z
    | -z -h
    |
    | --
    | -c
    | -z
    | --nope
    | --nope=3
    | -r
    | --rewrite
    | --single-child=1 true
    | -c true
    | --single true
    | --s true
    | --verb true
    | -v true
    | -cv true
    | -r 15:3 true
    | -r15:3 true
    | --rewrite=15:3 true
    | --rewrite 15:3 true
    | --rew=15:3 true
    | --rewrite= true
    | -r 15 true
    | -r 15: true
    | -r '15 :3' true
    | -r a:b true
    | -r 0:1 true
    | -r 15:0 true
    | -r 15:-0 true
    | -r 15:32 true
    | -r 31:1 true
    | -r 32:1 true
    | -r 65:1 true
    | -r -1:2 true
    | -r 15:-1 true
    | -r 15:3x true
    | -r 15:3:4 true
    | -r ' 15: 3' true
    | -r +15:+3 true
    | -r 0x0f:3 true
    | -r TERM:3 true
    | -r 9:15 true
    | -r 17:15 true
    | -r 1:0 -- sh -c 'kill -1 $PPID; sleep 0.1; exit 3'
    | -r 1:15 -- sh -c 'kill -1 $PPID; exec sleep 1'
    | -c -r 15:9 -- sh -c 'kill $PPID; exec sleep 1'
    | -cvr15:3 true
    | sh -c 'exit 7'
    | -- sh -c 'exit 7'
    | -c sh -c 'exit 7'
    | sh -c 'kill $$'
    | -c sh -c 'kill -9 $$'
    | sh -c 'kill -34 $$'
    | true -z
    DUMB_INIT_DEBUG=1 | true
    DUMB_INIT_DEBUG=1 | -V
    DUMB_INIT_DEBUG=0 | true
    DUMB_INIT_DEBUG= | true
    DUMB_INIT_DEBUG=11 | true
    DUMB_INIT_SETSID=0 | sh -c 'test $(ps -o pgid= -p $$) != $$'
    DUMB_INIT_SETSID=1 | sh -c 'test $(ps -o sid= -p $$) = $$'
    DUMB_INIT_SETSID= | sh -c 'test $(ps -o sid= -p $$) = $$'
    DUMB_INIT_SETSID=00 | sh -c 'test $(ps -o sid= -p $$) = $$'
    DUMB_INIT_SETSID=0 DUMB_INIT_DEBUG=1 | true
    | -c sh -c 'test $(ps -o pgid= -p $$) != $$'
    | no-such-program-anywhere
    | @/no-such
    | @/no-mode
    | @/no-interpreter
    | @/no-first-line
    | @/empty
    | @/loop
    | @/dangling
    | @/no-mode/x
    | @/
    | ''
    | -- -v
";

const CATATONIT: &str = "
    | -V
    | --version
    | --vers
    | --v
    | --version=3
    | -Vh
    | -gV
    | -h
    | -hL
    | -Lh
    | --help
    | -L
    | -L x
    |
    | --
    | -g
    | -z
    | -zh
    | --nope
    | true -z
    | true -g
    | true -V
    | sh -c 'exit 7'
    POSIXLY_CORRECT=1 | sh -c 'exit 7'
    | -- sh -c 'exit 7'
    | sh -- -c 'exit 7'
    | -g true
    | -gg -- sh -c 'exit 255'
    | -- sh -c 'kill $$'
    | -- sh -c 'kill -9 $$'
    | -- sh -c 'kill -34 $$'
    CATATONIT_DEBUG=1 | true
    CATATONIT_DEBUG= | true
    CATATONIT_DEBUG=0 | -- sh -c 'exit 4'
    | no-such-program-anywhere
    | @/no-such
    | @/no-mode
    | @/no-interpreter
    | @/no-first-line
    | @/empty
    | @/loop
    | @/dangling
    | @/no-mode/x
    | @/
    | ''
    | -- -v
";

/// pidunu is in no distribution; where it is in PATH it is compared.
const PIDUNU: &str = "
    |
    | --
    | -h
    | --version
    | sh
    | /bin/true
    | /bin/sh -c 'exit 7'
    | /bin/sh -c 'exit 255'
    | @/no-such
    | @/no-mode
    | @/no-interpreter
    | @/loop
    | @/
    | ''
";

fn command(program: &Path, case: &Case, as_pid_1: bool) -> Command {
    let mut command = Command::new(program);
    command.args(&case.words).envs(case.variables.iter().map(|(name, value)| (name, value)));
    for name in ["TINI_SUBREAPER", "TINI_VERBOSITY", "TINI_KILL_PROCESS_GROUP", "DUMB_INIT_DEBUG", "DUMB_INIT_SETSID"]
        .into_iter()
        .chain(["CATATONIT_DEBUG", "POSIXLY_CORRECT"])
    {
        if !case.variables.iter().any(|(known, _)| known == name) {
            command.env_remove(name);
        }
    }
    if as_pid_1 { namespace::as_pid_1(&command) } else { command }
}

/// tini's warning that it is not a subreaper, which rinit does not print (`subreaper`).
fn is_warning_of_subreaper(line: &str) -> bool {
    line.contains("Tini is not running as PID 1 and isn't registered as a child subreaper")
        || line.starts_with("Zombie processes will not be re-parented to Tini")
        || line.starts_with("To fix the problem, use the -s option")
}

fn answer(finished: &Finished) -> Answer {
    let err = finished.err.iter().any(|line| !is_warning_of_subreaper(line));
    Answer { code: finished.code, out: !finished.out.is_empty(), err }
}

/// The known departures from this original.
fn departures(name: &str, directory: &Path) -> Vec<Case> {
    let of_it = |line: &&'static str| line.split_once('|').is_some_and(|(original, _)| original.trim() == name);
    let lines = DEPARTURES.lines().filter(of_it).filter_map(|line| Some(line.split_once('|')?.1));
    lines.flat_map(|line| cases(line, directory)).collect()
}

fn compare(name: &str, table: &'static str) {
    let original = require(original(name));
    let places: &[bool] = if require_for_part(namespace::available()).is_some() { &[false, true] } else { &[false] };
    let stand = Stand::new(name);
    files(stand.directory.path());
    let mut wrong = Vec::new();
    for case in cases(table, stand.directory.path()).into_iter().chain(departures(name, stand.directory.path())) {
        for as_pid_1 in places {
            let theirs = support::running::run(command(&original, &case, *as_pid_1));
            let ours = support::running::run(command(&stand.path(name), &case, *as_pid_1));
            let same = answer(&theirs) == answer(&ours);
            let to_differ = case.differs.is_some() && (*as_pid_1 || !case.only_inside);
            if same == to_differ {
                let Case { variables, words, differs, .. } = &case;
                wrong.push(format!(
                    "{name} {variables:?} {words:?}, PID 1: {as_pid_1}, to differ: {differs:?}\n  {theirs:?}\n  {ours:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tini_beside_tini() {
    compare("tini", TINI);
}

#[test]
fn docker_init_beside_docker_init() {
    compare("docker-init", "| --version\n | -h\n | -s -- sh -c 'exit 7'\n | no-such-program-anywhere\n | -z");
}

#[test]
fn dumb_init_beside_dumb_init() {
    compare("dumb-init", DUMB_INIT);
}

#[test]
fn catatonit_beside_catatonit() {
    compare("catatonit", CATATONIT);
}

#[test]
fn pidunu_beside_pidunu() {
    // Not `compare`, whose skipping is a failure under CI: no distribution has it.
    if installed("pidunu") {
        compare("pidunu", PIDUNU);
    }
    let stand = Stand::new("pidunu");
    for (words, code) in [(&[][..], 71), (&["sh"], 71), (&["/bin/sh", "-c", "exit 7"], 7), (&["/no/such"], 71)] {
        let mut command = Command::new(stand.path("pidunu"));
        command.args(words).current_dir("/");
        assert_eq!(support::running::run(command).code, code, "{words:?}");
    }
}

/// The same beginning of a line, up to what is the version's own.
#[test]
fn versions_have_the_originals_form() {
    for (name, flag, form) in [
        ("tini", "--version", "tini version 0.19.0"),
        ("docker-init", "--version", "tini version 0.19.0"),
        ("dumb-init", "--version", "dumb-init v1.2.5"),
        ("catatonit", "--version", "tini version 0.1.7_catatonit"),
    ] {
        let stand = Stand::new(name);
        for program in [original(name).ok(), Some(stand.path(name))].into_iter().flatten() {
            let mut command = Command::new(&program);
            command.arg(flag);
            let finished = support::running::run(command);
            let lines = [finished.out, finished.err].concat();
            assert!(lines.len() == 1 && lines[0].starts_with(form), "{program:?}: {lines:?}");
        }
    }
}

/// A line's form: every number is one `#`.
fn form(line: &str) -> String {
    let mut form = String::new();
    for c in line.chars() {
        if !c.is_ascii_digit() {
            form.push(c);
        } else if !form.ends_with('#') {
            form.push('#');
        }
    }
    form
}

/// catatonit and its child write a line's beginning and its rest apart, so that those of both mix: each is a part.
fn parts(line: &str) -> Vec<String> {
    let beginnings = ["DEBUG (catatonit:#): ", "INFO (catatonit:#): "];
    let mut parts = vec![line.to_owned()];
    for beginning in beginnings {
        let split = |part: &String| part.split_inclusive(beginning).map(str::to_owned).collect::<Vec<_>>();
        parts = parts.iter().flat_map(split).collect();
    }
    let cut = |part: String| match beginnings.iter().find_map(|beginning| part.strip_suffix(beginning)) {
        Some(rest) if !rest.is_empty() => vec![rest.to_owned(), part[rest.len()..].to_owned()],
        _ => vec![part],
    };
    parts.into_iter().flat_map(cut).collect()
}

/// Whatever rinit says in a persona's most talkative mode, the original says in the same words. What comes from
/// /dev/tty, and how often it looks for children, is the original's own.
#[test]
fn debug_lines_have_the_originals_form() {
    require(namespace::available());
    // The orphan is waited for until it has been reaped; signals are given time, because the lowest goes first.
    let script = "trap '' HUP; kill -1 1; p=$( (sleep 0.01 >/dev/null & echo $!) ); \
        while kill -0 $p 2>/dev/null; do sleep 0.01; done; kill -28 1; sleep 0.5; kill 1; exec sleep 60";
    for (name, options, own) in [
        ("tini", &["-svvvw", "--"][..], &["No child to reap", "No child to wait"][..]),
        ("dumb-init", &["-v", "--"], &["controlling tty"]),
        ("dumb-init", &["-cv", "-r", "28:0", "-r", "15:9"], &[]),
        ("catatonit", &["--"], &["tty", "INFO", "got ECHILD"]),
    ] {
        let Some(original) = require_for_part(original(name)) else { continue };
        let stand = Stand::new(name);
        let [theirs, ours] = [original, stand.path(name)].map(|program| {
            let mut command = Command::new(program);
            command.args(options).args(["sh", "-c", script]).env("CATATONIT_DEBUG", "1");
            let finished = support::running::run(namespace::as_pid_1(&command));
            let said = |lines: &[String]| lines.iter().flat_map(|line| parts(&form(line))).collect::<BTreeSet<_>>();
            (finished.code, said(&finished.out), said(&finished.err))
        });
        assert_eq!(ours.0, theirs.0, "{name}");
        for (ours, theirs) in [(&ours.1, &theirs.1), (&ours.2, &theirs.2)] {
            let invented: Vec<_> =
                ours.difference(theirs).filter(|line| !own.iter().any(|own| line.contains(own))).collect();
            assert!(invented.is_empty(), "{name} does not say {invented:#?}, but {theirs:#?}");
            let missing: Vec<_> =
                theirs.difference(ours).filter(|line| !own.iter().any(|own| line.contains(own))).collect();
            assert!(missing.is_empty(), "{name} also says {missing:#?}; rinit says {ours:#?}");
        }
    }
}

/// Each program's answer to a question that only a running one can answer, beside the original's.
fn both(name: &str, ask: impl Fn(&Path)) {
    if let Some(original) = require_for_part(original(name)) {
        ask(&original);
    }
    ask(&Stand::new(name).path(name));
}

#[test]
fn dumb_init_stops_with_its_children() {
    for options in [&[][..], &["-c"]] {
        for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            both("dumb-init", |program| {
                let mut command = Command::new(program);
                command.args(options).args([probe_path(), "sleep"]);
                let running = Running::start(command);
                let main = number_in(&running.out.wait("ready"), "pid");
                let state = |pid| procfs::read(pid).map(|process| process.state);
                running.signal(signal);
                wait_until("dumb-init to stop", || state(running.pid()) == Some('T'));
                if options.is_empty() {
                    wait_until("its child to stop", || state(main) == Some('T'));
                }
                running.signal(libc::SIGCONT);
                wait_until("dumb-init to go on", || state(running.pid()) == Some('S'));
                wait_until("its child to go on", || state(main) == Some('S'));
                running.signal(libc::SIGTERM);
            });
        }
    }
}

#[test]
fn dumb_inits_helpers_get_term_when_main_exits() {
    both("dumb-init", |program| {
        let mut command = Command::new(program);
        command.args([probe_path(), "with-helper", "--at-once", "4", "signals", "--exit-on", "TERM:0"]);
        let mut running = Running::start(command);
        assert_eq!(running.wait(), 4);
        running.out.wait("got 15 ");
    });
}

#[test]
fn catatonits_pause() {
    require(namespace::available());
    for (signal, ends) in [(Signal::TERM, true), (Signal::INT, true), (Signal::HUP, false), (Signal::USR1, false)] {
        both("catatonit", |program| {
            let mut command = Command::new(program);
            command.args(["-P", "ignored"]);
            let mut running = namespace::start(&command);
            let init = rustix::process::Pid::from_raw(running.pid()).expect("a pid");
            let mut ended_by = |signal| {
                // Again and again: as PID 1 it loses what comes before it is ready. It may have ended: no error.
                wait_until("its end", || {
                    let _ = rustix::process::kill_process(init, signal);
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    !running.is_running()
                });
                running.wait()
            };
            if !ends {
                for _ in 0..10 {
                    let _ = rustix::process::kill_process(init, signal);
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
            // If it had ended by the other signal, this would be unshare's report of that.
            assert_eq!(ended_by(if ends { signal } else { Signal::INT }), 0, "{program:?}, {signal:?}");
        });
    }
}

#[test]
fn catatonit_hands_listen_pid_on() {
    require(namespace::available());
    both("catatonit", |program| {
        for (given, expected) in [("1", "2"), ("5", "5")] {
            let mut command = Command::new(program);
            command.args(["--", "sh", "-c", "echo $$ $LISTEN_PID"]).env("LISTEN_PID", given);
            let finished = support::running::run(namespace::as_pid_1(&command));
            assert_eq!(finished.out, [format!("2 {expected}")], "{program:?}");
        }
    });
}

/// The value of a `name=value` line that `probe state` shows.
fn value(terminal: &Terminal, name: &str) -> String {
    let line = terminal.wait_line(&format!("{name}="));
    line.split_once('=').map(|(_, value)| value.to_owned()).expect("a value")
}

#[test]
fn dumb_init_gives_its_terminal_to_its_session() {
    both("dumb-init", |program| {
        // As `docker run -it` starts it: the leader of its session.
        let mut command = Command::new(program);
        command.args([probe_path(), "state"]);
        let terminal = Terminal::start(&command);
        let pid = value(&terminal, "pid");
        assert_eq!(value(&terminal, "sid"), pid, "{program:?}");
        assert_eq!(value(&terminal, "foreground"), pid, "{program:?}");
    });
}

#[test]
fn dumb_init_in_a_shell_leaves_it_its_terminal() {
    both("dumb-init", |program| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\"; echo status=$?", "sh"]).arg(program).args([probe_path(), "state"]);
        let terminal = Terminal::start(&shell);
        assert_eq!(value(&terminal, "sid"), value(&terminal, "pid"), "{program:?}");
        assert_eq!(value(&terminal, "foreground"), "-", "{program:?}");
        terminal.wait_line("status=0");
    });
}

/// If they are not PID 1, a signal that tini, catatonit and pidunu do not handle terminates them, but not their child.
/// Here it is forwarded (`own-death`).
#[test]
fn signals_that_would_kill_the_original_are_forwarded() {
    for (name, signal) in [("tini", libc::SIGABRT), ("catatonit", libc::SIGABRT), ("dumb-init", 32), ("pidunu", 40)] {
        let stand = Stand::new(name);
        let mut command = Command::new(stand.path(name));
        command.args([probe_path(), "signals"]);
        if name != "pidunu" && name != "dumb-init" {
            command.env("POSIXLY_CORRECT", "1");
        }
        let running = Running::start(command);
        running.out.wait("ready");
        running.signal(signal);
        running.out.wait(&format!("got {signal} "));
    }
}

/// Every difference that a test here relies on is in the documentation.
#[test]
fn every_difference_is_documented() {
    let text = std::fs::read_to_string(in_repository("docs/personas.md")).expect("docs/personas.md");
    let directory = Path::new("/");
    let originals = ["tini", "dumb-init", "catatonit", "pidunu"];
    let named: Vec<_> =
        originals.iter().flat_map(|name| departures(name, directory)).filter_map(|case| case.differs).collect();
    assert_eq!(named.len(), DEPARTURES.lines().filter(|line| !line.is_empty()).count(), "each is read");
    for name in named.into_iter().chain(["subreaper", "own-death"]) {
        assert!(text.contains(&format!("**{name}**")), "{name} is not in docs/personas.md");
    }
}
