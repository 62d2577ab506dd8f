//! What the integration tests share: waiting for conditions, running rinit, PID namespaces, terminals, Docker.
//!
//! Every process, container and image that a test starts belongs to a guard that removes it when the test is over, even if it
//! fails. Nothing here sleeps for a fixed time: every wait has a condition and a deadline.

pub mod budget;
pub mod build;
mod control_group;
pub mod docker;
pub mod faults;
pub mod freezer;
pub mod harness;
pub mod memory;
pub mod namespace;
pub mod needs;
pub mod pids;
pub mod procfs;
pub mod random;
pub mod refusal;
pub mod rinit;
pub mod rootfs;
pub mod running;
pub mod seccomp;
pub mod skip;
pub mod static_build;
pub mod terminal;
pub mod wait;

pub use build::{example, probe_path, rinit_binary, rinit_path, target_directory};
#[doc(hidden)]
pub use inventory;
pub use rinit_test_attribute::test;
pub use skip::{require, require_for_part, skip, skip_part};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
pub use wait::{deadline, wait_for, wait_until};

/// `rinit ARGUMENTS…`
pub fn rinit<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(rinit_path());
    command.args(arguments);
    let is_setting = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"RINIT_") && !name.starts_with(b"RINIT_TEST_")
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        // A developer's own settings are not the test's.
        command.env_remove(name);
    }
    command
}

/// `probe ARGUMENTS…`
pub fn probe<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(probe_path());
    command.args(arguments);
    command
}

/// True as root, which Docker's image building and the Debian root file system need.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A file of the repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// True if the program is in PATH.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
