//! The exit status of rinit: main's own, or why there is none.

use std::process::Stdio;
use support::rinit::Rinit;
use support::running::{Finished, Running, run};
use support::{namespace, probe_path, require, rinit, test};

/// Runs the same under rinit as a subreaper and as PID 1.
#[track_caller]
fn everywhere(rinit: Rinit, check: impl Fn(&Finished)) {
    rinit.everywhere(|mut running| check(&running.finished()));
}

#[track_caller]
fn status(arguments: &[&str]) -> i32 {
    run(rinit(arguments)).code
}

/// An executable file. A shell writes it: were it open for writing here while another test forks, its start would fail.
fn script(directory: &std::path::Path, text: &str, mode: &str) -> String {
    let path = directory.join("script").to_str().expect("UTF-8").to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "printf '%s' \"$1\" > \"$2\" && chmod \"$3\" \"$2\"", "sh", text, &path, mode]);
    assert_eq!(run(shell).code, 0);
    path
}

#[test]
fn main_s_own_code() {
    for code in [0, 1, 7, 125, 126, 127, 255] {
        everywhere(Rinit::new().probe(&["exit", &code.to_string()]), |finished| {
            assert_eq!(finished.code, code);
            assert_eq!(finished.err, Vec::<String>::new(), "it has nothing to say");
        });
    }
}

#[test]
fn options_end_at_the_program() {
    assert_eq!(status(&["sh", "-c", "exit 7"]), 7);
    assert_eq!(status(&["--", "sh", "-c", "exit 7"]), 7);
    assert_eq!(run(rinit(["echo", "--help", "-g", "--"])).out, ["--help -g --"]);
}

#[test]
fn death_by_signal_is_128_and_its_number() {
    for signal in [1, 2, 3, 6, 9, 11, 13, 15, 34, 64] {
        everywhere(Rinit::new().probe(&["die", &signal.to_string()]), |finished| {
            assert_eq!(finished.code, 128 + signal);
        });
    }
}

#[test]
fn mirror_signal_terminates_rinit_by_the_same_signal() {
    for signal in [2, 9, 15, 34] {
        assert_eq!(status(&["--mirror-signal", "--", probe_path(), "die", &signal.to_string()]), -signal);
    }
    assert_eq!(status(&["--mirror-signal", "--", probe_path(), "exit", "7"]), 7);
}

#[test]
fn mirror_signal_as_pid_1_is_128_and_its_number() {
    require(namespace::available());
    let finished = Rinit::with(&["--mirror-signal"]).probe(&["die", "15"]).as_pid_1().start().finish();
    assert_eq!(finished.code, 143);
}

#[test]
fn a_code_can_be_reported_as_0() {
    everywhere(Rinit::with(&["-e", "143"]).probe(&["die", "TERM"]), |finished| assert_eq!(finished.code, 0));
    everywhere(Rinit::with(&["-e", "143", "-e", "3"]).probe(&["exit", "3"]), |finished| assert_eq!(finished.code, 0));
    everywhere(Rinit::with(&["-e", "143"]).probe(&["exit", "4"]), |finished| assert_eq!(finished.code, 4));
}

#[test]
fn a_program_that_is_not_there_is_127() {
    for program in ["no-such-program", "/no/such/program", "./no-such-program"] {
        everywhere(Rinit::new().program(&[program]), |finished| {
            assert_eq!(finished.code, 127);
            assert_eq!(finished.err.len(), 1, "{:?}", finished.err);
            assert!(finished.err[0].starts_with("rinit: ") && finished.err[0].contains(program), "{:?}", finished.err);
        });
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_126() {
    let directory = tempfile::tempdir().expect("a directory");
    for (text, mode, named) in
        [("#!/bin/sh\n", "0644", "script"), ("#!/no/such/interpreter -x\n", "0755", "/no/such/interpreter")]
    {
        let path = script(directory.path(), text, mode);
        let finished = Rinit::new().program(&[&path]).run();
        assert_eq!(finished.code, 126, "{text:?}: {:?}", finished.err);
        assert_eq!(finished.err.len(), 1, "{:?}", finished.err);
        assert!(finished.err[0].starts_with("rinit: ") && finished.err[0].contains(named), "{:?}", finished.err);
    }
    let directory = directory.path().to_str().expect("UTF-8");
    assert_eq!(status(&["--", directory]), 126, "a directory");
}

#[test]
fn bad_usage_is_125_and_one_line_and_nothing_is_started() {
    let directory = tempfile::tempdir().expect("a directory");
    let started = directory.path().join("started");
    let touch = ["touch", started.to_str().expect("UTF-8")];
    let wrong: &[(&[&str], &str)] = &[
        (&["--bogus"], "bogus"),
        (&["-Z"], "Z"),
        (&["--drain", "5x"], "5x"),
        (&["--drain", ""], "drain"),
        (&["--grace", "-1s"], "-1s"),
        (&["-r", "NOPE=TERM"], "NOPE"),
        (&["-r", "TERM"], "TERM"),
        (&["-r", "KILL=TERM"], "KILL"),
        (&["--stop-signal", "SIGNOPE"], "SIGNOPE"),
        (&["-e", "999"], "999"),
        (&["-e", "x"], "x"),
        (&["--to", "nobody"], "nobody"),
        (&["--forward", "some"], "some"),
        (&["--on-main-exit", "dance"], "dance"),
        (&["--env", "no-equals-sign"], "no-equals-sign"),
        (&["--workdir", "/no/such/directory"], "/no/such/directory"),
        (&["--user", "no-such-user"], "no-such-user"),
    ];
    for (options, named) in wrong {
        let finished = run(rinit(options.iter().chain(&["--"]).chain(&touch)));
        assert_eq!(finished.code, 125, "{options:?}: {:?}", finished.err);
        assert_eq!(finished.err.len(), 1, "{options:?}: {:?}", finished.err);
        assert!(finished.err[0].starts_with("rinit: "), "{:?}", finished.err);
        assert!(finished.err[0].contains(named), "{options:?}: {:?}", finished.err);
        assert_eq!(finished.out, Vec::<String>::new());
        assert!(!started.exists(), "{options:?} started the program");
    }
    for nothing in [&[][..], &["--"], &["-g"]] {
        let finished = run(rinit(nothing));
        assert_eq!((finished.code, finished.err.len()), (125, 1), "{nothing:?}: {:?}", finished.err);
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let mut command = rinit(["--", "true"]);
    command.env("RINIT_DRAIN", "soon");
    let finished = run(command);
    assert_eq!(finished.code, 125);
    assert!(finished.err[0].contains("RINIT_DRAIN") && finished.err[0].contains("soon"), "{:?}", finished.err);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for option in ["-h", "--help"] {
        let finished = run(rinit([option]));
        assert_eq!((finished.code, finished.err.len()), (0, 0));
        assert!(finished.out.iter().any(|line| line.contains("rinit [OPTIONS]")), "{:?}", finished.out);
    }
    let finished = run(rinit(["--version"]));
    assert_eq!(finished.code, 0);
    assert_eq!(finished.out, [format!("rinit {}", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn pause_exits_with_0_on_term_and_int() {
    require(namespace::available());
    for signal in [15, 2] {
        let mut pause = namespace::start(&rinit(["--pause"]));
        // Asleep: past its start, and a signal was blocked from its first instruction on anyway.
        support::wait_until("pause to sleep", || {
            support::procfs::read(pause.pid()).is_some_and(|process| process.state == 'S')
        });
        pause.signal(signal);
        assert_eq!(pause.wait(), 0);
    }
}

#[test]
fn a_closed_or_full_standard_error_breaks_nothing() {
    for state in [&["--close", "2"][..], &["--close", "0", "--close", "1", "--close", "2"]] {
        // `-vvv` and `-w` print lines.
        assert_eq!(Rinit::with(&["-vvv", "-w"]).probe(&["exit", "7"]).in_state(state).run().code, 7, "{state:?}");
    }
    // No process reads this pipe, and it is full.
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("a pipe");
    let own = writer.try_clone().expect("a copy");
    rustix::io::ioctl_fionbio(&own, true).expect("non-blocking");
    while rustix::io::write(&own, &[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&own, false).expect("blocking");
    let mut command = Rinit::with(&["-vvv", "-w"]).probe(&["exit", "7"]).command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
    assert_eq!(Running::start_bare(command).wait(), 7);
    drop(reader);
}

/// rinit has moved to `/` when main's execve fails; the cause must be found all the same.
#[test]
fn the_cause_is_found_for_a_relative_path() {
    let directory = tempfile::tempdir().expect("a directory");
    script(directory.path(), "#!/no/such/interpreter\n", "755");
    let mut command = rinit(["./script"]);
    command.current_dir(directory.path());
    let finished = run(command);
    assert_eq!(finished.code, 126, "{finished:?}");
    assert!(finished.err.join("").contains("its interpreter /no/such/interpreter is missing"), "{finished:?}");
}

/// The kernel refuses these, and a shell would run them as if the line were not there.
#[test]
fn a_first_line_without_an_interpreter_is_explained() {
    let directory = tempfile::tempdir().expect("a directory");
    for line in ["#!".to_owned(), format!("#!/{}", "x".repeat(300))] {
        let path = script(directory.path(), &format!("{line}\necho started\n"), "755");
        everywhere(Rinit::new().program(&[&path]), |finished| {
            assert_eq!((finished.code, finished.out.len()), (126, 0), "{finished:?}");
            let [line] = &finished.err[..] else { panic!("{finished:?}") };
            assert!(line.contains("names no interpreter, or one whose name is too long"), "{line}");
        });
    }
}

#[test]
fn a_loop_of_links_in_path_is_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let looped = directory.path().join("loop");
    std::os::unix::fs::symlink(&looped, &looped).expect("a link");
    let looped = looped.to_str().expect("UTF-8");
    let path = |rest: &str| format!("PATH={looped}:{rest}");
    let found = run(rinit(["--env", &path("/usr/bin:/bin"), "sh", "-c", "exit 7"]));
    assert_eq!((found.code, found.err.len()), (7, 0), "{found:?}");
    let missing = run(rinit(["--env", &path("/usr/bin:/bin"), "no-such-program"]));
    assert_eq!(missing.code, 127);
    assert!(missing.err.join("").contains("no-such-program: not found in PATH"), "{missing:?}");
}

/// `docker run IMAGE "npm start"`
#[test]
fn a_command_line_in_one_word_gets_a_hint() {
    everywhere(Rinit::new().program(&["npm start"]), |finished| {
        assert_eq!(finished.code, 127);
        let [line] = &finished.err[..] else { panic!("{finished:?}") };
        assert!(line.contains("there is a space in that name") && line.ends_with("([\"npm\", \"start\"])"), "{line}");
    });
}
