//! Finds out whether a container will stop when it is asked to, from inside it and without a change to any process.
//!
//! The judgement of each process is the same that a running [`Init`](crate::Init) reports in a stop. A verdict is given only
//! where the kernel shows what SIGTERM does: a process without a handler is terminated, or loses the signal as PID 1; one that
//! ignores the signal stays. Only a stop shows what a handler does.

mod container;
mod init_program;
pub(crate) mod json;
mod output;
mod verdict;

pub use crate::survivor::reason::Reason;
pub use crate::survivor::{Survivor, examine};

#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::pid::{Pid, PidMap, PidSet};
use crate::process::Process;
use crate::process::partners;
use crate::process::scan::all_and_hidden;
use crate::procfs;
use crate::procfs::bounded::BoundedReader;
use crate::procfs::cmdline;
use crate::procfs::fact::Fact;
use crate::procfs::namespace;
use crate::signal::Signal;
use crate::survivor::gather::{Gatherer, command, hides_processes};
use crate::survivor::judge::{STOP_LIMIT, judge};
use crate::survivor::{Facts, age, describe, remedy_of};
use container::Identity;
use init_program::InitProgram;
use std::time::Duration;
use verdict::{InitAndMain, Member, Outcome};

/// The time between two scans. A state that only one of them sees is temporary: a process blocks signals while it forks and until
/// its child executes a program, one that reads from a disk is in state D for a moment, every child is a zombie before its parent
/// waits for it, and a loop that polls has another child each time.
const SETTLE: Duration = Duration::from_millis(200);
/// The most scans, if each sees something else than the one before.
const SCANS: usize = 4;

/// What [`diagnose`] found out about a container. Displayed as lines for people, the first of them the verdict.
///
/// ```no_run
/// # fn main() -> Result<(), rinit_core::Error> {
/// let diagnosis = rinit_core::diagnose::diagnose()?;
/// println!("{diagnosis}");
/// std::process::exit(match diagnosis.stops {
///     Some(true) => 0,
///     Some(false) => 1,
///     None => 2,
/// });
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Whether the container stops when its first process is sent SIGTERM; `None` where only a stop shows it.
    pub stops: Option<bool>,
    /// The container's first process: PID 1 in a PID namespace of its own.
    pub first: Finding,
    /// The number of the first process in its own PID namespace, where that is not its number here.
    pub first_inside: Option<Pid>,
    /// The program to which the first process forwards SIGTERM, where that is an init whose main can be found.
    pub main: Option<Pid>,
    /// True where the PID namespace is shared with other containers, so that PID 1 is not of this one.
    pub shared: bool,
    /// The processes that keep the container from stopping, the one to blame first; empty unless `stops` is false.
    pub findings: Vec<Finding>,
    /// The processes on which it depends, where only a stop shows it.
    pub undecided: Vec<Finding>,
    /// Other processes that do not act on SIGTERM themselves. They exit with the container, or are stopped by their parents.
    pub notes: Vec<Finding>,
    /// Processes that have exited and were not reaped, by parent.
    pub zombies: Vec<Zombies>,
    /// True where this user may not see all processes (`hidepid`, `proc(5)`).
    pub hidden: bool,
    /// What the first process does with SIGTERM as an init, in words.
    role: Option<String>,
}

/// A process, with what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The process, and what SIGTERM does to it.
    pub process: Survivor,
    /// Its arguments, each whole and escaped; empty where they could not be read. The kernel's first 4096 bytes of them.
    pub arguments: Vec<String>,
    /// What helps, where something is known to.
    pub remedy: Option<String>,
}

/// Processes that have exited and were not reaped by their parent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Zombies {
    /// The process that should wait for them; `None` where that is outside of the container, as for a `docker exec` that was
    /// cut off.
    pub parent: Option<ZombieParent>,
    /// A debugger that traces them and has not waited for them. Until then their parent cannot reap them (`ptrace(2)`).
    pub tracer: Option<ZombieParent>,
    /// True if the parent is an init, which reaps: then a debugger outside of the PID namespace may hold them.
    pub parent_is_init: bool,
    /// The zombies, in order of pid.
    pub zombies: Vec<Zombie>,
}

/// The living parent of zombies, or the process that traces them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZombieParent {
    /// Its id.
    pub pid: Pid,
    /// Its command, escaped.
    pub command: String,
}

/// A process that has exited and was not reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Zombie {
    /// Its id.
    pub pid: Pid,
    /// Its name in brackets, escaped: a zombie has no arguments.
    pub command: String,
    /// Time since it started; the kernel does not say when it exited.
    pub age: Duration,
}

/// Examines the container that this process runs in: does it stop when it is asked to, and does it leak zombies?
///
/// It sends no signal and changes nothing, and takes 0.2 s, because it scans twice. The diagnosing process itself is left out.
/// `docker exec` sessions are not part of the answer: they exit with the container.
///
/// Where the PID namespace is shared with other containers, the first process of this container is found by its mount
/// namespace or its control group.
///
/// # Errors
///
/// [`Error::Proc`] where `/proc` is missing or belongs to another PID namespace; [`Error::Diagnosis`] where the container's first
/// process is hidden from this user, cannot be found, or is the diagnosing process itself.
pub fn diagnose() -> Result<Diagnosis, Error> {
    run(None)
}

/// Examines the container of another process, from the host or from a debugging container.
///
/// Numbers are those that `/proc` shows here.
///
/// # Errors
///
/// As [`diagnose`]; [`Error::Diagnosis`] where there is no such process.
pub fn diagnose_container_of(pid: Pid) -> Result<Diagnosis, Error> {
    run(Some(pid))
}

fn run(of: Option<Pid>) -> Result<Diagnosis, Error> {
    let mut gatherer = Gatherer::new();
    procfs::verify(&mut gatherer.reader)?;
    let mut earlier = Scan::take(&mut gatherer, of)?;
    let mut scans = 1;
    loop {
        std::thread::sleep(SETTLE);
        let later = Scan::take(&mut gatherer, of)?;
        scans += 1;
        if scans == SCANS || later.outcome.stops == earlier.outcome.stops {
            return later.conclude(&earlier).ok_or_else(gone);
        }
        earlier = later;
    }
}

fn gone() -> Error {
    cannot("the container's first process is gone")
}

fn cannot(why: impl Into<String>) -> Error {
    Error::Diagnosis { why: why.into() }
}

/// Why an init may keep a reader waiting.
const READS: &str =
    "it reads a pipe, and rinit asks it before the last call only if the pipe is empty: give a shorter --last-call";

/// At most this many bytes of an init's environment are read.
const ENVIRONMENT: usize = 256 << 10;

/// What one scan has seen.
struct Scan {
    first: Pid,
    first_inside: Option<Pid>,
    shared: bool,
    /// The first process and all below it, and the processes of `docker exec`.
    members: PidMap<Member>,
    findings: PidMap<Finding>,
    outcome: Outcome,
    zombies: Vec<Process>,
    /// The tracer of each zombie that has one.
    tracers: PidMap<Pid>,
    commands: PidMap<String>,
    hidden: bool,
    /// What the first process does as an init, where it is one that is known and takes SIGTERM.
    init: Option<InitAndMain>,
    role: Option<String>,
}

impl Scan {
    fn take(gatherer: &mut Gatherer, of: Option<Pid>) -> Result<Self, Error> {
        let me = Pid::from(rustix::process::getpid());
        let (list, hidden) = all_and_hidden(&mut gatherer.reader)?;
        let hidden = hidden > 0 || hides_processes(gatherer);
        let processes: PidMap<Process> = list.into_iter().map(|process| (process.pid, process)).collect();
        let first = find_first(gatherer, &processes, of, hidden)?;
        let first_process = processes.get(&first).ok_or_else(gone)?;
        let mut scan = Self {
            first,
            first_inside: None,
            shared: false,
            members: PidMap::default(),
            findings: PidMap::default(),
            outcome: Outcome::default(),
            zombies: Vec::new(),
            tracers: PidMap::default(),
            commands: PidMap::default(),
            hidden,
            init: None,
            role: None,
        };
        // The container engine sends this signal from outside, and may signal every process.
        scan.add(gatherer, first_process, Signal::TERM, None);
        let status = gatherer.reader.status(first)?.ok_or_else(gone)?;
        let inside = status.namespace_pids.last().copied().unwrap_or(first);
        scan.first_inside = Some(inside).filter(|inside| *inside != first);
        scan.shared = inside != Pid::INIT;
        let sender = gatherer.credentials(first);
        let tree = descendants(&processes, first);
        let init = scan.init_program(gatherer, first_process);
        // Main, which may get another signal than SIGTERM from the init.
        let children = tree.iter().copied().filter(|process| process.ppid == Some(first));
        let main = init.as_ref().and_then(|init| verdict::main_of(children, init, first_process));
        for process in tree.iter().filter(|process| process.pid != me) {
            let signal = init.as_ref().filter(|_| main == Some(process.pid)).and_then(|init| init.signal);
            scan.add(gatherer, process, signal.unwrap_or(Signal::TERM), sender);
        }
        let below: PidSet = tree.iter().map(|process| process.pid).collect();
        if init.is_some() && !scan.shared {
            scan.add_sessions(gatherer, &processes, &below, sender);
        }
        if init.as_ref().is_some_and(|init| init.signal.is_none() && !init.pauses) {
            scan.set_reason(first, Reason::Dropped(Signal::TERM));
        }
        // It may have exited, or be this process.
        let main = main.filter(|main| scan.members.get(main).is_some_and(|member| !member.has_exited));
        if let Some(init) = &init {
            scan.role = init.role(main.and_then(|main| scan.findings.get(&main)));
            // Those that rinit asks at the last call alone: the first of their writers may leave something for them to read.
            if init.is_rinit && !init.asks_all_within(STOP_LIMIT) {
                let mut input_pipe =
                    |process: &Process| partners::input_pipe(process.living_thread(&mut gatherer.reader));
                let own = input_pipe(first_process);
                for process in &tree {
                    let Some(member) = scan.members.get_mut(&process.pid) else { continue };
                    member.may_read =
                        input_pipe(process).is_none_or(|pipe| pipe.is_some() && Some(&pipe) != own.as_ref());
                    if let Some(finding) = scan.findings.get_mut(&process.pid).filter(|_| member.may_read) {
                        finding.remedy.get_or_insert_with(|| READS.to_owned());
                    }
                }
            }
        }
        scan.init = init.map(|program| InitAndMain { program, main });
        scan.outcome = verdict::of_container(&scan.members, first, scan.init.as_ref());
        for pid in scan.outcome.undecided.clone() {
            if scan.members.get(&pid).is_some_and(|member| member.is_held_from_outside && !member.has_exited) {
                scan.set_reason(pid, Reason::Traced(Signal::TERM));
            }
        }
        // This /proc may show other processes as well: those of a shared PID namespace, or of the host that asks about a
        // container.
        let all_are_here = first == Pid::INIT && !scan.shared;
        let is_here = |process: &&Process| all_are_here || below.contains(&process.pid);
        let not_mine = |process: &&Process| process.ppid != Some(me);
        let zombies = processes.values().filter(|process| process.has_ended()).filter(is_here).filter(not_mine);
        scan.zombies = zombies.cloned().collect();
        for process in &scan.zombies {
            let status = gatherer.reader.status(process.pid).ok().flatten();
            let tracer = status.and_then(|status| status.tracer).filter(|tracer| Some(*tracer) != process.ppid);
            scan.tracers.extend(tracer.map(|tracer| (process.pid, tracer)));
            for pid in [process.ppid, tracer].into_iter().flatten() {
                if let Some(parent) = processes.get(&pid) {
                    scan.commands.insert(pid, command(&gatherer.arguments_of(parent), &parent.comm));
                }
            }
        }
        Ok(scan)
    }

    fn add(
        &mut self,
        gatherer: &mut Gatherer,
        process: &Process,
        signal: Signal,
        sender: Option<crate::survivor::Credentials>,
    ) {
        let Some(facts) = gatherer.gather(process, Some(signal), sender) else { return };
        // In a virtual machine of its own the container sees the threads of the kernel.
        if facts.stat.kernel_thread {
            return;
        }
        let judgement = judge(&facts);
        let survivor = describe(process, &facts, judgement.reason.clone());
        let remedy = remedy_of(&survivor).map(std::borrow::Cow::into_owned);
        let arguments = match &facts.arguments {
            Fact::Known(bytes) => cmdline::arguments(bytes),
            Fact::NotPermitted | Fact::NotThere => Vec::new(),
        };
        self.findings.insert(process.pid, Finding { process: survivor, arguments, remedy });
        let member = Member {
            ppid: facts.stat.ppid,
            start_ticks: process.start_ticks,
            group: process.group,
            has_exited: facts.stat.has_ended(),
            is_held_from_outside: self.is_held_from_outside(&facts),
            judgement,
            may_read: false,
        };
        self.members.insert(process.pid, member);
    }

    /// Adds the processes of `docker exec`. No process waits for them, but the kernel does when the PID namespace ends.
    fn add_sessions(
        &mut self,
        gatherer: &mut Gatherer,
        processes: &PidMap<Process>,
        below: &PidSet,
        sender: Option<crate::survivor::Credentials>,
    ) {
        let own_line = own_line(processes, rustix::process::getpid().into());
        let inside = namespace(self.first, "pid");
        let is_here = |pid: Pid| {
            self.first == Pid::INIT
                || matches!((&inside, namespace(pid, "pid")), (Fact::Known(one), Fact::Known(other)) if *one == other)
        };
        let known = |pid: &Pid| *pid == self.first || below.contains(pid) || own_line.contains(pid);
        let sessions: Vec<Pid> = processes.keys().copied().filter(|pid| !known(pid) && is_here(*pid)).collect();
        for process in sessions.iter().filter_map(|pid| processes.get(pid)) {
            self.add(gatherer, process, Signal::TERM, sender);
        }
    }

    /// Replaces the reason of a process by one that takes more than its own facts.
    fn set_reason(&mut self, pid: Pid, reason: Reason) {
        if let Some(finding) = self.findings.get_mut(&pid) {
            finding.process.reason = reason;
            finding.remedy = remedy_of(&finding.process).map(std::borrow::Cow::into_owned);
        }
    }

    /// True if a debugger outside of the container's PID namespace holds the process. A debugger inside is killed with the namespace.
    fn is_held_from_outside(&self, facts: &Facts) -> bool {
        match facts.tracer {
            // It has a debugger that this /proc does not show.
            None => facts.is_held,
            Some(tracer) if Some(tracer) == facts.stat.ppid || self.first == Pid::INIT => false,
            Some(tracer) => match (namespace(self.first, "pid"), namespace(tracer, "pid")) {
                (Fact::Known(inside), Fact::Known(of_tracer)) => inside != of_tracer,
                _ => true,
            },
        }
    }

    /// What the first process does as an init. A process that neither handles nor waits for SIGTERM is not an init here.
    fn init_program(&self, gatherer: &mut Gatherer, first: &Process) -> Option<InitProgram> {
        let takes = |reason: &Reason| matches!(reason, Reason::Handles(_) | Reason::Waits(_));
        self.members.get(&first.pid).filter(|member| takes(&member.judgement.reason))?;
        let arguments = gatherer.arguments_of(first);
        let thread = first.living_thread(&mut gatherer.reader);
        let environment = gatherer.bounded.read(format!("/proc/{thread}/environ"), ENVIRONMENT);
        // What was not read to its end may hold the variable that counts.
        let environment = match environment {
            Fact::Known(entries) if entries.len() >= ENVIRONMENT => Fact::NotThere,
            environment => environment,
        };
        let signals = gatherer.reader.status(first.pid).ok().flatten().and_then(|status| status.signals)?;
        // A reader of its own: on a slow file system it must not use up the time that the facts need.
        let file = init_program::program_of(thread, &first.comm, &mut BoundedReader::new());
        InitProgram::of(&first.comm, &file, signals, &arguments, &environment)
    }

    /// The diagnosis, of what both scans have seen.
    fn conclude(mut self, earlier: &Self) -> Option<Diagnosis> {
        let same = |pid: Pid| {
            let (before, now) = (earlier.members.get(&pid), self.members.get(&pid));
            before.zip(now).is_some_and(|(before, now)| before.start_ticks == now.start_ticks)
        };
        let steady = |pid: Pid| {
            let (before, now) = (earlier.findings.get(&pid), self.findings.get(&pid));
            same(pid)
                && before.zip(now).is_some_and(|(before, now)| match (&before.process.reason, &now.process.reason) {
                    // Another child each time: a loop that polls.
                    (Reason::ShellWaits { child: one, .. }, Reason::ShellWaits { child: other, .. }) => one == other,
                    (one, other) => one.code() == other.code(),
                })
        };
        let mut outcome = earlier.outcome.clone().and(self.outcome.clone());
        if outcome.stops.is_some() && !outcome.culprits.iter().all(|pid| steady(*pid)) {
            outcome = Outcome { stops: None, undecided: outcome.culprits, culprits: Vec::new() };
        }
        let is_rinit = self.init.as_ref().is_some_and(|init| init.program.is_rinit);
        if self.hidden && outcome.stops == Some(true) && is_rinit {
            outcome = Outcome { stops: None, undecided: vec![self.first], ..outcome };
        }
        let zombies = std::mem::take(&mut self.zombies);
        let zombies = zombies.into_iter().filter(|zombie| {
            let was = |earlier: &&Process| earlier.pid == zombie.pid && earlier.start_ticks == zombie.start_ticks;
            earlier.zombies.iter().find(was).is_some()
        });
        let mut zombies = group(zombies.collect(), &self.tracers, &self.commands);
        for group in &mut zombies {
            let init = Some(self.first).filter(|_| self.init.is_some());
            group.parent_is_init = init.is_some() && group.parent.as_ref().map(|parent| parent.pid) == init;
        }
        // An init reaps: a debugger that is not visible here may hold its zombie, and with it the PID namespace.
        let unreaped = zombies.iter().filter(|group| group.parent_is_init && group.tracer.is_none());
        let unreaped: Vec<Pid> = unreaped.flat_map(|group| &group.zombies).map(|zombie| zombie.pid).collect();
        let is_held = outcome.stops == Some(true) && !self.shared && !unreaped.is_empty();
        if is_held {
            outcome = Outcome { stops: None, undecided: unreaped, ..outcome };
        }
        let below = verdict::below(&self.members, self.first);
        let notes: Vec<Pid> = below
            .into_iter()
            .filter(|pid| !outcome.culprits.contains(pid) && !outcome.undecided.contains(pid) && steady(*pid))
            .filter(|pid| self.findings.get(pid).is_some_and(|finding| finding.process.reason.weight() == 0))
            .collect();
        for pid in outcome.undecided.iter().filter(|_| is_held) {
            self.set_reason(*pid, Reason::TracedZombie { tracer: None });
        }
        let pick = |pids: &[Pid]| pids.iter().filter_map(|pid| self.findings.get(pid).cloned()).collect::<Vec<_>>();
        Some(Diagnosis {
            stops: outcome.stops,
            findings: pick(&outcome.culprits),
            undecided: pick(&outcome.undecided),
            notes: pick(&notes),
            first: pick(&[self.first]).pop()?,
            first_inside: self.first_inside,
            shared: self.shared,
            zombies,
            main: self.init.and_then(|init| init.main),
            hidden: self.hidden,
            role: self.role,
        })
    }
}

/// The first process of the container of `of`, or of this one.
fn find_first(
    gatherer: &mut Gatherer,
    processes: &PidMap<Process>,
    of: Option<Pid>,
    hidden: bool,
) -> Result<Pid, Error> {
    let me = Pid::from(rustix::process::getpid());
    let anchor = of.unwrap_or(me);
    let missing = || cannot(format!("there is no process {anchor} here, or this user may not see it"));
    let anchor_process = processes.get(&anchor).ok_or_else(missing)?;
    let mut identity = |process: &Process| Identity::read(process, &mut gatherer.reader, &mut gatherer.bounded);
    let own = identity(anchor_process);
    let identities: PidMap<Identity> = processes
        .values()
        .filter(|process| !process.has_ended())
        .map(|process| (process.pid, identity(process)))
        .collect();
    let mut members: PidMap<Option<bool>> =
        identities.iter().map(|(pid, identity)| (*pid, own.is_same_container(identity))).collect();
    // A process outside of the container's PID namespace is not in the container: `unshare`, for example, is in the mount
    // namespace of its child. Every user may read the depth, and only some the namespace itself.
    let depth = nesting(gatherer, anchor);
    for (pid, is_member) in &mut members {
        if depth > 1 && nesting(gatherer, *pid) < depth {
            *is_member = Some(false);
        }
    }
    let mut first = container::first_process(processes, &members);
    let own_line = own_line(processes, me);
    // Only an exec session was found: the first process may have moved to another mount namespace.
    if first.is_none_or(|first| first != Pid::INIT && own_line.contains(&first)) {
        let by_cgroup: PidMap<Option<bool>> = identities
            .iter()
            .map(|(pid, identity)| {
                (
                    *pid,
                    Identity { mounts: Fact::NotThere, root_mount: Fact::NotThere, ..own.clone() }
                        .is_same_container(identity),
                )
            })
            .collect();
        let found = container::first_process(processes, &by_cgroup);
        first = found.filter(|found| !own_line.contains(found)).or(first);
    }
    match first {
        Some(first) if first == me => Err(cannot(format!(
            "the container's first process (pid {me}) is this diagnosis itself: run it in a running container, with docker exec \
             CONTAINER rinit --diagnose"
        ))),
        Some(first) => Ok(first),
        None if hidden => {
            Err(cannot("the container's first process is hidden: /proc is mounted with hidepid; run this as root"))
        }
        None => Err(cannot(
            "it cannot be seen which process is the container's first one: run this as its user, or as root",
        )),
    }
}

/// How many PID namespaces have a number for the process, from that of this `/proc` on.
fn nesting(gatherer: &mut Gatherer, pid: Pid) -> usize {
    gatherer.reader.status(pid).ok().flatten().map_or(0, |status| status.namespace_pids.len())
}

/// A process and its ancestors. The visited set ends a ring that reused pids may form.
fn own_line(processes: &PidMap<Process>, of: Pid) -> Vec<Pid> {
    let mut line = Vec::new();
    let mut next = Some(of);
    while let Some(pid) = next.filter(|pid| !line.contains(pid)) {
        line.push(pid);
        next = processes.get(&pid).and_then(|process| process.ppid);
    }
    line
}

fn descendants(processes: &PidMap<Process>, root: Pid) -> Vec<&Process> {
    let mut children: PidMap<Vec<&Process>> = PidMap::default();
    for process in processes.values() {
        if let Some(ppid) = process.ppid {
            children.entry(ppid).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(parent) = waiting.pop() {
        // Each list is taken once, so that a ring ends.
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(child);
            waiting.push(child.pid);
        }
    }
    found
}

fn group(mut zombies: Vec<Process>, tracers: &PidMap<Pid>, commands: &PidMap<String>) -> Vec<Zombies> {
    let tracer_of = |process: &Process| tracers.get(&process.pid).copied();
    zombies.sort_unstable_by_key(|process| (tracer_of(process), process.ppid, process.pid));
    let named = |pid: Pid| {
        let command = commands.get(&pid).cloned().unwrap_or_else(|| cmdline::bracketed(b"?"));
        ZombieParent { pid, command }
    };
    let pid_of = |parent: &Option<ZombieParent>| parent.as_ref().map(|parent| parent.pid);
    let mut groups: Vec<Zombies> = Vec::new();
    for process in zombies {
        let zombie =
            Zombie { pid: process.pid, command: cmdline::bracketed(&process.comm), age: age(process.start_ticks) };
        let tracer = tracer_of(&process);
        match groups.last_mut() {
            Some(last) if pid_of(&last.parent) == process.ppid && pid_of(&last.tracer) == tracer => {
                last.zombies.push(zombie);
            }
            _ => groups.push(Zombies {
                parent: process.ppid.map(named),
                tracer: tracer.map(named),
                parent_is_init: false,
                zombies: vec![zombie],
            }),
        }
    }
    groups
}
