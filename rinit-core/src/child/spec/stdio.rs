//! Standard input, output and error of a child.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A standard input, output or error for a child.
///
/// It can be used for any number of children: a descriptor is duplicated for each.
///
/// ```
/// use rinit_core::{ChildSpec, Reaper, Stdio};
/// let quiet = ChildSpec::new("cat").stdin(Stdio::null()).stdout(Stdio::null());
/// assert!(Reaper::exclusive()?.spawn(&quiet)?.wait()?.success());
/// # Ok::<(), rinit_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stdio(pub(crate) Kind);

#[derive(Debug, Clone, Default)]
pub(crate) enum Kind {
    #[default]
    Inherit,
    Null,
    Piped,
    Fd(Arc<OwnedFd>),
}

impl Stdio {
    /// The child inherits what this process has: the default. If the descriptor is closed here, it is closed in the child, too.
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("cat").stdin(rinit_core::Stdio::inherit());
    /// ```
    #[must_use]
    pub const fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`: a read returns end of file, a write succeeds (`null(4)`).
    ///
    /// ```
    /// let _ = rinit_core::ChildSpec::new("cat").stdin(rinit_core::Stdio::null());
    /// ```
    #[must_use]
    pub const fn null() -> Self {
        Self(Kind::Null)
    }

    /// A new pipe, whose other end the [`Child`](crate::Child) holds until it is taken from it.
    ///
    /// A child that writes more than the pipe holds (64 KiB, `pipe(7)`) waits until the other end is read. [`Init`](crate::Init)
    /// has no use for the other end, and closes it.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// use std::io::Read;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reaper = Reaper::exclusive()?;
    /// let mut child = reaper.spawn(&ChildSpec::new("echo").arg("hello").stdout(Stdio::piped()))?;
    /// let mut said = String::new();
    /// child.take_stdout().expect("a pipe").read_to_string(&mut said)?;
    /// assert_eq!(said, "hello\n");
    /// child.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// A duplicate of this descriptor: a file, a socket, a pipe's end, a terminal.
    ///
    /// It stays open in this process for as long as a [`ChildSpec`](crate::ChildSpec) holds it: drop that before you wait for
    /// the end of a pipe's other side.
    ///
    /// ```
    /// use rinit_core::{ChildSpec, Reaper, Stdio};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let log = std::fs::File::create("/dev/null")?;
    /// let date = ChildSpec::new("date").stdout(Stdio::fd(log.try_clone()?)).stderr(Stdio::fd(log));
    /// Reaper::exclusive()?.spawn(&date)?.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fd(fd: impl Into<OwnedFd>) -> Self {
        Self(Kind::Fd(Arc::new(fd.into())))
    }
}

/// A duplicate of this file, as [`Stdio::fd`] makes it.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let spec = rinit_core::ChildSpec::new("date").stdout(std::fs::File::create("/dev/null")?);
/// # drop(spec);
/// # Ok(())
/// # }
/// ```
impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self::fd(file)
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::fd(fd)
    }
}
