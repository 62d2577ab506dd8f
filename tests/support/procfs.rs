//! What /proc shows of a process.

use std::collections::BTreeMap;

/// One process, as `/proc/PID/stat` and `status` show it.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub ppid: i32,
    /// `R`, `S`, `Z`…
    pub state: char,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
}

/// The process, if it exists; also as a zombie.
pub fn read(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
    Some(Process { pid, state: after_name.chars().next()?, ppid: number(1)?, group: number(2)?, session: number(3)? })
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// True for a process that runs: neither gone nor a zombie.
pub fn is_alive(pid: i32) -> bool {
    read(pid).is_some_and(|process| process.state != 'Z')
}

/// Children of a process, zombies included.
pub fn children(pid: i32) -> Vec<Process> {
    all().into_iter().filter(|process| process.ppid == pid).collect()
}

/// All below a process, zombies included.
pub fn descendants(pid: i32) -> Vec<Process> {
    let mut below: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all() {
        below.entry(process.ppid).or_default().push(process);
    }
    let mut found = below.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(process) = found.get(next) {
        found.extend(below.remove(&process.pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Zombies that are children of a process.
pub fn zombies(pid: i32) -> Vec<Process> {
    children(pid).into_iter().filter(|process| process.state == 'Z').collect()
}

/// One field of `/proc/PID/status`.
pub fn field(pid: i32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Signals in a field of status such as `SigCgt`, `SigIgn`, `SigBlk`: bit n-1 is signal n.
pub fn signals(pid: i32, name: &str) -> Option<u64> {
    u64::from_str_radix(&field(pid, name)?, 16).ok()
}

/// True if it blocks the signal. While it waits in sigtimedwait the kernel shows the signals that it waits for as not
/// blocked: then it has blocked them before.
pub fn blocks(pid: i32, signal: i32) -> bool {
    let waits = || std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    signals(pid, "SigBlk").is_some_and(|blocked| blocked & 1 << (signal - 1) != 0)
        || waits().split(' ').next() == Some(&libc::SYS_rt_sigtimedwait.to_string())
}

/// How often the process went to sleep of its own accord: grows each time it wakes up and waits again.
pub fn waits(pid: i32) -> Option<u64> {
    field(pid, "voluntary_ctxt_switches")?.parse().ok()
}

/// The command line's words.
pub fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// Processes, but not zombies, that have exactly this word on their command line.
pub fn with_word(word: &str) -> Vec<Process> {
    let has = |process: &Process| process.state != 'Z' && command_line(process.pid).iter().any(|it| it == word);
    all().into_iter().filter(has).collect()
}

/// Open descriptors and what they are.
pub fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let one = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, target.display().to_string()))
    };
    entries.filter_map(one).collect()
}
