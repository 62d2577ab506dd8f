//! Machines that withhold something: /proc, descriptors, capabilities, system calls. And processes that attack rinit.
#![allow(missing_docs)]

// No /proc, read-only root, few descriptors, no privileges.
mod constrained;
// System calls that fail now and then.
mod fault_injection;
// No memory left.
mod memory;
// What hostile processes and directories cannot do: docs/threat-model.md.
mod security;
// Files of /proc whose read does not return.
mod stalled_proc;
// System calls that an old kernel or a filter does not have.
mod syscall_fallbacks;

fn main() -> std::process::ExitCode {
    support::harness::main()
}
