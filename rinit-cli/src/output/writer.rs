//! A thread for writes that may wait for a disk or a server, so that rinit does not.
//!
//! It is started for the first such line, and most runs need none: in a container standard error is a pipe or a terminal.
//! While it is stuck, for example because a file system is frozen or an NFS server does not answer, rinit goes on, and lines
//! beyond the queue are lost. Before it exits rinit waits for the lines that are left, but not for long: the kernel ends the thread.

use crate::args::Stream;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Longest time that rinit waits for its lines to be written: once while the thread is stuck, and before it exits.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lines that wait for the thread. Two threads that hand each line over in turn would cost more than the writing.
const MOST_LINES: usize = 64;

/// It calls write(2), and no more.
const STACK: usize = 64 * 1024;

struct Queue {
    lines: VecDeque<(Stream, Vec<u8>)>,
    /// The thread has taken a line and not yet written it.
    is_writing: bool,
    /// rinit has waited in vain since the last line was written.
    is_stuck: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { lines: VecDeque::new(), is_writing: false, is_stuck: false });

/// A line was queued or written.
static CHANGED: Condvar = Condvar::new();

/// Whether the thread could be started; unset until the first line.
static STARTED: OnceLock<bool> = OnceLock::new();

/// Leaves the bytes to the thread. If it lags behind by a queue, rinit waits for it, but not for long.
pub(super) fn write(to: Stream, bytes: &[u8]) {
    if !*STARTED.get_or_init(start) {
        // No thread can be started (RLIMIT_NPROC, the pids cgroup). A line that may wait is better than none: it may say why
        // main was not started.
        write_now(to, bytes);
        return;
    }
    let mut queue = wait_while(|queue| queue.lines.len() >= MOST_LINES);
    if queue.lines.len() < MOST_LINES {
        queue.lines.push_back((to, bytes.to_vec()));
        CHANGED.notify_all();
    }
}

/// Waits until the lines so far are written, but not for long.
pub(crate) fn flush() {
    if STARTED.get() == Some(&true) {
        drop(wait_while(|queue| queue.is_writing || !queue.lines.is_empty()));
    }
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits while the condition holds, but not for a thread that is stuck already.
fn wait_while(condition: impl Fn(&Queue) -> bool) -> MutexGuard<'static, Queue> {
    let queue = lock();
    if queue.is_stuck {
        return queue;
    }
    let waited = CHANGED.wait_timeout_while(queue, PATIENCE, |queue| condition(queue));
    let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
    queue.is_stuck = condition(&queue);
    queue
}

fn start() -> bool {
    // It has rinit's signal mask, in which every signal is blocked.
    let thread = std::thread::Builder::new().name("rinit-writer".to_owned()).stack_size(STACK);
    thread.spawn(write_queue).is_ok()
}

fn write_queue() {
    let mut queue = lock();
    loop {
        let Some((to, bytes)) = queue.lines.pop_front() else {
            queue = CHANGED.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        queue.is_writing = true;
        drop(queue);
        write_now(to, &bytes);
        queue = lock();
        queue.is_writing = false;
        queue.is_stuck = false;
        CHANGED.notify_all();
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
