//! `/proc/pid/exe`: recognises a program by texts that its file contains. A name proves nothing.

use super::bounded::BoundedReader;
use crate::pid::Pid;
use crate::sys;
use std::fs::File;
use std::io::{self, Read};

/// The largest file that is read.
pub(crate) const LARGEST: u64 = 8 << 20;

/// What is read of a file at a time, and the longest text that may lie across two parts.
pub(crate) const PART: usize = 256 << 10;
const OVERLAP: usize = 64;

/// Which of the texts the file contains. Once the first text is found, the search ends.
pub(crate) fn find<const N: usize>(mut file: impl Read, texts: [&str; N]) -> io::Result<[bool; N]> {
    let mut found = [false; N];
    let mut part = vec![0; PART];
    let mut kept = 0;
    while !found.first().is_none_or(|first| *first) {
        let count = match file.read(part.get_mut(kept..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let length = kept + count;
        for (text, found) in texts.iter().zip(&mut found) {
            *found |= sys::contains(part.get(..length).unwrap_or_default(), text);
        }
        // A text may lie across two parts.
        kept = length.min(OVERLAP);
        part.copy_within(length - kept..length, 0);
    }
    Ok(found)
}

/// True if the file of the process's program contains one of the texts. False if it cannot be read.
pub(crate) fn contains<const N: usize>(bounded: &mut BoundedReader, pid: Pid, texts: [&'static str; N]) -> bool {
    let found = bounded.run(move || {
        let file = File::open(format!("/proc/{pid}/exe"))?;
        if file.metadata()?.len() > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        find(file, texts)
    });
    found.as_known().is_some_and(|found| found.contains(&true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_across_two_parts_is_found() {
        let mut file = vec![b'x'; 2 * PART];
        let at = PART - 4;
        file.get_mut(at..at + 8).unwrap().copy_from_slice(b"the text");
        assert_eq!(find(&*file, ["no text", "the text"]).unwrap(), [false, true]);
        assert_eq!(find(&*file, ["the text", "no text"]).unwrap(), [true, false]);
        assert_eq!(find(&*file, []).unwrap(), [false; 0]);
    }

    #[test]
    fn the_file_of_a_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::new(child.id().try_into().unwrap()).unwrap();
        let mut bounded = BoundedReader::new();
        crate::test_support::eventually("the execve", || contains(&mut bounded, pid, ["/lib"]));
        assert!(!contains(&mut bounded, pid, ["no program contains this"]));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!contains(&mut bounded, pid, ["/lib"]), "it is gone");
    }
}
