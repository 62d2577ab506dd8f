//! Errors name their input, and show it so that it cannot control a terminal or forge a line.
#![allow(unsafe_code)] // `set_var`.

use rinit_core::child::Resource;
use rinit_core::signal::Rewrite;
use rinit_core::{ChildSpec, Error, Reaper, Signal, User};
use std::fmt::Display;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use support::test;

/// An escape sequence, a line of its own, and a character that turns the writing direction.
const HOSTILE: &str = "x\x1b[31m\nrinit y\u{202e}";
/// What may be shown of it.
const SHOWN: &str = r"x\u{1b}[31m\nrinit y\u{202e}";

#[track_caller]
fn assert_shown(error: impl Display) {
    let text = error.to_string();
    assert!(text.contains(SHOWN), "{text:?}");
    let harmful = |c: &char| c.is_control() || *c == '\u{202e}';
    assert_eq!(text.chars().find(harmful), None, "{text:?}");
}

#[test]
fn a_text_that_is_not_a_signal_is_quoted() {
    let error = "SIGNOPE".parse::<Signal>().expect_err("no signal");
    assert!(error.to_string().starts_with("'SIGNOPE': not a signal"), "{error}");
    assert_shown(HOSTILE.parse::<Signal>().expect_err("no signal"));
    let quoted = "TERM'".parse::<Signal>().expect_err("no signal").to_string();
    assert!(quoted.starts_with(r"'TERM\'': not a signal"), "{quoted}");
    // An input of any length makes a line of some length.
    let long = "9".repeat(1 << 20).parse::<Signal>().expect_err("no signal").to_string();
    assert!(long.len() < 4096, "{}", long.len());
}

#[test]
fn a_text_that_is_not_a_rule_is_quoted() {
    let mut rewrite = Rewrite::default();
    let mut refused = |rule: &str| rewrite.add(rule).expect_err("no rule").to_string();
    assert!(refused("TERM").starts_with("'TERM': not a rewriting rule"), "{}", refused("TERM"));
    assert!(refused("TERM=NOPE").starts_with("'NOPE': not a signal"), "{}", refused("TERM=NOPE"));
    assert!(refused("KILL=TERM").starts_with("'KILL=TERM': SIGKILL"), "{}", refused("KILL=TERM"));
    assert_shown(refused(HOSTILE));
    assert_shown(refused(&format!("TERM={HOSTILE}")));
    assert_shown(refused(&format!("KILL={HOSTILE}")));
}

#[test]
fn a_name_that_is_not_a_user_is_escaped() {
    for spec in [HOSTILE.to_owned(), format!("0:{HOSTILE}")] {
        assert_shown(User::resolve_in(&spec, b"", b"").expect_err("no user"));
    }
}

#[test(own_process)]
fn a_failed_start_names_its_cause() {
    let reaper = Reaper::exclusive().expect("a reaper");
    let refused = |spec: ChildSpec| reaper.spawn(&spec).expect_err("it cannot start");
    assert_shown(refused(ChildSpec::new(HOSTILE)));
    assert_shown(refused(ChildSpec::new(format!("/no/such/{HOSTILE}"))));
    assert_shown(refused(ChildSpec::new("true").current_dir(format!("/no/such/{HOSTILE}"))));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join(HOSTILE);
    std::fs::write(&file, "").expect("write");
    assert_shown(refused(ChildSpec::new(&file)));
}

/// Which of several limits was refused.
#[test(own_process)]
fn a_refused_limit_is_named() {
    let reaper = Reaper::exclusive().expect("a reaper");
    let limited = || ChildSpec::new("true").rlimit(Resource::Core, Some(0), Some(0));
    let refused = |spec: ChildSpec| reaper.spawn(&spec).expect_err("it cannot start");
    // The soft limit is above the hard one.
    let error = refused(limited().rlimit(Resource::OpenFiles, Some(9), Some(8)).rlimit(Resource::Cpu, None, None));
    assert!(matches!(error, Error::Limit { resource: Resource::OpenFiles, .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot set RLIMIT_NOFILE of the new process: "), "{error}");
    assert!(error.to_string().ends_with(": the soft limit is above the hard one"), "{error}");
    // Through a contained job's rinit as well.
    let spec = limited().rlimit(Resource::Stack, Some(9), Some(8)).contain().by_this_program();
    let error = spec.start().expect_err("it cannot start");
    assert!(matches!(error, Error::Limit { resource: Resource::Stack, .. }), "{error:?}");
    if rustix::process::geteuid().is_root() {
        return;
    }
    let error = refused(limited().nice(-20));
    assert!(matches!(error, Error::Nice(_)) && error.to_string().contains("nice value"), "{error:?}");
}

#[test(own_process)]
fn a_job_that_cannot_be_contained_names_its_cause() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = || ChildSpec::new("true").contain().start_timeout(Duration::from_millis(200));
    let script = directory.path().join(HOSTILE);
    let contained_by = |text: &str| {
        std::fs::write(&script, format!("#!/bin/sh\n{text}\n")).expect("write");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("chmod");
        job().rinit(&script).start().expect_err("it is not an rinit")
    };
    assert_shown(contained_by("exit 3"));
    assert_shown(contained_by("exec sleep 1000"));
    assert_shown(contained_by(r#"eval "printf '\003\002\000\000\000\011\000' >&$2"; exec sleep 1000"#));
    assert_shown(job().rinit(format!("/no/such/{HOSTILE}")).start().expect_err("there is none"));
    assert_shown(job().by_this_program().cgroup(format!("/no/such/{HOSTILE}")).start().expect_err("there is none"));
    // What is not an rinit may answer anything: kind 2, a failure in words of its own.
    assert_shown(contained_by(
        r#"eval "printf '\002\026\000\000\000\000\021\000\000\000x\033[31m\nrinit y\342\200\256' >&$2"; exec sleep 1000"#,
    ));
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("PATH", format!("/no/{HOSTILE}")) };
    assert_shown(job().start().expect_err("it is not in PATH"));
}
