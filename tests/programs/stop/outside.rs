//! Outside PID 1: the processes that an init leaves alone, and the files that it closes.

use super::parts::{PYTHON, TERM, needs, script};
use super::{Init, Place, Stopped};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::running::Running;
use support::{procfs, require, test, wait_for, wait_until};

/// The names under which rinit is not a subreaper outside PID 1, with the original's words if there is one.
const LEAVE_ALONE: &[&[&str]] = &[&["dumb-init"], &["dumb-init", "-c"], &["tini"], &["tini", "-g"], &["pidunu"]];

/// rinit in the original's place, and the original if it is installed.
fn both(words: &[&str]) -> Vec<Init> {
    let persona = words.split_first().map(|(name, options)| Init::persona(name, options));
    persona.into_iter().chain(Init::original(words)).collect()
}

/// The one process of a run with this word, zombies not.
fn with_word(running: &Running, word: &str) -> Option<procfs::Process> {
    let has = |process: &procfs::Process| procfs::command_line(process.pid).iter().any(|it| it == word);
    running.left().into_iter().find(has)
}

/// A virtual machine of libvirt is one: in a session of its own, below the service or not any more.
/// True once setsid(1) has left main's session: before, its command line has the word already.
fn has_left(running: &Running, word: &str) -> bool {
    with_word(running, word).is_some_and(|process| process.session == process.pid)
}

#[test]
fn a_process_that_left_mains_group_lives_on() {
    require(needs(&["setsid"]));
    for words in LEAVE_ALONE {
        for init in both(words) {
            // A child, which becomes an orphan as main exits, and one that is an orphan before.
            let program = "setsid sleep 1077 >/dev/null 2>&1 & (setsid sleep 1078 >/dev/null 2>&1 &) ; read go; exit 4";
            let mut running = init.start(Place::Subreaper, &["/bin/sh", "-c", program]);
            wait_until("both", || has_left(&running, "1077") && has_left(&running, "1078"));
            let own = running.pid();
            let orphan = wait_for("an orphan", || {
                let process = with_word(&running, "1078")?;
                let below = procfs::descendants(own);
                below.iter().all(|parent| parent.pid != process.ppid).then_some(process)
            });
            assert_ne!(orphan.ppid, own, "{} is a subreaper", init.name);
            running.type_in("go\n");
            let stopped = Stopped::wait(&mut running, Instant::now(), Duration::from_secs(20));
            assert_eq!((stopped.status, stopped.in_time), (4, true), "{}: {stopped:#?}", init.name);
            for word in ["1077", "1078"] {
                assert!(with_word(&running, word).is_some(), "{} has ended sleep {word}", init.name);
            }
            assert_says_nothing_but_a_warning(&init, &stopped);
        }
    }
}

/// tini warns that it is not a subreaper. Otherwise nothing is printed: no process is asked to stop.
#[track_caller]
fn assert_says_nothing_but_a_warning(init: &Init, stopped: &Stopped) {
    let warns = init.name.contains("tini") && stopped.err.first().is_some_and(|line| line.contains("subreaper"));
    assert!(stopped.err.is_empty() || warns, "{}: {:#?}", init.name, stopped.err);
}

/// A stop signals only main, or its group.
#[test]
fn a_process_that_left_mains_group_lives_on_after_a_stop() {
    require(needs(&["setsid"]));
    for words in LEAVE_ALONE {
        for init in both(words) {
            let program = "setsid sleep 1079 >/dev/null 2>&1 & exec sleep 1000";
            let mut running = init.start(Place::Subreaper, &["/bin/sh", "-c", program]);
            wait_until("both", || has_left(&running, "1079") && with_word(&running, "1000").is_some());
            let stopped = Stopped::by_term(&mut running);
            assert_eq!((stopped.status, stopped.in_time), (143, true), "{}: {stopped:#?}", init.name);
            assert!(with_word(&running, "1079").is_some(), "{} has ended it", init.name);
            assert_says_nothing_but_a_warning(&init, &stopped);
        }
    }
}

/// As a subreaper, or under its own name, rinit waits for the processes that remain.
#[test]
fn subreapers_stop_the_remaining_processes() {
    require(needs(&["setsid"]));
    for init in [Init::rinit(&[]), Init::persona("tini", &["-s"])] {
        let program = "setsid sleep 1080 >/dev/null 2>&1 & read go; exit 4";
        let mut running = init.start(Place::Subreaper, &["/bin/sh", "-c", program]);
        wait_until("the helper", || has_left(&running, "1080"));
        running.type_in("go\n");
        assert_eq!(running.wait(), 4, "{}", init.name);
        assert!(running.left().is_empty(), "{}", init.name);
    }
}

/// dumb-init sends TERM to main's group when main has exited, and waits for no process.
#[test]
fn dumb_init_asks_the_group_as_it_leaves() {
    require(needs(&[PYTHON]));
    let directory = tempfile::tempdir().expect("a directory");
    let options: &[&[&str]] = &[&["dumb-init"], &["dumb-init", "-v"], &["dumb-init", "-c", "-v"]];
    for words in options {
        let mut said = Vec::new();
        for (number, init) in both(words).into_iter().enumerate() {
            let log = directory.path().join(format!("log-{number}-{}", words.len()));
            let program = format!("{PYTHON} -I {} 0.2 0 {} & read go; exit 4", script("saver.py"), log.display());
            let mut command = init.command(&["sh", "-c", &program]);
            command.env("RINIT_ON_MAIN_EXIT", "exit");
            let mut running = Place::Subreaper.start(&command);
            wait_until("the helper", || logged(&log).contains("ready"));
            running.type_in("go\n");
            let stopped = Stopped::wait(&mut running, Instant::now(), Duration::from_secs(20));
            assert_eq!((stopped.status, stopped.in_time), (4, true), "{}: {stopped:#?}", init.name);
            if words.contains(&"-c") {
                // TERM was for main, which has exited.
                assert!(!running.left().is_empty() && !logged(&log).contains("saving"), "{}", init.name);
            } else {
                wait_until(&format!("the helper to be asked by {}", init.name), || logged(&log).contains("saved"));
            }
            said.push(without_numbers_and_terminal(&stopped.err));
        }
        if let [rinit, original] = &*said {
            assert_eq!(rinit, original, "{words:?}");
        }
    }
}

fn logged(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// dumb-init's lines, pids made equal; of the terminal that it does not find rinit says nothing.
fn without_numbers_and_terminal(lines: &[String]) -> Vec<String> {
    let own = lines.iter().filter(|line| line.starts_with("[dumb-init]") && !line.contains("tty"));
    let mut seen: Vec<String> = own
        .map(|line| {
            let words = line.split(' ').map(|word| {
                let digits = word.trim_end_matches('.');
                if digits.len() > 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) { "PID" } else { word }
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    // The child says "setsid complete" at its own time.
    seen.sort();
    seen
}

/// How often main, in as many runs, does not find its init in `/` and without the descriptor 9 that both inherited.
fn not_let_go(command: &str, count: usize) -> (usize, String) {
    let see = r#"printf '%s %s\n' "$(readlink /proc/$PPID/cwd)" "$(readlink /proc/$PPID/fd/9)""#;
    let all =
        format!("i=0; while [ $i -lt {count} ]; do {command} sh -c '{}'; i=$((i+1)); done", see.replace('\'', "'\\''"));
    let directory = tempfile::tempdir().expect("a directory");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 9</dev/null; {all}")]).current_dir(directory.path()).stdin(Stdio::null());
    let output = shell.output().expect("run sh");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().count(), count, "{}", String::from_utf8_lossy(&output.stderr));
    let bad: Vec<_> = text.lines().filter(|line| *line != "/ ").collect();
    (bad.len(), bad.first().map(|line| (*line).to_owned()).unwrap_or_default())
}

/// Before main's first instruction: main may unmount what the init would keep busy, or wait for the end of a pipe.
#[test]
fn main_never_sees_its_init_hold_on() {
    require(support::needs::root());
    let rinit = Init::rinit(&[]).command(&[]);
    let dumb_init = Init::persona("dumb-init", &[]).command(&[]);
    for command in [rinit, dumb_init] {
        let path = command.get_program().to_str().expect("UTF-8").to_owned();
        let pid_1 = format!("unshare --pid --fork --kill-child=KILL --mount-proc -- {path}");
        for command in [format!("{path} --"), format!("{pid_1} --")] {
            let (bad, example) = not_let_go(&command, 400);
            assert_eq!(bad, 0, "{command}: of 400, for example {example:?}");
        }
    }
}

/// A pause container holds on to nothing either.
#[test]
fn pause_lets_go() {
    require(needs(&["unshare"]));
    let directory = tempfile::tempdir().expect("a directory");
    for init in [Init::rinit(&["-P"]), Init::persona("catatonit", &["-P"])] {
        for place in Place::BOTH {
            let with = init.command(&[]);
            // Without `--`, and in the directory: a shell that becomes the init.
            let program = with.get_program().to_str().expect("UTF-8").to_owned();
            let script = format!("cd {} && exec {program} -P", directory.path().display());
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]);
            let mut running = place.start(&shell);
            let pid = running.pid();
            wait_until(&format!("{} ({place:?}) to be in /", init.name), || {
                std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|path| path == Path::new("/"))
            });
            running.signal(TERM);
            assert_eq!(running.wait(), 0, "{}", init.name);
        }
    }
}
