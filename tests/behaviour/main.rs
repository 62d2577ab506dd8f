//! What rinit does, as its documentation says: one rinit, as PID 1 and as a subreaper, on the machine as it is.
#![allow(missing_docs)]

// The completions of three shells.
mod completions;
// `--diagnose`: the report on a container.
mod diagnose;
// The exit status of rinit.
mod exit_status;
// Which process receives which signal.
mod forwarding;
// Signal mask, ignored signals, SIGPIPE and descriptors, as main finds them.
mod inherited;
// Shells and their jobs on a terminal.
mod job_control;
// The page of messages, compared with the source.
mod message_list;
// `--rlimit` and `--umask`.
mod limits;
// `--quiet`, `--log-format json`, and what is said without options.
mod log;
// Messages, and what standard error may be.
mod messages;
// `NOTIFY_SOCKET`.
mod notify;
// `-p`: rinit's parent exits.
mod parent_death;
// rinit holds no descriptor and no directory.
mod pins_nothing;
// Orphans are reaped, and main's status is kept.
mod reaping;
// Main exits, and other processes remain.
mod shutdown;
// Until main has executed its program.
mod start;
// A stop is requested.
mod stop;
// The order of a stop, and which processes are not waited for.
mod stop_order;
// Files, streams and devices as standard error.
mod standard_error;
// Standard streams under `--user`.
mod streams;
// The foreground of a terminal.
mod terminal;
// Debuggers, in the tree and outside of it.
mod traced;
// `--user`, `--workdir`, `--env`.
mod user;

fn main() -> std::process::ExitCode {
    support::harness::main()
}
