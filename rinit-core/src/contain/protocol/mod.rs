//! What a host and its contained rinit say to each other.
//!
//! Frames: one byte for the kind, four for the length (little-endian), and so many bytes. The host speaks first, with a
//! [`Setup`] that carries the version; the other side answers [`Reply::Started`] or [`Reply::Failed`], and at the end says
//! [`Reply::Report`]. An end of file in the host's direction means: end everything, at once.

pub(crate) mod codec;
mod error;
mod survivor;

use crate::child::spec::ProcessGroup;
use crate::error::Error;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use codec::{Reader, Writer};
use std::path::PathBuf;
use std::time::Duration;
use survivor::{pid, read as read_survivor, signal, write as write_survivor, write_signal};

/// Both sides must say the same. A host's other version is refused by name, so that it can say which rinit it needs.
pub(crate) const VERSION: u16 = 1;

/// Longest frame. A report of two thousand processes, whose commands are cut to 80 characters, takes less than 2 MiB; a user
/// in all 65536 groups takes 256 KiB.
const LONGEST: usize = 4 << 20;
const HEAD: usize = 5;

/// Bytes that came, until they are whole frames.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Vec<u8>);

/// The other side said something that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

impl Inbox {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// The next whole message, if there is one.
    pub(crate) fn next<M: Message>(&mut self) -> Result<Option<M>, Garbled> {
        let Some((head, rest)) = self.0.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [kind, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(Garbled);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = M::read(kind, Reader::new(body)).ok_or(Garbled);
        self.0.drain(..HEAD + length);
        message.map(Some)
    }
}

pub(crate) trait Message: Sized {
    fn read(kind: u8, from: Reader<'_>) -> Option<Self>;
}

fn frame(kind: u8, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut body = Writer::default();
    write(&mut body);
    let body = body.into_bytes();
    let mut frame = Writer::default();
    frame.u8(kind);
    frame.bytes(&body);
    frame.into_bytes()
}

/// What of a [`ChildSpec`](crate::ChildSpec) main gets and rinit itself does not, and what shall happen when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) user: Option<Ids>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) group: ProcessGroup,
    pub(crate) mask: SignalSet,
    /// The number of the descriptor that is main's terminal.
    pub(crate) terminal: Option<i32>,
    /// From main's end to KILL for whoever remains.
    pub(crate) drain: Option<Duration>,
    /// Main's end tells nobody to end.
    pub(crate) wait: bool,
    /// When the host lets go: an orderly stop, and not KILL at once.
    pub(crate) stop: Option<Stop>,
}

/// How main is asked to end, and how long everybody has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) signal: Signal,
    pub(crate) grace: Duration,
}

impl Stop {
    fn write(to: &mut Writer, stop: Self) {
        write_signal(to, stop.signal);
        to.duration(stop.grace);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { signal: signal(from)?, grace: from.duration()? })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// What the host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Setup(Setup),
    /// A setup of another version.
    NotRinit,
    /// To main.
    Signal(Signal),
    Stop(Stop),
    Kill,
}

impl Request {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Setup(setup) => frame(1, |to| {
                to.u16(VERSION);
                to.option(setup.user.as_ref(), |to, ids| {
                    to.u32(ids.uid);
                    to.u32(ids.gid);
                    to.list(&ids.groups, |to, gid| to.u32(*gid));
                });
                to.option(setup.directory.as_deref(), |to, directory| to.os(directory.as_os_str()));
                to.u8(match setup.group {
                    ProcessGroup::Inherit => 0,
                    ProcessGroup::Own => 1,
                    ProcessGroup::Session => 2,
                });
                to.u64(setup.mask.bits());
                to.option(setup.terminal, Writer::i32);
                to.option(setup.drain, Writer::duration);
                to.u8(setup.wait.into());
                to.option(setup.stop, Stop::write);
            }),
            // Never sent: it stands for what was read.
            Self::NotRinit => frame(1, |to| to.u16(0)),
            Self::Signal(signal) => frame(2, |to| write_signal(to, *signal)),
            Self::Stop(stop) => frame(3, |to| Stop::write(to, *stop)),
            Self::Kill => frame(4, |_| ()),
        }
    }
}

impl Message for Request {
    fn read(kind: u8, mut from: Reader<'_>) -> Option<Self> {
        let request = match kind {
            1 if from.u16()? != VERSION => return Some(Self::NotRinit),
            1 => Self::Setup(Setup {
                user: from
                    .option(|from| Some(Ids { uid: from.u32()?, gid: from.u32()?, groups: from.list(Reader::u32)? }))?,
                directory: from.option(Reader::os)?.map(PathBuf::from),
                group: [ProcessGroup::Inherit, ProcessGroup::Own, ProcessGroup::Session]
                    .get(usize::from(from.u8()?))
                    .copied()?,
                mask: SignalSet::from_bits(from.u64()?),
                terminal: from.option(Reader::i32)?,
                drain: from.option(Reader::duration)?,
                wait: from.bool()?,
                stop: from.option(Stop::read)?,
            }),
            2 => Self::Signal(signal(&mut from)?),
            3 => Self::Stop(Stop::read(&mut from)?),
            4 => Self::Kill,
            _ => return None,
        };
        from.end(request)
    }
}

/// What rinit says.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Main runs its program.
    Started(Pid),
    /// It could not be started; rinit ends.
    Failed(Error),
    /// This rinit speaks another version.
    Version(u16),
    /// All is over; rinit ends.
    Report(Report),
}

pub(crate) fn started(main: Pid) -> Vec<u8> {
    frame(1, |to| to.i32(main.get()))
}

pub(crate) fn failed(error: &Error) -> Vec<u8> {
    frame(2, |to| error::write(to, error))
}

pub(crate) fn version() -> Vec<u8> {
    frame(3, |to| to.u16(VERSION))
}

pub(crate) fn report(report: &Report) -> Vec<u8> {
    frame(4, |to| {
        to.i32(report.main_pid.get());
        to.option(report.main, write_status);
        to.u64(report.reaped);
        to.u64(report.told);
        to.list(&report.killed, write_survivor);
        to.list(&report.left_behind, write_survivor);
        to.option(report.stop_signal, write_signal);
        to.option(report.stop_took, Writer::duration);
    })
}

impl Message for Reply {
    fn read(kind: u8, mut from: Reader<'_>) -> Option<Self> {
        let reply = match kind {
            1 => Self::Started(pid(&mut from)?),
            2 => Self::Failed(error::read(&mut from)?),
            3 => Self::Version(from.u16()?),
            4 => Self::Report(Report {
                main_pid: pid(&mut from)?,
                main: from.option(read_status)?,
                reaped: from.u64()?,
                told: from.u64()?,
                killed: from.list(read_survivor)?,
                left_behind: from.list(read_survivor)?,
                stop_signal: from.option(signal)?,
                stop_took: from.option(Reader::duration)?,
            }),
            _ => return None,
        };
        from.end(reply)
    }
}

fn write_status(to: &mut Writer, status: ExitStatus) {
    match status {
        ExitStatus::Code(code) => to.bytes(&[code]),
        ExitStatus::Signal { signal, core_dumped } => to.bytes(&[signal.number() as u8, core_dumped.into()]),
    }
}

fn read_status(from: &mut Reader<'_>) -> Option<ExitStatus> {
    match *from.bytes()? {
        [code] => Some(ExitStatus::Code(code)),
        [number, core @ (0 | 1)] => {
            Some(ExitStatus::Signal { signal: Signal::new(number.into())?, core_dumped: core == 1 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::survivor::tests::any_survivor;
    use super::*;
    use proptest::prelude::*;

    fn any_signal() -> impl Strategy<Value = Signal> {
        (1..=64).prop_filter_map("a signal", Signal::new)
    }

    fn any_stop() -> impl Strategy<Value = Stop> {
        (any_signal(), any::<Duration>()).prop_map(|(signal, grace)| Stop { signal, grace })
    }

    fn any_setup() -> impl Strategy<Value = Setup> {
        let ids = (any::<u32>(), any::<u32>(), prop::collection::vec(any::<u32>(), 0..9));
        let ids = ids.prop_map(|(uid, gid, groups)| Ids { uid, gid, groups });
        let group = prop::sample::select(vec![ProcessGroup::Inherit, ProcessGroup::Own, ProcessGroup::Session]);
        let main = (prop::option::of(ids), prop::option::of(any::<PathBuf>()), group, any::<(u64, Option<i32>)>());
        let when = (any::<(Option<Duration>, bool)>(), prop::option::of(any_stop()));
        (main, when).prop_map(|((user, directory, group, (mask, terminal)), ((drain, wait), stop))| {
            let mask = SignalSet::from_bits(mask);
            Setup { user, directory, group, mask, terminal, drain, wait, stop }
        })
    }

    fn any_request() -> impl Strategy<Value = Request> {
        prop_oneof![
            any_setup().prop_map(Request::Setup),
            any_signal().prop_map(Request::Signal),
            any_stop().prop_map(Request::Stop),
            Just(Request::Kill),
        ]
    }

    proptest! {
        #[test]
        fn requests_come_back_however_they_are_cut(
            requests in prop::collection::vec(any_request(), 0..5),
            cut in 1..40_usize,
        ) {
            let bytes: Vec<u8> = requests.iter().flat_map(Request::to_bytes).collect();
            let (mut inbox, mut back) = (Inbox::default(), Vec::new());
            for part in bytes.chunks(cut) {
                inbox.add(part);
                while let Some(request) = inbox.next::<Request>().unwrap() {
                    back.push(request);
                }
            }
            prop_assert_eq!(back, requests);
        }

        #[test]
        fn a_report_comes_back(
            main in 1..i32::MAX,
            status in prop::option::of((any::<u8>(), any::<bool>(), any::<bool>())),
            counts: (u64, u64),
            killed in prop::collection::vec(any_survivor(), 0..4),
            left_behind in prop::collection::vec(any_survivor(), 0..4),
            stop in prop::option::of((1..=64, any::<Duration>())),
        ) {
            let sent = Report {
                main_pid: Pid::new(main).unwrap(),
                main: status.and_then(|(number, by_signal, core_dumped)| if by_signal {
                    Some(ExitStatus::Signal { signal: Signal::new(number.into())?, core_dumped })
                } else {
                    Some(ExitStatus::Code(number))
                }),
                reaped: counts.0,
                told: counts.1,
                killed,
                left_behind,
                stop_signal: stop.and_then(|(number, _)| Signal::new(number)),
                stop_took: stop.map(|(_, took)| took),
            };
            let mut inbox = Inbox::default();
            inbox.add(&report(&sent));
            let Ok(Some(Reply::Report(back))) = inbox.next() else { panic!("no report") };
            prop_assert_eq!(format!("{back:?}"), format!("{sent:?}"));
        }

        #[test]
        fn no_bytes_panic_and_no_request_is_read_two_ways(bytes: Vec<u8>) {
            crate::fuzzing::containment(&bytes);
        }
    }

    #[test]
    fn another_version_is_told_from_garbage() {
        let mut inbox = Inbox::default();
        inbox.add(&[1, 3, 0, 0, 0, 9, 9, 9]);
        assert_eq!(inbox.next(), Ok(Some(Request::NotRinit)));
        inbox.add(&[1, 0, 0, 0, 255]);
        assert_eq!(inbox.next::<Request>(), Err(Garbled), "a length that nobody would send");
    }

    #[test]
    fn a_torn_message_is_none() {
        let whole = Request::Signal(Signal::HUP).to_bytes();
        let mut inbox = Inbox::default();
        inbox.add(&whole[..whole.len() - 1]);
        assert_eq!(inbox.next::<Request>(), Ok(None));
    }
}
