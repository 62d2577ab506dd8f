//! rinit-core, as a program uses it that depends on it.
//!
//! Most tests here have a process of their own (`own_process`): they reap any child, block signals, or become a subreaper,
//! which concerns the whole process. Some of them start this program again, in the role that `RINIT_TEST_ROLE` names.
#![allow(missing_docs)]

// `Child` and `Reaper::exclusive`.
mod child;
// `ChildSpec`: a started program checks its own state.
mod child_spec;
// `ChildSpec::contain`.
mod contain;
// A program that contains its jobs by itself; limits, usage, cgroups, and jobs that hold their rinit.
mod contain_itself;
// `Reaper::cooperative`.
mod cooperative;
// The documentation's examples.
mod documentation;
// `Init` with observers, `SignalForwarder`, `Reaper` with children.
mod embedding;
// What errors say.
mod errors;
// tokio, async-io and a poll loop.
mod event_loops;
// The layers of rinit-core/src, by its `use` lines.
mod layers;
// The crate as it is published, in a new project.
mod packaged;
// docs/public-api.txt.
mod public_api;
// Properties for every order of events; fuzz/ uses them, too.
mod shutdown_model;
// The shutdown policy under arbitrary orders of events.
mod shutdown_policy;
// Several reapers in one process, forwarders beside threads.
mod sharing;
// `Init::split`.
mod split;
// The feature `tokio`.
mod tokio_feature;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before all: this program is also the init of the jobs that it contains by itself.
    rinit_core::contain::init();
    // First: a split needs a process with one thread, and a reaper one that has started nothing else.
    match std::env::var("RINIT_TEST_ROLE").as_deref() {
        Ok("child_host") => child::host(),
        Ok("child_pid_reuse") => child::in_a_namespace_of_its_own(),
        Ok("controlling_process") => contain::controlling_process(),
        Ok("receiver") => embedding::receiver(),
        Ok("sender") => embedding::sender(),
        Ok("shell") => child_spec::as_a_shell(),
        Ok("split") => split::role(),
        Ok("stopped_host") => sharing::stopped_host(),
        Ok("tracer") => contain_itself::tracer(),
        _ => return support::harness::run_alone().unwrap_or_else(support::harness::main),
    }
    ExitCode::SUCCESS
}
