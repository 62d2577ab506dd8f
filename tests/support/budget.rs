//! How long tests go on that could go on for ever.

use std::time::Duration;

/// `here` seconds on a user's machine, `under_ci` under CI, or as many as the variable says: a minute in the long form of the
/// gate, hours for a release.
pub fn seconds(variable: &str, here: u64, under_ci: u64) -> Duration {
    let given = std::env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    let usual = if std::env::var_os("CI").is_some() { under_ci } else { here };
    Duration::from_secs(given.unwrap_or(usual))
}
