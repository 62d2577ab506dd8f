//! The library's public API against `docs/public-api.txt`, so that nothing in it changes unnoticed.
//!
//! `RINIT_WRITE_PUBLIC_API=1 cargo test --test library public_api` writes the file; the difference belongs into the same
//! commit and, if a dependent program may no longer compile, into the changelog.

use public_api::PublicApi;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{require, test};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The API as rustdoc sees it; without what every type has (`Send`, `impl<T> From<T> for T`).
fn api() -> Result<PublicApi, String> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("public-api");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustdoc", "--quiet", "-p", "rinit-core", "--all-features", "--lib", "--target-dir"]).arg(&target);
    cargo.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    // The JSON is not stable. This compiler's is read by the pinned version of the crate public-api.
    cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("rustdoc: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let json = target.join("doc/rinit_core.json");
    let built = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(false)
        .build();
    built.map_err(|error| format!("this compiler's rustdoc is not the one that public-api (Cargo.toml) reads: {error}"))
}

/// In rustdoc's order, which keeps what belongs together. What is hidden from the documentation is not part of it.
fn lines(api: &PublicApi) -> Vec<String> {
    api.items().map(ToString::to_string).collect()
}

/// Types of crates whose next major version must not be one of this crate's.
fn is_foreign(line: &str) -> bool {
    let foreign = ["rustix::", "libc::", "thiserror::"].iter().any(|name| line.contains(name));
    // `From` is for callers that have such a type already. No other caller would notice if it were removed.
    let allowed = line.contains("core::convert::From<") || line.contains("::from(");
    foreign && !allowed
}

#[test]
fn public_api() {
    let api = lines(&require(api()));
    let foreign: Vec<_> = api.iter().filter(|line| is_foreign(line)).collect();
    assert!(foreign.is_empty(), "types of other crates in the public API: {foreign:#?}");

    let file = repository().join("docs/public-api.txt");
    if std::env::var_os("RINIT_WRITE_PUBLIC_API").is_some() {
        let text: String = api.iter().map(|line| format!("{line}\n")).collect();
        return std::fs::write(&file, text).expect("write docs/public-api.txt");
    }
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let written: BTreeSet<&str> = text.lines().collect();
    let api: BTreeSet<&str> = api.iter().map(String::as_str).collect();
    let gone: Vec<_> = written.difference(&api).map(|line| format!("- {line}\n")).collect();
    let new: Vec<_> = api.difference(&written).map(|line| format!("+ {line}\n")).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "the public API is not what docs/public-api.txt says:\n{}{}\nWhat is gone or different breaks its users. If it is meant:\n\
         RINIT_WRITE_PUBLIC_API=1 cargo test --test library public_api",
        gone.concat(),
        new.concat()
    );
}
