//! `--quiet`, `--log-format json`, and what is said without options.

use std::io::Write;
use std::process::{Command, Stdio};
use support::rinit::Rinit;
use support::running::Finished;
use support::{needs, require, test};

/// Main is terminated by a signal that it sends to itself.
fn dies(options: &[&str], signal: i32) -> Finished {
    Rinit::with(options).probe(&["die", &signal.to_string()]).run()
}

#[test]
fn a_signal_that_rinit_did_not_send_is_said_in_one_line() {
    for (signal, name) in [(1, "SIGHUP"), (10, "SIGUSR1"), (11, "SIGSEGV"), (9, "SIGKILL"), (15, "SIGTERM")] {
        let finished = dies(&[], signal);
        assert_eq!(finished.code, 128 + signal);
        let [line] = &finished.err[..] else { panic!("{name}: {finished:?}") };
        assert!(line.starts_with("rinit: main (pid ") && line.contains(name), "{line}");
        assert!(line.ends_with("; rinit did not send that signal"), "{line}");
        assert_eq!(dies(&["--quiet"], signal).err, Vec::<String>::new(), "{name}");
    }
    // A terminal's ^C, and the reader of main's pipe that goes away.
    for signal in [2, 13] {
        assert_eq!(dies(&[], signal).err, Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn a_signal_that_rinit_forwarded_is_not() {
    for signal in [1, 10, 15] {
        Rinit::new().probe(&["sleep"]).everywhere(|mut running| {
            running.out.wait("ready");
            running.signal(signal);
            let finished = running.finished();
            assert_eq!((finished.code, finished.err.len()), (128 + signal, 0), "{finished:?}");
        });
    }
    let mut running = Rinit::with(&["--grace", "0", "-q"]).probe(&["ignore", "TERM"]).start();
    running.out.wait("ready");
    running.signal(15);
    let finished = running.finished();
    assert_eq!((finished.code, finished.err.len()), (137, 0), "quiet: {finished:?}");
}

#[test]
fn errors_are_said_in_quiet_too() {
    for rinit in [Rinit::with(&["-q"]), Rinit::new().env("RINIT_QUIET", "1")] {
        let finished = rinit.program(&["/no/such"]).run();
        assert_eq!((finished.code, finished.err), (127, vec!["rinit: /no/such: not found: no such file".to_owned()]));
    }
}

#[test]
fn verbosity_from_a_variable() {
    let said = |rinit: Rinit| rinit.program(&["true"]).run().err.len();
    assert_eq!(said(Rinit::new().env("RINIT_VERBOSE", "1")), 2);
    assert_eq!(said(Rinit::with(&["-q"]).env("RINIT_VERBOSE", "1")), 0, "the flag wins");
    assert_eq!(said(Rinit::with(&["-v"]).env("RINIT_QUIET", "1")), 2, "the flag wins");
}

#[test]
fn a_stop_that_is_held_back_is_said_once() {
    let mut running = Rinit::with(&["--stop-delay", "1000s"]).probe(&["signals", "--exit-on", "TERM:6"]).start();
    running.out.wait("ready");
    running.signal(15);
    running.err.wait("holding SIGTERM back for 1000 s (--stop-delay)");
    running.signal(15);
    let finished = running.finished();
    assert_eq!((finished.code, finished.err.len()), (6, 1), "{finished:?}");
}

/// What `jq` makes of the lines.
#[track_caller]
fn jq(filter: &str, lines: &[String]) -> Vec<String> {
    let mut jq = Command::new("jq");
    let mut jq = jq.args(["-r", filter]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("jq");
    jq.stdin.take().expect("a pipe").write_all(lines.join("\n").as_bytes()).expect("write to jq");
    let output = jq.wait_with_output().expect("jq");
    assert!(output.status.success(), "{lines:#?}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn json_lines_have_their_fields() {
    require(needs::programs(&["jq"]));
    // A helper that ignores TERM is named with its reason, and killed.
    let script = "\"$0\" ignore TERM & read line; exit 3";
    let options = ["--log-format", "json", "-vvv", "--drain", "200ms"];
    let mut running = Rinit::with(&options).program(&["sh", "-c", script, support::probe_path()]).start();
    running.out.wait("ready");
    // It terminates the shell. Its standard input stays open until then: at its end the shell would exit by itself.
    running.signal(10);
    running.err.wait("main-exited");
    let finished = running.finished();
    let lines = &finished.err;
    let common = "[.schema, (.time | test(\"^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\\\.[0-9]{3}Z$\")), (.message | length > 0), \
                  (.level | IN(\"debug\", \"info\", \"warning\", \"error\"))] | @csv";
    assert_eq!(jq(common, lines), vec!["1,true,true,true"; lines.len()], "{lines:#?}");
    let select = |event: &str, fields: &str| jq(&format!("select(.event == \"{event}\") | [{fields}] | @csv"), lines);
    assert_eq!(select("signal-received", ".signal")[0], "\"SIGUSR1\"");
    assert_eq!(select("main-started", ".pid > 1, .level"), ["true,\"info\""]);
    assert_eq!(select("main-exited", ".pid > 1, (.exit_status // .signal)"), ["true,\"SIGUSR1\""]);
    let survivors = select(
        "survivor",
        ".pid > 1, .ppid > 0, (.command | contains(\"ignore TERM\")), .reason, (.reason_text | length > 0), .uid, .age >= 0",
    );
    assert!(
        survivors.iter().any(|line| line.starts_with("true,true,true,\"ignores\",true,")),
        "{survivors:?} {lines:#?}"
    );
    assert!(
        select("remaining", ".step, .processes, .main_exit_status, .limit")
            .contains(&"\"kill\",1,138,\"drain\"".to_owned()),
        "{lines:#?}"
    );
    assert_eq!(select("signal-sent", ".signal").last().map(String::as_str), Some("\"SIGKILL\""));
}

#[test]
fn failures_are_json_too() {
    require(needs::programs(&["jq"]));
    let fields = "[.event, .level, .exit_status, (.remedy // \"none\")] | @csv";
    for rinit in [Rinit::with(&["--log-format=json"]), Rinit::new().env("RINIT_LOG_FORMAT", "json")] {
        let finished = rinit.clone().program(&["/no/such"]).run();
        assert_eq!(
            (finished.code, jq(fields, &finished.err)),
            (127, vec!["\"failed\",\"error\",127,\"none\"".to_owned()])
        );
        let finished = rinit.clone().program(&["npm start"]).run();
        assert_eq!((finished.code, jq(".remedy | length > 0", &finished.err)), (127, vec!["true".to_owned()]));
    }
    let finished = Rinit::with(&["--log-format=json", "--grace", "\"\x1b"]).program(&["true"]).run();
    assert_eq!(jq(fields, &finished.err), ["\"bad-usage\",\"error\",125,\"none\""]);
    assert!(!finished.err[0].contains('\x1b'), "{finished:?}");
}
