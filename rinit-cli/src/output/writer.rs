//! A thread for writes that may wait for a disk or a server, so that rinit does not.
//!
//! It is started for the first such line, and most runs need none: in a container standard error is a pipe or a terminal. While
//! it is stuck, for example because a file system is frozen or an NFS server does not answer, rinit goes on, and lines beyond the
//! queue are lost. Before it exits rinit waits for the lines that are left, but not for long: the kernel ends the thread.

use crate::args::Stream;
use rinit_core::__Worker as Worker;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest time that rinit waits for its lines to be written: once while the thread is stuck, and before it exits.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many lines may wait for the thread. If rinit and the thread alternated for each line, that would cost more than writing.
const MOST_LINES: usize = 64;

/// Its stack is small: it only calls write(2).
const STACK: usize = 64 * 1024;

static WRITER: OnceLock<Option<Worker>> = OnceLock::new();

/// True if rinit has waited in vain since the last line was written.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// Leaves the bytes to the thread. If it lags behind by a queue, rinit waits for it, but not for long.
pub(super) fn write(to: Stream, bytes: &[u8]) {
    let Some(writer) = WRITER.get_or_init(|| Worker::start(c"rinit-writer", STACK).ok()) else {
        // No thread can be started (RLIMIT_NPROC, the pids cgroup). A line that may wait is better than none: it may say why
        // main was not started.
        write_now(to, bytes);
        return;
    };
    if waits_until_left(writer, MOST_LINES - 1) {
        let bytes = bytes.to_vec();
        writer.submit(Box::new(move || {
            write_now(to, &bytes);
            IS_STUCK.store(false, Ordering::Relaxed);
        }));
    }
}

/// Waits until the lines so far are written, but not for long.
pub(crate) fn flush() {
    if let Some(Some(writer)) = WRITER.get() {
        waits_until_left(writer, 0);
    }
}

/// Waits until at most `most` lines are left, but not for a thread that is stuck already. True if no more are left.
fn waits_until_left(writer: &Worker, most: usize) -> bool {
    let time = if IS_STUCK.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    let done = writer.wait_until_left(most, time);
    IS_STUCK.store(!done, Ordering::Relaxed);
    done
}

/// The rest of a line is written too, as long as the file takes some of it.
fn write_now(to: Stream, mut bytes: &[u8]) {
    let fd = match to {
        Stream::Error => rustix::stdio::stderr(),
        Stream::Output => rustix::stdio::stdout(),
    };
    while let Ok(count @ 1..) = rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes)) {
        bytes = bytes.get(count..).unwrap_or_default();
    }
}
