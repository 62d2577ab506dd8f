//! The programs under test, built by cargo as it has built the running test program: in the same profile and directory.

use crate::refusal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The rinit under test: [`rinit_binary`], or, with `RINIT_TEST_REFUSE`, what runs it without some system calls.
pub fn rinit_path() -> PathBuf {
    refusal::stand_in().unwrap_or_else(rinit_binary)
}

/// The rinit that cargo has just built, or `RINIT_TEST_BIN` to run the same tests with another init. For tests that need a copy:
/// it is a program that can be started from anywhere.
pub fn rinit_binary() -> PathBuf {
    std::env::var_os("RINIT_TEST_BIN").map_or_else(|| programs().join("rinit"), PathBuf::from)
}

/// The probe's path.
pub fn probe_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| programs().join("probe").to_str().expect("the target directory's name is UTF-8").to_owned())
}

/// Cargo's target directory.
pub fn target_directory() -> &'static Path {
    let directory = profile_directory();
    // Cargo tags it when it makes it. It is its profiles' parent where it was there before, as for `--target-dir target/static`.
    let tagged = directory.ancestors().find(|above| above.join("CACHEDIR.TAG").exists());
    tagged.or(directory.parent()).unwrap_or(directory)
}

/// An example of rinit-core.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    cargo_build(&["--example", name]);
    profile_directory().join("examples").join(name)
}

/// Where this profile's programs are: this one is `…/target/debug/deps/NAME-HASH`, or has `--target`'s triple in its path, too.
fn profile_directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let this = std::env::current_exe().expect("the path of this program");
        let directory = this.ancestors().find(|above| above.file_name().is_some_and(|name| name == "deps"));
        directory.and_then(Path::parent).expect("a directory of cargo's").to_owned()
    })
}

/// Says that rinit and the probe are up to date: to a test in a process of its own, and on machines without cargo (`.ci/qemu`).
pub(crate) const BUILT: &str = "RINIT_TEST_BUILT";

/// Builds rinit and the probe once for each test program. Only cargo knows whether they are up to date.
pub(crate) fn programs() -> &'static Path {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        if std::env::var_os(BUILT).is_none() {
            cargo_build(&["--bin", "rinit", "--bin", "probe"]);
        }
    });
    profile_directory()
}

#[track_caller]
fn cargo_build(what: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    // Of the whole workspace, as `cargo test --workspace` does: with the features of fewer packages the dependencies would be
    // compiled once more.
    cargo.args(["build", "--quiet", "--workspace"]).args(what);
    let directory = profile_directory();
    cargo.arg("--target-dir").arg(target_directory());
    match directory.file_name().and_then(|name| name.to_str()).expect("UTF-8") {
        "debug" => {}
        profile => drop(cargo.args(["--profile", profile])),
    }
    let above = directory.parent().expect("a directory");
    if above != target_directory() {
        cargo.arg("--target").arg(above.file_name().expect("a triple"));
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build {what:?} fails");
}
