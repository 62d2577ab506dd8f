//! Reads files of `/proc`, many of them into one buffer.

use super::stat::{self, Stat};
use super::status::Status;
use super::{children, cmdline};
use crate::error::Error;
use crate::pid::Pid;
use crate::sys;
use crate::sys::retry::retry_transient;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// More than any single-process file holds, a `status` with the kernel's 65,536 supplementary groups included.
pub(super) const LARGEST: usize = 4 << 20;
/// As much of a command line as can be shown, many times over. The kernel keeps up to 2 MiB.
const COMMAND_LINE: usize = 4096;

/// Reads files of `/proc` into one buffer, over and over: with 20,000 processes an allocation for each is felt.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: String,
    bytes: Vec<u8>,
    /// Nothing is read from then on.
    until: Option<Instant>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A reader that fails with [`io::ErrorKind::TimedOut`] from that time on.
    pub(crate) fn until(time: Instant) -> Self {
        Self { until: Some(time), ..Self::default() }
    }

    /// The file's bytes, at most `limit` or a buffer more; `None` when the process is gone.
    ///
    /// A process that is reaped while its file is open answers ESRCH to the read, one that was reaped before answers
    /// ENOENT to the open (`proc(5)`); both mean the same.
    pub(crate) fn read(&mut self, path: fmt::Arguments<'_>, limit: usize) -> Result<Option<&[u8]>, Error> {
        self.path.clear();
        let _ = self.path.write_fmt(path);
        match self.fill(limit) {
            Ok(used) => Ok(self.bytes.get(..used)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(source) => Err(Error::Proc { path: PathBuf::from(&self.path), source }),
        }
    }

    fn fill(&mut self, limit: usize) -> io::Result<usize> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = retry_transient(|| Ok(rustix::fs::open(self.path.as_str(), flags, Mode::empty())?))?;
        let mut used = 0;
        while used < limit {
            if used == self.bytes.len() {
                self.bytes.resize((2 * used).max(4096), 0);
            }
            let Some(room) = self.bytes.get_mut(used..) else { break };
            // Short reads are no end: `children` comes page by page.
            match retry_transient(|| Ok(rustix::io::read(&file, &mut *room)?))? {
                0 => break,
                count => used += count,
            }
        }
        Ok(used)
    }

    /// `/proc/pid/stat`.
    pub(crate) fn stat(&mut self, pid: Pid) -> Result<Option<Stat>, Error> {
        let Some(bytes) = self.read(format_args!("/proc/{pid}/stat"), LARGEST)? else { return Ok(None) };
        let stat = Stat::parse(bytes);
        stat.map(Some)
            .ok_or_else(|| Error::Proc { path: PathBuf::from(&self.path), source: io::ErrorKind::InvalidData.into() })
    }

    /// False if the thread has ended or is about to (`PF_EXITING`), from when on the kernel gives it no children.
    pub(crate) fn thread_is_alive(&mut self, pid: Pid, thread: Pid) -> Result<bool, Error> {
        let bytes = self.read(format_args!("/proc/{pid}/task/{thread}/stat"), LARGEST)?;
        Ok(bytes.and_then(Stat::parse).is_some_and(|stat| !stat.exiting))
    }

    /// `/proc/pid/status`.
    pub(crate) fn status(&mut self, pid: Pid) -> Result<Option<Status>, Error> {
        Ok(self.read(format_args!("/proc/{pid}/status"), LARGEST)?.map(Status::parse))
    }

    /// `/proc/pid/task/tid/status`: the same for one thread, which has a mask and a state of its own.
    pub(crate) fn thread_status(&mut self, pid: Pid, thread: Pid) -> Result<Option<Status>, Error> {
        Ok(self.read(format_args!("/proc/{pid}/task/{thread}/status"), LARGEST)?.map(Status::parse))
    }

    /// Adds the children that this thread has started or inherited; `false` when the thread is gone, or the kernel was
    /// built without `CONFIG_PROC_CHILDREN`.
    pub(crate) fn children(&mut self, pid: Pid, thread: Pid, into: &mut Vec<Pid>) -> Result<bool, Error> {
        let Some(bytes) = self.read(format_args!("/proc/{pid}/task/{thread}/children"), usize::MAX)? else {
            return Ok(false);
        };
        into.extend(children::parse(bytes));
        Ok(true)
    }

    /// The command for people, escaped: the arguments, or the name in brackets for a process without any.
    ///
    /// Never call it for a process with a thread in state D: the kernel reads the arguments from the process's memory,
    /// under a lock (`mmap_lock`) that such a thread may hold for ever, and the reader would hang with it. For PID 1 that
    /// would be the end of the container; use [`cmdline::bracketed`] there.
    pub(crate) fn command(&mut self, pid: Pid, comm: &[u8]) -> String {
        match self.read(format_args!("/proc/{pid}/cmdline"), COMMAND_LINE) {
            Ok(Some(bytes)) => cmdline::display(bytes, comm),
            // Gone, or hidden: the name from `stat` is what is left.
            Ok(None) | Err(_) => cmdline::bracketed(comm),
        }
    }

    /// The kernel function that the process sleeps in; `None` where the kernel does not say.
    pub(crate) fn wait_channel(&mut self, pid: Pid) -> Option<String> {
        let bytes = self.read(format_args!("/proc/{pid}/wchan"), 256).ok()??;
        let name = cmdline::printable(bytes, cmdline::WIDTH);
        // "0" is both "not sleeping" and "not permitted to know" (`proc_pid_wchan(5)`).
        (!name.is_empty() && name != "0").then_some(name)
    }

    /// True if a thread waits in `sigwait(3)` or its like. While it does, the kernel shows the signals that it waits for as
    /// unblocked (`SigBlk`), although they are taken and not acted upon; only the function that it sleeps in tells.
    pub(crate) fn is_in_sigwait(&mut self, pid: Pid) -> bool {
        let mut threads = Vec::new();
        let listed = numbers(&format!("/proc/{pid}/task"), &mut threads);
        listed.is_ok_and(|listed| listed.is_some())
            && threads.into_iter().any(|thread| match self.read(format_args!("/proc/{pid}/task/{thread}/wchan"), 256) {
                // The compiler may have added a suffix, such as `.isra.0`.
                Ok(Some(name)) if name.starts_with(b"do_sigtimedwait") => true,
                // Linux 5.10 on x86 says this of every thread, wherever it waits.
                Ok(Some(b"" | b"0")) => self.calls_sigtimedwait(pid, thread),
                _ => false,
            })
    }

    /// The same from the thread's system call, which only those may read who may trace the process.
    fn calls_sigtimedwait(&mut self, pid: Pid, thread: Pid) -> bool {
        let call = self.read(format_args!("/proc/{pid}/task/{thread}/syscall"), 256);
        let number =
            call.ok().flatten().and_then(|line| line.split(u8::is_ascii_whitespace).next().and_then(stat::number));
        number.is_some_and(sys::is_sigtimedwait)
    }
}

/// The numbers among the names of a directory of `/proc`; `None` when the directory is gone with its process.
pub(crate) fn numbers(directory: &str, into: &mut Vec<Pid>) -> Result<Option<()>, Error> {
    let before = into.len();
    let read = retry_transient(|| {
        into.truncate(before);
        for entry in std::fs::read_dir(directory)? {
            into.extend(entry?.file_name().to_str().and_then(|name| Pid::new(name.parse().ok()?)));
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(Some(())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(source) => Err(Error::Proc { path: PathBuf::from(directory), source }),
    }
}

/// True if it says that the process is gone, with its files.
fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::verify;
    use crate::signal::Signal;
    use crate::signal::set::SignalSet;
    use std::time::Duration;

    #[test]
    fn this_process_is_read_from_proc() {
        let mut reader = Reader::new();
        let me = Pid::from(rustix::process::getpid());
        verify(&mut reader).unwrap();
        let stat = reader.stat(me).unwrap().unwrap();
        assert_eq!(stat.pid, me);
        assert_eq!(stat.ppid, rustix::process::getppid().map(Pid::from));
        let status = reader.status(me).unwrap().unwrap();
        assert_eq!(status.uid, Some(rustix::process::getuid().as_raw()));
        assert!(status.signals.is_some());
        assert!(!reader.command(me, &stat.comm).is_empty());
    }

    #[test]
    fn a_thread_in_sigwait_is_seen_with_and_without_its_wait_channel() {
        let (tell, told) = std::sync::mpsc::channel();
        let waits = std::thread::spawn(move || {
            tell.send(Pid::from(rustix::thread::gettid())).unwrap();
            // Nobody sends it; blocked or not, it is waited for.
            sys::sigtimedwait(SignalSet::only(Signal::RTMAX), Some(Duration::from_secs(20)))
        });
        let (me, thread) = (Pid::from(rustix::process::getpid()), told.recv().unwrap());
        let mut reader = Reader::new();
        crate::test_support::eventually("the system call", || reader.calls_sigtimedwait(me, thread));
        assert!(reader.is_in_sigwait(me));
        assert!(!reader.calls_sigtimedwait(me, Pid::from(rustix::thread::gettid())));
        drop(waits);
    }

    #[test]
    fn a_process_that_is_gone_is_none_and_no_error() {
        let mut reader = Reader::new();
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = Pid::new(child.id().try_into().unwrap()).unwrap();
        child.wait().unwrap();
        assert_eq!(reader.stat(pid).unwrap(), None);
        assert_eq!(reader.status(pid).unwrap(), None);
        assert!(!reader.children(pid, pid, &mut Vec::new()).unwrap());
        assert_eq!(numbers(&format!("/proc/{pid}/task"), &mut Vec::new()).unwrap(), None);
    }

    #[test]
    fn a_file_larger_than_the_buffer_is_read_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; 100_000]).unwrap();
        let mut reader = Reader::new();
        let read = |reader: &mut Reader, limit| {
            reader.read(format_args!("{}", file.path().display()), limit).unwrap().unwrap().len()
        };
        assert_eq!(read(&mut reader, usize::MAX), 100_000);
        assert_eq!(read(&mut reader, usize::MAX), 100_000);
        assert!(read(&mut Reader::new(), 5000) < 20_000);
    }
}
