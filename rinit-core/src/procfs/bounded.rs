//! Reads files that may block in the kernel, on a thread that can be given up.
//!
//! The kernel reads `cmdline` and `environ` from the process's memory under its `mmap_lock`. A process that hangs in a page
//! fault on a dead file system holds that lock for as long as it likes, and nothing shows it beforehand: the process itself may
//! be in state S. `syscall` waits for an execve that is under way. The read sleeps in a killable state, so that an abandoned
//! thread does not outlive this process.

use super::fact::Fact;
use super::reader::Reader;
use crate::signal::set::SignalSet;
use crate::sys;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long one file may take. Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same where a kill waits for it.
const HASTE: Duration = Duration::from_millis(100);

/// After this many files that did not answer, no further one is tried: each costs its time.
const MOST_ABANDONED: usize = 2;

/// The thread reads into a heap buffer, and its frames are few.
const STACK: usize = 128 << 10;

/// Reads files with a limit on the time. The thread starts with the first file.
#[derive(Debug)]
pub(crate) struct BoundedReader {
    helper: Option<Helper>,
    patience: Duration,
    /// Files that may still be abandoned.
    tries: usize,
}

impl Default for BoundedReader {
    fn default() -> Self {
        Self { helper: None, patience: PATIENCE, tries: MOST_ABANDONED }
    }
}

#[derive(Debug)]
struct Helper {
    requests: SyncSender<Request>,
    answers: Receiver<Fact<Vec<u8>>>,
}

/// A path, and the most bytes to read of it.
type Request = (String, usize);

impl BoundedReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that waits for a single file, and not for long.
    pub(crate) fn hasty() -> Self {
        Self { helper: None, patience: HASTE, tries: 1 }
    }

    /// The file's bytes, at most `limit` or a buffer more.
    pub(crate) fn read(&mut self, path: String, limit: usize) -> Fact<Vec<u8>> {
        if self.tries == 0 {
            return Fact::NotThere;
        }
        let helper = match self.helper.take() {
            Some(helper) => helper,
            // No thread to be had (`pids.max`, RLIMIT_NPROC): better no answer than a read that may not return.
            None => match Helper::start() {
                Ok(helper) => helper,
                Err(_) => return Fact::NotThere,
            },
        };
        if helper.requests.send((path, limit)).is_err() {
            return Fact::NotThere;
        }
        match helper.answers.recv_timeout(self.patience) {
            Ok(answer) => {
                self.helper = Some(helper);
                answer
            }
            Err(_) => {
                self.tries -= 1;
                Fact::NotThere
            }
        }
    }
}

impl Helper {
    fn start() -> io::Result<Self> {
        let (requests, incoming) = sync_channel::<Request>(1);
        let (outgoing, answers) = sync_channel(1);
        std::thread::Builder::new().name("proc-reader".to_owned()).stack_size(STACK).spawn(move || {
            // A signal for the process may not be given to a thread that does not come back.
            let _ = sys::block(SignalSet::all());
            let mut reader = Reader::new();
            while let Ok((path, limit)) = incoming.recv() {
                let read = reader.read(format_args!("{path}"), limit).map(|bytes| bytes.map(<[u8]>::to_vec));
                if outgoing.send(Fact::from(read)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, answers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_file_is_read_and_a_missing_one_is_not_there() {
        let mut reader = BoundedReader::new();
        let read = reader.read("/proc/self/cmdline".to_owned(), 4096);
        assert!(matches!(read, Fact::Known(bytes) if !bytes.is_empty()));
        assert_eq!(reader.read("/proc/self/nothing".to_owned(), 4096), Fact::NotThere);
        assert!(matches!(reader.read("/proc/self/stat".to_owned(), 4096), Fact::Known(_)));
    }

    #[test]
    fn a_read_that_does_not_return_is_abandoned() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let path = fifo.display().to_string();
        let start = Instant::now();
        let mut reader = BoundedReader::new();
        for _ in 0..10 {
            assert_eq!(reader.read(path.clone(), 4096), Fact::NotThere);
        }
        assert!(start.elapsed() < PATIENCE * 10, "each one was waited for: {:?}", start.elapsed());
        // Lets the abandoned threads go.
        drop(std::fs::OpenOptions::new().read(true).write(true).open(fifo).unwrap());
    }
}
