//! What the integration tests share: waiting for conditions, running rinit, PID namespaces, terminals, Docker.
//!
//! Every process, container and image that a test starts belongs to a guard that ends it when the test does, also when it
//! fails. Nothing here sleeps for a fixed time and hopes: whatever is waited for has a condition and a deadline.
#![allow(dead_code)] // Each test file uses a part.

pub(crate) mod budget;
pub(crate) mod docker;
pub(crate) mod examples;
pub(crate) mod faults;
pub(crate) mod namespace;
pub(crate) mod procfs;
pub(crate) mod random;
pub(crate) mod refusal;
pub(crate) mod rootfs;
pub(crate) mod running;
pub(crate) mod static_build;
pub(crate) mod terminal;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// When waiting is given up. Long, so that a busy machine is not taken for a failure: a test that passes never waits so.
/// `RINIT_TEST_DEADLINE`, in seconds, is for those who work on a failing test.
pub(crate) fn deadline() -> Duration {
    let seconds = std::env::var("RINIT_TEST_DEADLINE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(90))
}

/// Waits until the condition holds; panics with `what` at the deadline.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until there is something, and returns it; panics with `what` at the deadline.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Says that a test cannot run on this machine, and why. Under CI that is a failure: there everything runs.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "cannot run, and CI skips nothing: {why}");
    eprintln!("skipped: {why}");
}

/// Leaves the test with [`skip`] if the expression, a `Result<_, String>`, is an error; its value otherwise.
#[macro_export]
macro_rules! or_skip {
    ($possible:expr) => {
        match $possible {
            Ok(value) => value,
            Err(why) => return $crate::support::skip(&why),
        }
    };
}

/// The rinit under test: [`rinit_binary`], or, with `RINIT_TEST_REFUSE`, what runs it without some system calls.
pub(crate) fn rinit_path() -> PathBuf {
    refusal::stand_in().unwrap_or_else(rinit_binary)
}

/// The rinit that cargo has just built, or `RINIT_TEST_BIN` to hold another init against the same tests. For those who need
/// a copy: it is a program that can be started from anywhere.
pub(crate) fn rinit_binary() -> PathBuf {
    std::env::var_os("RINIT_TEST_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_rinit")), PathBuf::from)
}

/// Cargo's target directory.
pub(crate) fn target_directory() -> &'static Path {
    // …/target/debug/rinit
    let binary = Path::new(env!("CARGO_BIN_EXE_rinit"));
    binary.ancestors().nth(2).unwrap_or(binary)
}

/// The probe, which `cargo test` builds with the examples; `cargo test --test NAME` does not, so it is built here then.
pub(crate) fn probe_path() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let path = Path::new(env!("CARGO_BIN_EXE_rinit")).with_file_name("examples").join("probe");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/probe");
        let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        let newest =
            std::fs::read_dir(sources).into_iter().flatten().flatten().filter_map(|file| changed(&file.path())).max();
        if changed(&path).is_none() || changed(&path) < newest {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--quiet", "-p", "rinit-cli", "--example", "probe"]);
            let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
            assert!(built.is_ok_and(|status| status.success()), "the probe does not build");
        }
        path.to_str().expect("the target directory's name is UTF-8").to_owned()
    })
}

/// `rinit ARGUMENTS…`
pub(crate) fn rinit<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(rinit_path());
    command.args(arguments);
    let is_setting = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"RINIT_") && !name.starts_with(b"RINIT_TEST_")
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        // A developer's own settings are not the test's.
        command.env_remove(name);
    }
    command
}

/// `probe ARGUMENTS…`
pub(crate) fn probe<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(probe_path());
    command.args(arguments);
    command
}

/// The words of `probe launch STATE… -- rinit OPTIONS… -- probe PROGRAM…`, as one list: rinit started in a state.
pub(crate) fn launch(state: &[&str], options: &[&str], program: &[&str]) -> Vec<String> {
    let rinit = rinit_path().to_str().expect("UTF-8").to_owned();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    [
        words(&["launch"]),
        words(state),
        words(&["--"]),
        vec![rinit],
        words(options),
        words(&["--", probe_path()]),
        words(program),
    ]
    .concat()
}

/// True as root, which Docker's image building and the Debian root file system need.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A file of the repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// True if the program is in PATH.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
