//! A thread for writes that may wait for a disk or a server, so that rinit does not.
//!
//! It is started for the first such line, and most runs need none: in a container standard error is a pipe or a terminal.
//! While it is stuck, for example because a file system is frozen or an NFS server does not answer, rinit goes on, and lines
//! beyond the queue are lost. The thread does not delay rinit's exit: the kernel ends it like any thread.

use crate::args::Stream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Longest time that rinit waits for its lines to be written, once: while the thread is stuck it does not wait again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lines that wait for a stuck thread.
const QUEUE: usize = 64;

/// It calls write(2), and no more.
const STACK: usize = 64 * 1024;

struct Writer {
    queue: SyncSender<(Stream, Vec<u8>)>,
    /// Lines handed over and not yet written.
    pending: Mutex<usize>,
    written: Condvar,
    /// How many were pending when rinit last gave up waiting.
    given_up: AtomicUsize,
}

static WRITER: OnceLock<Option<Writer>> = OnceLock::new();

/// Writes the bytes, or leaves that to the thread if it takes long.
pub(super) fn write(to: Stream, bytes: &[u8]) {
    let Some(writer) = WRITER.get_or_init(start) else {
        // No thread can be started (RLIMIT_NPROC, the pids cgroup). A line that may wait is better than none: it may say why
        // main was not started.
        write_now(to, bytes);
        return;
    };
    let mut pending = writer.pending.lock().unwrap_or_else(PoisonError::into_inner);
    if writer.queue.try_send((to, bytes.to_vec())).is_err() {
        return;
    }
    *pending += 1;
    if *pending > 1 && writer.given_up.load(Ordering::Relaxed) > 0 {
        return;
    }
    let waited = writer.written.wait_timeout_while(pending, PATIENCE, |pending| *pending > 0);
    let (pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
    writer.given_up.store(*pending, Ordering::Relaxed);
}

fn start() -> Option<Writer> {
    let (queue, lines) = sync_channel(QUEUE);
    // It has rinit's signal mask, in which every signal is blocked.
    let thread = std::thread::Builder::new().name("rinit-writer".to_owned()).stack_size(STACK);
    thread.spawn(move || write_all(&lines)).ok()?;
    Some(Writer { queue, pending: Mutex::new(0), written: Condvar::new(), given_up: AtomicUsize::new(0) })
}

fn write_all(lines: &Receiver<(Stream, Vec<u8>)>) {
    while let Ok((to, bytes)) = lines.recv() {
        write_now(to, &bytes);
        // `start` has returned before the first line is sent.
        let Some(Some(writer)) = WRITER.get() else { return };
        *writer.pending.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        writer.written.notify_all();
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
