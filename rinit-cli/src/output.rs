//! Lines on standard error or output that can neither panic nor block.

use crate::args::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, IoSlice, ReadWriteFlags, pwritev2, write};
use rustix::stdio::{stderr, stdout};
use std::ffi::OsStr;
use std::fmt::{Arguments, Write};

/// Longest line. A pipe takes up to PIPE_BUF = 4096 bytes whole or not at all (`pipe(7)`), so that lines of several
/// processes do not mix.
const LONGEST: usize = 4096;

/// Writes `rinit: ` and the message as one line to standard error.
pub(crate) fn say(message: Arguments<'_>) {
    line(Stream::Error, "rinit: ", message);
}

/// Writes the prefix and the message as one line.
///
/// As PID 1 rinit must survive a closed or full standard error (`eprintln!` panics there) and must not wait for a reader
/// that never comes: a line that cannot be written at once is lost.
pub(crate) fn line(to: Stream, prefix: &str, message: Arguments<'_>) {
    let mut line = Line { text: String::from(prefix) };
    // Writing to a String fails only where a `Display` does; what it wrote until then is said.
    let _ = line.write_fmt(message);
    let mut text = line.text;
    if text.len() >= LONGEST {
        let end = (0..LONGEST - 4).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text.push('\n');
    put(to, text.as_bytes());
}

/// Text of somebody else's as one line of characters that are printed as themselves.
pub(crate) fn visible(text: &OsStr) -> String {
    let mut line = Line { text: String::new() };
    let _ = line.write_str(&text.to_string_lossy());
    line.text
}

/// Makes visible what is not printed as itself: the name of a program must not be able to forge a line, to drive the
/// terminal or to turn the direction of the text around.
struct Line {
    text: String,
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        for c in part.chars() {
            match c {
                '\\' | '\'' | '"' => self.text.push(c),
                _ => self.text.extend(c.escape_debug()),
            }
        }
        Ok(())
    }
}

/// Writes text of several lines at once, if that can be done without waiting.
pub(crate) fn put(to: Stream, bytes: &[u8]) {
    let fd = match to {
        Stream::Error => stderr(),
        Stream::Output => stdout(),
    };
    // Asks the kernel not to wait; pipes and files know the flag. Position -1 is "as write(2) would" (`pwritev2(2)`).
    match pwritev2(fd, &[IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
        Ok(_) | Err(Errno::AGAIN | Errno::BADF | Errno::PIPE) => return,
        Err(_) => {}
    }
    // Terminals and older kernels do not: there poll tells whether a write would wait.
    let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0) {
        let _ = write(fd, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_name_forges_no_line_and_drives_no_terminal() {
        for (text, shown) in [
            (&b"/usr/bin/gr\xc3\xb6\xc3\x9fe --a='b' \"c\\d\""[..], "/usr/bin/gr\u{f6}\u{df}e --a='b' \"c\\d\""),
            (b"x\nrinit: forged\r", "x\\nrinit: forged\\r"),
            (b"\x1b]0;title\x07\x7f\0", "\\u{1b}]0;title\\u{7}\\u{7f}\\0"),
            (b"\xff\xc2\x9b31m", "\u{fffd}\\u{9b}31m"),
            ("\u{202e}gpj.exe\u{2028}\u{200b}\u{feff}".as_bytes(), "\\u{202e}gpj.exe\\u{2028}\\u{200b}\\u{feff}"),
        ] {
            assert_eq!(visible(OsStr::from_bytes(text)), shown);
        }
    }
}
