//! Sends signals to descendants, and continues those that are stopped, so that they can act on them.

use super::Descendants;
use super::asked::How;
use super::hearing::on_term;
use super::held::states_of_threads;
use crate::error::Error;
use crate::init::event::Event;
use crate::init::observer::Observers;
use crate::pid::Pid;
use crate::policy::order::OnTerm;
use crate::process::{Process, scan};
use crate::procfs::reader::Reader;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::survivor;
use crate::sys;
use std::rc::Rc;

impl Descendants {
    /// Sends a signal to every descendant, asked before or not; a signal that requests a stop counts as asking them.
    pub(in crate::init) fn forward(
        &mut self,
        signal: Signal,
        stop: bool,
        observers: &mut Observers,
    ) -> Result<(), Error> {
        let living = self.living()?;
        self.forget_all_but(&living);
        let mut reader = Reader::new();
        for process in living.iter() {
            self.send(process, signal, observers);
            if stop {
                self.asked.record(process, signal, How::Heard);
                self.continue_if_stopped(process, &mut reader, observers);
            }
        }
        Ok(())
    }

    /// Sends a signal to the descendants in a group, but not to `except`.
    pub(in crate::init) fn forward_to_group(
        &mut self,
        group: Pid,
        except: Pid,
        signal: Signal,
        stop: bool,
        observers: &mut Observers,
    ) {
        // Without /proc no member can be distinguished from an unrelated process.
        let Ok(living) = self.living() else { return };
        for process in living.iter().filter(|process| process.group == group.get() && process.pid != except) {
            self.send(process, signal, observers);
            if stop {
                self.asked.record(process, signal, How::Heard);
            }
        }
    }

    /// Sends TERM to one process, and records what it did about TERM before.
    pub(super) fn terminate_one(
        &mut self,
        process: &Process,
        how: How,
        reader: &mut Reader,
        observers: &mut Observers,
    ) {
        let is_first = self.asked.of(process).is_none();
        self.asked.record(process, Signal::TERM, if how == How::Terminated { How::Heard } else { how });
        if self.send(process, Signal::TERM, observers) {
            self.asked.set_how(process.pid, how);
            self.terminated += u64::from(is_first);
            observers.emit(Event::Terminated { pid: process.pid, signal: Signal::TERM });
            self.continue_if_stopped(process, reader, observers);
        }
    }

    /// Sends TERM to the members of a process group that had started when its leader was reaped. The group's number itself
    /// may be another group's by now.
    pub(in crate::init) fn terminate_group(&mut self, group: Pid, observers: &mut Observers) -> Result<(), Error> {
        let until = sys::since_boot();
        let mut reader = Reader::new();
        crate::procfs::verify(&mut reader)?;
        for process in scan::all_processes(&mut reader)? {
            let started = survivor::since_start(process.start_ticks, until).is_some();
            if process.group == group.get() && started && !process.has_ended() {
                self.terminate_one(&process, How::Heard, &mut reader, observers);
            }
        }
        Ok(())
    }

    /// True if it has lost TERM: it came to a handler that was there before its execve, and would terminate it now.
    pub(super) fn has_lost_term(&self, process: &Process, reader: &mut Reader) -> bool {
        self.asked.has_another_name(process) && on_term(process.pid, reader) == OnTerm::Terminates
    }

    /// Sends TERM to each program that has lost it: it came to the handler of the process before its execve.
    pub(in crate::init) fn ask_what_was_executed_since(&mut self, observers: &mut Observers) {
        let living = self.living().unwrap_or_default();
        let mut reader = Reader::new();
        for process in living.iter() {
            if self.has_lost_term(process, &mut reader) {
                self.terminate_one(process, How::Heard, &mut reader, observers);
            }
        }
    }

    /// Sends CONT to the processes that were asked and are stopped: they may stop themselves later, or in their handler. `only` names
    /// the one that is looked at; otherwise all are.
    pub(in crate::init) fn continue_stopped(&mut self, only: Option<Pid>, observers: &mut Observers) {
        let list: Rc<[Process]> = match only {
            Some(pid) => Process::read(pid).ok().flatten().into_iter().collect(),
            None => self.living().unwrap_or_default(),
        };
        let mut reader = Reader::new();
        for process in list.iter().filter(|process| !process.has_ended()) {
            if self.asked.signal_of(process).is_some() {
                self.continue_if_stopped(process, &mut reader, observers);
            }
        }
    }

    /// Sends CONT to a process that is stopped: it acts on TERM only then (`signal(7)`), and would be killed without
    /// warning. A process that a debugger holds gets none.
    fn continue_if_stopped(&mut self, process: &Process, reader: &mut Reader, observers: &mut Observers) {
        if is_stopped(process, reader) {
            self.send(process, Signal::CONT, observers);
        }
    }
}

/// Returns true if SIGSTOP or the terminal has stopped it: its first thread or, if that has exited, another one.
fn is_stopped(process: &Process, reader: &mut Reader) -> bool {
    if process.state != State::Zombie {
        return process.state == State::Stopped;
    }
    states_of_threads(process.pid, reader).contains(&State::Stopped)
}
