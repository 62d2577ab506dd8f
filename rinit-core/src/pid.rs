//! Process IDs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::num::NonZeroI32;

/// A hasher for ids. It has no random keys, which would cost a system call at every start: an attacker cannot choose enough
/// ids to make them collide.
pub(crate) type IdHasher = BuildHasherDefault<DefaultHasher>;
pub(crate) type PidMap<V> = HashMap<Pid, V, IdHasher>;
/// A set of pids.
pub(crate) type PidSet = HashSet<Pid, IdHasher>;

/// The id of one process, as seen in the caller's PID namespace.
///
/// A pid is a name, not a handle: once the process was reaped, the kernel may give the number to an unrelated process. rinit
/// signals by pid only its own unreaped children, whose numbers cannot be reused. It signals all others through a pidfd.
///
/// Source: `credentials(7)`, `pid_namespaces(7)`.
///
/// ```
/// use rinit_core::Pid;
/// assert_eq!(Pid::new(1), Some(Pid::INIT));
/// assert_eq!(Pid::new(0), None);
/// assert_eq!(Pid::new(-7), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// PID 1, the init process of a PID namespace.
    pub const INIT: Self = Self(NonZeroI32::new(1).unwrap());

    /// Makes a pid from its number; `None` for 0 and negative numbers, which mean groups in `kill(2)`.
    ///
    /// ```
    /// assert_eq!(rinit_core::Pid::new(42).map(|pid| pid.get()), Some(42));
    /// ```
    #[must_use]
    pub const fn new(raw: i32) -> Option<Self> {
        match NonZeroI32::new(raw) {
            Some(raw) if raw.get() > 0 => Some(Self(raw)),
            _ => None,
        }
    }

    /// The calling process's own pid (`getpid(2)`).
    ///
    /// ```
    /// if rinit_core::Pid::this() == rinit_core::Pid::INIT {
    ///     println!("this is the init process of its PID namespace");
    /// }
    /// ```
    #[must_use]
    pub fn this() -> Self {
        rustix::process::getpid().into()
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!(rinit_core::Pid::INIT.get(), 1);
    /// ```
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0.get()
    }

    /// The next number: that of a process which was started a little later, unless it was passed over as taken.
    pub(crate) fn behind(self) -> Option<Self> {
        Self::new(self.get().checked_add(1)?)
    }

    pub(crate) fn rustix(self) -> rustix::process::Pid {
        // `Self` is never zero or negative, so this is never `None`. INIT is a harmless default.
        rustix::process::Pid::from_raw(self.get()).unwrap_or(rustix::process::Pid::INIT)
    }
}

impl From<rustix::process::Pid> for Pid {
    fn from(pid: rustix::process::Pid) -> Self {
        Self(pid.as_raw_nonzero())
    }
}

/// As `std::process::Child::id` returns it.
///
/// ```
/// use rinit_core::Pid;
/// assert_eq!(Pid::try_from(std::process::id()).unwrap(), Pid::this());
/// assert!(Pid::try_from(0).is_err());
/// ```
impl TryFrom<u32> for Pid {
    type Error = NotAPid;

    fn try_from(raw: u32) -> Result<Self, NotAPid> {
        i32::try_from(raw).ok().and_then(Self::new).ok_or(NotAPid(raw))
    }
}

/// A number that cannot be a pid: 0, or more than the kernel's pids can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a pid")]
pub struct NotAPid(u32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
