//! `cargo add rinit-core` in a new project, with the crate as it would be published: nothing of this repository is near it.
//!
//! The project's `main` is the first example of `docs/embedding.md`, word for word.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::test;

/// Cargo, without what the cargo that runs this test has put into the environment, and without the network.
fn cargo(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(words).arg("--offline").current_dir(directory);
    let of_cargo = |name: &str| name.starts_with("CARGO_PKG") || name.starts_with("CARGO_MANIFEST");
    for (name, _) in std::env::vars().filter(|(name, _)| of_cargo(name)) {
        command.env_remove(name);
    }
    // Kept between runs, so that the dependencies are built once.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaged"));
    command.output().expect("run cargo")
}

#[track_caller]
fn cargo_ok(directory: &Path, words: &[&str]) {
    let output = cargo(directory, words);
    assert!(output.status.success(), "cargo {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn first_example(page: &str) -> String {
    let (_, rest) = page.split_once("```rust,no_run\n").expect("an example");
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn ten_lines_in_a_new_project() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    cargo_ok(&repository, &["package", "--package", "rinit-core", "--no-verify", "--allow-dirty", "--quiet"]);
    let directory = tempfile::tempdir().expect("a directory");
    let name = concat!("rinit-core-", env!("CARGO_PKG_VERSION"));
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("packaged/package").join(format!("{name}.crate"));
    let unpacked = Command::new("tar").arg("xf").arg(package).current_dir(directory.path()).status().expect("tar");
    assert!(unpacked.success());
    let sources = directory.path().join(name);
    assert!(sources.join("examples/split.rs").exists(), "the examples are published, too");

    cargo_ok(directory.path(), &["new", "--quiet", "--vcs", "none", "service"]);
    let project = directory.path().join("service");
    cargo_ok(&project, &["add", "--quiet", "rinit-core", "--path", sources.to_str().expect("UTF-8")]);
    // The versions that this machine has; cargo leaves out what the project does not need.
    std::fs::copy(repository.join("Cargo.lock"), project.join("Cargo.lock")).expect("copy Cargo.lock");
    let page = std::fs::read_to_string(repository.join("docs/embedding.md")).expect("docs/embedding.md");
    let main = first_example(&page);
    assert!(main.lines().count() <= 10, "{main}");
    std::fs::write(project.join("src/main.rs"), main).expect("write main.rs");
    let output = cargo(&project, &["run", "--quiet"]);
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*said), (Some(3), "hello\n"), "{complaints}");
}
