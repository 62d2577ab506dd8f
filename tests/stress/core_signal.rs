//! A signal that dumps core reaches main before its program runs. Kernels before 5.16 end every process that shares the memory
//! of one that dumps core: an init whose child shares it until `execve` is killed with the child, also as PID 1.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::read_to_string;
use std::process::Command;
use std::time::Instant;
use support::running::Running;
use support::{deadline, namespace, require, rinit_path, test};

const RUNS: usize = 60;
const QUIT: i32 = 3;

/// A shell holds rinit back until its pid is known and the test polls it without a pause: the child has its program within a
/// millisecond.
fn held() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c 0; read line; exec \"$@\"", "sh"]).arg(rinit_path()).args(["--", "true"]);
    shell
}

/// Sends QUIT to the child as soon as there is one, and returns how rinit ended.
fn quit_to_the_child(mut running: Running) -> i32 {
    let init = running.pid();
    let children = format!("/proc/{init}/task/{init}/children");
    running.type_in("\n");
    let end = Instant::now() + deadline();
    while running.is_running() && Instant::now() < end {
        let text = read_to_string(&children).unwrap_or_default();
        if let Some(child) = text.split_whitespace().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)) {
            // It may have exited.
            let _ = kill_process(child, Signal::QUIT);
            break;
        }
    }
    running.wait()
}

fn check(start: impl Fn() -> Running) {
    let mut hit = 0;
    for _ in 0..RUNS {
        match quit_to_the_child(start()) {
            0 => {}
            code if code == 128 + QUIT => hit += 1,
            other => panic!("rinit ended with {other}"),
        }
    }
    println!("QUIT ended main in {hit} of {RUNS} runs, and rinit in none");
}

#[test]
fn ends_main_and_no_subreaper() {
    check(|| Running::start(held()));
}

#[test]
fn ends_main_and_not_pid_1() {
    require(namespace::available());
    check(|| namespace::start(&held()));
}
