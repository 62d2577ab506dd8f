//! `/proc/pid/cgroup`, and whether a control group is frozen.

use std::path::PathBuf;

/// The control groups of a process, one for each hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cgroups(Vec<Membership>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Membership {
    /// The controllers; empty for version 2.
    controllers: String,
    /// As seen from the reader's cgroup namespace: a group outside it begins with `/..`.
    path: String,
}

impl Cgroups {
    /// Source: `cgroups(7)`, "/proc/pid/cgroup".
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let line = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            Some(Membership { controllers: controllers.to_owned(), path: path.to_owned() })
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// True where every group of `inner` is the same as here, or below it.
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|own| inner.0.iter().any(|other| own.contains(other)))
    }

    /// True where a group other than the root of a hierarchy is among them.
    pub(crate) fn is_separate(&self) -> bool {
        self.0.iter().any(|own| own.path != "/")
    }

    fn path_of(&self, controller: &str) -> Option<&str> {
        let with = |own: &&Membership| own.controllers.split(',').any(|name| name == controller);
        self.0.iter().find(with).map(|own| own.path.as_str())
    }
}

impl Membership {
    fn contains(&self, inner: &Self) -> bool {
        self.controllers == inner.controllers
            && inner.path.strip_prefix(self.path.trim_end_matches('/')).is_some_and(|rest| {
                // From inside of a cgroup namespace "/" is its own root, and "/.." is outside.
                (rest.is_empty() || rest.starts_with('/')) && !rest.starts_with("/..")
            })
    }
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// `freezer`, or empty for version 2.
    controller: &'static str,
    /// The group that is mounted: a container may see its own one only.
    root: String,
    place: PathBuf,
}

impl Hierarchy {
    /// The hierarchies that can freeze, from `/proc/self/mountinfo`.
    pub(crate) fn that_freeze(mountinfo: &[u8]) -> Vec<Self> {
        let text = String::from_utf8_lossy(mountinfo);
        let line = |line: &str| {
            let (mount, kind) = line.split_once(" - ")?;
            let mut words = mount.split(' ').skip(3);
            let (root, place) = (words.next()?.to_owned(), PathBuf::from(words.next()?));
            let controller = match kind.split(' ').next()? {
                "cgroup2" => "",
                "cgroup" if kind.split([' ', ',']).any(|word| word == "freezer") => "freezer",
                _ => return None,
            };
            Some(Self { controller, root, place })
        };
        text.lines().filter_map(line).collect()
    }

    /// The file that says whether the process's group is frozen, itself or by one above it.
    pub(crate) fn state_file(&self, cgroups: &Cgroups) -> Option<PathBuf> {
        let path = cgroups.path_of(self.controller)?;
        let inner = path.strip_prefix(self.root.trim_end_matches('/'))?;
        // The root group has neither file, and cannot be frozen. A path outside of the namespace cannot be followed.
        if inner.is_empty() || inner == "/" || !inner.starts_with('/') || inner.starts_with("/..") {
            return None;
        }
        let name = if self.controller.is_empty() { "cgroup.events" } else { "freezer.state" };
        Some(self.place.join(inner.trim_start_matches('/')).join(name))
    }
}

/// Whether a group is frozen, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Frozen {
    No,
    /// By version 2: a signal that terminates a process does so, and no handler runs.
    UntilTerminated,
    /// By version 1: not even KILL acts.
    Entirely,
}

impl Frozen {
    /// Reads `cgroup.events` (`frozen 1`) or `freezer.state` (`FROZEN`).
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let has = |text: &[u8]| bytes.split(|byte| *byte == b'\n').any(|line| line == text);
        match () {
            () if has(b"FROZEN") => Self::Entirely,
            () if has(b"frozen 1") => Self::UntilTerminated,
            () => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn membership() {
        let own = Cgroups::parse(b"6:freezer:/\n0::/pod/one\n");
        assert!(own.is_separate());
        for (other, inside) in [
            (&b"6:freezer:/\n0::/pod/one\n"[..], true),
            (b"6:freezer:/\n0::/pod/one/inner\n", true),
            (b"6:freezer:/\n0::/pod/oneself\n", false),
            (b"6:freezer:/\n0::/pod/two\n", false),
            (b"6:freezer:/\n0::/pod\n", false),
            (b"0::/pod/one\n", false),
        ] {
            assert_eq!(own.contains(&Cgroups::parse(other)), inside, "{:?}", String::from_utf8_lossy(other));
        }
        let namespaced = Cgroups::parse(b"0::/\n");
        assert!(namespaced.contains(&Cgroups::parse(b"0::/inner\n")));
        assert!(!namespaced.contains(&Cgroups::parse(b"0::/../two\n")));
        assert!(!namespaced.is_separate());
        assert!(!Cgroups::parse(b"").contains(&Cgroups::parse(b"")));
    }

    #[test]
    fn the_file_that_says_frozen() {
        let mounts = b"30 29 0:26 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n\
            31 29 0:27 /pod /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n32 1 0:5 / /proc rw - proc proc rw\n";
        let hierarchies = Hierarchy::that_freeze(mounts);
        let files = |cgroups: &[u8]| {
            let cgroups = Cgroups::parse(cgroups);
            hierarchies.iter().filter_map(|one| one.state_file(&cgroups)).collect::<Vec<_>>()
        };
        assert_eq!(
            files(b"6:cpu,freezer:/a\n0::/pod/b\n"),
            [
                PathBuf::from("/sys/fs/cgroup/freezer/a/freezer.state"),
                PathBuf::from("/sys/fs/cgroup/unified/b/cgroup.events")
            ]
        );
        assert_eq!(files(b"6:freezer:/\n0::/pod\n"), Vec::<PathBuf>::new());
        assert_eq!(files(b"0::/../x\n"), Vec::<PathBuf>::new());
        assert_eq!(Frozen::parse(b"populated 1\nfrozen 1\n"), Frozen::UntilTerminated);
        assert_eq!(Frozen::parse(b"FROZEN\n"), Frozen::Entirely);
        assert_eq!((Frozen::parse(b"populated 1\nfrozen 0\n"), Frozen::parse(b"THAWED\n")), (Frozen::No, Frozen::No));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let cgroups = Cgroups::parse(&bytes);
            let _ = cgroups.contains(&cgroups);
            let _ = Hierarchy::that_freeze(&bytes).iter().filter_map(|one| one.state_file(&cgroups)).count();
            let _ = Frozen::parse(&bytes);
        }
    }
}
