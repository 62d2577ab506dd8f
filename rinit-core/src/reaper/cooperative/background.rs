//! The cooperative reaper in a thread of its own.

use super::registry::{IDLE_INTERVAL, count_dropped};
use super::{CooperativeReaper, Orphan};
use crate::error::{Error, from_errno};
use crate::signal::set::SignalSet;
use crate::sys;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// At most this many events are kept for a caller that does not read; the oldest are dropped first.
const EVENTS: usize = 1024;

/// A cooperative reaper that runs in a thread of its own, until this is dropped or for good after [`detach`](Self::detach).
///
/// It goes on after a failure: it tries again within a second, and [`next`](Self::next) returns the last one.
///
/// ```
/// use std::time::Duration;
/// # fn main() -> Result<(), rinit_core::Error> {
/// let reaper = rinit_core::Reaper::cooperative()?.start()?;
/// while let Some(orphan) = reaper.next(Duration::from_millis(10))? {
///     println!("reaped {}: {}", orphan.pid, orphan.status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the thread that reaps orphans"]
pub struct BackgroundReaper {
    stop: Arc<OwnedFd>,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    letters: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Letters {
    orphans: VecDeque<Orphan>,
    failure: Option<Error>,
}

impl Queue {
    fn open(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BackgroundReaper {
    pub(super) fn start(reaper: CooperativeReaper) -> Result<Self, Error> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let stop = Arc::new(stop.map_err(from_errno(Error::Thread))?);
        let queue = Arc::new(Queue::default());
        let (stopped, letters) = (Arc::clone(&stop), Arc::clone(&queue));
        let thread = std::thread::Builder::new().name("rinit-reaper".to_owned());
        let thread = thread.spawn(move || run(reaper, &stopped, &letters)).map_err(Error::Thread)?;
        Ok(Self { stop, queue, thread: Some(thread) })
    }

    /// Lets the thread run until the process ends, for a library that has no place to keep the handle.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// rinit_core::Reaper::cooperative()?.start()?.detach();
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(mut self) {
        // Without its handle the drop below does not stop the thread.
        drop(self.thread.take());
    }

    /// The next orphan reaped; `None` if there is none within the time. Calling it is optional: the newest 1024 are kept.
    ///
    /// # Errors
    ///
    /// The last failure of the thread, once: [`Error::Proc`], [`Error::Wait`] or [`Error::Timer`]. The thread goes on.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let reaper = rinit_core::Reaper::cooperative()?.start()?;
    /// assert_eq!(reaper.next(std::time::Duration::ZERO)?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next(&self, within: Duration) -> Result<Option<Orphan>, Error> {
        let started = Instant::now();
        let mut letters = self.queue.open();
        loop {
            if let Some(error) = letters.failure.take() {
                return Err(error);
            }
            let left = within.saturating_sub(started.elapsed());
            if !letters.orphans.is_empty() || left.is_zero() {
                return Ok(letters.orphans.pop_front());
            }
            letters = match self.queue.arrived.wait_timeout(letters, left) {
                Ok((letters, _)) => letters,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Drop for BackgroundReaper {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
            let _ = thread.join();
        }
    }
}

fn run(mut reaper: CooperativeReaper, stop: &OwnedFd, queue: &Queue) {
    // Signals are for the handlers and signalfds of the program's other threads.
    let _ = sys::block(SignalSet::all());
    loop {
        match collect(&mut reaper, queue) {
            Ok(()) => {}
            Err(error) => {
                queue.open().failure = Some(error);
                queue.arrived.notify_all();
            }
        }
        let mut fds = [PollFd::new(stop, PollFlags::IN), PollFd::from_borrowed_fd(reaper.as_fd(), PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                // poll is refused: a thread that spins would be worse than one that sleeps for a fixed time.
                queue.open().failure = Some(Error::Timer(error.into()));
                std::thread::sleep(IDLE_INTERVAL);
            }
        }
        if fds.first().is_some_and(|stop| !stop.revents().is_empty()) {
            return;
        }
    }
}

fn collect(reaper: &mut CooperativeReaper, queue: &Queue) -> Result<(), Error> {
    while let Some(orphan) = reaper.try_next()? {
        let dropped = {
            let mut letters = queue.open();
            let dropped = letters.orphans.len() >= EVENTS;
            if dropped {
                letters.orphans.pop_front();
            }
            letters.orphans.push_back(orphan);
            dropped
        };
        if dropped {
            count_dropped();
        }
        queue.arrived.notify_all();
    }
    Ok(())
}
