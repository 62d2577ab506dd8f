//! A thread for work that may block in the kernel, while the rest of the process goes on.

use crate::pid::Pid;
use crate::sys::{self, Body};
use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Does one piece of work after the other, in their order. When it is dropped, its thread does what was submitted and then exits;
/// a thread that is stuck does not outlive the process.
#[derive(Debug)]
pub struct Worker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    work: VecDeque<Body>,
    /// Submitted, and not finished.
    pending: usize,
    /// The thread's number, once it has begun to run.
    thread: Option<Pid>,
    is_dropped: bool,
}

impl Worker {
    /// Starts the thread. Its stack is memory only where it is touched.
    ///
    /// # Errors
    ///
    /// No thread can be started (`RLIMIT_NPROC`, `pids.max`, no memory).
    pub fn start(name: &'static CStr, stack: usize) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        sys::start_thread(stack, Box::new(move || of_thread.serve(name)))?;
        Ok(Self(shared))
    }

    /// Hands work over. A panic in it aborts the process.
    pub fn submit(&self, work: Box<dyn FnOnce() + Send>) {
        let mut state = self.0.lock();
        state.work.push_back(work);
        state.pending += 1;
        self.0.changed.notify_all();
    }

    /// Waits until at most `most` pieces are not finished, for at most this time. True if no more are left.
    pub fn wait_until_left(&self, most: usize, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut state = self.0.lock();
        while state.pending > most {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The thread's number; `None` until it has begun to run.
    pub(crate) fn thread(&self) -> Option<Pid> {
        self.0.lock().thread
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.lock().is_dropped = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// No work is done while the lock is held, so its value is complete whatever happens.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, name: &CStr) {
        let _ = rustix::thread::set_name(name);
        let mut state = self.lock();
        state.thread = Pid::new(rustix::thread::gettid().as_raw_nonzero().get());
        loop {
            if let Some(work) = state.work.pop_front() {
                drop(state);
                work();
                state = self.lock();
                state.pending -= 1;
                self.changed.notify_all();
            } else if state.is_dropped {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} pending", self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Far longer than any machine takes.
    const LONG: Duration = Duration::from_secs(90);

    fn worker() -> Worker {
        Worker::start(c"test-worker", 64 << 10).unwrap()
    }

    #[test]
    fn work_is_done_in_order_with_all_signals_blocked() {
        let (done, results) = channel();
        let worker = worker();
        for number in 0..100 {
            let done = done.clone();
            worker.submit(Box::new(move || {
                let mask = sys::block(crate::signal::set::SignalSet::empty()).unwrap();
                done.send((number, mask.contains(crate::signal::Signal::TERM))).unwrap();
            }));
        }
        assert!(worker.wait_until_left(0, LONG));
        assert_eq!(results.try_iter().collect::<Vec<_>>(), (0..100).map(|number| (number, true)).collect::<Vec<_>>());
    }

    #[test]
    fn a_stuck_thread_is_given_up_and_its_work_is_done_later() {
        let (go, gate) = channel::<()>();
        let (done, result) = channel();
        let worker = worker();
        worker.submit(Box::new(move || {
            let _ = gate.recv();
        }));
        worker.submit(Box::new(move || done.send(()).unwrap()));
        assert!(!worker.wait_until_left(0, Duration::from_millis(1)));
        assert!(!worker.wait_until_left(1, Duration::ZERO));
        assert!(worker.wait_until_left(2, Duration::ZERO));
        drop(worker);
        go.send(()).unwrap();
        result.recv_timeout(LONG).unwrap();
        // The thread drops what it shared when it exits.
        assert!(result.recv_timeout(LONG).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
