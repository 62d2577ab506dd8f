//! Asks and kills descendants, each identified by its PID and start time: a PID alone may have been reused.
//!
//! Each step of a stop has a file: [`turns`] asks in order, [`last_call`] asks all others, [`kill`] ends what remains, and [`report`]
//! names it. What was asked is remembered in [`asked`].

mod ask;
mod asked;
pub(super) mod hearing;
pub(super) mod held;
mod hidden;
mod kill;
mod last_call;
pub(super) mod report;
mod turns;

use super::event::Event;
use super::observer::Observers;
use super::readers::Readers;
use super::supervisor::Main;
use crate::error::Error;
use crate::pid::{Pid, PidSet};
use crate::process::Process;
use crate::process::signal::{Delivery, signal_child, signal_process};
use crate::process::walk::descendants_with;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::survivor::Survivor;
use crate::survivor::gather::Gatherer;
use crate::sys;
use asked::AskedProcesses;
use held::has_exited;
use rustix::io::Errno;
use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often the tree is walked again for processes that were born during the walk. A program that forks faster is asked
/// when its parent's exit makes it an orphan, and killed in the end.
const PASSES: usize = 10;
/// Partners are searched for among at most this many processes: reading their descriptors costs much more than reading their
/// state.
const PARTNERS_AMONG: usize = 500;
/// How long a step of a stop searches for processes. Twenty thousand take a tenth of that on an idle machine.
const SEARCH_WITHIN: Duration = Duration::from_secs(3);
/// The least time for a search: on a busy machine a short search fails even among a few processes.
const SEARCH_AT_LEAST: Duration = Duration::from_millis(500);
/// A search that has read at most this many files is not given up: there are few processes, and the machine is slow.
const FEW_FILES: u32 = 500;

/// The descendants of this process, and which of them were asked to stop.
#[derive(Debug)]
pub(super) struct Descendants {
    me: Pid,
    asked: AskedProcesses,
    refused: PidSet,
    /// The children that `/proc` hides from this user, and that were sent TERM.
    hidden_asked: PidSet,
    /// True if `/proc` may hide processes from this user; `None` before a stop.
    proc_hides: Option<bool>,
    terminated: u64,
    killed: Vec<Survivor>,
    /// Describes processes that are about to be killed.
    hasty: Gatherer,
    readers: Readers,
    /// The living descendants, as they were found in this turn of the loop: one search serves all that is done in it.
    seen: Option<Rc<[Process]>>,
    /// When the search of the current step has taken too long.
    search_until: Instant,
    /// A search took too long. A fork bomb leaves this process little of the processor.
    overloaded: Cell<bool>,
    /// How long files that may not answer can be waited for: the time until KILL, none once it was sent, `None` if it is not due.
    kill_in: Option<Duration>,
}

impl Descendants {
    pub(super) fn new(me: Pid) -> Self {
        Self {
            me,
            asked: AskedProcesses::default(),
            refused: PidSet::default(),
            hidden_asked: PidSet::default(),
            proc_hides: None,
            terminated: 0,
            killed: Vec::new(),
            hasty: Gatherer::hasty(),
            readers: Readers::default(),
            seen: None,
            search_until: Instant::now() + SEARCH_WITHIN,
            overloaded: Cell::new(false),
            kill_in: None,
        }
    }

    /// Begins another turn of the loop: the descendants must be searched again.
    pub(super) fn forget_seen(&mut self) {
        self.seen = None;
    }

    /// Begins a step of the stop, and sets how long it may search for processes, and wait for files that do not answer. `kill_in` is
    /// the time until KILL is due.
    ///
    /// In a fork bomb a search takes half a minute, because this process waits for the processor among a thousand others. The
    /// steps before KILL must leave time for it.
    pub(super) fn begin_step(&mut self, kill_in: Option<Duration>, has_killed: bool) {
        self.kill_in = if has_killed { Some(Duration::ZERO) } else { kill_in };
        let time = match kill_in {
            _ if self.overloaded.get() => SEARCH_AT_LEAST,
            Some(kill_in) => (kill_in / 4).clamp(SEARCH_AT_LEAST, SEARCH_WITHIN),
            None => SEARCH_WITHIN,
        };
        self.search_until = Instant::now() + time;
    }

    /// Returns true once a search took too long: from then on, work that only informs is skipped.
    pub(super) fn is_overloaded(&self) -> bool {
        self.overloaded.get()
    }

    fn reader(&self) -> Reader {
        Reader::until(self.search_until, if self.overloaded.get() { 0 } else { FEW_FILES })
    }

    /// One for what is done in this step. It does not wait so long for files that may not answer that the kill would be late.
    fn gatherer(&self) -> Gatherer {
        Gatherer::before_kill(self.kill_in)
    }

    /// Notes a search that took too long.
    fn searched<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(&result, Err(Error::Proc { source, .. }) if source.kind() == ErrorKind::TimedOut) {
            self.overloaded.set(true);
        }
        result
    }

    /// Forgets a child that was reaped: another process may get its number.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.asked.forget(pid);
        if !self.refused.is_empty() {
            self.refused.remove(&pid);
        }
        if !self.hidden_asked.is_empty() {
            self.hidden_asked.remove(&pid);
        }
    }

    /// Forgets processes that have exited without being reaped here.
    fn forget_all_but(&mut self, living: &[Process]) {
        if let Some(living) = self.asked.forget_all_but(living) {
            self.refused.retain(|pid| living.contains_key(pid));
        }
    }

    /// Returns how many processes the steps of the stop have sent TERM.
    pub(super) const fn terminated(&self) -> u64 {
        self.terminated
    }

    /// The descendants that have not exited, as they were found in this turn of the loop.
    fn living(&mut self) -> Result<Rc<[Process]>, Error> {
        if let Some(seen) = &self.seen {
            return Ok(Rc::clone(seen));
        }
        let found = self.find_living()?.into();
        self.seen = Some(Rc::clone(&found));
        Ok(found)
    }

    /// Returns the descendants that have not exited. In a fork bomb they may not be found in time. That is an error like an
    /// unreadable /proc: then one call signals the whole namespace, or main's group.
    fn find_living(&self) -> Result<Vec<Process>, Error> {
        let mut all = self.searched(descendants_with(&mut self.reader(), self.me))?;
        let mut reader = self.reader();
        all.retain(|process| !has_exited(process, &mut reader));
        Ok(all)
    }

    /// True if it was delivered.
    fn send(&mut self, process: &Process, signal: Signal, observers: &mut Observers) -> bool {
        let sent = if process.ppid == Some(self.me) {
            // A child's number is its own until it is reaped here, and nothing is reaped while processes are asked. A filter that
            // refuses kill(2) may let the pidfd pass.
            signal_child(process.pid, signal).or_else(|_| signal_process(process, signal))
        } else {
            signal_process(process, signal)
        };
        self.is_delivered(sent, process.pid, signal, observers)
    }

    /// True if it was delivered. Reports an error.
    fn is_delivered(
        &mut self,
        sent: Result<Delivery, Error>,
        pid: Pid,
        signal: Signal,
        observers: &mut Observers,
    ) -> bool {
        match sent {
            Ok(Delivery::Delivered) => true,
            Ok(Delivery::Gone) => false,
            Err(error) => {
                self.not_sent(pid, signal, &error, observers);
                false
            }
        }
    }

    /// Reports a signal that could not be sent. A lack of permission is reported once for each process.
    pub(super) fn not_sent(&mut self, pid: Pid, signal: Signal, error: &Error, observers: &mut Observers) {
        if !is_refusal(error) {
            observers.emit(Event::Error { what: error.to_string() });
        } else if self.refused.insert(pid) {
            let uid = Reader::new().status(pid).ok().flatten().and_then(|status| status.uid);
            observers.emit(Event::NotPermitted { pid, signal, uid });
        }
    }

    pub(super) fn was_refused(&self, pid: Pid) -> bool {
        self.refused.contains(&pid)
    }

    pub(super) fn any_was_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// True if processes remain, and this process may signal none of them.
    pub(super) fn is_out_of_reach(&mut self) -> bool {
        // The kernel is asked again: a process out of reach may fork on and on.
        self.living().is_ok_and(|living| !living.is_empty() && living.iter().all(|process| refuses(process.pid)))
    }
}

/// True if this process may not signal it.
fn refuses(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid.rustix()) == Err(Errno::PERM)
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::SendSignal { source, .. } if Errno::from_io_error(source) == Some(Errno::PERM))
}

/// Sends a signal without /proc: as PID 1 to every process in the namespace, because the kernel leaves PID 1 itself out
/// (`kill(2)`). Elsewhere `kill(-1)` would take the whole machine down, and main's group has to do.
pub(super) fn signal_blindly(me: Pid, main: &Main, signal: Signal) {
    // ESRCH: no process is there; EPERM: none that this process may signal. Neither leaves anything to do.
    let _ = if me == Pid::INIT { sys::kill_all_processes(signal) } else { main.signal_group(signal) };
}
