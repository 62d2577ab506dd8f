//! The wait loop: reaps the children of a process in which nothing else waits for any child.
//!
//! `wait4(-1)` walks the list of all children, also of those that live: beside 10,000 of them one call takes 0.3 ms, during
//! which the kernel holds a lock that `fork` and `exit` need. `wait4(pid)` is a hash look-up since Linux 5.12. So a child is
//! reaped by number where its number is known, or can be guessed: from SIGCHLD, from the one that was found before it, or from the list
//! of children that `/proc` gives. [`rule`] decides what to try next.

mod rule;

use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::process::walk;
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::sys;
use crate::sys::retry::retry_transient;
use rule::{Outcome, Rule, Step};
use rustix::io::Errno;
use rustix::process::WaitOptions;
use std::time::Duration;

/// What one call found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// A child exited and was reaped. Its pid is free again.
    Exited(Pid, ExitStatus),
    /// A child was stopped by a signal. It lives.
    Stopped(Pid, Signal),
    /// There are children, and none of them has changed. A walk may have been put off: see [`Waiter::walk_due_in`].
    Nothing,
    /// There are no children, and so no descendants: the topmost living one would be a child.
    NoChildren,
}

/// Reaps children, one per call, without blocking.
#[derive(Debug)]
pub(crate) struct Waiter {
    rule: Rule,
    /// Numbers that SIGCHLD gave.
    numbers: Vec<Pid>,
    /// Numbers of all children. Those that exit together were mostly started one after the other, so that they are at the end.
    list: Vec<Pid>,
    /// The child that the last walk found, or the number behind it that was tried last.
    last_tried: Option<Pid>,
    /// When the last step was over, if it has found a child: the next one begins when that child has been dealt with.
    from: Option<u64>,
    options: WaitOptions,
}

impl Waiter {
    /// A waiter that checks all children at its first call.
    ///
    /// A child that a wrapper started by `clone(2)` with another exit signal, before it executed this program, is waited for too: the
    /// kernel sends SIGCHLD for it since (`execve(2)` changes what the parent is), but keeps its status from a plain wait.
    pub(crate) fn new() -> Self {
        let any = WaitOptions::from_bits_retain(sys::ANY_EXIT_SIGNAL);
        Self { options: WaitOptions::NOHANG | WaitOptions::UNTRACED | any, ..Self::of_exits() }
    }

    /// A waiter that leaves the reports of stops to others, and children with another exit signal to the code that has started them
    /// in this process.
    pub(crate) fn of_exits() -> Self {
        Self {
            rule: Rule::new(),
            numbers: Vec::new(),
            list: Vec::new(),
            last_tried: None,
            from: None,
            options: WaitOptions::NOHANG,
        }
    }

    /// Takes note of a SIGCHLD. `exited` is the child that it names, if it reports an exit.
    ///
    /// SIGCHLD is a standard signal: thousands of exits may raise it once, with the first child's number (`signal(7)`,
    /// "Queueing and delivery semantics"). So other children may have exited as well.
    pub(crate) fn child_changed(&mut self, exited: Option<Pid>) {
        self.rule.child_changed();
        // The caller has done something else, or slept.
        self.from = None;
        self.numbers.extend(exited);
    }

    /// How long the caller may sleep until it must call [`Waiter::next`] again, if a walk was put off.
    pub(crate) fn walk_due_in(&self) -> Option<Duration> {
        self.rule.due().map(|due| Duration::from_nanos(due.saturating_sub(sys::monotonic())))
    }

    /// Reaps one child. Call it until it returns [`Reaped::Nothing`] or [`Reaped::NoChildren`].
    ///
    /// A walk that takes long is put off to [`Waiter::walk_due_in`] while `main` lives, unless nothing else was found. Main's
    /// exit is never noticed late: while a walk is put off, main is waited for by number.
    pub(crate) fn next(&mut self, main: Option<Pid>) -> rustix::io::Result<Reaped> {
        loop {
            // A second reading of the clock for each child would cost as much as the rule. The caller's work on the child before
            // counts as a part of the wait then, of every kind of wait alike.
            let from = self.from.take().unwrap_or_else(sys::monotonic);
            match self.rule.next(from, main.is_some(), !self.numbers.is_empty(), !self.list.is_empty()) {
                Step::Number => {
                    let Some(pid) = self.numbers.pop() else { continue };
                    let reaped = wait(Some(pid), self.options)?;
                    let to = sys::monotonic();
                    self.rule.number_waited(matches!(reaped, Reaped::Exited(..)), to.saturating_sub(from));
                    if let Reaped::Exited(..) | Reaped::Stopped(..) = reaped {
                        self.from = Some(to);
                        return Ok(reaped);
                    }
                    // It lives, or it was reaped and the number is that of an unrelated process.
                }
                step @ (Step::Behind | Step::Listed) => {
                    let pid =
                        if step == Step::Listed { self.list.pop() } else { self.last_tried.and_then(Pid::behind) };
                    let reaped = pid.map_or(Ok(Reaped::Nothing), |pid| wait(Some(pid), self.options))?;
                    self.last_tried = pid;
                    let found = matches!(reaped, Reaped::Exited(..) | Reaped::Stopped(..));
                    let to = sys::monotonic();
                    self.rule.guess_waited(found, to.saturating_sub(from));
                    if found {
                        self.from = Some(to);
                        return Ok(reaped);
                    }
                }
                Step::Walk => {
                    let reaped = wait(None, self.options)?;
                    let outcome = match reaped {
                        Reaped::Exited(pid, _) | Reaped::Stopped(pid, _) => {
                            self.last_tried = Some(pid);
                            Outcome::Found
                        }
                        Reaped::Nothing => Outcome::Nothing,
                        Reaped::NoChildren => Outcome::NoChildren,
                    };
                    let to = sys::monotonic();
                    self.rule.walked(outcome, from, to);
                    if outcome == Outcome::Found {
                        self.from = Some(to);
                    } else {
                        self.list = Vec::new();
                    }
                    return Ok(reaped);
                }
                Step::List => {
                    // Without CONFIG_PROC_CHILDREN or /proc the list stays empty, and the next step is a walk.
                    self.list = walk::child_pids(&mut Reader::new()).unwrap_or_default();
                    self.rule.listed(self.list.len());
                }
                Step::DropList => self.list = Vec::new(),
                Step::Done => {
                    // The numbers of a storm are not kept for main's lifetime.
                    self.numbers = Vec::new();
                    return match main.filter(|_| self.rule.due().is_some()) {
                        Some(main) => wait(Some(main), self.options),
                        None => Ok(Reaped::Nothing),
                    };
                }
            }
        }
    }
}

/// `wait4(2)` without blocking, for one child or for any.
fn wait(pid: Option<Pid>, options: WaitOptions) -> rustix::io::Result<Reaped> {
    let call = || match pid {
        Some(pid) => rustix::process::waitpid(Some(pid.rustix()), options),
        None => rustix::process::wait(options),
    };
    match retry_transient(call) {
        Ok(Some((pid, status))) => {
            let pid = Pid::from(pid);
            if let Some(exited) = ExitStatus::from_wait(status.as_raw()) {
                return Ok(Reaped::Exited(pid, exited));
            }
            let stopping = status.stopping_signal().and_then(Signal::new);
            Ok(Reaped::Stopped(pid, stopping.unwrap_or(Signal::STOP)))
        }
        Ok(None) => Ok(Reaped::Nothing),
        Err(Errno::CHILD) => Ok(Reaped::NoChildren),
        Err(error) => Err(error),
    }
}
