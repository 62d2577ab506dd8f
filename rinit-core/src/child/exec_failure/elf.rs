//! Reads the parts of an ELF header that `execve(2)` checks: `elf(5)`.

/// The most that is read at once. It is a page: headers and names of loaders are far shorter.
pub(super) const MAX_READ: usize = 4096;

const TYPE_EXECUTABLE: u64 = 2;
const TYPE_DYNAMIC: u64 = 3;
const SEGMENT_INTERPRETER: u64 = 3;

/// An ELF file's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elf {
    machine: u64,
    bits: u8,
    /// True if its type is that of a program, not of an object file or a core dump.
    pub(super) is_program: bool,
    /// The loader that the kernel starts in the program's place (PT_INTERP). A static program has none.
    pub(super) loader: Option<Vec<u8>>,
}

/// Where the fields of one class lie: offset and width in bytes.
struct Layout {
    bits: u8,
    table: (usize, usize),
    entry_size: (usize, usize),
    entry_count: (usize, usize),
    segment_size: usize,
    segment_offset: (usize, usize),
    segment_bytes: (usize, usize),
}

const LAYOUT_32: Layout = Layout {
    bits: 32,
    table: (28, 4),
    entry_size: (42, 2),
    entry_count: (44, 2),
    segment_size: 32,
    segment_offset: (4, 4),
    segment_bytes: (16, 4),
};

const LAYOUT_64: Layout = Layout {
    bits: 64,
    table: (32, 8),
    entry_size: (54, 2),
    entry_count: (56, 2),
    segment_size: 56,
    segment_offset: (8, 8),
    segment_bytes: (32, 8),
};

impl Elf {
    /// Reads the header; `read_at(offset, length)` returns at most `length` bytes of the file, fewer at its end.
    ///
    /// `None` if it is not an ELF file, or its header is cut short.
    pub(super) fn parse(head: &[u8], read_at: &dyn Fn(u64, usize) -> Vec<u8>) -> Option<Self> {
        let rest = head.strip_prefix(b"\x7fELF")?;
        let layout = match rest.first()? {
            1 => LAYOUT_32,
            2 => LAYOUT_64,
            _ => return None,
        };
        let little = match rest.get(1)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        let field = |at| number(head, at, little);
        let kind = field((16, 2))?;
        let machine = field((18, 2))?;
        let table = field(layout.table)?;
        let is_program = matches!(kind, TYPE_EXECUTABLE | TYPE_DYNAMIC);
        // The kernel refuses any other size of an entry, so there is no loader to report.
        let entries =
            if field(layout.entry_size)? == layout.segment_size as u64 { field(layout.entry_count)? } else { 0 };
        let length = usize::try_from(entries).ok()?.saturating_mul(layout.segment_size).min(MAX_READ);
        let segments = read_at(table, length);
        let loader = segments.chunks_exact(layout.segment_size).find_map(|segment| {
            let field = |at| number(segment, at, little);
            if field((0, 4))? != SEGMENT_INTERPRETER {
                return None;
            }
            let length = usize::try_from(field(layout.segment_bytes)?).ok()?.min(MAX_READ);
            let mut name = read_at(field(layout.segment_offset)?, length);
            name.truncate(name.iter().position(|&byte| byte == 0)?);
            Some(name).filter(|name| !name.is_empty())
        });
        Some(Self { machine, bits: layout.bits, is_program, loader })
    }

    /// Returns the machine that it is built for, by Rust's name of the architecture if there is one.
    pub(super) fn machine(&self) -> String {
        let name = match (self.machine, self.bits) {
            (2, _) => "sparc",
            (3, _) => "x86",
            (8, 32) => "mips",
            (8, _) => "mips64",
            (20, _) => "powerpc",
            (21, _) => "powerpc64",
            (22, _) => "s390x",
            (40, _) => "arm",
            (43, _) => "sparc64",
            (50, _) => "ia64",
            (62, 32) => "x32",
            (62, _) => "x86_64",
            (183, _) => "aarch64",
            (243, 32) => "riscv32",
            (243, _) => "riscv64",
            (258, _) => "loongarch64",
            (machine, bits) => return format!("machine {machine} ({bits}-bit)"),
        };
        name.to_owned()
    }
}

/// An unsigned number in the file's byte order, if all of it is there.
fn number(bytes: &[u8], (offset, width): (usize, usize), little: bool) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(width)?)?;
    let join = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    Some(if little { field.iter().rev().fold(0, join) } else { field.iter().fold(0, join) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(file: &mut [u8], (offset, width): (usize, usize), value: u64, little: bool) {
        let bytes = value.to_be_bytes();
        let field = &mut file[offset..offset + width];
        field.copy_from_slice(&bytes[8 - width..]);
        if little {
            field.reverse();
        }
    }

    /// A file with two segments, the second one naming the loader, which lies beyond the first page.
    fn file(layout: &Layout, little: bool, machine: u64) -> Vec<u8> {
        const NAME_AT: usize = 5000;
        let mut file = vec![0; NAME_AT];
        file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', layout.bits / 32, if little { 1 } else { 2 }]);
        put(&mut file, (16, 2), TYPE_EXECUTABLE, little);
        put(&mut file, (18, 2), machine, little);
        put(&mut file, layout.table, 100, little);
        put(&mut file, layout.entry_size, layout.segment_size as u64, little);
        put(&mut file, layout.entry_count, 2, little);
        let segment = &mut file[100 + layout.segment_size..];
        put(segment, (0, 4), SEGMENT_INTERPRETER, little);
        put(segment, layout.segment_offset, NAME_AT as u64, little);
        put(segment, layout.segment_bytes, 9, little);
        file.extend_from_slice(b"/lib/ld.s\0more");
        file[NAME_AT + 8] = 0;
        file
    }

    fn parse(file: &[u8]) -> Option<Elf> {
        Elf::parse(&file[..file.len().min(MAX_READ)], &|offset, length| {
            let file = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            file[..length.min(file.len())].to_vec()
        })
    }

    #[test]
    fn reads_both_classes_and_byte_orders() {
        for layout in [&LAYOUT_32, &LAYOUT_64] {
            for little in [true, false] {
                let elf = parse(&file(layout, little, 8)).unwrap();
                assert_eq!(elf.loader.as_deref(), Some(&b"/lib/ld."[..]));
                assert_eq!((elf.is_program, elf.bits), (true, layout.bits));
                assert_eq!(elf.machine(), if layout.bits == 32 { "mips" } else { "mips64" });
            }
        }
        assert_eq!(parse(&file(&LAYOUT_64, true, 9999)).unwrap().machine(), "machine 9999 (64-bit)");
    }

    #[test]
    fn a_loader_that_is_not_there_is_none() {
        let mut short = file(&LAYOUT_64, true, 62);
        short.truncate(5004);
        assert_eq!(parse(&short).unwrap().loader, None);
        let mut far = file(&LAYOUT_64, true, 62);
        put(&mut far[156..], LAYOUT_64.segment_offset, u64::MAX, true);
        assert_eq!(parse(&far).unwrap().loader, None);
        let mut odd = file(&LAYOUT_64, true, 62);
        put(&mut odd, LAYOUT_64.entry_size, 57, true);
        assert_eq!(parse(&odd).unwrap().loader, None);
    }

    #[test]
    fn a_header_cut_anywhere_does_not_panic() {
        let whole = file(&LAYOUT_64, true, 62);
        for length in 0..200 {
            let elf = parse(&whole[..length]);
            assert_eq!(elf.is_some(), length >= 58, "{length}");
        }
    }
}
