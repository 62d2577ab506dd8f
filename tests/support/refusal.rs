//! The whole suite with system calls refused: `RINIT_TEST_REFUSE='all:ENOSYS' cargo test --test behaviour`.

use super::probe_path;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What is refused: `CALL,CALL…:ERRNO`, groups of it joined by `+`; see `tests/probe/seccomp.rs`.
pub const VARIABLE: &str = "RINIT_TEST_REFUSE";

/// What to start for rinit where system calls are refused: the probe under rinit's name, which enters the filter and then
/// is rinit. `None` where nothing is refused.
pub fn stand_in() -> Option<PathBuf> {
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    std::env::var_os(VARIABLE)?;
    Some(LINKED.get_or_init(|| link(Path::new(probe_path())).expect("link the probe")).clone())
}

/// A link, not a copy: a file that was just written cannot be executed while another thread's fork has it open.
fn link(probe: &Path) -> std::io::Result<PathBuf> {
    // The probe starts …/target/debug/rinit, which it finds from where its own name stands.
    let directory = probe.with_file_name("refused");
    std::fs::create_dir_all(&directory)?;
    let path = directory.join("rinit");
    // Other test programs do the same at this moment, and each has to find it there.
    let own = path.with_file_name(format!("{}.own", std::process::id()));
    std::fs::hard_link(probe, &own)?;
    std::fs::rename(&own, &path)?;
    // Nothing has happened where both are one file already (`rename(2)`).
    let _ = std::fs::remove_file(&own);
    Ok(path)
}
