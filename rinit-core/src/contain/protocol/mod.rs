//! What a controlling process and its contained rinit send to each other.
//!
//! Frames: one byte for the kind, four for the length (little-endian), and then the body. The controlling
//! process begins with a [`Setup`], whose first field is the version. The rinit answers [`Reply::Started`] or
//! [`Reply::Failed`], and sends [`Reply::Report`] at the end. If the controlling process closes its end, the rinit kills
//! everything at once.

pub(crate) mod codec;
mod error;
mod survivor;

use crate::child::spec::ProcessGroup;
use crate::child::spec::limits::Limits;
use crate::contain::usage::Usage;
use crate::error::Error;
use crate::pid::Pid;
use crate::report::Report;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use codec::{Reader, Tagged, Wire, Writer, wire_enum, wire_struct};
use std::path::PathBuf;
use std::time::Duration;

/// Both sides must have the same. A rinit of another version refuses, and sends its own, so that the
/// error can name both.
pub(crate) const VERSION: u16 = 3;

/// Longest frame. A report of two thousand processes, whose commands are cut to 80 characters, takes less than 2 MiB; a user
/// in all 65536 groups takes 256 KiB.
const LONGEST: usize = 4 << 20;
const HEAD: usize = 5;

/// Collects received bytes until they are whole frames.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Vec<u8>);

/// The other side sent something that is not a message.
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
        let message = M::from_frame(kind, Reader::new(body)).ok_or(Garbled);
        self.0.drain(..HEAD + length);
        message.map(Some)
    }
}

/// A whole frame.
pub(crate) trait Message: Sized {
    fn from_frame(kind: u8, from: Reader<'_>) -> Option<Self>;
    fn to_frame(&self) -> Vec<u8>;
}

fn frame(message: &impl Tagged) -> Vec<u8> {
    let mut body = Writer::default();
    message.write_fields(&mut body);
    let body = body.into_bytes();
    let mut frame = Writer::default();
    frame.u8(message.tag());
    frame.bytes(&body);
    frame.into_bytes()
}

wire_struct! {
    /// The parts of a [`ChildSpec`](crate::ChildSpec) that apply to main but not to rinit itself, and when the job is stopped.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Setup {
        /// [`VERSION`]. The first field, in every version.
        pub(crate) version: u16,
        pub(crate) user: Option<Ids>,
        pub(crate) directory: Option<PathBuf>,
        pub(crate) group: ProcessGroup,
        pub(crate) mask: SignalSet,
        /// Main starts with SIGPIPE ignored. An rinit with Rust's own start-up code, which ignores it, cannot know.
        pub(crate) sigpipe_ignored: bool,
        pub(crate) limits: Limits,
        /// The number of the descriptor that is main's terminal.
        pub(crate) terminal: Option<i32>,
        /// From main's exit to KILL for the processes that remain.
        pub(crate) drain: Option<Duration>,
        /// Main's exit does not stop the other processes.
        pub(crate) wait: bool,
        /// If set, the job is stopped in good order, not killed at once, when the controlling process lets go.
        pub(crate) stop: Option<Stop>,
        /// How long the whole job may run, and how it is stopped then.
        pub(crate) time_limit: Option<(Duration, Stop)>,
    }
}

wire_struct! {
    /// How main is asked to stop, and how long the whole job has for it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Stop {
        pub(crate) signal: Signal,
        pub(crate) grace: Duration,
    }
}

wire_struct! {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Ids {
        pub(crate) uid: u32,
        pub(crate) gid: u32,
        pub(crate) groups: Vec<u32>,
    }
}

wire_struct!(Limits { resources, umask, nice });
wire_struct!(Usage { user_time, system_time, max_rss_kib });

/// What the controlling process sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Setup(Setup),
    /// For main.
    Signal(Signal),
    Stop(Stop),
    Kill,
    /// The time limit has passed. An rinit that the job has stopped would notice it too late by its own clock.
    TimeLimit,
    /// A setup of another version. Never sent: it stands for what was read.
    OtherVersion,
}

wire_enum!(
    Request { 1 = Setup(setup), 2 = Signal(signal), 3 = Stop(stop), 4 = Kill, 5 = TimeLimit }
    else 0, |_: &Self, _: &mut Writer| (), |_: &mut Reader<'_>| None
);

impl Message for Request {
    fn from_frame(kind: u8, mut from: Reader<'_>) -> Option<Self> {
        if kind == 1 && from.peek_u16()? != VERSION {
            return Some(Self::OtherVersion);
        }
        let request = Self::read_fields(kind, &mut from)?;
        from.end(request)
    }

    fn to_frame(&self) -> Vec<u8> {
        frame(self)
    }
}

/// What the contained rinit sends.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Main runs its program.
    Started(Pid),
    /// It could not be started; rinit exits.
    Failed(Error),
    /// This rinit speaks another version.
    Version(u16),
    /// The job is over; rinit exits.
    Report(Box<Report>, Usage),
}

wire_enum!(Reply { 1 = Started(main), 2 = Failed(error), 3 = Version(version), 4 = Report(report, usage) });

impl Message for Reply {
    fn from_frame(kind: u8, mut from: Reader<'_>) -> Option<Self> {
        let reply = Self::read_fields(kind, &mut from)?;
        from.end(reply)
    }

    fn to_frame(&self) -> Vec<u8> {
        frame(self)
    }
}

wire_struct!(Report { main_pid, main, reaped, asked, killed, left_behind, stop_signal, stop_took, timed_out });

impl Wire for Box<Report> {
    fn write(&self, to: &mut Writer) {
        (**self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Report::read(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::survivor::tests::any_survivor;
    use super::*;
    use crate::exit_status::ExitStatus;
    use crate::resource::Resource;
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
        let limit = prop::option::of((any::<Duration>(), any_stop()));
        let when = (any::<(Option<Duration>, bool)>(), prop::option::of(any_stop()), limit);
        (main, when).prop_map(|((user, directory, group, (mask, terminal)), ((drain, wait), stop, time_limit))| {
            let mask = SignalSet::from_bits(mask);
            let limits = Limits {
                resources: if wait { vec![(Resource::Stack, (3, u64::MAX))] } else { Vec::new() },
                umask: drain.is_some().then_some(0o27),
                nice: terminal,
            };
            let (version, sigpipe_ignored) = (VERSION, wait);
            Setup {
                version,
                user,
                directory,
                group,
                mask,
                sigpipe_ignored,
                limits,
                terminal,
                drain,
                wait,
                stop,
                time_limit,
            }
        })
    }

    fn any_request() -> impl Strategy<Value = Request> {
        prop_oneof![
            any_setup().prop_map(Request::Setup),
            any_signal().prop_map(Request::Signal),
            any_stop().prop_map(Request::Stop),
            Just(Request::Kill),
            Just(Request::TimeLimit),
        ]
    }

    proptest! {
        #[test]
        fn requests_come_back_however_they_are_cut(
            requests in prop::collection::vec(any_request(), 0..5),
            cut in 1..40_usize,
        ) {
            let bytes: Vec<u8> = requests.iter().flat_map(Request::to_frame).collect();
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
                asked: counts.1,
                killed,
                left_behind,
                stop_signal: stop.and_then(|(number, _)| Signal::new(number)),
                stop_took: stop.map(|(_, took)| took),
                timed_out: stop.is_some(),
            };
            let mut inbox = Inbox::default();
            let usage = Usage { user_time: Duration::from_millis(counts.0 % 1000), ..Usage::default() };
            let text = format!("{sent:?}");
            inbox.add(&Reply::Report(Box::new(sent), usage).to_frame());
            let Ok(Some(Reply::Report(back, back_usage))) = inbox.next() else { panic!("no report") };
            prop_assert_eq!((format!("{back:?}"), back_usage), (text, usage));
        }

        #[test]
        fn no_bytes_panic_and_no_request_is_read_two_ways(bytes: Vec<u8>) {
            crate::fuzzing::containment(&bytes);
        }
    }

    #[test]
    fn another_version_is_not_garbage() {
        let mut inbox = Inbox::default();
        inbox.add(&[1, 3, 0, 0, 0, 9, 9, 9]);
        assert_eq!(inbox.next(), Ok(Some(Request::OtherVersion)));
        inbox.add(&[1, 0, 0, 0, 255]);
        assert_eq!(inbox.next::<Request>(), Err(Garbled), "a length that no rinit sends");
    }

    #[test]
    fn a_torn_message_is_none() {
        let whole = Request::Signal(Signal::HUP).to_frame();
        let mut inbox = Inbox::default();
        inbox.add(&whole[..whole.len() - 1]);
        assert_eq!(inbox.next::<Request>(), Ok(None));
    }
}
