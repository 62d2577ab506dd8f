//! Real programs under rinit, and the example programs of the library.
#![allow(missing_docs)]

// rinit-core's smaller examples.
mod examples;
// rinit-core's example of a process manager.
mod process_manager;
// nginx, PostgreSQL, Redis, supervisord, Celery.
mod real_programs;
// rinit-core's example services.
mod services;
// How a container with real programs stops, beside other inits. `--stop-survey` writes docs/stop-survey.md.
mod stop;

fn main() -> std::process::ExitCode {
    if std::env::args().any(|word| word == "--stop-survey") {
        return stop::survey();
    }
    support::harness::main()
}
