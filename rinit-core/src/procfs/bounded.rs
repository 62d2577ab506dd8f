//! Reads files that may block in the kernel, on a thread that can be abandoned.
//!
//! The kernel reads `cmdline` and `environ` from the process's memory under its `mmap_lock`. A process that hangs in a page
//! fault on a dead file system holds that lock for as long as it likes, and nothing shows it beforehand: the process itself may
//! be in state S. `syscall` waits for an execve that is under way. The read sleeps in a killable state, so that an abandoned
//! thread does not outlive this process.

use super::fact::Fact;
use super::reader::Reader;
use crate::worker::Worker;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long one file may take: long enough for a busy machine.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same, if a kill waits for it.
const HASTE: Duration = Duration::from_millis(100);

/// After this many files that did not answer, no further one is tried: each costs its time.
const MOST_ABANDONED: usize = 2;

/// The thread reads into a heap buffer, and its frames are few.
const STACK: usize = 128 << 10;

/// Reads files with a limit on the time. The thread starts with the first file.
#[derive(Debug)]
pub(crate) struct BoundedReader {
    worker: Option<Worker>,
    patience: Duration,
    /// Files that may still be abandoned.
    tries: usize,
}

impl Default for BoundedReader {
    fn default() -> Self {
        Self { worker: None, patience: PATIENCE, tries: MOST_ABANDONED }
    }
}

impl BoundedReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that waits for a single file, and not for long.
    pub(crate) fn hasty() -> Self {
        Self { worker: None, patience: HASTE, tries: 1 }
    }

    /// The file's bytes, at most `limit` or a buffer more.
    pub(crate) fn read(&mut self, path: String, limit: usize) -> Fact<Vec<u8>> {
        self.run(move || {
            let mut reader = Reader::new();
            reader.read(format_args!("{path}"), limit).map(|bytes| bytes.map(<[u8]>::to_vec))
        })
    }

    /// Any other work on such a file.
    pub(crate) fn run<T, R>(&mut self, work: impl FnOnce() -> R + Send + 'static) -> Fact<T>
    where
        T: Send + Sync + 'static,
        Fact<T>: From<R>,
    {
        if self.tries == 0 {
            return Fact::NotThere;
        }
        // No thread to be had (`pids.max`, RLIMIT_NPROC): better no answer than a read that may not return.
        let started = self.worker.take().map_or_else(|| Worker::start(c"proc-reader", STACK), Ok);
        let Ok(worker) = started else { return Fact::NotThere };
        let answer = Arc::new(OnceLock::new());
        let answered = Arc::clone(&answer);
        worker.submit(Box::new(move || {
            let _ = answered.set(Fact::from(work()));
        }));
        if !worker.wait_until_left(0, self.patience) {
            self.tries -= 1;
            return Fact::NotThere;
        }
        self.worker = Some(worker);
        Arc::into_inner(answer).and_then(OnceLock::into_inner).unwrap_or(Fact::NotThere)
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
