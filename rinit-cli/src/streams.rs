//! Standard streams of a main that runs as another user.
//!
//! A program that opens `/dev/stdout` or `/dev/stderr`, as the logs of many images are linked to, needs the permission to open
//! the pipe or terminal anew. It belongs to the user that the runtime started rinit as. So these are given to main's user
//! before the change, as runc does for `docker run --user`.

use rinit_core::User;
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, Gid, Uid, fchown, fstat};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::isatty;

/// The streams that main's user owns for the time of the run.
#[derive(Debug)]
pub(crate) struct Streams(Vec<(BorrowedFd<'static>, Uid)>);

impl Streams {
    /// Gives the pipes and terminals among standard input, output and error to the user, if they belong to rinit's own user.
    ///
    /// Not a file or a device: main's user would keep it, and a file's owner may change its mode. Where the kernel refuses,
    /// main can still use the open descriptor.
    pub(crate) fn give_to(user: &User) -> Self {
        let own = rustix::process::geteuid();
        let new = Uid::from_raw(user.uid());
        let give = |fd: BorrowedFd<'static>| {
            let stat = fstat(fd).ok()?;
            let owner = Uid::from_raw(stat.st_uid);
            let is_stream = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo || isatty(fd);
            let given = is_stream && owner == own && owner != new && fchown(fd, Some(new), None::<Gid>).is_ok();
            given.then_some((fd, owner))
        };
        Self([stdin(), stdout(), stderr()].into_iter().filter_map(give).collect())
    }
}

/// A terminal outlives rinit where rinit is not a container's: it is its owner's again.
impl Drop for Streams {
    fn drop(&mut self) {
        for (fd, owner) in &self.0 {
            let _ = fchown(fd, Some(*owner), None::<Gid>);
        }
    }
}
