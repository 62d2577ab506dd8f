//! A TERM that arrives in rinit's first moments is never lost.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::random::Random;
use support::running::Running;
use support::{deadline, namespace, procfs, require, rinit, rinit_path, test};

const RUNS: usize = 500;
/// Longer than rinit needs to start main, in microseconds.
const SPAN: u64 = 3000;

/// Busy: a sleep would come back too late for what happens within microseconds.
fn spin(random: &mut Random) {
    let (from, time) = (Instant::now(), Duration::from_micros(random.below(SPAN)));
    while from.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn of_a_subreaper() {
    let mut random = Random::seeded();
    let mut before_blocking = 0;
    for _ in 0..RUNS {
        let mut command = rinit(["--", "sleep", "1000"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Returns when the new process has become rinit.
        let mut running = Running::start_bare(command);
        spin(&mut random);
        running.signal(15);
        match running.wait() {
            // Main's status, or rinit's own end by it as any program's before its first instruction.
            143 => {}
            -15 => before_blocking += 1,
            other => panic!("ended with {other}"),
        }
        assert_eq!(running.left().len(), 0, "main was left behind");
    }
    println!("{before_blocking} of {RUNS} came before rinit had blocked its signals");
}

/// PID 1 is not touched by a TERM that it has no handler for, whatever it does: what comes between exec and the blocking
/// of the signals is lost to every init. So from the blocking on.
#[test]
fn of_pid_1() {
    require(namespace::available());
    let mut random = Random::seeded();
    for _ in 0..RUNS {
        // A shell holds it back until its pid is known and the test polls it without a pause: most of what is to be hit
        // is over within a millisecond.
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; exec \"$@\"", "sh"]).arg(rinit_path()).args(["--", "sleep", "1000"]);
        let mut running = namespace::start(&shell);
        running.type_in("\n");
        let init = running.pid();
        let end = Instant::now() + deadline();
        while !procfs::blocks(init, 15) {
            assert!(Instant::now() < end, "rinit does not block its signals");
        }
        spin(&mut random);
        running.signal(15);
        assert_eq!(running.wait(), 143);
        assert_eq!(running.left().len(), 0);
    }
}
