//! Real programs under rinit, and the example programs of the library.
#![allow(missing_docs)]

// rinit-core's example of a process manager.
mod process_manager;
// nginx, PostgreSQL, Redis, supervisord, Celery.
mod real_programs;
// rinit-core's example services.
mod services;

fn main() -> std::process::ExitCode {
    support::harness::main()
}
