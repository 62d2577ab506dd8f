//! Finds which process reads what another one writes, from `/proc/pid/fd`.
//!
//! It reads only the names of descriptors (`readlink(2)`), never the files: a stat may wait for a file system that does not
//! answer. A pipe without a name is the exception: it is in no file system that could keep a caller waiting.

use super::Process;
use crate::pid::{Pid, PidMap};
use crate::procfs::reader::Reader;
use crate::sys::retry::read_text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Descriptors of a process that are checked for the other end of a terminal.
const MOST_DESCRIPTORS: usize = 256;

/// The processes and their standard descriptors, each read once.
pub(crate) struct Partners {
    writers: Vec<(Pid, PathBuf)>,
    /// This process's own standard input. If it is a pipe, its writer is outside the tree.
    own_input: Option<PathBuf>,
    /// The thread that has the descriptors of a process, where that is not the first one: it has exited before the others.
    threads: PidMap<Pid>,
}

/// The standard input of a process for which no writer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A pipe whose writers have all exited, or closed it, with this number of bytes left in it.
    AtEnd(u64),
    /// A pipe whose writer was not found: it may be exiting, and no longer show its descriptors.
    Open,
    /// Not a pipe, or one that comes from outside the tree.
    Other,
    /// A pipe for which this cannot be determined.
    Unknown,
}

impl Partners {
    pub(crate) fn among(processes: &[Process], reader: &mut Reader) -> Self {
        let own_input = descriptor(rustix::process::getpid().into(), 0);
        let mut this = Self { writers: Vec::new(), own_input, threads: PidMap::default() };
        for process in processes {
            let thread = process.living_thread(reader);
            if thread != process.pid {
                this.threads.insert(process.pid, thread);
            }
            let outputs = [1, 2].into_iter().filter_map(|fd| descriptor(thread, fd));
            let shared = outputs.filter(|name| is_pipe(name) || is_terminal(name));
            this.writers.extend(shared.map(|name| (process.pid, name)));
        }
        this
    }

    /// The number under which `/proc` shows the descriptors of the process.
    fn thread_of(&self, process: Pid) -> Pid {
        self.threads.get(&process).copied().unwrap_or(process)
    }

    /// Returns the processes whose output this one reads: through a pipe at its standard input, or through a terminal whose
    /// other end (`ptmx(4)`) it holds.
    pub(crate) fn writers_to(&self, reader: Pid) -> Vec<Pid> {
        let thread = self.thread_of(reader);
        let mut sources: Vec<PathBuf> = descriptor(thread, 0).filter(|name| is_pipe(name)).into_iter().collect();
        if self.writers.iter().any(|(pid, name)| *pid != reader && is_terminal(name)) {
            sources.extend(held_terminals(thread));
        }
        let mut writers: Vec<Pid> = self
            .writers
            .iter()
            .filter(|(pid, name)| *pid != reader && sources.contains(name))
            .map(|(pid, _)| *pid)
            .collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }

    /// Returns what is left to read for a process for which no writer was found.
    pub(crate) fn input_of(&self, reader: Pid) -> Input {
        let thread = self.thread_of(reader);
        match descriptor(thread, 0).filter(|name| is_pipe(name)) {
            Some(name) if Some(&name) != self.own_input.as_ref() => {
                left_in_pipe(thread, &name).unwrap_or(Input::Unknown)
            }
            _ => Input::Other,
        }
    }
}

/// Returns what is left in the pipe of that name at the reader's standard input.
///
/// It takes nothing out of the pipe, but while the calls last the pipe has one more reader.
fn left_in_pipe(reader: Pid, name: &Path) -> Result<Input, Errno> {
    let path = format!("/proc/{reader}/fd/0");
    // The descriptor may be another file by now, and opening that may have side effects: it is opened by its verified handle.
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let handle_path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let is_fifo = FileType::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode) == FileType::Fifo;
    if !is_fifo || std::fs::read_link(&handle_path).ok().as_deref() != Some(name) {
        return Err(Errno::NOENT);
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = rustix::fs::open(&handle_path, flags, Mode::empty())?;
    let mut fds = [PollFd::new(&pipe, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default()))?;
    match fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP)) {
        true => Ok(Input::AtEnd(rustix::io::ioctl_fionread(&pipe)?)),
        false => Ok(Input::Open),
    }
}

/// The pipe at a process's standard input: its name, or nothing in place of one if that is no pipe. `None` if this user may not see it.
pub(crate) fn input_pipe(pid: Pid) -> Option<Option<PathBuf>> {
    match std::fs::read_link(format!("/proc/{pid}/fd/0")) {
        Ok(name) => Some(Some(name).filter(|name| is_pipe(name))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(None),
        Err(_) => None,
    }
}

/// The descriptor's name; `None` if it is not open, or this user may not see it.
fn descriptor(pid: Pid, fd: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()
}

fn is_pipe(name: &Path) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("pipe:["))
}

fn is_terminal(name: &Path) -> bool {
    name.starts_with("/dev/pts")
}

/// The terminals whose other end the process holds.
fn held_terminals(pid: Pid) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let masters =
        numbers.take(MOST_DESCRIPTORS).filter(|fd| descriptor(pid, *fd).is_some_and(|name| name.ends_with("ptmx")));
    masters.filter_map(|fd| terminal_of_master(pid, fd)).collect()
}

/// `tty-index` in `/proc/pid/fdinfo/fd`, since Linux 4.14.
fn terminal_of_master(pid: Pid, fd: i32) -> Option<PathBuf> {
    let text = read_text(format!("/proc/{pid}/fdinfo/{fd}").as_str(), 4096).ok()?;
    let index: u32 = text.lines().find_map(|line| line.strip_prefix("tty-index:")?.trim().parse().ok())?;
    Some(Path::new("/dev/pts").join(index.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::eventually;
    use std::process::{Child, Command, Stdio};

    fn seen(child: &Child) -> Process {
        Process::read(Pid::new(child.id().try_into().unwrap()).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn the_writer_of_a_pipe() {
        let mut writer = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().unwrap();
        let output = writer.stdout.take().unwrap();
        let mut reader = Command::new("sleep").arg("60").stdin(output).stdout(Stdio::null()).spawn().unwrap();
        let processes = [seen(&writer), seen(&reader)];
        let partners = Partners::among(&processes, &mut Reader::new());
        assert_eq!(partners.writers_to(processes[1].pid), [processes[0].pid]);
        assert_eq!(partners.writers_to(processes[0].pid), []);
        for child in [&mut writer, &mut reader] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn bytes_left_in_a_pipe_whose_writer_is_gone() {
        let (output, mut input) = std::io::pipe().unwrap();
        let mut reader = Command::new("sleep").arg("60").stdin(output).spawn().unwrap();
        let process = seen(&reader);
        let partners = Partners::among(std::slice::from_ref(&process), &mut Reader::new());
        std::io::Write::write_all(&mut input, b"four").unwrap();
        assert_eq!(partners.input_of(process.pid), Input::Open, "this test may write on");
        drop(input);
        // Another test's child may hold a copy until its exec.
        eventually("the end", || partners.input_of(process.pid) == Input::AtEnd(4));
        assert_eq!(partners.input_of(process.pid), Input::AtEnd(4), "nothing was taken out of it");
        reader.kill().unwrap();
        reader.wait().unwrap();
    }
}
