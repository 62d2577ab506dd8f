//! Reads files that may block in the kernel, on a thread that can be abandoned.
//!
//! The kernel reads `cmdline` and `environ` from the process's memory under its `mmap_lock`. A process that hangs in a page
//! fault on a dead file system holds that lock for as long as it likes, and nothing shows it beforehand: the process itself may
//! be in state S. `syscall` waits for an execve that is under way. The read sleeps in a killable state, so that an abandoned
//! thread does not outlive this process.

use super::fact::Fact;
use super::reader::Reader;
use crate::worker::Worker;
use std::sync::{Arc, OnceLock, Weak};
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
    /// Files that were abandoned, and what each read holds until it returns: until then another one would not return either.
    abandoned: Vec<(String, Weak<()>)>,
}

impl Default for BoundedReader {
    fn default() -> Self {
        Self { worker: None, patience: PATIENCE, tries: MOST_ABANDONED, abandoned: Vec::new() }
    }
}

impl BoundedReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that does not wait long.
    pub(crate) fn hasty() -> Self {
        Self { patience: HASTE, ..Self::default() }
    }

    /// One that waits for at most half of this time in all, if that is longer than a hasty one waits.
    pub(crate) fn within(time: Duration) -> Self {
        Self { patience: (time / 4).clamp(HASTE, PATIENCE), ..Self::default() }
    }

    /// The file's bytes, at most `limit` or a buffer more.
    pub(crate) fn read(&mut self, path: String, limit: usize) -> Fact<Vec<u8>> {
        if self.abandoned.iter().any(|(name, held)| *name == path && held.strong_count() > 0) {
            return Fact::NotThere;
        }
        let holds = Arc::new(());
        let (tries, name, held) = (self.tries, path.clone(), Arc::downgrade(&holds));
        let bytes = self.run(move || {
            let _holds = holds;
            let mut reader = Reader::new();
            reader.read(format_args!("{path}"), limit).map(|bytes| bytes.map(<[u8]>::to_vec))
        });
        if self.tries < tries {
            self.abandoned.push((name, held));
        }
        bytes
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
    fn what_is_due_soon_is_not_delayed() {
        let most = |reader: BoundedReader| reader.patience * 2;
        assert_eq!(MOST_ABANDONED, 2);
        for time in [400, 401, 1000, 1999, 2000].map(Duration::from_millis) {
            assert!(most(BoundedReader::within(time)) <= time / 2, "{time:?}");
        }
        assert_eq!(most(BoundedReader::within(Duration::from_secs(3))), most(BoundedReader::new()));
        assert_eq!(most(BoundedReader::within(Duration::MAX)), most(BoundedReader::new()));
        assert_eq!(most(BoundedReader::within(Duration::ZERO)), most(BoundedReader::hasty()));
    }

    #[test]
    fn a_read_that_does_not_return_is_abandoned() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let path = fifo.display().to_string();
        let start = Instant::now();
        let mut reader = BoundedReader::new();
        let other = || "/proc/self/stat".to_owned();
        for _ in 0..10 {
            assert_eq!(reader.read(path.clone(), 4096), Fact::NotThere);
            assert!(
                matches!(reader.read(other(), 4096), Fact::Known(_)),
                "one file that does not answer hides another"
            );
        }
        // It may be read once its read has returned.
        let end = || drop(std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap());
        end();
        crate::test_support::eventually("the read returns", || {
            reader.abandoned.iter().all(|(_, held)| held.strong_count() == 0)
        });
        assert_eq!(reader.tries, MOST_ABANDONED - 1);
        for name in ["/./fifo", "/.//fifo", "/././fifo"] {
            let path = format!("{}{name}", directory.path().display());
            assert_eq!(reader.read(path, 4096), Fact::NotThere);
        }
        assert_eq!(reader.read(other(), 4096), Fact::NotThere, "more files than may be abandoned");
        assert!(start.elapsed() < PATIENCE * 10, "each one was waited for: {:?}", start.elapsed());
        // Lets the abandoned threads go.
        end();
    }
}
