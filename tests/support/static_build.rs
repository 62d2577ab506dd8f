//! rinit and the probe as static programs, for images `FROM scratch`: built as the README says.

use super::{in_repository, target_directory};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the two are.
pub struct Static {
    /// rinit, or what `RINIT_TEST_STATIC_BIN` names.
    pub rinit: PathBuf,
    /// The probe.
    pub probe: PathBuf,
}

/// Builds them, once for each run; cargo keeps them, and its own lock orders test programs that build at the same time.
/// `RINIT_TEST_STATIC_BIN` holds another static rinit against the same tests, for example that of `.ci/build-small`.
#[track_caller]
pub fn programs() -> &'static Static {
    static BUILT: OnceLock<Static> = OnceLock::new();
    BUILT.get_or_init(|| {
        build("rinit-cli", &["--bin", "rinit"]);
        let release = build("rinit-probe", &["--bin", "probe"]);
        let given = std::env::var_os("RINIT_TEST_STATIC_BIN").map(PathBuf::from);
        Static { rinit: given.unwrap_or_else(|| release.join("rinit")), probe: release.join("probe") }
    })
}

/// Builds a part of a package; the directory with what came out.
#[track_caller]
pub fn build(package: &str, what: &[&str]) -> PathBuf {
    let host = host();
    let directory = target_directory().join("static");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "-p", package]).args(what);
    cargo.arg("--target").arg(&host).arg("--target-dir").arg(&directory);
    // The host triple is named, so that the flag does not reach build scripts and macros.
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let built = cargo.current_dir(in_repository("")).status();
    assert!(built.is_ok_and(|status| status.success()), "the static build failed");
    directory.join(host).join("release")
}

/// An example of rinit-core as a static program.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    // Only where the example needs it: the others are measured without.
    let features: &[&str] = if name.starts_with("tokio") { &["--features", "tokio"] } else { &[] };
    build("rinit-core", &[features, &["--example", name]].concat()).join("examples").join(name)
}

/// The triple of this machine, as `rustc -vV` says it.
fn host() -> String {
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let output = Command::new(rustc).arg("-vV").output().expect("run rustc");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// A static busybox, if the machine has one.
pub fn busybox() -> Result<PathBuf, String> {
    let candidates = ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox-static"].map(PathBuf::from);
    let is_static = |path: &PathBuf| {
        // The name of a loader stands in the program's head if it needs one.
        std::fs::read(path).is_ok_and(|bytes| !bytes.iter().take(4096).collect::<Vec<_>>().windows(8).any(is_loader))
    };
    candidates.into_iter().find(is_static).ok_or_else(|| "no static busybox (Debian: busybox-static)".to_owned())
}

fn is_loader(window: &[&u8]) -> bool {
    window.iter().map(|byte| **byte).eq(*b"ld-linux")
}
