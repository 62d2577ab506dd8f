//! Which process reads what another one writes, as far as `/proc/pid/fd` shows it.
//!
//! Only the names of descriptors are read (`readlink(2)`), never the files: to stat a file may wait for a file system that
//! does not answer.

use super::Process;
use crate::pid::Pid;
use crate::sys::retry::read_text;
use std::path::{Path, PathBuf};

/// Descriptors of a process that are checked for the other end of a terminal.
const MOST_DESCRIPTORS: usize = 256;

/// The processes and their standard descriptors, each read once.
pub(crate) struct Partners {
    writers: Vec<(Pid, PathBuf)>,
}

impl Partners {
    pub(crate) fn among(processes: &[Process]) -> Self {
        let is_shared = |name: &PathBuf| is_pipe(name) || is_terminal(name);
        let outputs = |process: &Process| {
            let pid = process.pid;
            [1, 2].into_iter().filter_map(move |fd| descriptor(pid, fd)).filter(is_shared).map(move |name| (pid, name))
        };
        Self { writers: processes.iter().flat_map(outputs).collect() }
    }

    /// The processes whose output this one reads: through a pipe at its standard input, or through a terminal whose other
    /// end (`ptmx(4)`) it holds.
    pub(crate) fn writers_to(&self, reader: Pid) -> Vec<Pid> {
        let mut sources: Vec<PathBuf> = descriptor(reader, 0).filter(|name| is_pipe(name)).into_iter().collect();
        if self.writers.iter().any(|(pid, name)| *pid != reader && is_terminal(name)) {
            sources.extend(held_terminals(reader));
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
        let partners = Partners::among(&processes);
        assert_eq!(partners.writers_to(processes[1].pid), [processes[0].pid]);
        assert_eq!(partners.writers_to(processes[0].pid), []);
        for child in [&mut writer, &mut reader] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
