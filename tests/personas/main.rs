//! rinit under the name of another init: the same command lines and signals beside the live original.
#![allow(missing_docs)]

// Flags, variables, exit statuses, usage texts.
mod command_lines;
// Signals, one by one.
mod signals;

fn main() -> std::process::ExitCode {
    support::harness::main()
}
