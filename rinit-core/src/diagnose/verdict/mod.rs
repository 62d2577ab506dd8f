//! The verdict on a container, from the judgement of each of its processes. It reads nothing.

use super::init_program::InitProgram;
use crate::pid::{Pid, PidMap, PidSet};
use crate::signal::Signal;
use crate::survivor::judge::{Fate, Judgement, STOP_LIMIT};
use crate::survivor::reason::Reason;

/// What is known of one process.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) ppid: Option<Pid>,
    pub(super) start_ticks: u64,
    pub(super) has_exited: bool,
    pub(super) judgement: Judgement,
    /// What it does as an init, where it is one that is known and takes SIGTERM.
    pub(super) init: Option<InitProgram>,
}

/// Whether the container stops, and who is the reason.
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
pub(super) fn of_container(members: &PidMap<Member>, first: Pid) -> Outcome {
    let Some(member) = members.get(&first) else { return Outcome::unknown(Vec::new()) };
    match &member.init {
        Some(init) => under_init(members, first, init),
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

fn under_init(members: &PidMap<Member>, first: Pid, init: &InitProgram) -> Outcome {
    let Some(main) = main_of(members, first) else {
        return if init.pauses && !init.is_unclear { Outcome::stops() } else { Outcome::unknown(vec![first]) };
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
        _ if init.is_unclear && fate != Fate::Unknown => Outcome::unknown(vec![main]),
        Fate::Unknown => {
            // An init below: `rinit sh -c tini ...` and the like are not followed.
            Outcome::unknown(frozen_first(members, main))
        }
        Fate::Exits if !init.is_rinit => Outcome::stops(),
        Fate::Exits => {
            // rinit asks the others, and waits for them.
            let holding: Vec<Pid> = others().filter(|pid| members[pid].judgement.fate != Fate::Exits).collect();
            if holding.is_empty() { Outcome::stops() } else { Outcome::unknown(holding) }
        }
        Fate::Stays if init.kills_after.is_some_and(|time| time < STOP_LIMIT) => Outcome::stops(),
        Fate::Stays => {
            let mut culprits = vec![main];
            let asked = init.is_rinit || init.reaches_others;
            // Main may wait for one of those that are asked with it.
            if asked && others().any(|pid| members[&pid].judgement.fate != Fate::Stays) {
                return Outcome::unknown(culprits);
            }
            culprits.extend(others().filter(|pid| asked && members[pid].judgement.fate == Fate::Stays));
            Outcome::stays(culprits)
        }
    }
}

fn ignores(reason: &Reason) -> bool {
    matches!(reason, Reason::Ignores(_) | Reason::IgnoredByDefault(_))
}

/// The program that an init has started: its oldest child. All others are started by it, or by `docker exec`, later.
fn main_of(members: &PidMap<Member>, init: Pid) -> Option<Pid> {
    let children = members.iter().filter(|(_, member)| member.ppid == Some(init));
    let oldest = children.min_by_key(|(pid, member)| (member.start_ticks, **pid));
    oldest.filter(|(_, member)| !member.has_exited).map(|(pid, _)| *pid)
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
