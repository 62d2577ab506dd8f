//! The last call: asks each process that was not asked yet, not only those whose turn it is.

use super::Descendants;
use super::PARTNERS_AMONG;
use super::PASSES;
use super::asked::How;
use super::hearing::on_term;
use crate::error::Error;
use crate::init::observer::Observers;
use crate::pid::{Pid, PidMap, PidSet};
use crate::policy::order::OnTerm;
use crate::process::Process;
use crate::process::partners::Partners;
use crate::procfs::reader::Reader;

impl Descendants {
    /// Sends TERM to each descendant that was not asked yet, or ignored TERM then, and repeats that until it finds no further
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if /proc cannot be read; no process was sent TERM then.
    pub(in crate::init) fn terminate_all(&mut self, main: Pid, observers: &mut Observers) -> Result<(), Error> {
        let living = self.living()?;
        let mut reader = Reader::new();
        let is_due =
            |process: &&Process| !self.asked.has_heard(main, process) || self.has_lost_term(process, &mut reader);
        let mut list: Vec<_> = living.iter().filter(is_due).cloned().collect();
        self.terminate_hidden(Some(main), observers);
        if list.is_empty() {
            return Ok(());
        }
        let kept = readers_of_work(main, &living, &mut reader);
        list.retain(|process| !kept.contains(&process.pid));
        for _ in 0..PASSES {
            for process in &list {
                // Main is checked by itself: see `Descendants::main_may_ignore`.
                let how = match process.pid == main {
                    true => How::Heard,
                    false => How::of(process, on_term(process.pid, &mut reader)),
                };
                self.terminate_one(process, how, &mut reader, observers);
            }
            if list.is_empty() {
                break;
            }
            list = match self.find_living() {
                Ok(living) => living,
                // Those that were found were asked.
                Err(_) => break,
            };
            // What an asked process starts from now on belongs to its own stop: a shell's trap runs its commands as
            // children. If it only forks on, its own exit makes them orphans, and they are asked then.
            let is_new = |process: &Process| self.asked.of(process).is_none() && !self.is_child_of_asked(process);
            list.retain(|process| is_new(process) && !kept.contains(&process.pid));
        }
        Ok(())
    }

    fn is_child_of_asked(&self, process: &Process) -> bool {
        process.ppid.is_some_and(|parent| self.asked.has(parent))
    }
}

/// Returns the processes that TERM only terminates, and that read the output of a process at work: of main, or of one that TERM does
/// not terminate at once.
///
/// The last call leaves them out. TERM gives them nothing to do, and without them the work of the writer would be lost, and main
/// might exit with an error. They exit at the end of their input.
fn readers_of_work(main: Pid, living: &[Process], reader: &mut Reader) -> PidSet {
    let mut kept = PidSet::default();
    if living.len() > PARTNERS_AMONG {
        return kept;
    }
    let partners = Partners::among(living, reader);
    let is_terminated: PidMap<bool> =
        living.iter().map(|process| (process.pid, on_term(process.pid, reader) == OnTerm::Terminates)).collect();
    let readers: Vec<(Pid, Vec<Pid>)> = living
        .iter()
        .filter(|process| process.pid != main && is_terminated.get(&process.pid) == Some(&true))
        .map(|process| (process.pid, partners.writers_to(process.pid)))
        .filter(|(_, writers)| !writers.is_empty())
        .collect();
    // In `app | sed | tee`, sed is kept for the application, and tee for sed.
    loop {
        let works =
            |writer: &Pid| *writer == main || kept.contains(writer) || is_terminated.get(writer) == Some(&false);
        let found: Vec<Pid> = readers
            .iter()
            .filter(|(pid, writers)| !kept.contains(pid) && writers.iter().any(works))
            .map(|(pid, _)| *pid)
            .collect();
        if found.is_empty() {
            return kept;
        }
        kept.extend(found);
    }
}
