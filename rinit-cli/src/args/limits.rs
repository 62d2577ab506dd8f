//! `--rlimit` and `--umask`.

use rinit_core::child::Resource;

/// A resource and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The resource.
    pub resource: Resource,
    /// The limit in force; `None` is unlimited.
    pub soft: Option<u64>,
    /// The limit up to which an unprivileged process may raise it; `None` is unlimited.
    pub hard: Option<u64>,
}

/// The names of `prlimit(1)`.
const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::AddressSpace),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::FileSize),
    ("locks", Resource::Locks),
    ("memlock", Resource::LockedMemory),
    ("msgqueue", Resource::MessageQueues),
    ("nice", Resource::Nice),
    ("nofile", Resource::OpenFiles),
    ("nproc", Resource::Processes),
    ("rss", Resource::ResidentMemory),
    ("rtprio", Resource::RealTimePriority),
    ("rttime", Resource::RealTime),
    ("sigpending", Resource::PendingSignals),
    ("stack", Resource::Stack),
];

impl Limit {
    /// Reads `NAME=SOFT[:HARD]`. Without HARD both are SOFT, as for `docker run --ulimit`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = || "give NAME=SOFT or NAME=SOFT:HARD, for example nofile=1024:4096 or core=unlimited".to_owned();
        let (name, bounds) = text.split_once('=').ok_or_else(form)?;
        let Some((_, resource)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let names = NAMES.map(|(name, _)| name).join(", ");
            return Err(format!("no such resource: give one of {names}"));
        };
        let (soft, hard) = bounds.split_once(':').unwrap_or((bounds, bounds));
        let (soft, hard) = (bound(soft).ok_or_else(form)?, bound(hard).ok_or_else(form)?);
        if soft.unwrap_or(u64::MAX) > hard.unwrap_or(u64::MAX) {
            return Err("the soft limit is above the hard one".to_owned());
        }
        Ok(Self { resource: *resource, soft, hard })
    }
}

#[allow(clippy::option_option, reason = "no number, and no limit")]
fn bound(text: &str) -> Option<Option<u64>> {
    if text == "unlimited" {
        return Some(None);
    }
    // Checked first, because `parse` takes a sign as well. The highest number is the kernel's "unlimited".
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()?;
    Some(Some(number).filter(|number| *number != u64::MAX))
}

/// Reads a file mode creation mask: octal digits, as for `umask(1p)`.
pub(crate) fn mask(text: &str) -> Result<u32, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mask = if is_octal { u32::from_str_radix(text, 8).ok() } else { None };
    mask.filter(|mask| *mask <= 0o777).ok_or_else(|| "give a mask in octal, for example 027".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        for (text, resource, soft, hard) in [
            ("nofile=1024:4096", Resource::OpenFiles, Some(1024), Some(4096)),
            ("nofile=64", Resource::OpenFiles, Some(64), Some(64)),
            ("core=unlimited", Resource::Core, None, None),
            ("core=0:unlimited", Resource::Core, Some(0), None),
            ("as=18446744073709551615", Resource::AddressSpace, None, None),
        ] {
            assert_eq!(Limit::parse(text), Ok(Limit { resource, soft, hard }), "{text}");
        }
        for (text, part) in [
            ("", "NAME=SOFT"),
            ("nofile", "NAME=SOFT"),
            ("nofile=", "NAME=SOFT"),
            ("nofile=:5", "NAME=SOFT"),
            ("nofile=5:", "NAME=SOFT"),
            ("nofile=1:2:3", "NAME=SOFT"),
            ("nofile=-1", "NAME=SOFT"),
            ("nofile=+1", "NAME=SOFT"),
            ("nofile=1k", "NAME=SOFT"),
            ("nofile=18446744073709551616", "NAME=SOFT"),
            ("NOFILE=1", "no such resource"),
            ("=1", "no such resource"),
            ("nofile=2:1", "above the hard one"),
            ("nofile=unlimited:1", "above the hard one"),
        ] {
            let why = Limit::parse(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn masks() {
        for (text, value) in [("022", 0o22), ("0", 0), ("0777", 0o777), ("27", 0o27)] {
            assert_eq!(mask(text), Ok(value), "{text}");
        }
        for text in ["", "8", "1000", "-1", "u=rwx", "0o22", "77777777777777"] {
            assert!(mask(text).is_err(), "{text}");
        }
    }
}
