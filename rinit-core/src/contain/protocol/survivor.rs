//! Encodes the processes of a report.

use super::codec::{Reader, Wire, Writer, wire_struct};
use crate::pid::Pid;
use crate::procfs::stat::State;
use crate::signal::Signal;
use crate::survivor::Survivor;
use crate::survivor::reason::Reason;

wire_struct!(Survivor { pid, ppid, command, state, age, uid, reason });

impl Wire for State {
    fn write(&self, to: &mut Writer) {
        to.u8(self.letter());
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.u8().map(Self::from_letter)
    }
}

impl Wire for Reason {
    fn write(&self, to: &mut Writer) {
        write_reason(to, self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_reason(from)
    }
}

fn pid(from: &mut Reader<'_>) -> Option<Pid> {
    Pid::read(from)
}

fn signal(from: &mut Reader<'_>) -> Option<Signal> {
    Signal::read(from)
}

fn write_reason(to: &mut Writer, reason: &Reason) {
    // By its word: a reason that one side does not know is refused, not read as another one.
    to.bytes(reason.code().as_bytes());
    match reason {
        Reason::Ignores(signal)
        | Reason::IgnoredByDefault(signal)
        | Reason::FullPipe(signal)
        | Reason::Blocks(signal)
        | Reason::Handles(signal)
        | Reason::Stopped(signal)
        | Reason::Traced(signal)
        | Reason::Pending(signal)
        | Reason::NamespaceInit(signal)
        | Reason::Dropped(signal)
        | Reason::Waits(signal)
        | Reason::Ending(signal) => write_signal(to, *signal),
        Reason::ShellWaits { child, command } | Reason::ShellMayWait { child, command } => {
            to.i32(child.get());
            to.bytes(command.as_bytes());
        }
        Reason::StuckInKernel { at } => to.option(at.as_deref(), |to, at| to.bytes(at.as_bytes())),
        Reason::NotPermitted { uid, our_uid } => {
            to.u32(*uid);
            to.u32(*our_uid);
        }
        Reason::TracedZombie { tracer } => to.option(*tracer, |to, pid| to.i32(pid.get())),
        Reason::Zombie { parent } => to.option(*parent, |to, pid| to.i32(pid.get())),
        Reason::LeftToParent { parent } | Reason::AskedByParent { parent } => to.i32(parent.get()),
        Reason::NotReadable { uid } => to.option(*uid, Writer::u32),
        Reason::NotAsked | Reason::Frozen | Reason::DumpsCore | Reason::Unknown => {}
    }
}

fn write_signal(to: &mut Writer, signal: Signal) {
    signal.write(to);
}

fn read_reason(from: &mut Reader<'_>) -> Option<Reason> {
    Some(match from.text()?.as_str() {
        "ignores" => Reason::Ignores(signal(from)?),
        "ignored-by-default" => Reason::IgnoredByDefault(signal(from)?),
        "full-pipe" => Reason::FullPipe(signal(from)?),
        "blocks" => Reason::Blocks(signal(from)?),
        "handles" => Reason::Handles(signal(from)?),
        "shell-waits" => Reason::ShellWaits { child: pid(from)?, command: from.text()? },
        "shell-may-wait" => Reason::ShellMayWait { child: pid(from)?, command: from.text()? },
        "waits" => Reason::Waits(signal(from)?),
        "left-to-parent" => Reason::LeftToParent { parent: pid(from)? },
        "asked-by-parent" => Reason::AskedByParent { parent: pid(from)? },
        "not-asked" => Reason::NotAsked,
        "frozen" => Reason::Frozen,
        "dumps-core" => Reason::DumpsCore,
        "not-readable" => Reason::NotReadable { uid: from.option(Reader::u32)? },
        "stuck-in-kernel" => Reason::StuckInKernel { at: from.option(Reader::text)? },
        "stopped" => Reason::Stopped(signal(from)?),
        "traced" => Reason::Traced(signal(from)?),
        "pending" => Reason::Pending(signal(from)?),
        "namespace-init" => Reason::NamespaceInit(signal(from)?),
        "dropped" => Reason::Dropped(signal(from)?),
        "not-permitted" => Reason::NotPermitted { uid: from.u32()?, our_uid: from.u32()? },
        "ending" => Reason::Ending(signal(from)?),
        "zombie" => Reason::Zombie { parent: from.option(pid)? },
        "traced-zombie" => Reason::TracedZombie { tracer: from.option(pid)? },
        "unknown" => Reason::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn any_signal() -> impl Strategy<Value = Signal> {
        (1..=64).prop_filter_map("a signal", Signal::new)
    }

    fn any_pid() -> impl Strategy<Value = Pid> {
        (1..=i32::MAX).prop_filter_map("a pid", Pid::new)
    }

    fn any_reason() -> impl Strategy<Value = Reason> {
        prop_oneof![
            any_signal().prop_map(Reason::Ignores),
            any_signal().prop_map(Reason::Blocks),
            any_signal().prop_map(Reason::Handles),
            (any_pid(), ".*").prop_map(|(child, command)| Reason::ShellWaits { child, command }),
            any_signal().prop_map(Reason::Waits),
            any_pid().prop_map(|parent| Reason::LeftToParent { parent }),
            any_pid().prop_map(|parent| Reason::AskedByParent { parent }),
            any_signal().prop_map(Reason::IgnoredByDefault),
            any_signal().prop_map(Reason::FullPipe),
            (any_pid(), ".*").prop_map(|(child, command)| Reason::ShellMayWait { child, command }),
            any::<Option<u32>>().prop_map(|uid| Reason::NotReadable { uid }),
            Just(Reason::Frozen),
            Just(Reason::DumpsCore),
            Just(Reason::NotAsked),
            prop::option::of(".*").prop_map(|at| Reason::StuckInKernel { at }),
            any_signal().prop_map(Reason::Stopped),
            any_signal().prop_map(Reason::Traced),
            any_signal().prop_map(Reason::Pending),
            any_signal().prop_map(Reason::NamespaceInit),
            any_signal().prop_map(Reason::Dropped),
            any::<(u32, u32)>().prop_map(|(uid, our_uid)| Reason::NotPermitted { uid, our_uid }),
            any_signal().prop_map(Reason::Ending),
            prop::option::of(any_pid()).prop_map(|parent| Reason::Zombie { parent }),
            prop::option::of(any_pid()).prop_map(|tracer| Reason::TracedZombie { tracer }),
            Just(Reason::Unknown),
        ]
    }

    pub(in crate::contain) fn any_survivor() -> impl Strategy<Value = Survivor> {
        let facts = (any_pid(), prop::option::of(any_pid()), ".*", any::<u8>());
        (facts, any::<Duration>(), any::<Option<u32>>(), any_reason()).prop_map(
            |((pid, ppid, command, letter), age, uid, reason)| {
                let state = State::from_letter(letter);
                Survivor { pid, ppid, command, state, age, uid, reason }
            },
        )
    }

    proptest! {
        #[test]
        fn any_survivor_comes_back(survivor in any_survivor()) {
            let mut writer = Writer::default();
            survivor.write(&mut writer);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            let back = Survivor::read(&mut reader);
            prop_assert_eq!(back.and_then(|back| reader.end(back)), Some(survivor));
        }
    }
}
