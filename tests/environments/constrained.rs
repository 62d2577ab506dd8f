//! Poor surroundings: no /proc, a /proc that hides others, few descriptors, few processes, nothing that can be written.

use std::process::Command;
use support::namespace::as_pid_1;
use support::running::{Finished, Running, run};
use support::{is_root, namespace, needs, probe_path, require, rinit_binary, rinit_path, test};

/// A shell as PID 1 that prepares its namespace and then is rinit: `script` ends in `exec "$@"` of its own accord.
fn prepared(script: &str, rinit: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script} || exit 90; exec \"$@\""), "sh"]).arg(rinit_path()).args(rinit);
    as_pid_1(&shell)
}

/// Main, one helper that cleans up and one that ignores TERM.
const MAIN: [&str; 8] = ["with-helper", "5", "slow-term", "50", "0", "+", "ignore", "TERM"];

/// Starts that under rinit in the prepared namespace, stops it, and looks at the end.
#[track_caller]
fn stopped(script: &str) -> Finished {
    let mut running = Running::start(prepared(script, &[&["--drain", "1s", "--", probe_path()], &MAIN[..]].concat()));
    running.out.wait_nth("ready", 3);
    namespace::find_init(&mut running);
    running.signal(15);
    let finished = running.finished();
    assert_eq!(running.left().len(), 0);
    finished
}

#[track_caller]
fn nothing_is_missing(script: &str) {
    let finished = stopped(script);
    let said = finished.err.join("\n");
    assert_eq!(finished.code, 5, "{said}");
    assert!(finished.out.contains(&"done".to_owned()), "{:?} {said}", finished.out);
    assert!(said.contains("killing (SIGKILL) 1 process") && said.contains("ignores SIGTERM"), "{said}");
}

/// No process can be named then, but all are sent SIGTERM, and in the end killed.
#[test]
fn without_proc() {
    require(namespace::available());
    for hide in ["umount -l /proc", "mount -t tmpfs none /proc"] {
        let finished = stopped(hide);
        assert_eq!(finished.code, 5, "{:?}", finished.err);
        assert!(finished.out.contains(&"done".to_owned()), "{finished:?}");
        let said = finished.err.join("\n");
        assert!(said.contains("killing (SIGKILL) all processes of the PID namespace, without a name: "), "{said}");
    }
    // Of another PID namespace: its numbers name unrelated processes.
    let mut unshare = Command::new("unshare");
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.args(["--pid", "--fork", "--kill-child=KILL"]).arg(rinit_path());
    unshare.args(["--drain", "1s", "--", probe_path()]).args(["with-helper", "--at-once"]).args(&MAIN[1..]);
    let mut running = Running::start(unshare);
    let finished = running.finished();
    assert_eq!((finished.code, running.left().len()), (5, 0), "{:?}", finished.err);
    assert!(finished.out.contains(&"done".to_owned()), "{finished:?}");
}

/// If rinit is not PID 1, `kill(-1)` would take the machine down: it signals main's group.
#[test]
fn without_proc_as_a_subreaper() {
    require(namespace::available());
    let script = "umount -l /proc; \"$@\"; code=$?; echo code=$code; exit $code; true";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(rinit_path()).args(["--drain", "1s", "--", probe_path()]);
    shell.args(["with-helper", "--at-once"]).args(&MAIN[1..]);
    let mut running = Running::start(as_pid_1(&shell));
    let finished = running.finished();
    assert_eq!(finished.code, 5, "{:?}", finished.err);
    assert!(finished.out.contains(&"done".to_owned()), "{finished:?}");
    assert_eq!(running.left().len(), 0);
}

#[test]
fn a_proc_that_hides_others() {
    require(namespace::available());
    nothing_is_missing("mount -t proc -o hidepid=2 proc /proc");
    nothing_is_missing("mount -t proc -o hidepid=1 proc /proc");
}

/// /proc hides a program with a set-user-ID bit from the user who has started it, and who may signal it.
#[test]
fn a_helper_of_another_user_behind_hidepid() {
    for hidepid in 1..=2 {
        let said = with_a_helper_behind(hidepid, "500ms", "probe ignore TERM");
        let killed = "which /proc does not show to this user (hidepid)";
        assert!(said.contains("killing (SIGKILL) pid ") && said.contains(killed), "{said}");
        // Nothing but TERM ends it in time.
        assert_eq!(with_a_helper_behind(hidepid, "600s", "probe sleep"), "");
    }
}

fn with_a_helper_behind(hidepid: u8, drain: &str, helper: &str) -> String {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    // Readable by every user, wherever the target directory is.
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let copy = format!(
        "chmod 755 {path} && cp {} {path}/rinit && cp {probe} {path}/probe && mkdir {path}/root && \
         cp {probe} {path}/root/probe && chmod 4755 {path}/root/probe",
        rinit_binary().display(),
        probe = probe_path()
    );
    let user = "setpriv --reuid 54321 --regid 54321 --clear-groups";
    let script = format!(
        "mount -t proc -o hidepid={hidepid} proc /proc && {copy} && exec {user} {path}/rinit --drain {drain} -- sh -c \
         '{path}/root/{helper} & read line; exit 5'"
    );
    let mut running = Running::start(prepared(&script, &[]));
    running.out.wait("ready");
    running.type_in("\n");
    assert_eq!(running.wait(), 5, "{:?}", running.err.all());
    support::wait_until("the kernel to end the namespace", || running.left().is_empty());
    running.finished().err.join("\n")
}

#[test]
fn nothing_can_be_written() {
    require(namespace::available());
    require(needs::root());
    nothing_is_missing("mount -o remount,bind,ro /");
}

#[test]
fn no_devices() {
    require(namespace::available());
    nothing_is_missing("mount -t tmpfs -o ro none /dev");
}

/// The standard three, and two for a pipe at the start, or a file and a pidfd later: five are enough.
#[test]
fn few_descriptors() {
    require(namespace::available());
    for most in [8, 6, 5] {
        nothing_is_missing(&format!("ulimit -n {most}"));
    }
    // Not even the pipe over which a failed start would be reported.
    let finished = run(prepared("ulimit -n 4", &["--", probe_path(), "exit", "0"]));
    assert_eq!((finished.code, finished.err.len()), (125, 1), "{:?}", finished.err);
    assert!(finished.err[0].starts_with("rinit: cannot start a process: pipe: "), "{:?}", finished.err);
}

#[test]
fn no_process_is_left_to_the_user() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv", "prlimit"]));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let copy =
        format!("chmod 755 {path} && cp {} {path}/rinit && cp {} {path}/probe", rinit_binary().display(), probe_path());
    // Another user than any other test's: the limit is the user's, and counts on the whole machine.
    let user = "setpriv --reuid 54322 --regid 54322 --clear-groups";
    let limited =
        |most: u32, rest: &str| format!("{copy} && exec prlimit --nproc={most} -- {user} {path}/rinit {rest}");
    let finished = run(prepared(&limited(1, &format!("-- {path}/probe exit 0")), &[]));
    assert_eq!((finished.code, finished.err.len()), (125, 1), "{:?}", finished.err);
    assert!(finished.err[0].starts_with("rinit: cannot start a process: fork: "), "{:?}", finished.err);
    // Main fills it up: no process can fork any more, and the stop does not need to.
    let mut running = Running::start(prepared(&limited(20, &format!("-- {path}/probe fill")), &[]));
    running.out.wait("full ");
    namespace::find_init(&mut running);
    running.signal(15);
    let finished = running.finished();
    assert_eq!((finished.code, running.left().len()), (143, 0), "{:?}", finished.err);
    // A second rinit below it has no process for its main.
    let inner = format!("-- {path}/probe fill {path}/rinit -- {path}/probe exit 0");
    let finished = run(prepared(&limited(20, &inner), &[]));
    assert_eq!(finished.code, 125, "{:?}", finished.err);
    assert!(finished.err[0].starts_with("rinit: cannot start a process: fork: "), "{:?}", finished.err);
}

/// As an ordinary user, in a user namespace of its own.
#[test]
fn a_user_namespace_without_root() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let words = MAIN.join(" ");
    let script = format!(
        "chmod 755 {path} && cp {} {path}/rinit && cp {} {path}/probe && exec setpriv --reuid 54323 --regid 54323 \
         --clear-groups unshare --user --map-root-user --pid --fork --kill-child=KILL --mount-proc -- \
         {path}/rinit --drain 1s -- {path}/probe with-helper --at-once {}",
        rinit_binary().display(),
        probe_path(),
        words.strip_prefix("with-helper ").unwrap_or_default()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    let mut running = Running::start(shell);
    let finished = running.finished();
    assert_eq!((finished.code, running.left().len()), (5, 0), "{:?}", finished.err);
    assert!(finished.out.contains(&"done".to_owned()), "{finished:?}");
}
