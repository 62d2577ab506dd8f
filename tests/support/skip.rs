//! Tests that cannot run on this machine: each says why, and all reasons are shown together at the end of `cargo test`.
//!
//! Under CI nothing is skipped: there a test that cannot run fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::panic::resume_unwind;
use std::path::PathBuf;

/// What a test unwinds with when it cannot run.
pub(crate) struct Skipped(pub(crate) String);

thread_local! {
    static PARTIAL: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Ends the test, which counts as ignored for that reason.
#[track_caller]
pub fn skip(why: impl Display) -> ! {
    refuse_under_ci(&why);
    // Not a panic: nothing is wrong, and the hook need not say anything.
    resume_unwind(Box::new(Skipped(why.to_string())))
}

/// The value, or [`skip`] with the error.
///
/// ```ignore
/// require(namespace::available());
/// ```
#[track_caller]
pub fn require<T>(possible: Result<T, impl Display>) -> T {
    possible.unwrap_or_else(|why| skip(why))
}

/// Notes that a part of the test cannot run, and returns. The test counts as ignored, but for a failure of the other parts.
#[track_caller]
pub fn skip_part(why: impl Display) {
    refuse_under_ci(&why);
    let why = format!("in part: {why}");
    PARTIAL.with_borrow_mut(|reasons| {
        if !reasons.contains(&why) {
            reasons.push(why);
        }
    });
}

/// The value, or nothing after [`skip_part`] with the error.
#[track_caller]
pub fn require_for_part<T>(possible: Result<T, impl Display>) -> Option<T> {
    possible.map_err(skip_part).ok()
}

#[track_caller]
fn refuse_under_ci(why: &impl Display) {
    assert!(std::env::var_os("CI").is_none(), "cannot run, and CI skips nothing: {why}");
}

/// The reasons of parts of the test that this thread runs.
pub(crate) fn take_partial() -> Vec<String> {
    PARTIAL.take()
}

/// Where the programs of one `cargo test` leave their reasons. They all have the same cargo as their parent.
fn file(cargo: u32) -> PathBuf {
    crate::target_directory().join("tmp/skipped").join(cargo.to_string())
}

fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Adds a skipped test to what [`summary`] shows.
pub(crate) fn record(test: &str, reason: &str) {
    let file = file(parent());
    let directory = file.parent().expect("a directory");
    let line = format!("{test}\t{}\n", reason.replace(['\t', '\n'], " "));
    // One write for a line: other threads append, too.
    let added = fs::create_dir_all(directory)
        .and_then(|()| OpenOptions::new().append(true).create(true).open(&file))
        .and_then(|mut file| file.write_all(line.as_bytes()));
    added.unwrap_or_else(|error| eprintln!("{}: {error}", file.display()));
}

/// Prints how many tests this `cargo test` has skipped, why, and what makes them run.
pub fn summary() {
    let own = file(parent());
    let text = fs::read_to_string(&own).unwrap_or_default();
    let _ = fs::remove_file(&own);
    forget_others(&own);
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (test, reason) in text.lines().filter_map(|line| line.split_once('\t')) {
        reasons.entry(reason).or_default().push(test);
    }
    let mut tests: Vec<&str> = reasons.values().flatten().copied().collect();
    tests.sort_unstable();
    tests.dedup();
    if tests.is_empty() {
        return println!("\nno test was skipped");
    }
    println!("\n{} tests could not run here, or not all of them:", tests.len());
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, tests)| std::cmp::Reverse(tests.len()));
    for (reason, tests) in reasons {
        println!("{:5}  {reason}", tests.len());
    }
    // It installs what is missing, starts a Docker engine if there is none, and skips nothing.
    let sudo = if crate::is_root() { "" } else { "sudo env \"PATH=$PATH\" \"HOME=$HOME\" " };
    println!("\nto run them all, on a Debian machine: {sudo}bash .ci/tests");
}

/// Removes what was left by runs that failed, and so had no summary.
fn forget_others(own: &std::path::Path) {
    let directory = own.parent().expect("a directory");
    for file in fs::read_dir(directory).into_iter().flatten().flatten() {
        let runs = file.file_name().to_str().is_some_and(|pid| PathBuf::from("/proc").join(pid).exists());
        if !runs {
            let _ = fs::remove_file(file.path());
        }
    }
}
