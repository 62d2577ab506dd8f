//! `cargo add rinit-core` in a new project, with the crate as it would be published: nothing of this repository is near it.
//!
//! The project's `main` is the first example of `docs/embedding.md`, word for word.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{require, test};

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

/// The standard library of a system that this machine has none for: as much of it as the compiler needs to get to the sentence.
const STAND_IN: &str = "\
    #![feature(no_core, rustc_attrs)]\n\
    #![no_core]\n\
    #[rustc_builtin_macro]\n\
    #[macro_export]\n\
    macro_rules! compile_error { ($message:expr $(,)?) => {{}}; }\n\
    pub mod prelude { pub mod rust_2024 { pub use crate::compile_error; } }\n";

/// On another system the compiler's first error says what is wrong and what helps.
#[test]
fn elsewhere_the_compiler_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let compile = |name: &str, source: &Path, output: &str| {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.args(["--target", "x86_64-unknown-freebsd", "--edition", "2024", "--crate-type", "lib"]);
        command.args(["--crate-name", name, "--emit", "metadata", "-o"]).arg(path(output)).arg(source);
        command.arg(format!("--extern=std={}", path("libstd.rmeta").display())).env("RUSTC_BOOTSTRAP", "1");
        command.output().expect("run rustc")
    };
    std::fs::write(path("std.rs"), STAND_IN).expect("write");
    std::fs::write(path("libstd.rmeta"), "").expect("write");
    let output = compile("std", &path("std.rs"), "libstd.rmeta");
    let why = String::from_utf8_lossy(&output.stderr);
    require(output.status.success().then_some(()).ok_or(format!("this compiler takes no stand-in for std: {why}")));
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rinit-core/src/lib.rs");
    let output = compile("rinit_core", &library, "out.rmeta");
    let errors = String::from_utf8_lossy(&output.stderr);
    let first = errors.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("error: rinit-core works on Linux only") && first.contains("[target.'cfg(target_os = "),
        "{first}"
    );
}
