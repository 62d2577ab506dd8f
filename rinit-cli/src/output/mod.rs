//! Lines on standard error or output that can neither panic nor block.
//!
//! As PID 1 rinit must survive a closed or full standard error (`eprintln!` panics then) and must not wait for a reader
//! that never comes. So it writes to each kind of file in a way that does not wait:
//!
//! - Pipes and sockets know `RWF_NOWAIT`. A line that does not fit at once is lost.
//! - Terminals do not know it, and `poll(2)` promises room for one byte, not for a line. A terminal is opened anew with
//!   `O_NONBLOCK`: the flag belongs to the open file description, and the one that rinit was started with is main's too.
//! - Writes to a file wait for its disk or server. Most file systems do not know `RWF_NOWAIT` for them, and XFS and btrfs
//!   answer EAGAIN even if they would only allocate a block. The [`writer`] thread writes, and rinit waits for it only if it lags
//!   behind, and before it exits.

mod writer;

pub(crate) use writer::flush;

use crate::args::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, fstat, open, statx};
use rustix::io::{Errno, IoSlice, ReadWriteFlags, pwritev2, write};
use rustix::stdio::{stderr, stdout};
use std::ffi::OsStr;
use std::fmt::{Arguments, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest line. A pipe takes up to PIPE_BUF = 4096 bytes whole or not at all (`pipe(7)`), so that lines of several
/// processes do not mix.
pub(crate) const LONGEST: usize = 4096;

/// Writes `rinit: ` and the message as one line to standard error.
pub(crate) fn say(message: Arguments<'_>) {
    line(Stream::Error, "rinit: ", message);
}

/// Writes the prefix and the message as one line. A line that cannot be written at once is lost.
pub(crate) fn line(to: Stream, prefix: &str, message: Arguments<'_>) {
    let mut line = Line { text: String::from(prefix) };
    // Writing to a String fails only where a `Display` does; what it wrote until then is printed.
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

/// Text from another program as one line of characters that are printed as themselves.
pub(crate) fn visible(text: &OsStr) -> String {
    let mut line = Line { text: String::new() };
    let _ = line.write_str(&text.to_string_lossy());
    line.text
}

/// Escapes characters that are not printed as themselves: the name of a program must not forge a line, control the terminal or
/// change the direction of the text.
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

/// The last write to a terminal took only a part of its line.
static IS_CUT: AtomicBool = AtomicBool::new(false);

/// Writes the bytes, if that can be done without waiting.
pub(crate) fn put(to: Stream, bytes: &[u8]) {
    let fd = match to {
        Stream::Error => stderr(),
        Stream::Output => stdout(),
    };
    // Position -1 is the file's own, as for write(2) (`pwritev2(2)`).
    let refused = match pwritev2(fd, &[IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
        Ok(_) | Err(Errno::BADF | Errno::PIPE) => return,
        Err(errno) => errno,
    };
    match file_type(fd) {
        Ok(FileType::Fifo | FileType::Socket) if refused == Errno::AGAIN => {}
        // Kernels that do not know the flag for them. A pipe that is writable takes a whole line, and so does a socket.
        Ok(FileType::Fifo | FileType::Socket) => write_if_ready(fd, bytes),
        Ok(FileType::CharacterDevice) => match reopen(to) {
            Ok(own) => write_to_device(own, bytes),
            // The terminal hung up, or the driver has no device.
            Err(Errno::IO | Errno::NXIO | Errno::NODEV) => {}
            // There is no /proc, or the terminal belongs to another user.
            Err(_) => writer::write(to, bytes),
        },
        Ok(_) => writer::write(to, bytes),
        Err(_) => {}
    }
}

/// `AT_STATX_DONT_SYNC` (`statx(2)`). rustix has no name for it where it calls the kernel through musl, as on s390x.
const DONT_SYNC: AtFlags = AtFlags::from_bits_retain(0x4000);

/// Returns the kind of file, without asking a server that may not answer.
fn file_type(fd: BorrowedFd<'_>) -> Result<FileType, Errno> {
    match statx(fd, c"", AtFlags::EMPTY_PATH | DONT_SYNC, StatxFlags::TYPE) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.stx_mode.into())),
        // Kernels before 4.11, and seccomp filters.
        Err(_) => fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode)),
    }
}

fn write_if_ready(fd: BorrowedFd<'_>, bytes: &[u8]) {
    let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0) {
        let _ = write(fd, bytes);
    }
}

/// Opens the device again, so that rinit has its own open file description.
fn reopen(stream: Stream) -> Result<rustix::fd::OwnedFd, Errno> {
    let path = match stream {
        Stream::Error => c"/proc/self/fd/2",
        Stream::Output => c"/proc/self/fd/1",
    };
    open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}

fn write_to_device(device: rustix::fd::OwnedFd, bytes: &[u8]) {
    // What is left of the last line must not become the start of this one.
    if IS_CUT.load(Ordering::Relaxed) && write(&device, b"\n") != Ok(1) {
        return;
    }
    let count = write(&device, bytes).unwrap_or(0);
    IS_CUT.store(count > 0 && count < bytes.len(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_name_cannot_forge_a_line_or_control_the_terminal() {
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
