//! Reads the facts about one process from `/proc`.

use super::age;
use super::facts::{Credentials, Facts};
use super::shell::{self, Kind, Shell, ShellChild};
use crate::pid::{Pid, PidMap, PidSet};
use crate::process::scan::all_and_hidden;
use crate::process::{Process, walk};
use crate::procfs;
use crate::procfs::bounded::BoundedReader;
use crate::procfs::cgroup::{Frozen, Hierarchy};
use crate::procfs::cmdline;
use crate::procfs::fact::Fact;
use crate::procfs::namespace;
use crate::procfs::program;
use crate::procfs::reader::{Reader, arguments};
use crate::procfs::stat::{Stat, State};
use crate::procfs::status::{Signals, Status};
use crate::procfs::syscall;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Reads processes. Use one for many processes: it keeps its buffers, its helper thread and the mount points of the control groups.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    pub(crate) reader: Reader,
    /// For what may block in the kernel.
    pub(crate) bounded: BoundedReader,
    /// Where control groups are mounted that can be frozen; `None` before they are first asked for.
    hierarchies: Option<Vec<Hierarchy>>,
}

/// Threads of a process whose signal masks are read. The intersection of their masks shrinks with each, and no known
/// program has 4096 threads that block a signal before one that does not.
const MOST_THREADS: usize = 4096;

/// Processes above a shell that are checked for further children.
const MOST_ABOVE: usize = 32;

impl Gatherer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One for processes that are about to be killed. After two reads have timed out, it reads no other file that may block. The
    /// processes are then named by their short names.
    pub(crate) fn hasty() -> Self {
        Self { bounded: BoundedReader::hasty(), ..Self::default() }
    }

    /// One for processes of which some are killed after this time. `None`: none is.
    pub(crate) fn before_kill(kill_in: Option<Duration>) -> Self {
        let bounded = kill_in.map_or_else(BoundedReader::new, BoundedReader::within);
        Self { bounded, ..Self::default() }
    }

    /// The credentials of a process as a sender of signals.
    pub(crate) fn credentials(&mut self, pid: Pid) -> Option<Credentials> {
        Credentials::of(&self.reader.status(pid).ok()??)
    }

    /// `None` when the process is gone or its number means another one.
    pub(crate) fn gather(
        &mut self,
        process: &Process,
        asked: Option<Signal>,
        sender: Option<Credentials>,
    ) -> Option<Facts> {
        let pid = process.pid;
        let same = |stat: &Stat| stat.start_ticks == process.start_ticks;
        let stat = self.reader.stat(pid).ok()?.filter(same)?;
        let status = self.reader.status(pid).ok().flatten();
        let threads = self.threads(&stat, status.as_ref());
        let living = self.reader.living_thread(pid, stat.state, stat.threads);
        let signals = status.as_ref().and_then(|status| status.signals).unwrap_or_default();
        let signal = asked.unwrap_or(Signal::TERM);
        let is = |set: SignalSet| set.contains(signal);
        let in_sigwait = if is(threads.blocked | signals.caught) {
            Fact::NotThere
        } else {
            self.reader.in_sigwait(&mut self.bounded, pid)
        };
        let signalfds =
            if is(threads.blocked | signals.blocked) { self.reader.signalfds(living) } else { Fact::NotThere };
        let wait_channel = self.reader.wait_channel(pid, threads.in_kernel.unwrap_or(living));
        let arguments = self.arguments(living, stat.has_ended() || threads.in_kernel.is_some());
        let exits_after = arguments.as_known().and_then(|words| shell::exits_after(words, age(stat.start_ticks)));
        let is_shell = is(signals.caught) && is_shell(&stat, &arguments);
        let shell = if is_shell { Some(self.shell(&stat)) } else { None };
        let frozen = self.frozen(living);
        // Everything above was read by PID. If the start time is still the same, all of it was read from the same process.
        self.reader.stat(pid).ok()?.filter(same)?;
        Some(Facts {
            stat,
            status,
            asked,
            arguments,
            blocked: threads.blocked,
            in_sigwait,
            signalfds,
            in_kernel: threads.in_kernel.is_some(),
            is_stopped: threads.is_stopped,
            is_held: threads.is_held,
            tracer: threads.tracer,
            exits_after,
            wait_channel,
            frozen,
            shell,
            sender,
        })
    }

    /// The arguments of a process.
    pub(crate) fn arguments_of(&mut self, process: &Process) -> Fact<Vec<u8>> {
        let thread = process.living_thread(&mut self.reader);
        self.arguments(thread, process.state == State::DiskSleep)
    }

    /// The arguments. They are not read if a thread is in state D: it may hold the lock that the read needs for ever.
    fn arguments(&mut self, pid: Pid, out_of_reach: bool) -> Fact<Vec<u8>> {
        if out_of_reach { Fact::NotThere } else { arguments(&mut self.bounded, pid) }
    }

    /// What every thread blocks, and what holds one of them.
    fn threads(&mut self, stat: &Stat, status: Option<&Status>) -> Threads {
        let first = status.and_then(|status| status.signals).map(|signals: Signals| signals.blocked);
        let mut found = Threads {
            blocked: first.unwrap_or_default(),
            in_kernel: (stat.state == State::DiskSleep).then_some(stat.pid),
            is_stopped: stat.state == State::Stopped,
            is_held: stat.state == State::Traced,
            tracer: status.and_then(|status| status.tracer),
        };
        if stat.threads <= 1 {
            return found;
        }
        let mut threads = Vec::new();
        let listed = procfs::reader::numbers(&format!("/proc/{}/task", stat.pid), &mut threads);
        let mut blocked = None;
        if let Ok(Some(())) = listed {
            for thread in threads.into_iter().take(MOST_THREADS) {
                let Ok(Some(status)) = self.reader.thread_status(stat.pid, thread) else { continue };
                // A first thread that has exited takes no signal.
                if matches!(status.state, Some(State::Zombie | State::Dead)) {
                    continue;
                }
                match status.state {
                    Some(State::DiskSleep) => _ = found.in_kernel.get_or_insert(thread),
                    Some(State::Traced) => found.is_held = true,
                    // The stop is one of the whole process.
                    Some(State::Stopped) => found.is_stopped |= stat.state == State::Zombie,
                    _ => {}
                }
                found.tracer = found.tracer.or(status.tracer);
                if let Some(signals) = status.signals {
                    blocked = Some(blocked.unwrap_or(SignalSet::all()) & signals.blocked);
                }
            }
        }
        found.blocked = blocked.or(first).unwrap_or_default();
        found
    }

    fn shell(&mut self, stat: &Stat) -> Shell {
        // The link needs the right to trace the process. Without it, the name that the process gives itself counts.
        let program = std::fs::read_link(format!("/proc/{}/exe", stat.pid)).ok();
        let name = program.as_ref().and_then(|path| path.file_name()).map(|name| name.as_bytes());
        let kind = match Kind::of(name, &stat.comm) {
            Kind::WaitIsVisible if !program::contains(&mut self.bounded, stat.pid, [shell::DASH, shell::BUSYBOX]) => {
                Kind::WaitIsAmbiguous
            }
            kind => kind,
        };
        let read = self.bounded.read(format!("/proc/{}/syscall", stat.pid), 256);
        let children = self.shell_children(stat.pid);
        let exits_after = match &children[..] {
            [only] if self.is_alone(only.pid) => self.exits_after(only),
            _ => None,
        };
        Shell { kind, call: read.map(|line| syscall::parse(&line)), children, exits_after }
    }

    fn exits_after(&mut self, child: &ShellChild) -> Option<Duration> {
        let arguments = arguments(&mut self.bounded, child.pid);
        let left = shell::exits_after(arguments.as_known()?, age(child.start_ticks))?;
        Some(left).filter(|_| program::contains(&mut self.bounded, child.pid, [shell::COREUTILS, shell::BUSYBOX]))
    }

    /// True if no other process is in the PID namespace of a process than those above it. The diagnosis and the processes above that
    /// do not count.
    fn is_alone(&mut self, pid: Pid) -> bool {
        if !self.is_alone_below_its_ancestors(pid) || hides_processes(self) {
            return false;
        }
        let Ok((processes, 0)) = all_and_hidden(&mut self.reader) else { return false };
        let parents: PidMap<Pid> = processes.iter().filter_map(|one| Some((one.pid, one.ppid?))).collect();
        // At most as many steps as there are processes: reused pids may form a ring.
        let line = |pid: Pid| std::iter::successors(Some(pid), |pid| parents.get(pid).copied()).take(processes.len());
        let expected: PidSet = line(pid).chain(line(rustix::process::getpid().into())).collect();
        let namespaces = |gatherer: &mut Self, pid| {
            let status = gatherer.reader.status(pid).ok().flatten();
            status.map_or(0, |status| status.namespace_pids.len())
        };
        let (own_depth, own) = (namespaces(self, pid), namespace(pid, "pid"));
        let others = processes.iter().filter(|one| !one.has_ended() && !expected.contains(&one.pid));
        others.into_iter().all(|one| {
            let depth = namespaces(self, one.pid);
            let is_elsewhere = || match (&own, namespace(one.pid, "pid")) {
                (Fact::Known(own), Fact::Known(other)) => *own != other,
                _ => false,
            };
            depth < own_depth || (depth == own_depth && is_elsewhere())
        })
    }

    /// True if a process has no children, and the processes above it in its PID namespace have no other ones.
    fn is_alone_below_its_ancestors(&mut self, pid: Pid) -> bool {
        let me = Pid::from(rustix::process::getpid());
        let depth = |gatherer: &mut Self, pid| {
            let status = gatherer.reader.status(pid).ok().flatten();
            status.map(|status| status.namespace_pids.len())
        };
        let own_depth = depth(self, pid);
        let (mut pid, mut others) = (pid, 0);
        // A list that is read while processes move could contain a ring.
        for _ in 0..MOST_ABOVE {
            let Ok(found) = walk::children(pid, &mut self.reader) else { return false };
            if found.iter().filter(|child| !child.has_ended() && child.pid != me).count() != others {
                return false;
            }
            let parent = self.reader.stat(pid).ok().flatten().and_then(|stat| stat.ppid);
            match parent.filter(|parent| pid != me && depth(self, *parent) == own_depth) {
                Some(parent) => (pid, others) = (parent, 1),
                None => return true,
            }
        }
        false
    }

    fn shell_children(&mut self, shell: Pid) -> Vec<ShellChild> {
        let children = walk::children(shell, &mut self.reader).unwrap_or_default();
        let me = Pid::from(rustix::process::getpid());
        let mut living = Vec::with_capacity(children.len());
        // Without this process: a shell that runs the diagnosis waits for it only because of the diagnosis.
        for child in children.into_iter().filter(|child| !child.has_ended() && child.pid != me) {
            let status = self.reader.status(child.pid).ok().flatten();
            let ignored =
                status.and_then(|status| status.signals).map_or(SignalSet::empty(), |signals| signals.ignored);
            let arguments = self.arguments_of(&child);
            let command = command(&arguments, &child.comm);
            living.push(ShellChild { pid: child.pid, command, start_ticks: child.start_ticks, ignored });
        }
        living
    }

    fn frozen(&mut self, pid: Pid) -> Fact<Frozen> {
        if self.hierarchies.is_none() {
            let mounts = self.bounded.read("/proc/self/mountinfo".to_owned(), procfs::reader::LARGEST);
            // One that did not come in time is read again for the next process.
            self.hierarchies = mounts.known().map(|mounts| Hierarchy::that_freeze(&mounts));
        }
        let hierarchies = self.hierarchies.as_deref().unwrap_or_default();
        if hierarchies.is_empty() {
            return Fact::NotThere;
        }
        let cgroups = match self.reader.cgroups(pid) {
            Fact::Known(cgroups) => cgroups,
            other => return other.map(|_| Frozen::No),
        };
        let files: Vec<_> = hierarchies.iter().filter_map(|one| one.state_file(&cgroups)).collect();
        if files.is_empty() {
            return Fact::NotThere;
        }
        let (mut frozen, mut refused) = (Frozen::No, None);
        for file in files {
            match self.bounded.read(file.display().to_string(), 4096) {
                Fact::Known(bytes) => frozen = frozen.max(Frozen::parse(&bytes)),
                other => refused = Some(other.map(|_| Frozen::No)),
            }
        }
        refused.filter(|_| frozen == Frozen::No).unwrap_or(Fact::Known(frozen))
    }
}

/// Bit of CAP_SYS_PTRACE in the kernel's `include/uapi/linux/capability.h`.
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// True where `/proc` does not list what this user may not read.
pub(crate) fn hides_processes(gatherer: &mut Gatherer) -> bool {
    let me = rustix::process::getpid().into();
    let capabilities = gatherer.reader.status(me).ok().flatten().and_then(|status| status.capabilities);
    if capabilities.is_some_and(|set| set & CAP_SYS_PTRACE != 0) {
        return false;
    }
    let mounts = gatherer.bounded.read("/proc/self/mountinfo".to_owned(), 1 << 20).known().unwrap_or_default();
    let mounts = String::from_utf8_lossy(&mounts);
    let hides = |line: &str| {
        let option = line.split([' ', ',']).find_map(|word| word.strip_prefix("hidepid="));
        line.split(' ').nth(4) == Some("/proc") && option.is_some_and(|value| !matches!(value, "0" | "off"))
    };
    mounts.lines().any(hides)
}

struct Threads {
    blocked: SignalSet,
    in_kernel: Option<Pid>,
    is_stopped: bool,
    is_held: bool,
    tracer: Option<Pid>,
}

/// The command for people, escaped: the arguments, or the name in brackets where they are not there.
pub(crate) fn command(arguments: &Fact<Vec<u8>>, comm: &[u8]) -> String {
    match arguments {
        Fact::Known(bytes) => cmdline::display(bytes, comm),
        Fact::NotPermitted | Fact::NotThere => cmdline::bracketed(comm),
    }
}

/// By its own name, or by its first argument where a script has given it another.
fn is_shell(stat: &Stat, arguments: &Fact<Vec<u8>>) -> bool {
    let by_arguments = matches!(arguments, Fact::Known(words) if shell::is_shell(cmdline::program_name(words)));
    shell::is_shell(&stat.comm) || by_arguments
}
