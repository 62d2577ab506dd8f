//! rinit-core's smaller examples, as their first lines say to run them.

use std::path::PathBuf;
use std::process::Command;
use support::running::{self, Running};
use support::{example, needs, require, rinit_path, test};

const TERM: i32 = 15;
const PYTHON: &str = "python3";

#[test]
fn the_supervisor_on_mio() {
    let mut command = Command::new(example("mio"));
    command.args(["sh", "-c", "echo started; read line; exit 3"]);
    let mut supervisor = Running::start(command);
    for nth in 1..=2 {
        supervisor.out.wait_nth("started", nth);
        supervisor.type_in("end\n");
    }
    supervisor.out.wait_nth("started", 3);
    supervisor.signal(TERM);
    // Before the end of the input, which would end the shell's read.
    supervisor.out.wait("stopped: ");
    let finished = supervisor.finished();
    assert_eq!(finished.code, 0, "{finished:?}");
    let said = |end: &str| finished.out.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!((said(": exited with status 3"), said("stopped: killed by SIGTERM")), (2, 1), "{finished:?}");
    assert!(supervisor.left().is_empty());
}

#[test]
fn signals_for_a_child_of_std() {
    let mut command = Command::new(example("forward"));
    let script = "trap 'echo HUP' HUP; trap 'echo TERM; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    command.args(["sh", "-c", script]);
    let mut host = Running::start(command);
    host.out.wait("ready");
    host.signal(1);
    host.out.wait("HUP");
    host.signal(TERM);
    let finished = host.finished();
    assert_eq!((finished.code, finished.out), (3, ["ready", "HUP", "TERM"].map(str::to_owned).to_vec()));
}

#[test]
fn threads_without_a_runtime() {
    let mut command = Command::new(example("threads"));
    command.arg("8");
    let finished = running::run(command);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.out.iter().any(|line| line == "8 of 8 statuses are right"), "{finished:?}");
}

#[test]
fn a_plug_in_in_a_host_with_threads() {
    let mut command = Command::new(example("plugin"));
    command.env("RINIT", rinit_path());
    let mut host = Running::start(command);
    let finished = host.finished();
    assert_eq!(finished.code, 0, "{finished:?}");
    let expected: Vec<_> = (0..4).map(|worker| format!("{worker}: from {worker}")).collect();
    assert_eq!(finished.out[..4], expected);
    assert_eq!(finished.out[4], "the host's own child: exit status: 7");
    assert!(host.left().is_empty());
}

/// The host is CPython, with threads and a child that it waits for late. It cannot be the init of a job.
#[test]
fn a_module_in_python() {
    const HOST: &str = "
import ctypes, subprocess, sys, threading
module = ctypes.CDLL(sys.argv[1])
own = subprocess.Popen(['sh', '-c', 'exit 7'])
codes = {}
def run(code): codes[code] = module.run_job(b'setsid sleep 1000 & (sleep 1000 &); exit %d' % code)
threads = [threading.Thread(target=run, args=(code,)) for code in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(codes.items()), own.wait(), module.run_job(b'kill -9 $$'))
";
    require(needs::programs(&[PYTHON]));
    let module = example("module").with_file_name("libmodule.so");
    let mut command = Command::new(PYTHON);
    command.args(["-I", "-c", HOST]).arg::<PathBuf>(module).env("RINIT", rinit_path());
    let mut host = Running::start(command);
    let finished = host.finished();
    assert_eq!(finished.out, ["[(0, 0), (1, 1), (2, 2), (3, 3)] 7 137"], "{finished:?}");
    assert!(host.left().is_empty());
}
