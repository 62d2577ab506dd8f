//! System calls, counted by strace.

use super::{Extent, Figure, Phase, Results};
use crate::contender::{Contender, empty_program};
use crate::session::{Session, USR2, children};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::running::kill;
use support::{installed, procfs, wait_until};

const INTERRUPT: i32 = 2;
const ORPHANS: usize = 100;

pub(crate) fn measure(contenders: &[Contender], extent: &Extent, results: &mut Results) {
    if !installed("strace") {
        eprintln!("no strace: system calls are not counted");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("calls");
    for contender in contenders {
        if let Some(traced) = contender.command_outside(&empty_program()) {
            let mut strace = strace(&file);
            strace.arg("-f").arg("--").arg(traced.get_program()).args(traced.get_args());
            assert!(strace.status().is_ok_and(|status| status.success()), "strace of {}", contender.name);
            results.push(contender, Figure::Calls(Phase::StartAndEnd), total(&file));
        }
        if contender.path.is_none() {
            continue;
        }
        let mut session = Session::start(contender, 0, ORPHANS);
        if contender.forwards {
            let signals = extent.signals.min(100);
            let forwarding = attached(session.init, &file, || {
                for _ in 0..signals {
                    session.signal_takes();
                }
            });
            results.push(contender, Figure::Calls(Phase::Forward), forwarding / signals as f64);
        }
        let reaping = attached(session.init, &file, || {
            kill(session.main, USR2);
            session.line();
            wait_until("the orphans to be reaped", || children(session.init).len() == 1);
        });
        results.push(contender, Figure::Calls(Phase::Reap), reaping / ORPHANS as f64);
        let seconds = extent.idle.min(5);
        let idle = attached(session.init, &file, || std::thread::sleep(Duration::from_secs(seconds)));
        results.push(contender, Figure::Calls(Phase::Idle), idle / seconds as f64);
    }
}

fn strace(file: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-c", "-U", "calls,name", "-o"]).arg(file);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// Calls that a process makes meanwhile.
fn attached(pid: i32, file: &Path, meanwhile: impl FnOnce()) -> f64 {
    let mut strace = strace(file).arg("-p").arg(pid.to_string()).spawn().expect("start strace");
    wait_until("strace", || procfs::field(pid, "TracerPid").is_some_and(|tracer| tracer != "0"));
    meanwhile();
    kill(i32::try_from(strace.id()).expect("a pid"), INTERRUPT);
    strace.wait().expect("wait for strace");
    // The call in which it was found is counted where it was made again after the tracer had gone; one call in all.
    total(file)
}

fn total(file: &Path) -> f64 {
    let table = std::fs::read_to_string(file).unwrap_or_default();
    let total = table.lines().find(|line| line.ends_with(" total"));
    total.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
