//! `probe state`: everything that a program inherits, one line each.

use crate::{say, sys};
use std::collections::BTreeMap;

/// Prints it, and exits with 0. Where standard output is closed the lines go to the file `PROBE_STATE_FILE`.
pub(crate) fn print() -> i32 {
    // Read before anything is opened, so that the list is what was inherited.
    let fds = descriptors();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map_or_else(|| "?".to_owned(), |value| value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (pid, ppid, pgid, sid) = sys::ids();
    let listed = fds.iter().map(|(fd, target)| format!("{fd}:{target}")).collect::<Vec<_>>().join(" ");
    let directory = std::env::current_dir().map_or("?".to_owned(), |path| path.display().to_string());
    let foreground = sys::foreground_group().map_or("-".to_owned(), |group| group.to_string());
    let variable = |name| std::env::var(name).unwrap_or_else(|_| "-".to_owned());
    let lines = [
        format!("blocked={}", field("SigBlk")),
        format!("ignored={}", field("SigIgn")),
        format!("caught={}", field("SigCgt")),
        format!("pid={pid}"),
        format!("ppid={ppid}"),
        format!("pgid={pgid}"),
        format!("sid={sid}"),
        format!("foreground={foreground}"),
        format!("fds={listed}"),
        format!("cwd={directory}"),
        format!("LISTEN_PID={}", variable("LISTEN_PID")),
        format!("LISTEN_FDS={}", variable("LISTEN_FDS")),
        format!("uid={}", field("Uid")),
        format!("gid={}", field("Gid")),
        format!("groups={}", field("Groups")),
        format!("nonewprivs={}", field("NoNewPrivs")),
    ];
    if let Ok(file) = std::env::var("PROBE_STATE_FILE") {
        // All at once under another name: a reader never sees half of it.
        let part = format!("{file}.part");
        let written = std::fs::write(&part, lines.join("\n") + "\n").and_then(|()| std::fs::rename(&part, &file));
        return i32::from(written.is_err());
    }
    lines.iter().for_each(|line| say(line));
    0
}

/// True if that process blocks the signal, or has ended. While it waits in sigtimedwait the kernel shows the signals that
/// it waits for as not blocked: then it has blocked them before.
pub(crate) fn blocks(pid: i32, signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let waits = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    mask.is_none_or(|mask| mask & 1 << (signal - 1) != 0)
        || waits.split(' ').next() == Some(&libc::SYS_rt_sigtimedwait.to_string())
}

fn descriptors() -> BTreeMap<i32, String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let numbers: Vec<i32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The directory's own descriptor is closed by now and has no target any more.
    let target = |fd: i32| Some((fd, std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?.display().to_string()));
    numbers.into_iter().filter_map(target).collect()
}
