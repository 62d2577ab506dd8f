//! What a test may need of the machine, for [`crate::require`]. The same lack has the same words everywhere, so that the summary
//! of skipped tests has one line for it.

use crate::{installed, is_root};

/// Root.
pub fn root() -> Result<(), String> {
    is_root().then_some(()).ok_or_else(|| "not root".to_owned())
}

/// These programs in PATH.
pub fn programs(names: &[&str]) -> Result<(), String> {
    let missing: Vec<&str> = names.iter().filter(|name| !installed(name)).copied().collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not installed: {}", missing.join(", "))) }
}
