//! rinit under the name of another init: the same command lines and signals beside the live original.
#![allow(missing_docs)]

// Flags, variables, exit statuses, usage texts.
mod command_lines;
// The known departures from the originals.
mod departures;
// Signals, one by one.
mod signals;

use std::path::PathBuf;

/// The original itself, if this machine has it.
fn original(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    file.ok_or_else(|| format!("not installed: {name}"))
}

fn main() -> std::process::ExitCode {
    support::harness::main()
}
