//! The verdict on a container, from the judgement of each of its processes. It reads nothing.

use super::init_program::{InitProgram, KnownInit};
use crate::pid::{Pid, PidMap, PidSet};
use crate::process::Process;
use crate::signal::Signal;
use crate::survivor::judge::{Fate, Judgement, MARGIN, STOP_LIMIT};
use crate::survivor::reason::Reason;

/// What is known of one process.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) ppid: Option<Pid>,
    pub(super) start_ticks: u64,
    pub(super) group: i32,
    pub(super) has_exited: bool,
    /// A debugger that the end of the PID namespace does not kill holds the process, or has not waited for it.
    pub(super) is_held_from_outside: bool,
    pub(super) judgement: Judgement,
    /// It reads a pipe, or its input cannot be seen. Set only if rinit's last call is late: it counts only then.
    pub(super) may_read: bool,
}

/// An init, and the program that it has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitAndMain {
    pub(super) program: InitProgram,
    /// A living member; `None` if main has exited or cannot be found.
    pub(super) main: Option<Pid>,
}

/// Whether the container stops, and which processes are the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// `None` where only a stop shows it.
    pub(super) stops: Option<bool>,
    /// The processes that keep it from stopping, the one to blame first. Empty unless `stops` is false.
    pub(super) culprits: Vec<Pid>,
    /// The processes on which it depends, where it cannot be told.
    pub(super) undecided: Vec<Pid>,
}

impl Outcome {
    fn stops() -> Self {
        Self { stops: Some(true), ..Self::default() }
    }

    fn stays(culprits: Vec<Pid>) -> Self {
        Self { stops: Some(false), culprits, undecided: Vec::new() }
    }

    fn unknown(undecided: Vec<Pid>) -> Self {
        Self { stops: None, culprits: Vec::new(), undecided }
    }

    /// Combines two scans: a state that only one of them has seen is temporary.
    pub(super) fn and(self, later: Self) -> Self {
        if self.stops == later.stops {
            let both =
                |now: Vec<Pid>, before: &[Pid]| now.into_iter().filter(|pid| before.contains(pid)).collect::<Vec<_>>();
            let culprits = both(later.culprits, &self.culprits);
            if later.stops == Some(false) && culprits.is_empty() {
                return Self::unknown(self.culprits);
            }
            return Self { stops: later.stops, culprits, undecided: later.undecided };
        }
        let mut undecided = later.undecided;
        for pid in self.culprits.into_iter().chain(later.culprits).chain(self.undecided) {
            if !undecided.contains(&pid) {
                undecided.push(pid);
            }
        }
        Self::unknown(undecided)
    }
}

/// What SIGTERM to the first process does.
///
/// When the first process exits the container has stopped: the kernel kills the rest of a PID namespace with its PID 1, and
/// an engine kills the rest of a control group. So the others count only where the first process waits for them.
pub(super) fn of_container(members: &PidMap<Member>, first: Pid, init: Option<&InitAndMain>) -> Outcome {
    let Some(member) = members.get(&first) else { return Outcome::unknown(Vec::new()) };
    match init {
        Some(InitAndMain { program, main }) => under_init(members, first, program, *main),
        None => alone(members, first, member.judgement.fate),
    }
}

fn alone(members: &PidMap<Member>, pid: Pid, fate: Fate) -> Outcome {
    match fate {
        Fate::Exits => Outcome::stops(),
        Fate::Stays => Outcome::stays(vec![pid]),
        Fate::Unknown => Outcome::unknown(frozen_first(members, pid)),
    }
}

/// The process, which may wait for its children. The frozen ones come first: they cannot act before they are thawed.
fn frozen_first(members: &PidMap<Member>, pid: Pid) -> Vec<Pid> {
    let is_frozen = |pid: &Pid| members.get(pid).is_some_and(|member| member.judgement.reason == Reason::Frozen);
    let mut named: Vec<Pid> = below(members, pid).into_iter().filter(is_frozen).collect();
    named.push(pid);
    named
}

fn under_init(members: &PidMap<Member>, first: Pid, init: &InitProgram, main: Option<Pid>) -> Outcome {
    let Some(main) = main else {
        return if init.pauses && !init.is_unclear {
            stops_unless_held(members, first)
        } else {
            Outcome::unknown(vec![first])
        };
    };
    if init.pauses {
        return Outcome::unknown(vec![main]);
    }
    if init.signal.is_none() {
        // It drops the signal, and nothing below gets it.
        return Outcome::stays(vec![first]);
    }
    let others = || below(members, first).into_iter().filter(|pid| *pid != main && !members[pid].has_exited);
    let main_member = &members[&main];
    let group = members[&first].group;
    let in_group = || members.values().filter(|member| member.ppid == Some(first) && member.group == group);
    // Main stays in the init's group: a helper that a shell started before it executed the init looks the same.
    let is_ambiguous = !init.makes_group && in_group().count() > 1;
    // tini -g and catatonit -g signal the group that they made for main, also when main has left it.
    let has_left = init.reaches_others && !init.is_rinit && ![0, main.get()].contains(&main_member.group);
    let is_unclear = init.is_unclear || is_ambiguous || has_left;
    // rinit lets a stopped process go on once it has sent the signal.
    let fate = match main_member.judgement.fate {
        Fate::Stays if init.is_rinit && main_member.judgement.reason.code() == "stopped" => Fate::Unknown,
        // Main ignores what the rule makes of SIGTERM: it counts as not asked, and the last call sends it SIGTERM.
        Fate::Stays if init.is_rinit && init.signal != Some(Signal::TERM) && ignores(&main_member.judgement.reason) => {
            Fate::Unknown
        }
        fate => fate,
    };
    match fate {
        _ if is_unclear && fate != Fate::Unknown => Outcome::unknown(vec![main]),
        Fate::Unknown => {
            // An init below: `rinit sh -c tini ...` and the like are not followed.
            Outcome::unknown(frozen_first(members, main))
        }
        Fate::Exits if !init.is_rinit => {
            // The init exits with main, and the kernel then kills the others, and waits for them.
            stops_unless_held(members, first)
        }
        Fate::Exits => {
            // rinit asks the others, and waits for them. It asks a reader after its writers, and if they have left something in the
            // pipe that it does not read, at the last call.
            let holds = |pid: &Pid| members[pid].judgement.fate != Fate::Exits || members[pid].may_read;
            let holding: Vec<Pid> = others().filter(holds).collect();
            if holding.is_empty() { stops_unless_held(members, first) } else { Outcome::unknown(holding) }
        }
        // KILL does not act on a process that version 1 of the freezer holds.
        Fate::Stays if init.kills_after.is_some_and(|time| time + MARGIN < STOP_LIMIT) => {
            stops_unless_held(members, first)
        }
        Fate::Stays if init.kills_after.is_some_and(|time| time < STOP_LIMIT + MARGIN) => Outcome::unknown(vec![main]),
        Fate::Stays => {
            let mut culprits = vec![main];
            // rinit asks them at once if main ignores the signal, and else at the last call.
            let at_once = init.is_rinit && ignores(&main_member.judgement.reason);
            let asked = at_once || init.reaches_others || init.asks_all_within(STOP_LIMIT);
            // Main may wait for one of those that are asked with it.
            if asked && others().any(|pid| members[&pid].judgement.fate != Fate::Stays) {
                return Outcome::unknown(culprits);
            }
            culprits.extend(others().filter(|pid| asked && members[pid].judgement.fate == Fate::Stays));
            Outcome::stays(culprits)
        }
    }
}

/// The verdict if the first process exits, or kills. The kernel waits for all processes before a PID namespace ends
/// (`pid_namespaces(7)`): for those on which KILL may not act, and for zombies until their debugger has waited for them.
fn stops_unless_held(members: &PidMap<Member>, first: Pid) -> Outcome {
    let is_held = |pid: &Pid| {
        let member = &members[pid];
        let in_kernel = matches!(member.judgement.reason, Reason::Frozen | Reason::StuckInKernel { .. });
        (in_kernel && !member.has_exited) || member.is_held_from_outside
    };
    let mut held: Vec<Pid> = members.keys().copied().filter(|pid| *pid != first).filter(is_held).collect();
    held.sort_unstable();
    if held.is_empty() { Outcome::stops() } else { Outcome::unknown(held) }
}

fn ignores(reason: &Reason) -> bool {
    matches!(reason, Reason::Ignores(_) | Reason::IgnoredByDefault(_))
}

/// The program that an init has started, among the init's children: the oldest one. All others are started by it, or by
/// `docker exec`, later.
///
/// But a shell may have started a helper before it executed the init: `sh -c 'helper & exec tini main'`. The helper is then in
/// the shell's group, which is the init's own, and main is in the one that the init made for it. `init_group` is 0 where the
/// init's group lies outside of the PID namespace; rinit may leave main in it then.
///
/// The helper may lead a group as well (`setsid helper &`, `set -m`). A leader of a group cannot leave its session, so main is in
/// the init's, or leads one if the init makes sessions. Of several such children none is taken.
pub(super) fn main_of<'a>(
    children: impl Iterator<Item = &'a Process>,
    init: &InitProgram,
    first: &Process,
) -> Option<Pid> {
    let init_group = first.group;
    let has_own_group = |child: &Process| child.group == child.pid.get();
    let in_order: Vec<&Process> = {
        let mut children: Vec<&Process> = children.collect();
        children.sort_unstable_by_key(|child| (child.start_ticks, child.pid));
        children
    };
    let oldest = *in_order.first()?;
    if init.makes_group && !init.is_rinit {
        let makes_session = init.name == KnownInit::DumbInit.name();
        let session_of = |child: &Process| if makes_session { child.pid.get() } else { first.session };
        let may_be_main = |child: &&&Process| has_own_group(child) && child.session == session_of(child);
        match in_order.iter().filter(may_be_main).collect::<Vec<_>>()[..] {
            [] => {}
            [only] => return Some(only.pid),
            _ => return None,
        }
    }
    let makes_group = init.makes_group && !(init.is_rinit && init_group == 0);
    let is_helper = makes_group && oldest.group == init_group;
    let main = if is_helper { in_order.iter().copied().find(|child| has_own_group(child)) } else { None };
    let main = main.unwrap_or(oldest);
    // An orphan in a group that main has left behind: main has exited, and the init drains.
    let is_orphan = makes_group && init_group != 0 && main.group != init_group && !has_own_group(main);
    Some(main.pid).filter(|_| !is_orphan)
}

/// All descendants, each before its children.
pub(super) fn below(members: &PidMap<Member>, root: Pid) -> Vec<Pid> {
    let mut children: PidMap<Vec<Pid>> = PidMap::default();
    for (pid, member) in members {
        if let Some(ppid) = member.ppid {
            children.entry(ppid).or_default().push(*pid);
        }
    }
    let mut seen = PidSet::from_iter([root]);
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(parent) = waiting.pop() {
        let mut own = children.remove(&parent).unwrap_or_default();
        own.sort_unstable();
        own.retain(|pid| seen.insert(*pid));
        found.extend(&own);
        waiting.extend(own.into_iter().rev());
    }
    found
}

#[cfg(test)]
mod tests;
