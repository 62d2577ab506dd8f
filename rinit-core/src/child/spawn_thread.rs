//! A thread that lives as long as the process, to start children from.
//!
//! `PR_SET_PDEATHSIG` watches the parent *thread*: a child that a worker has started would get its signal when the worker
//! exits. So children that ask for such a signal are started here. The thread is started for the first of them, and never exits.

use crate::error::{Error, from_errno};
use crate::signal::set::SignalSet;
use crate::sys;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

type Work = Box<dyn FnOnce() + Send>;

struct Spawner {
    /// The process that has the thread: a child made by `fork(2)` has a copy of this value, but no such thread.
    process: u32,
    work: Sender<Work>,
}

static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);

/// Only touched pages are memory; a fork and the explanation of a failed exec need little.
const STACK: usize = 256 * 1024;

/// Runs the closure in that thread, and returns its value.
///
/// The thread has what the thread that first called this had then: credentials, namespaces, CPU affinity, priorities,
/// seccomp filters, `no_new_privs`. All signals are blocked in it, so that it takes none from another thread.
pub(crate) fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (answer, answered) = channel();
    let work = Box::new(move || {
        // The caller still waits below.
        let _ = answer.send(work());
    });
    sender()?.send(work).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())
}

fn sender() -> Result<Sender<Work>, Error> {
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(spawner) = spawner.as_ref().filter(|spawner| spawner.process == process) {
        return Ok(spawner.work.clone());
    }
    let (work, to_do) = channel();
    // The new thread inherits the mask: between its start and a mask of its own it would take signals.
    let mask = sys::block(SignalSet::all()).map_err(from_errno(Error::SignalMask))?;
    let started = thread::Builder::new().name("rinit-spawner".to_owned()).stack_size(STACK).spawn(move || serve(to_do));
    let restored = sys::set_mask(mask).map_err(from_errno(Error::SignalMask));
    started.map_err(Error::Thread)?;
    restored?;
    *spawner = Some(Spawner { process, work: work.clone() });
    Ok(work)
}

fn serve(to_do: Receiver<Work>) {
    for work in to_do {
        // The thread must not exit before the process: its exit sends the signal to all its children.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

/// It cannot happen while the process lives: the thread exits only with it.
fn gone() -> Error {
    Error::Thread(std::io::ErrorKind::BrokenPipe.into())
}
