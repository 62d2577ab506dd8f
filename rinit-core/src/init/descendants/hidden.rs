//! Children that `/proc` does not show to this user: they are asked and killed by their number alone.

use super::Descendants;
use super::held::can_be_reaped;
use crate::init::event::Event;
use crate::init::observer::Observers;
use crate::pid::Pid;
use crate::process::signal::signal_child;
use crate::process::{Process, walk};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::survivor::gather::{Gatherer, hides_processes};

impl Descendants {
    /// The children that have not exited and that /proc does not show to this user (`hidepid`, `proc(5)`).
    pub(in crate::init) fn hidden_children(&self) -> Vec<Pid> {
        let mut reader = Reader::new();
        let mut children = walk::child_pids(&mut reader).unwrap_or_default();
        children.retain(|child| {
            let shown = matches!(Process::read(*child), Ok(Some(_)));
            // Only this process reaps it, and until then no other process has its number.
            !shown && !can_be_reaped(*child)
        });
        children
    }

    /// The same, if `/proc` hides any process from this user: otherwise thousands of children need not be read once more.
    fn hidden(&mut self) -> Vec<Pid> {
        if *self.proc_hides.get_or_insert_with(|| hides_processes(&mut Gatherer::hasty())) {
            self.hidden_children()
        } else {
            Vec::new()
        }
    }

    /// Sends TERM to the children that `/proc` hides from this user: a program with a set-user-ID bit, or one that may not be
    /// traced. A child's number is its own until it is reaped here. `main` is asked by other means.
    pub(in crate::init) fn terminate_hidden(&mut self, main: Option<Pid>, observers: &mut Observers) {
        for pid in self.hidden() {
            if Some(pid) == main || self.hidden_asked.contains(&pid) {
                continue;
            }
            if self.is_delivered(signal_child(pid, Signal::TERM), pid, Signal::TERM, observers) {
                self.hidden_asked.insert(pid);
                self.terminated += 1;
                observers.emit(Event::Terminated { pid, signal: Signal::TERM });
            }
        }
    }

    /// Kills the hidden children that were asked, or all of them. The others are asked.
    pub(super) fn kill_hidden(&mut self, all: bool, observers: &mut Observers) {
        for pid in self.hidden() {
            if !all && !self.hidden_asked.contains(&pid) {
                continue;
            }
            if self.is_delivered(signal_child(pid, Signal::KILL), pid, Signal::KILL, observers) {
                let what = format!("killing (SIGKILL) pid {pid}, which /proc does not show to this user (hidepid)");
                observers.emit(Event::Error { what });
                observers.emit(Event::Killed { pid });
            }
        }
        self.terminate_hidden(None, observers);
    }
}
