//! A Debian root file system with real servers, made by debootstrap and kept under `target/rootfs`.

use super::{needs, target_directory};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
/// What the tests run in it. The tar's name follows from this list: another list, another tar.
const PACKAGES: &[&str] = &["nginx-light", "redis-server", "supervisor", "python3-minimal", "postgresql"];
/// Nothing that a server needs to run; half of the size.
const LEFT_OUT: &[&str] = &[
    "./dev/*",
    "./proc/*",
    "./sys/*",
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
];

/// The tar, made now (a minute or two and the network) unless it is there already.
pub fn debian() -> Result<PathBuf, String> {
    let directory = target_directory().join("rootfs");
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let tar = directory.join(format!("{SUITE}-{}.tar", PACKAGES.join("-")));
    // Test programs run side by side: one makes it, the others wait for it.
    let lock = File::create(directory.join("lock")).map_err(|error| error.to_string())?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| error.to_string())?;
    if !tar.exists() {
        make(&directory, &tar)?;
    }
    Ok(tar)
}

fn make(directory: &Path, tar: &Path) -> Result<(), String> {
    needs::root()?;
    needs::programs(&["debootstrap"])?;
    let root = tempfile::tempdir_in(directory).map_err(|error| error.to_string())?;
    eprintln!("making a Debian root file system, once: a minute or two");
    // In a mount namespace of its own, so that what debootstrap mounts is gone with it, whatever happens. Its
    // start-stop-daemon and policy-rc.d keep services from being started meanwhile.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "debootstrap", "--variant=minbase"]);
    command.arg(format!("--include={}", PACKAGES.join(","))).arg(SUITE).arg(root.path()).arg(MIRROR);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let log = std::fs::read_to_string(root.path().join("debootstrap/debootstrap.log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &log;
        let end: Vec<&str> = said.lines().rev().take(8).collect();
        return Err(format!("debootstrap failed, last line first: {}", end.join(" | ")));
    }
    let part = tar.with_extension("part");
    let mut command = Command::new("tar");
    command.arg("-C").arg(root.path()).args(LEFT_OUT.iter().map(|path| format!("--exclude={path}")));
    command.arg("-cf").arg(&part).arg(".");
    let packed = command.status().is_ok_and(|status| status.success());
    if !packed {
        return Err("tar failed".to_owned());
    }
    std::fs::rename(&part, tar).map_err(|error| error.to_string())
}
