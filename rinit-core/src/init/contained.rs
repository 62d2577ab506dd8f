//! Running main for a host that contains it: the host's wishes, and everybody's end with it.

use super::{Init, Running};
use crate::child_spec::TerminalUse;
use crate::contain::{Host, Stop, Wish, leave_group};
use crate::policy::Happening;
use crate::sys::SigInfo;
use crate::{ChildSpec, Error, Group, Pid, Target, procfs};
use std::mem::ManuallyDrop;

/// For whom a contained main runs.
pub(super) struct Contained {
    pub(super) host: Host,
    /// Main's process group, if it was made for main.
    pub(super) group: Option<Pid>,
}

impl Init {
    /// Runs as [`Init::run`] does, for a host: to main's end and everybody's, or until the host lets go. Returns the exit
    /// status; the host is told what has failed.
    pub(crate) fn run_for(self, host: Host) -> u8 {
        match self.start_for(&host) {
            Ok((running, group)) => {
                host.say_started(running.main);
                Running { contained: Some(Contained { host, group }), ..running }.run().exit_code()
            }
            Err(error) => {
                host.say_failed(&error);
                error.exit_code()
            }
        }
    }

    fn start_for(mut self, host: &Host) -> Result<(Running, Option<Pid>), Error> {
        let me = Pid::from(rustix::process::getpid());
        // Without it nobody could be found who has left main's group.
        procfs::verify(&mut procfs::Reader::new())?;
        // Kept to the end, and not given back.
        let _ = ManuallyDrop::new(self.become_subreaper(me)?);
        host.listen()?;
        let group = self.main.group_kind();
        // No terminal is handed over: as if main were the host's child, which would do it itself.
        let main = self.main.start(TerminalUse::None)?.pid;
        // What it holds is not needed any more, and closed with all the rest.
        self.main = ChildSpec::new("");
        leave_group(group);
        host.pin_nothing_else();
        Ok((self.into_running(me, main, None), (group != Group::Inherit).then_some(main)))
    }
}

impl Running {
    pub(super) fn is_hosts_note(&self, info: &SigInfo) -> bool {
        self.contained.as_ref().is_some_and(|contained| contained.host.is_note(info))
    }

    /// Does what the host wants. Does not block.
    pub(super) fn hear_host(&mut self) {
        let wishes = self.contained.as_mut().map_or_else(Vec::new, |contained| contained.host.wishes());
        for wish in wishes {
            match wish {
                // Whoever remains when main has ended is not meant.
                Wish::Signal(signal) if self.main_status.is_none() => {
                    self.forward_one(Target::Main, signal, None, false);
                }
                Wish::Signal(_) => {}
                Wish::Stop(Stop { signal, grace }) => {
                    self.stop_signal.get_or_insert(signal);
                    self.step(Happening::Grace(grace));
                    self.step(Happening::Signal { signal, stop: true });
                }
                Wish::Kill => self.step(Happening::Abandoned),
            }
        }
    }
}
