//! The documentation's examples compile and run.

use std::process::Command;
use support::{in_repository, target_directory, test};

/// Cargo itself would run them last, and print some hundred lines after the list of skipped tests.
#[test]
fn every_example_runs() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--doc", "--workspace", "--target-dir"]).arg(target_directory());
    let output = cargo.current_dir(in_repository("")).output().expect("run cargo");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains(" passed; 0 failed"), "no example was found: {out}");
}
