//! The examples of rinit-core, as programs that a test can start.

use super::{static_build, target_directory};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An example as `cargo test` builds it; `cargo test --test NAME` does not, and cargo itself knows whether it is up to date.
#[track_caller]
pub(crate) fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "rinit-core", "--example", name]);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "the example {name} does not build");
    target_directory().join("debug/examples").join(name)
}

/// The same as a static program, for images `FROM scratch`.
#[track_caller]
pub(crate) fn static_example(name: &str) -> PathBuf {
    static_build::build("rinit-core", &["--example", name]).join("examples").join(Path::new(name))
}
