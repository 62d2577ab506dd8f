//! The whole suite with system calls refused: `RINIT_TEST_REFUSE='all:ENOSYS' cargo test -p rinit-cli`.

use super::probe_path;
use std::path::{Path, PathBuf};

/// What is refused: `CALL,CALL…:ERRNO`, groups of it joined by `+`; see `tests/probe/seccomp.rs`.
pub(crate) const VARIABLE: &str = "RINIT_TEST_REFUSE";

/// What to start for rinit where system calls are refused: the probe under rinit's name, which enters the filter and then
/// is rinit. `None` where nothing is refused.
pub(crate) fn stand_in() -> Option<PathBuf> {
    std::env::var_os(VARIABLE)?;
    let probe = Path::new(probe_path());
    // …/target/debug/examples/probe, and rinit is …/target/debug/rinit: it is looked for from there.
    let path = probe.with_file_name("../refused").join("rinit");
    let same = |path: &Path| {
        let newest = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        newest(path).is_some() && newest(path) >= newest(probe)
    };
    if !same(&path) {
        let directory = path.parent().expect("a directory");
        std::fs::create_dir_all(directory).expect("make a directory");
        // Other test programs do the same at this moment: each sees a whole file.
        let part = directory.join(format!("{}.part", std::process::id()));
        std::fs::copy(probe, &part).and_then(|_| std::fs::rename(&part, &path)).expect("copy the probe");
    }
    Some(path.canonicalize().expect("the path that was just made"))
}

/// True if rinit cannot become a subreaper.
pub(crate) fn of_subreaper() -> bool {
    let refused = std::env::var(VARIABLE).unwrap_or_default();
    refused.split([',', '+', ':']).any(|word| word == "subreaper" || word == "all")
}
