//! Real containers of a Docker engine.
#![allow(missing_docs)]

// Filters, capabilities, limits of memory and of processes.
mod constrained;
// rinit as the entrypoint.
mod docker;
// rinit as the engine's own init, for `docker run --init`.
mod docker_init;

fn main() -> std::process::ExitCode {
    support::harness::main()
}
