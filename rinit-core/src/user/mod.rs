//! The user that a program runs as.
//!
//! A change of user must set three things: the uid, the gid, and the supplementary groups. The groups are often forgotten;
//! those of root then still give access to disks and logs. [`User`] holds
//! all three, looked up in `/etc/passwd` and `/etc/group` as `docker run --user`, `gosu` and `su-exec` do it.

mod current;
mod database;

use crate::error::Error;
use crate::pid::IdHasher;
use crate::sys;
use database::{Account, MAX_ID};
use rustix::process::Gid;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Most groups a process can have: NGROUPS_MAX of `getgroups(2)`, since Linux 2.6.4.
const MAX_GROUPS: usize = 65_536;

/// A user, with everything that a change to it needs.
///
/// # What a specification means
///
/// | SPEC | uid | gid | supplementary groups |
/// |---|---|---|---|
/// | `user`, `user:` | the user's | the user's | gid and all groups that list the user, as `id -G` |
/// | `uid` with an entry in `/etc/passwd` | the number | the entry's | the same, by the entry's name |
/// | `uid` without an entry | the number | unchanged: this process's | that gid alone |
/// | `user:group`, `uid:gid`, mixed | as above | the group's | that gid alone |
///
/// - Digits are always an id, as under all three. If names were tried first, a line `1000:x:0:0::/:` in an image's
///   `/etc/passwd` would turn `--user 1000` into root. If several lines match, the first counts.
/// - A uid without an entry keeps the gid, as under `gosu` and `su-exec`; started by root, as a container's first process
///   is, that is 0, as under Docker. The process gains no right by it. Write `uid:gid` for another gid.
/// - An explicit group is the only one, as under all three: naming a group narrows the rights, and further groups from a file
///   of the image would be a surprise.
/// - `:group` and the empty specification name no user and are errors.
/// - A database that does not exist is empty, so that numbers work in an image `FROM scratch`. Malformed lines
///   are skipped.
/// - Ids end at 4294967294: 4294967295 is -1, which tells `setresuid(2)` to change nothing, and would keep root.
///
/// Source: `passwd(5)`, `group(5)`, `initgroups(3)`, `docker-run(1)`.
///
/// ```
/// use rinit_core::User;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let passwd = b"www:x:33:33:web:/srv/www:/bin/false\n";
/// let group = b"www:x:33:\nlogs:x:70:www\n";
/// let user = User::resolve_in("www", passwd, group)?;
/// assert_eq!((user.uid(), user.gid(), user.groups()), (33, 33, &[33, 70][..]));
///
/// let narrowed = User::resolve_in("www:logs", passwd, group)?;
/// assert_eq!((narrowed.gid(), narrowed.groups()), (70, &[70][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    home: Option<PathBuf>,
    name: Option<String>,
}

impl User {
    /// Looks a user up in this process's `/etc/passwd` and `/etc/group`; the [type](Self) says how.
    ///
    /// It does not use NSS, so it does not query LDAP. `docker run --user` does not either.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownUser`] if there is no such user or group, if a number is not a valid id, or if a database exists but
    /// cannot be read, unless both are numbers: the user's groups are unknown then.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let user = rinit_core::User::resolve("65534:65534")?;
    /// assert_eq!(user.uid(), 65534);
    /// assert!(rinit_core::User::resolve("no such user").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolve(spec: &str) -> Result<Self, Error> {
        // UID:GID needs neither file. An entry would only give it a home and a name.
        let is_number = |text: &str| database::number(text).is_some();
        let numbers = spec.split_once(':').is_some_and(|(user, group)| is_number(user) && is_number(group));
        let read = |path: &str| match database::read(Path::new(path)) {
            Err(_) if numbers => Ok(Vec::new()),
            read => read.map_err(|error| unknown(spec, format!("cannot read {path}: {error}"))),
        };
        resolve(spec, &read("/etc/passwd")?, &read("/etc/group")?, rustix::process::getgid().as_raw())
    }

    /// Looks a user up in the contents of a `passwd(5)` and a `group(5)` file: [`resolve`](Self::resolve) for
    /// another root directory, and for tests.
    ///
    /// A uid without an entry has the gid 0 here, that of a container's first process.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownUser`] if there is no such user or group, or a number is not a valid id.
    ///
    /// ```
    /// use rinit_core::User;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(User::resolve_in("1000", b"", b"")?.gid(), 0);
    /// let error = User::resolve_in("ann", b"", b"").unwrap_err();
    /// assert_eq!(error.to_string(), "ann: no user 'ann' in /etc/passwd");
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolve_in(spec: &str, passwd: &[u8], group: &[u8]) -> Result<Self, Error> {
        resolve(spec, passwd, group, 0)
    }

    /// A user by numbers alone, with exactly these supplementary groups. It reads no database. HOME is `/`, and there is no login
    /// name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownUser`] if an id is 4294967295, which is not a valid id, or if there are more than 65536 groups.
    ///
    /// ```
    /// use rinit_core::User;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let nobody = User::from_ids(65534, 65534, [])?;
    /// assert_eq!((nobody.uid(), nobody.gid(), nobody.groups().len()), (65534, 65534, 0));
    /// assert!(User::from_ids(u32::MAX, 0, []).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_ids(uid: u32, gid: u32, groups: impl IntoIterator<Item = u32>) -> Result<Self, Error> {
        let groups: Vec<u32> = groups.into_iter().take(MAX_GROUPS + 1).collect();
        let spec = || format!("{uid}:{gid}");
        if let Some(id) = [uid, gid].iter().chain(&groups).find(|&&id| id > MAX_ID) {
            return Err(unknown(&spec(), format!("{id} is no possible id: they end at {MAX_ID}")));
        }
        check_count(&groups).map_err(|reason| unknown(&spec(), reason))?;
        Ok(Self { uid, gid, groups, home: None, name: None })
    }

    /// The user id, for the real, effective and saved one (`setresuid(2)`).
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::User::resolve_in("7:8", b"", b"")?.uid(), 7);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The primary group id (`setresgid(2)`).
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::User::resolve_in("7:8", b"", b"")?.gid(), 8);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// The supplementary groups, as `id -G` shows them: the primary one first, each once (`setgroups(2)`).
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let user = rinit_core::User::resolve_in("ann", b"ann:x:7:8::/:", b"audio:x:29:bob,ann")?;
    /// assert_eq!(user.groups(), [8, 29]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// The value for the environment variable HOME (`environ(7)`): the entry's directory, `/` for a user without one.
    ///
    /// ```
    /// # use std::path::Path;
    /// # use rinit_core::User;
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(User::resolve_in("ann", b"ann:x:7:8::/home/ann:", b"")?.home(), Path::new("/home/ann"));
    /// assert_eq!(User::resolve_in("7", b"", b"")?.home(), Path::new("/"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.as_deref().unwrap_or(Path::new("/"))
    }

    /// The login name, for USER and LOGNAME (`environ(7)`); none for a uid without an entry, or if it is not UTF-8.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// assert_eq!(rinit_core::User::resolve_in("7", b"ann:x:7:8::/:", b"")?.name(), Some("ann"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the child sets between fork and exec.
    pub(crate) fn ids(&self) -> sys::Ids {
        let groups = self.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        sys::Ids { uid: self.uid, gid: self.gid, groups }
    }

    /// Whether this process is this user already and cannot become another, so no change is needed.
    pub(crate) fn is_current(&self) -> bool {
        current::is_current(self.uid, self.gid, &self.groups)
    }
}

fn unknown(spec: &str, reason: String) -> Error {
    Error::UnknownUser { spec: spec.to_owned(), reason }
}

fn resolve(spec: &str, passwd: &[u8], group: &[u8], own_gid: u32) -> Result<User, Error> {
    let (user, explicit_group) = match spec.split_once(':') {
        Some((user, "")) => (user, None),
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    if user.is_empty() {
        return Err(unknown(spec, "no user is named: write USER, UID, USER:GROUP or UID:GID".to_owned()));
    }
    let (uid, account) = find_user(user, passwd).map_err(|reason| unknown(spec, reason))?;
    let (gid, groups) = match explicit_group {
        Some(name) => {
            let gid = find_group(name, group).map_err(|reason| unknown(spec, reason))?;
            (gid, vec![gid])
        }
        None => {
            let gid = account.map_or(own_gid, |account| account.gid);
            (gid, account.map_or(vec![gid], |account| memberships(account, group)))
        }
    };
    check_count(&groups).map_err(|reason| unknown(spec, reason))?;
    let home = account.map(|account| account.home).filter(|home| !home.is_empty());
    let home = home.map(|home| PathBuf::from(OsStr::from_bytes(home)));
    let name = account.and_then(|account| std::str::from_utf8(account.name).ok()).map(str::to_owned);
    Ok(User { uid, gid, groups, home, name })
}

fn check_count(groups: &[u32]) -> Result<(), String> {
    let few = groups.len() <= MAX_GROUPS;
    few.then_some(()).ok_or_else(|| format!("is in more than {MAX_GROUPS} groups, which the kernel cannot hold"))
}

/// The uid, and the entry if it has one: by number if it is one, otherwise by name.
fn find_user<'a>(user: &str, passwd: &'a [u8]) -> Result<(u32, Option<Account<'a>>), String> {
    match database::number(user) {
        Some(Some(uid)) => Ok((uid, database::accounts(passwd).find(|account| account.uid == uid))),
        Some(None) => Err(format!("{user} is no possible user id: they end at {MAX_ID}")),
        None => {
            let account = database::accounts(passwd).find(|account| account.name == user.as_bytes());
            let account = account.ok_or_else(|| format!("no user '{user}' in /etc/passwd"))?;
            Ok((account.uid, Some(account)))
        }
    }
}

/// The gid: the number if it is one, otherwise by name.
fn find_group(name: &str, group: &[u8]) -> Result<u32, String> {
    match database::number(name) {
        Some(Some(gid)) => Ok(gid),
        Some(None) => Err(format!("{name} is no possible group id: they end at {MAX_ID}")),
        None => {
            let found = database::groups(group).find(|group| group.name == name.as_bytes());
            Ok(found.ok_or_else(|| format!("no group '{name}' in /etc/group"))?.gid)
        }
    }
}

/// The primary group and each group that lists the user, once. It stops shortly after the number that the kernel accepts.
fn memberships(account: Account<'_>, group: &[u8]) -> Vec<u32> {
    let mut seen = HashSet::<_, IdHasher>::from_iter([account.gid]);
    let listed = database::groups(group).filter(|group| group.lists(account.name)).map(|group| group.gid);
    let others = listed.filter(|&gid| seen.insert(gid)).take(MAX_GROUPS);
    std::iter::once(account.gid).chain(others).collect()
}

#[cfg(test)]
mod tests;
