//! Kills what remains of a stop.

use super::Descendants;
use super::asked::How;
use super::report::Stage;
use crate::error::Error;
use crate::init::event::{Event, NextStep};
use crate::init::observer::Observers;
use crate::pid::Pid;
use crate::policy::shutdown::KILL_AGAIN_AFTER;
use crate::process::signal::Delivery;
use crate::process::{Process, kill_tree};
use crate::procfs::reader::Reader;
use crate::signal::Signal;
use crate::survivor;
use crate::survivor::Survivor;
use crate::survivor::gather::Gatherer;

impl Descendants {
    /// Names the processes that remain, then kills each that was sent TERM. One that was not, because it was born since, is
    /// sent TERM now and killed by [`Descendants::kill_remaining`].
    pub(in crate::init) fn kill(&mut self, stage: Stage, observers: &mut Observers) -> Result<(), Error> {
        let (asked, others): (Vec<_>, Vec<_>) =
            self.find_living()?.into_iter().partition(|process| self.asked.was_sent_term(process));
        // A file that does not answer is waited for once: the same gatherer describes the processes before their KILL.
        let mut hasty = std::mem::replace(&mut self.hasty, Gatherer::hasty());
        self.report_list(stage, &asked, &[], &mut hasty, observers);
        let later = Stage { next: NextStep::TerminateThenKill, kill_in: Some(KILL_AGAIN_AFTER), ..stage };
        self.report_list(later, &others, &[], &mut hasty, observers);
        self.hasty = hasty;
        for process in &asked {
            self.kill_one(process, observers);
        }
        let mut reader = Reader::new();
        for process in &others {
            self.terminate_one(process, How::Heard, &mut reader, observers);
        }
        self.kill_hidden(false, observers);
        Ok(())
    }

    /// Kills the processes that remain.
    pub(in crate::init) fn kill_remaining(&mut self, observers: &mut Observers) -> Result<(), Error> {
        let list = self.find_living()?;
        let mut reader = Reader::new();
        for process in &list {
            if !self.asked.was_sent_term(process) {
                self.terminate_one(process, How::Heard, &mut reader, observers);
            }
            self.kill_one(process, observers);
        }
        self.kill_hidden(true, observers);
        Ok(())
    }

    /// Kills all at once, asked or not, and those that are started meanwhile. `group` is main's, if it was made for main.
    pub(in crate::init) fn kill_all(&mut self, group: Option<Pid>, observers: &mut Observers) -> Result<(), Error> {
        let me = self.me;
        let mut description = None;
        kill_tree::kill_below(me, group, &mut |process, step| match step {
            kill_tree::KillStep::Before => description = self.describe_briefly(process),
            kill_tree::KillStep::After(Ok(Delivery::Delivered)) => {
                self.killed.extend(description.take());
                observers.emit(Event::Killed { pid: process.pid });
            }
            kill_tree::KillStep::After(Ok(Delivery::Gone)) => {}
            kill_tree::KillStep::After(Err(error)) => self.not_sent(process.pid, Signal::KILL, error, observers),
        })?;
        self.kill_hidden(true, observers);
        Ok(())
    }

    /// Describes a process that is about to be killed: only the first [`DESCRIBED`] in full, since a storm of forks does not
    /// wait.
    fn describe_briefly(&mut self, process: &Process) -> Option<Survivor> {
        if self.killed.iter().any(|killed| killed.pid == process.pid) {
            return None;
        }
        let asked = self.asked.signal_of(process);
        survivor::examine_briefly(&mut self.hasty, process, asked, self.killed.len())
    }

    fn kill_one(&mut self, process: &Process, observers: &mut Observers) {
        // It is described first: afterwards there is nothing left to read.
        let description = self.describe_briefly(process);
        if self.send(process, Signal::KILL, observers) {
            self.killed.extend(description);
            observers.emit(Event::Killed { pid: process.pid });
        }
    }

    pub(in crate::init) fn take_killed(&mut self) -> Vec<Survivor> {
        std::mem::take(&mut self.killed)
    }
}
