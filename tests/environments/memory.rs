//! A control group without memory left.

use std::process::Command;
use support::memory::Memory;
use support::{namespace, needs, probe_path, require, rinit, test};

/// Little enough to be used up before rinit first reads how often the kernel has killed for lack of memory.
const LIMIT: u64 = 8 << 20;
const ROUNDS: usize = 25;

/// The kernel's count may contain main's own kill when rinit first reads it. Then a count that does not grow explains nothing.
#[test]
fn a_main_that_runs_out_of_memory_at_once_is_explained() {
    require(needs::root());
    require(namespace::available());
    require(Memory::limited_to(LIMIT).map(drop));
    let mut explained = 0;
    for _ in 0..ROUNDS {
        // One of its own for each: the count is the group's.
        let memory = Memory::limited_to(LIMIT).expect("a control group");
        let mut entered = Command::new("sh");
        // The namespace comes after: its PID 1 is as old as the group.
        entered.args(["-c", &memory.enter(), "sh"]);
        let inner = namespace::as_pid_1(&rinit(["--", probe_path(), "gulp", "200"]));
        entered.arg(inner.get_program()).args(inner.get_args());
        let output = entered.output().expect("run it");
        let said = String::from_utf8_lossy(&output.stderr);
        // The kernel may kill another process than main. rinit then prints nothing.
        if said.contains("was killed by SIGKILL") || said.contains("out of memory") {
            assert!(said.contains("out of memory (OOM)"), "{said}");
            explained += 1;
        }
    }
    assert!(explained > 0, "the kernel has never killed main");
}
