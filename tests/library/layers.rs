//! Holds the layering of `rinit-core/src`: a module imports only from layers below its own, and from the module that
//! defines a name, never through the re-exports of `lib.rs`.
//!
//! A cycle of modules cannot be read from any end. Imports through `lib.rs` hide one: every module seems to use only the root.
//! The check reads the source, so that a failure names the line.

use std::fs;
use std::path::{Path, PathBuf};
use support::test;

/// From the top layer to the bottom one. Modules of one layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["init", "tokio"],
    &["contain"],
    &["diagnose", "forwarder", "reaper", "report"],
    &["child", "survivor"],
    &["inherited", "process"],
    &["parent_death", "policy", "procfs", "terminal", "user"],
    &["error", "worker"],
    &["exit_status", "sys"],
    &["signal"],
    &["duration", "pid", "regular_file"],
];

/// Files that stand outside: re-exports, the macro for `main`, hooks for fuzzing, helpers of unit tests.
const OUTSIDE: &[&str] = &["lib", "c_main", "fuzzing", "test_support"];

/// Lines by which a module has a function of a higher layer under its public path. They import nothing for the module's own use.
const PUBLIC_PATHS: &[(&str, &str)] = &[("contain", "pub use crate::init::contained::init;")];

#[test]
fn modules_import_only_from_lower_layers() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rinit-core/src");
    let mut violations = Vec::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("a path below the source");
        let module = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs").to_owned();
        let is_test = inside.file_name().is_some_and(|name| name == "tests.rs");
        if is_test || OUTSIDE.contains(&module.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source");
        violations
            .extend(check(&module, &text).into_iter().map(|(line, why)| format!("{}:{line}: {why}", file.display())));
    }
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// The lines of a module's file that reach upwards, sideways or through the root, with the reason.
fn check(module: &str, text: &str) -> Vec<(usize, String)> {
    let Some(own) = layer_of(module) else { return vec![(1, format!("module {module} is in no layer of this test"))] };
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // Unit tests stand at the end of a file and may use what they need.
        if line.starts_with("#[cfg(test)]") && text.lines().nth(index + 1).is_some_and(|next| next.starts_with("mod "))
        {
            break;
        }
        if line.trim_start().starts_with("//") || PUBLIC_PATHS.contains(&(module, line)) {
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            let is_path =
                !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$');
            if !is_path {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match layer_of(&used) {
                None if used.is_empty() => found.push((index + 1, "imports several modules in one line".to_owned())),
                None => {
                    found.push((index + 1, format!("`{used}` comes through lib.rs; import it from its own module")))
                }
                Some(layer) if used != module && layer <= own => {
                    found.push((index + 1, format!("`{module}` must not know `{used}`, which is not below it")));
                }
                Some(_) => {}
            }
        }
    }
    found
}

/// The number of a module's layer, counted from the top.
fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn each_kind_of_violation_is_seen() {
    let upward = check("sys", "use crate::error::Error;\n");
    assert_eq!(upward, [(1, "`sys` must not know `error`, which is not below it".to_owned())]);
    let sideways = check("reaper", "\nuse crate::forwarder::SignalForwarder;\n");
    assert_eq!(sideways.len(), 1);
    let through_root = check("init", "use crate::Signal;\nuse crate::{Pid, Error};\n");
    assert_eq!(through_root.len(), 2);
    assert_eq!(check("init", "use crate::sys;\nlet signal = crate::signal::Signal::TERM;\n"), []);
    assert_eq!(check("sys", "#[cfg(test)]\nmod tests {\n    use crate::error::Error;\n}\n"), []);
}
