//! A thread for writes that may wait for a disk or a server, so that rinit does not.
//!
//! It is started for the first such line, and most runs need none: in a container standard error is a pipe or a terminal.
//! While it is stuck, for example because a file system is frozen or an NFS server does not answer, rinit goes on, and lines
//! beyond the queue are lost. The thread does not delay rinit's exit: the kernel ends it like any thread.

use crate::args::Stream;
use rinit_core::__Worker as Worker;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest time that rinit waits for its lines to be written, once: while the thread is stuck it does not wait again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lines that wait for a stuck thread.
const QUEUE: usize = 64;

/// It calls write(2), and no more.
const STACK: usize = 64 * 1024;

static WRITER: OnceLock<Option<Worker>> = OnceLock::new();

/// rinit has waited for lines in vain that are still not written.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// Writes the bytes, or leaves that to the thread if it takes long.
pub(super) fn write(to: Stream, bytes: &[u8]) {
    let Some(writer) = WRITER.get_or_init(|| Worker::start(c"rinit-writer", STACK).ok()) else {
        // No thread can be started (RLIMIT_NPROC, the pids cgroup). A line that may wait is better than none: it may say why
        // main was not started.
        write_now(to, bytes);
        return;
    };
    let pending = writer.pending();
    if pending > QUEUE {
        return;
    }
    let bytes = bytes.to_vec();
    writer.submit(Box::new(move || write_now(to, &bytes)));
    if pending == 0 || !IS_STUCK.load(Ordering::Relaxed) {
        IS_STUCK.store(!writer.finishes_within(PATIENCE), Ordering::Relaxed);
    }
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
