//! Reads files of `/proc`, many of them into one buffer.

use super::bounded::BoundedReader;
use super::cgroup::Cgroups;
use super::fact::Fact;
use super::stat::{Stat, State};
use super::status::Status;
use super::{children, cmdline, fdinfo, syscall};
use crate::error::Error;
use crate::pid::Pid;
use crate::signal::set::SignalSet;
use crate::sys;
use crate::sys::errno_of;
use crate::sys::retry::retry_transient;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;

/// Larger than any single-process file, even a `status` with the kernel's 65,536 supplementary groups.
pub(crate) const LARGEST: usize = 4 << 20;
/// Many times as much of a command line as can be shown. The kernel keeps up to 2 MiB.
const COMMAND_LINE: usize = 4096;

/// Reads files of `/proc` into one buffer: with 20,000 processes, an allocation for each one is noticeable.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: String,
    bytes: Vec<u8>,
    /// Nothing is read from then on, once `at_least` more files were read.
    until: Option<Instant>,
    at_least: u32,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A reader that fails with [`io::ErrorKind::TimedOut`] from that time on, but not before it has read `at_least` files: a few
    /// can take long on a slow machine.
    pub(crate) fn until(time: Instant, at_least: u32) -> Self {
        Self { until: Some(time), at_least, ..Self::default() }
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
            Err(errno) if is_gone(errno) => Ok(None),
            Err(errno) => Err(Error::Proc { path: PathBuf::from(&self.path), source: errno.into() }),
        }
    }

    fn fill(&mut self, limit: usize) -> rustix::io::Result<usize> {
        self.at_least = self.at_least.saturating_sub(1);
        if self.at_least == 0 && self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Errno::TIMEDOUT);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = retry_transient(|| rustix::fs::open(self.path.as_str(), flags, Mode::empty()))?;
        let mut used = 0;
        while used < limit {
            if used == self.bytes.len() {
                self.bytes.resize((2 * used).max(4096), 0);
            }
            let Some(room) = self.bytes.get_mut(used..) else { break };
            // A short read is not the end: `children` comes page by page.
            match retry_transient(|| rustix::io::read(&file, &mut *room))? {
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

    /// The thread whose files show what the process has: the first one or, if that has exited before the others, one of those. A
    /// thread that has exited has no arguments, descriptors, namespaces and control groups. `/proc/tid` is there for each thread
    /// (`proc(5)`).
    pub(crate) fn living_thread(&mut self, pid: Pid, state: State, threads: u32) -> Pid {
        if state != State::Zombie || threads <= 1 {
            return pid;
        }
        let mut numbers_of_threads = Vec::new();
        let _ = numbers(&format!("/proc/{pid}/task"), &mut numbers_of_threads);
        let lives = |thread: &Pid| self.thread_is_alive(pid, *thread).unwrap_or(false);
        numbers_of_threads.into_iter().find(lives).unwrap_or(pid)
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

    /// The kernel function that a thread sleeps in.
    ///
    /// "0" is both "not asleep" and "not permitted to know" (`proc_pid_wchan(5)`), and Linux 5.10 on x86 says it of every
    /// thread: it counts as not there.
    pub(crate) fn wait_channel(&mut self, pid: Pid, thread: Pid) -> Fact<String> {
        let read = self.read(format_args!("/proc/{pid}/task/{thread}/wchan"), 256);
        Fact::from(read).and_then(|bytes| {
            let name = cmdline::printable(bytes, cmdline::WIDTH);
            (!name.is_empty() && name != "0").then_some(name)
        })
    }

    /// True if a thread waits in `sigwait(3)` or its like. While it does, the kernel shows the signals that it waits for as
    /// unblocked (`SigBlk`), although they are taken and not acted upon; only the place where it sleeps shows it.
    pub(crate) fn in_sigwait(&mut self, bounded: &mut BoundedReader, pid: Pid) -> Fact<bool> {
        let mut threads = Vec::new();
        match numbers(&format!("/proc/{pid}/task"), &mut threads) {
            Ok(Some(())) => {}
            Ok(None) => return Fact::NotThere,
            Err(error) => return Fact::from(Err(error)),
        }
        let mut unknown = None;
        for thread in threads {
            let in_sigwait = match self.wait_channel(pid, thread) {
                // The compiler may have added a suffix, such as `.isra.0`.
                Fact::Known(name) => Fact::Known(name.starts_with("do_sigtimedwait")),
                Fact::NotPermitted => Fact::NotPermitted,
                Fact::NotThere => calls_sigtimedwait(bounded, pid, thread),
            };
            match in_sigwait {
                Fact::Known(true) => return Fact::Known(true),
                Fact::Known(false) => {}
                // One that has exited belongs to root in /proc, and waits for nothing.
                _ if !self.thread_is_alive(pid, thread).unwrap_or(true) => {}
                refused => unknown = Some(refused),
            }
        }
        unknown.unwrap_or(Fact::Known(false))
    }

    /// Returns the same as a boolean: false if it cannot be known.
    pub(crate) fn is_in_sigwait(&mut self, pid: Pid) -> bool {
        self.in_sigwait(&mut BoundedReader::new(), pid).is(&true)
    }

    /// All signals that the process takes by `signalfd(2)`.
    pub(crate) fn signalfds(&mut self, pid: Pid) -> Fact<SignalSet> {
        let entries = match std::fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(entries) => entries,
            Err(error) => return Fact::from(Err(error)),
        };
        let mut signals = SignalSet::empty();
        for entry in entries.flatten() {
            let is_signalfd =
                std::fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str().as_bytes() == fdinfo::SIGNALFD);
            if is_signalfd {
                let name = entry.file_name();
                let read = self.read(format_args!("/proc/{pid}/fdinfo/{}", name.to_string_lossy()), LARGEST);
                match Fact::from(read).and_then(fdinfo::parse) {
                    Fact::Known(mask) => signals |= mask,
                    Fact::NotPermitted => return Fact::NotPermitted,
                    // Closed since.
                    Fact::NotThere => {}
                }
            }
        }
        Fact::Known(signals)
    }

    /// The control groups of a process.
    pub(crate) fn cgroups(&mut self, pid: Pid) -> Fact<Cgroups> {
        Fact::from(self.read(format_args!("/proc/{pid}/cgroup"), LARGEST)).map(Cgroups::parse)
    }
}

/// True if the thread's system call is `rt_sigtimedwait`. Only a process that may trace it may read that.
fn calls_sigtimedwait(bounded: &mut BoundedReader, pid: Pid, thread: Pid) -> Fact<bool> {
    let call = bounded.read(format!("/proc/{pid}/task/{thread}/syscall"), 256);
    call.map(|line| syscall::parse(&line).is_some_and(|call| sys::is_sigtimedwait(call.number)))
}

/// The arguments of a process, up to 4096 bytes. Never without a bound on the time: see [`super::bounded`].
pub(crate) fn arguments(bounded: &mut BoundedReader, pid: Pid) -> Fact<Vec<u8>> {
    bounded.read(format!("/proc/{pid}/cmdline"), COMMAND_LINE)
}

/// The numbers among the names of a directory of `/proc`; `None` when the directory is gone with its process.
pub(crate) fn numbers(directory: &str, into: &mut Vec<Pid>) -> Result<Option<()>, Error> {
    let before = into.len();
    let errno = |error: io::Error| errno_of(&error);
    let read = retry_transient(|| {
        into.truncate(before);
        for entry in std::fs::read_dir(directory).map_err(errno)? {
            into.extend(entry.map_err(errno)?.file_name().to_str().and_then(|name| Pid::new(name.parse().ok()?)));
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(Some(())),
        Err(errno) if is_gone(errno) => Ok(None),
        Err(errno) => Err(Error::Proc { path: PathBuf::from(directory), source: errno.into() }),
    }
}

/// True if it says that the process is gone, with its files.
const fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::verify;
    use crate::signal::Signal;
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
        assert!(matches!(arguments(&mut BoundedReader::new(), me), Fact::Known(bytes) if !bytes.is_empty()));
    }

    #[test]
    fn a_thread_in_sigwait_is_seen_with_and_without_its_wait_channel() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let waits = std::thread::spawn(move || {
            sender.send(Pid::from(rustix::thread::gettid())).unwrap();
            // No process sends it. sigtimedwait waits for it, whether it is blocked or not.
            sys::sigtimedwait(SignalSet::only(Signal::RTMAX), Some(Duration::from_secs(20)))
        });
        let (me, thread) = (Pid::from(rustix::process::getpid()), receiver.recv().unwrap());
        let mut reader = Reader::new();
        let mut bounded = BoundedReader::new();
        crate::test_support::eventually("the system call", || calls_sigtimedwait(&mut bounded, me, thread).is(&true));
        assert!(reader.in_sigwait(&mut bounded, me).is(&true));
        let own = Pid::from(rustix::thread::gettid());
        assert!(calls_sigtimedwait(&mut bounded, me, own).is(&false));
        drop(waits);
    }

    #[test]
    fn a_reader_whose_time_is_over_has_read_a_few_files() {
        let me = Pid::from(rustix::process::getpid());
        let mut reader = Reader::until(Instant::now(), 3);
        assert!(reader.stat(me).is_ok() && reader.stat(me).is_ok());
        let error = reader.stat(me).unwrap_err();
        assert!(matches!(&error, Error::Proc { source, .. } if source.kind() == io::ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn a_process_that_is_gone_is_none_not_an_error() {
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
