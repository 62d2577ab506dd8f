//! Files of `/proc` whose read does not return, as `cmdline` of a process that hangs in a page fault on a dead file system.
//!
//! rinit reads such files on threads of their own. Here none of these threads gets an answer to its `open`.

use std::time::{Duration, Instant};
use support::faults::Supervisor;
use support::refusal::VARIABLE;
use support::rinit::Rinit;
use support::running::{Finished, Running};
use support::{namespace, require, test, wait_until};

/// The name of the threads, in `rinit_core::procfs::bounded`.
const READER: &str = "proc-reader";
/// More than the two tenths of a second that two files have before a kill, and less than the second that they have otherwise.
const NOTICEABLE: Duration = Duration::from_millis(500);
/// A busy machine delays a stop as well. It does not do so each time.
const ATTEMPTS: usize = 8;

/// What a stop took from the signal to rinit's exit, how many reads did not return, and how the run finished.
fn stop(as_pid_1: bool, stalls: bool, rinit: &Rinit, ready: usize) -> (Duration, u64, Finished) {
    // Without the other one's supervision the times could not be compared.
    let thread = if stalls { READER } else { "no such thread" };
    let (supervised, supervisor) = Supervisor::that_stalls(&rinit.command(), "open", thread);
    let mut running = if as_pid_1 { namespace::start(&supervised) } else { Running::start(supervised) };
    wait_until("all run", || running.out.all().iter().filter(|line| line.starts_with("ready")).count() == ready);
    let begin = Instant::now();
    running.signal(libc::SIGTERM);
    let finished = running.finished();
    let took = begin.elapsed();
    assert!(running.left().is_empty(), "{finished:?}");
    drop(running);
    (took, supervisor.seen().stalled, finished)
}

/// The stop takes as long as one in which all files can be read.
#[track_caller]
fn takes_no_longer(rinit: &Rinit, ready: usize, status: i32) {
    require(nothing_is_refused());
    require(namespace::available());
    for as_pid_1 in [true, false] {
        let mut times = Vec::new();
        let is_in_time = (0..ATTEMPTS).any(|_| {
            let (healthy, none, _) = stop(as_pid_1, false, rinit, ready);
            let (stalled, some, finished) = stop(as_pid_1, true, rinit, ready);
            assert!(none == 0 && some > 0, "{none} and {some} reads that did not return");
            assert_eq!(finished.code, status, "{finished:?}");
            times.push((healthy, stalled));
            stalled < healthy + NOTICEABLE
        });
        assert!(is_in_time, "as PID 1: {as_pid_1}; healthy and stalled: {times:?}");
    }
}

/// A filter beside the supervisor's would answer in its place.
fn nothing_is_refused() -> Result<(), String> {
    std::env::var_os(VARIABLE).map_or(Ok(()), |_| Err(format!("{VARIABLE} is set")))
}

#[test]
fn the_report_of_a_kill_does_not_delay_it() {
    takes_no_longer(&Rinit::with(&["--grace", "700ms", "-w"]).probe(&["ignore", "TERM"]), 1, 137);
}

#[test]
fn a_report_shortly_before_a_kill_does_not_delay_it() {
    takes_no_longer(&Rinit::with(&["--grace", "1200ms"]).probe(&["ignore", "TERM"]), 1, 137);
}

/// Whether a master is a shell that waits for a command shows in what may not be readable.
#[test]
fn masters_that_cannot_be_read_do_not_delay_a_kill() {
    let main =
        r#"for _ in 1 2 3; do sh -c 'trap "exit 0" TERM; "$0" ignore TERM; :' "$0" & done; exec "$0" slow-term 0 0"#;
    let rinit = Rinit::with(&["--grace", "900ms"]).program(&["sh", "-c", main, support::probe_path()]);
    takes_no_longer(&rinit, 4, 0);
}
