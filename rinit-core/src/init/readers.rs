//! Remembers, for readers of pipes whose writers have exited, since when nothing is left to read.

use crate::pid::PidMap;
use crate::policy::order::Unread;
use crate::process::Process;
use crate::process::partners::{Input, Partners};
use std::time::Duration;

/// The readers among the descendants.
#[derive(Debug, Default)]
pub(super) struct Readers(PidMap<Reading>);

#[derive(Debug)]
struct Reading {
    start_ticks: u64,
    /// When it last had a writer, or something to read.
    since: Duration,
}

impl Readers {
    /// What is known of a process of which no writer is found. `None` if it does not seem to be a reader.
    pub(super) fn unread(&mut self, process: &Process, partners: &Partners, now: Duration) -> Option<Unread> {
        self.update(process, partners.input_of(process.pid), now)
    }

    /// The process still has a writer.
    pub(super) fn has_writer(&mut self, process: &Process, now: Duration) {
        self.0.insert(process.pid, Reading { start_ticks: process.start_ticks, since: now });
    }

    fn update(&mut self, process: &Process, input: Input, now: Duration) -> Option<Unread> {
        let known = self.0.get(&process.pid).filter(|reading| reading.start_ticks == process.start_ticks);
        let time = known.map(|reading| now.saturating_sub(reading.since));
        if matches!(input, Input::AtEnd(1..)) || (time.is_none() && matches!(input, Input::AtEnd(_) | Input::Open)) {
            self.has_writer(process, now);
        }
        match input {
            Input::AtEnd(0) => Some(Unread::NothingFor(time.unwrap_or_default())),
            Input::AtEnd(1..) => Some(Unread::Some),
            Input::Open => Some(Unread::UnknownFor(time.unwrap_or_default())),
            // The end of a terminal, for example, cannot be seen: it had a writer, which has exited since.
            Input::Other | Input::Unknown => time.map(Unread::NothingFor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pid::Pid;
    use Unread::{NothingFor, UnknownFor};

    #[test]
    fn the_time_counts_from_when_nothing_is_left() {
        let process = Process::read(Pid::this()).unwrap().unwrap();
        let mut readers = Readers::default();
        let seconds = Duration::from_secs;
        let mut unread = |input, at| readers.update(&process, input, seconds(at));
        assert_eq!(unread(Input::Other, 1), None);
        assert_eq!(unread(Input::Unknown, 1), None);
        assert_eq!(unread(Input::Open, 2), Some(UnknownFor(seconds(0))));
        assert_eq!(unread(Input::Open, 3), Some(UnknownFor(seconds(1))));
        assert_eq!(unread(Input::AtEnd(9), 4), Some(Unread::Some));
        assert_eq!(unread(Input::AtEnd(0), 6), Some(NothingFor(seconds(2))));
        assert_eq!(unread(Input::AtEnd(0), 7), Some(NothingFor(seconds(3))));
    }

    #[test]
    fn a_writer_is_remembered() {
        let process = Process::read(Pid::this()).unwrap().unwrap();
        let other = Process { start_ticks: process.start_ticks + 1, ..process.clone() };
        let mut readers = Readers::default();
        let seconds = Duration::from_secs;
        readers.has_writer(&process, seconds(10));
        assert_eq!(readers.update(&other, Input::Unknown, seconds(12)), None, "another process");
        assert_eq!(readers.update(&process, Input::Unknown, seconds(12)), Some(NothingFor(seconds(2))));
        assert_eq!(readers.update(&other, Input::AtEnd(0), seconds(13)), Some(NothingFor(seconds(0))));
    }
}
