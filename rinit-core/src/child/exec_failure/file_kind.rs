//! What kind of program a file is. The kernel decides it by the first bytes, and so does this module (`execve(2)`).

use super::elf::{Elf, MAX_READ};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kernel reads at most this much of a script (BINPRM_BUF_SIZE; 128 before Linux 5.1). It refuses a longer name of an
/// interpreter.
const SCRIPT_HEAD: usize = 256;

/// The start of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Empty,
    /// A script, with the interpreter's name as the kernel reads it.
    Script(PathBuf),
    /// `#!` without a name that the kernel accepts.
    ScriptWithoutInterpreter,
    /// `#!` after an invisible byte order mark.
    ByteOrderMark,
    Elf(Elf),
    /// It starts like ELF, but the header is not complete.
    BrokenElf,
    Other,
}

impl Head {
    /// Reads the head of a regular file; `None` if this process may not.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let file = crate::regular_file::open(path).ok()?;
        let mut head = vec![0; MAX_READ];
        let count = read_at(&file, 0, &mut head)?;
        head.truncate(count);
        Some(Self::parse(&head, &|offset, length| {
            let mut bytes = vec![0; length];
            let count = read_at(&file, offset, &mut bytes).unwrap_or(0);
            bytes.truncate(count);
            bytes
        }))
    }

    pub(super) fn parse(head: &[u8], read_at: &dyn Fn(u64, usize) -> Vec<u8>) -> Self {
        if head.is_empty() {
            Self::Empty
        } else if let Some(line) = head.strip_prefix(b"#!") {
            let limit = line.len().min(SCRIPT_HEAD - 2);
            script(line.get(..limit).unwrap_or_default(), line.len() > limit)
        } else if head.starts_with(b"\xef\xbb\xbf#!") {
            Self::ByteOrderMark
        } else if head.starts_with(b"\x7fELF") {
            Elf::parse(head, read_at).map_or(Self::BrokenElf, Self::Elf)
        } else {
            Self::Other
        }
    }

    /// Returns the other file that the kernel needs to start this one.
    pub(super) fn interpreter(&self) -> Option<PathBuf> {
        match self {
            Self::Script(interpreter) => Some(interpreter.clone()),
            Self::Elf(elf) => elf.loader.as_deref().map(|loader| PathBuf::from(OsStr::from_bytes(loader))),
            _ => None,
        }
    }
}

fn script(line: &[u8], is_cut: bool) -> Head {
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0);
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let rest = line.get(start..).unwrap_or_default();
    match rest.iter().position(is_end) {
        None if is_cut => Head::ScriptWithoutInterpreter,
        end => match rest.get(..end.unwrap_or(rest.len())).unwrap_or_default() {
            [] => Head::ScriptWithoutInterpreter,
            name => Head::Script(PathBuf::from(OsStr::from_bytes(name))),
        },
    }
}

/// Fills the buffer from an offset as far as the file goes (`pread(2)`).
fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> Option<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        let at = offset.checked_add(count as u64)?;
        match rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *rest, at)).ok()? {
            0 => break,
            more => count += more,
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(head: &[u8]) -> Head {
        Head::parse(head, &|_, _| Vec::new())
    }

    #[test]
    fn a_script_names_its_interpreter() {
        for head in ["#!/bin/x\n", "#!/bin/x", "#! \t/bin/x -e\n", "#!/bin/x\0y", "#!/bin/x\ty\nz"] {
            assert_eq!(parse(head.as_bytes()), Head::Script("/bin/x".into()), "{head:?}");
        }
        assert_eq!(parse(b"#!/bin/x\r\n"), Head::Script("/bin/x\r".into()));
        for head in ["#!", "#!\n/bin/x", "#! \t\n", "#!\0"] {
            assert_eq!(parse(head.as_bytes()), Head::ScriptWithoutInterpreter, "{head:?}");
        }
    }

    #[test]
    fn a_name_that_the_kernel_would_cut_is_none() {
        let line = |length: usize| format!("#!/{}\n", "x".repeat(length - 1)).into_bytes();
        assert!(matches!(parse(&line(253)), Head::Script(_)));
        assert_eq!(parse(&line(254)), Head::ScriptWithoutInterpreter);
        assert_eq!(parse(&line(4000)), Head::ScriptWithoutInterpreter);
    }

    #[test]
    fn tells_the_others_apart() {
        assert_eq!(parse(b""), Head::Empty);
        assert_eq!(parse(b"echo"), Head::Other);
        assert_eq!(parse(b"\xef\xbb\xbf#!/bin/sh\n"), Head::ByteOrderMark);
        assert_eq!(parse(b"\x7fELF"), Head::BrokenElf);
    }

    proptest! {
        #[test]
        fn no_head_panics(mut head in any::<Vec<u8>>(), kind in 0..4, class in 0..4_u8, order in 0..4_u8) {
            let start: &[u8] = match kind {
                0 => b"#!",
                1 => &[0x7f, b'E', b'L', b'F', class, order],
                _ => b"",
            };
            head.splice(..0, start.iter().copied());
            crate::fuzzing::exec_head(&head);
        }

        /// Whole headers of noise, so that the segment table is reached.
        #[test]
        fn no_elf_panics(noise in prop::collection::vec(any::<u8>(), 64..400), class in 1..3_u8, order in 1..3_u8) {
            let mut head = noise;
            head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
            let size = if class == 1 { (42, 32_u16) } else { (54, 56) };
            let bytes = if order == 1 { size.1.to_le_bytes() } else { size.1.to_be_bytes() };
            head[size.0..size.0 + 2].copy_from_slice(&bytes);
            crate::fuzzing::exec_head(&head);
        }
    }
}
