//! Reads files that may block in the kernel, on a thread that can be abandoned.
//!
//! The kernel reads `cmdline` and `environ` from the process's memory under its `mmap_lock`. A process that hangs in a page
//! fault on a dead file system holds that lock for as long as it likes, and nothing shows it beforehand: the process itself may
//! be in state S. `syscall` waits for an execve that is under way. The read sleeps in a killable state, so that an abandoned
//! thread does not outlive this process.

use super::fact::Fact;
use super::reader::Reader;
use super::stat::State;
use crate::pid::Pid;
use crate::worker::Worker;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// How long one file may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same, if a kill waits for it.
const HASTE: Duration = Duration::from_millis(100);

/// On a busy machine the thread may not run for as long as a file may take. Then it is waited for longer, in all for this many times
/// as long as for one file.
const EXTRA: u32 = 4;

/// After this many files that did not answer, no further one is tried: each costs its time.
const MOST_ABANDONED: usize = 2;

/// The thread reads into a heap buffer, and its frames are few.
const STACK: usize = 128 << 10;

/// Reads files with a limit on the time. The thread starts with the first file.
#[derive(Debug)]
pub(crate) struct BoundedReader {
    worker: Option<Worker>,
    patience: Duration,
    /// For how long a thread that does not get the processor may still be waited for.
    extra: Duration,
    /// Files that may still be abandoned.
    tries: usize,
    /// Files that were abandoned, and what each read holds until it returns: until then another one would not return either.
    abandoned: Vec<(String, Weak<()>)>,
}

impl Default for BoundedReader {
    fn default() -> Self {
        Self::with(PATIENCE, EXTRA * PATIENCE)
    }
}

impl BoundedReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One that does not wait long.
    pub(crate) fn hasty() -> Self {
        Self::with(HASTE, EXTRA * HASTE)
    }

    /// One that waits for at most half of this time in all, if that is longer than a hasty one waits. On a busy machine it may be
    /// three quarters.
    pub(crate) fn within(time: Duration) -> Self {
        let quarter = time / 4;
        Self::with(quarter.clamp(HASTE, PATIENCE), quarter.clamp(EXTRA * HASTE, EXTRA * PATIENCE))
    }

    const fn with(patience: Duration, extra: Duration) -> Self {
        Self { worker: None, patience, extra, tries: MOST_ABANDONED, abandoned: Vec::new() }
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
        if !self.wait_for(&worker) {
            self.tries -= 1;
            return Fact::NotThere;
        }
        self.worker = Some(worker);
        Arc::into_inner(answer).and_then(OnceLock::into_inner).unwrap_or(Fact::NotThere)
    }

    /// False if the work takes too long.
    fn wait_for(&mut self, worker: &Worker) -> bool {
        if worker.wait_until_left(0, self.patience) {
            return true;
        }
        let since = Instant::now();
        while since.elapsed() < self.extra && is_runnable(worker) {
            if worker.wait_until_left(0, self.patience / 10) {
                break;
            }
        }
        self.extra = self.extra.saturating_sub(since.elapsed());
        worker.wait_until_left(0, Duration::ZERO)
    }
}

/// True if its thread does not sleep: it waits for the processor, not for the file.
fn is_runnable(worker: &Worker) -> bool {
    let Some(thread) = worker.thread() else { return true };
    let status = Reader::new().thread_status(Pid::this(), thread).ok().flatten();
    status.is_some_and(|status| status.state == Some(State::Running))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

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
        for time in [1600, 2000, 9000].map(Duration::from_millis) {
            let reader = BoundedReader::within(time);
            assert!(reader.extra + most(reader) <= time * 3 / 4, "{time:?}");
        }
        for time in [400, 401, 1000, 1999, 2000].map(Duration::from_millis) {
            assert!(most(BoundedReader::within(time)) <= time / 2, "{time:?}");
        }
        assert_eq!(most(BoundedReader::within(Duration::from_secs(3))), most(BoundedReader::new()));
        assert_eq!(most(BoundedReader::within(Duration::MAX)), most(BoundedReader::new()));
        assert_eq!(most(BoundedReader::within(Duration::ZERO)), most(BoundedReader::hasty()));
    }

    /// As a thread on a busy machine, these run for longer than a file may take.
    #[test]
    fn a_thread_that_waits_for_the_processor_is_waited_for() {
        let patience = Duration::from_millis(10);
        let mut reader = BoundedReader::with(patience, Duration::from_secs(90));
        let answer: Fact<i32> = reader.run(move || {
            let start = Instant::now();
            while start.elapsed() < 10 * patience {}
            io::Result::Ok(1)
        });
        assert_eq!((answer, reader.tries), (Fact::Known(1), MOST_ABANDONED));
    }

    #[test]
    fn but_not_for_ever() {
        let patience = Duration::from_millis(10);
        let mut reader = BoundedReader::with(patience, patience);
        let (go_on, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (goes_on, over) = (Arc::clone(&go_on), Arc::clone(&is_over));
        let answer: Fact<i32> = reader.run(move || {
            while !goes_on.load(Ordering::Relaxed) {}
            over.store(true, Ordering::Relaxed);
            io::Result::Ok(1)
        });
        go_on.store(true, Ordering::Relaxed);
        assert_eq!((answer, reader.tries), (Fact::NotThere, MOST_ABANDONED - 1));
        crate::test_support::eventually("the thread's end", || is_over.load(Ordering::Relaxed));
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
