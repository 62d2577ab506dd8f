//! `/etc/passwd` and `/etc/group`: `passwd(5)`, `group(5)`.
//!
//! This crate reads them itself, not through libc: a static musl build has no other way that works with any image, and glibc
//! would load NSS modules, code from the image, into PID 1.

use std::io::{self, Read};
use std::path::Path;

/// The highest id. `u32::MAX` is -1, which tells `setresuid(2)` to change nothing, and would keep root.
pub(super) const MAX_ID: u32 = u32::MAX - 1;

/// Longest database that is read, in bytes. A longer one is a mistake or an attempt to exhaust memory.
const MAX_BYTES: u64 = 16 << 20;

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<'a> {
    pub(super) name: &'a [u8],
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Empty if the line has none.
    pub(super) home: &'a [u8],
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    pub(super) name: &'a [u8],
    pub(super) gid: u32,
    members: &'a [u8],
}

impl Group<'_> {
    pub(super) fn lists(&self, name: &[u8]) -> bool {
        self.members.split(|&byte| byte == b',').any(|member| member.trim_ascii() == name)
    }
}

/// The accounts in file order. Malformed lines are skipped, never guessed at: a line without a readable uid must not become
/// uid 0.
pub(super) fn accounts(passwd: &[u8]) -> impl Iterator<Item = Account<'_>> {
    lines(passwd).filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name, uid, gid, home })
    })
}

/// The groups in file order. Malformed lines are skipped.
pub(super) fn groups(group: &[u8]) -> impl Iterator<Item = Group<'_>> {
    lines(group).filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let gid = id(fields.next()?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

/// Lines that may hold an entry: no comments, no NIS entries (`+`, `-`), no NUL, at which C programs would end the line.
fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !matches!(line.first(), None | Some(b'#' | b'+' | b'-' | b':')) && !line.contains(&0))
}

fn id(digits: &[u8]) -> Option<u32> {
    number(std::str::from_utf8(digits).ok()?)?
}

/// The number in a text of decimal digits: `None` if the text is not a number, `Some(None)` if the number is not a valid id.
#[allow(clippy::option_option, reason = "two different answers, told apart by every caller")]
pub(super) fn number(text: &str) -> Option<Option<u32>> {
    // Checked first, because `parse` takes a sign as well.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok().filter(|&id| id <= MAX_ID))
}

/// Reads a whole database. A missing one is empty, as in an image `FROM scratch`.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match crate::regular_file::open(path) {
        Ok(file) => file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => 0,
        Err(error) => return Err(error),
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than 16 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_entries_and_skips_the_rest() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\n\n# a:x:1:1::/:\n+nis:x:7:7::/:\n-no:x:7:7::/:\n:x:7:7::/:\n\
            short:x:7\nneg:x:-1:7::/:\nminus:x:4294967295:7::/:\nbig:x:7:99999999999::/:\nplus:x:+7:7::/:\n\
            empty:x::7::/:\nnul\0:x:7:7::/:\n bare:x:8:9\r\n\xff:x:10:11::/\xfe:/bin/sh";
        let all: Vec<_> = accounts(passwd).collect();
        assert_eq!(all.iter().map(|entry| (entry.uid, entry.gid)).collect::<Vec<_>>(), [(0, 0), (8, 9), (10, 11)]);
        assert_eq!(all.iter().map(|entry| entry.name).collect::<Vec<_>>(), [&b"root"[..], b"bare", b"\xff"]);
        assert_eq!(all.iter().map(|entry| entry.home).collect::<Vec<_>>(), [&b"/root"[..], b"", b"/\xfe"]);
    }

    #[test]
    fn members_are_whole_names() {
        let all: Vec<_> = groups(b"wheel:x:10:ann, bob\nnone:x:11:\nbare:x:12\nbad:x:y:ann\n").collect();
        assert_eq!(all.iter().map(|group| group.gid).collect::<Vec<_>>(), [10, 11, 12]);
        let wheel = all[0];
        assert_eq!(wheel.name, b"wheel");
        assert!(wheel.lists(b"ann") && wheel.lists(b"bob") && !wheel.lists(b"an") && !wheel.lists(b"ann,"));
        assert!(!all[1].lists(b"ann"));
    }

    #[test]
    fn minus_one_is_not_an_id() {
        assert_eq!(number("4294967294"), Some(Some(u32::MAX - 1)));
        assert_eq!(number("4294967295"), Some(None));
        assert_eq!(number("99999999999999999999"), Some(None));
        for text in ["", "+1", "-1", "1 ", "0x1", "١"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_missing_database_is_empty_and_an_odd_one_an_error() {
        assert_eq!(read(Path::new("/no/such/passwd")).unwrap(), b"");
        assert_eq!(read(Path::new("/etc/passwd/passwd")).unwrap(), b"");
        assert!(read(Path::new("/dev/zero")).is_err());
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_BYTES).unwrap();
        assert_eq!(read(file.path()).unwrap().len() as u64, MAX_BYTES);
        file.as_file().set_len(MAX_BYTES + 1).unwrap();
        assert!(read(file.path()).is_err());
    }
}
