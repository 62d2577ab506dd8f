//! How long tests go on that could go on for ever.

use std::time::Duration;

/// `here` seconds on a user's machine, `under_ci` under CI, or what the variable says, for hours.
pub fn seconds(variable: &str, here: u64, under_ci: u64) -> Duration {
    let given = std::env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    let usual = if std::env::var_os("CI").is_some() { under_ci } else { here };
    Duration::from_secs(given.unwrap_or(usual))
}
