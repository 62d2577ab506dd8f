//! The survey: is what `rinit --diagnose` says what the stop then shows?
//!
//! Each row of a table starts a real program in a container, asks `rinit --diagnose` as several users, stops the container for
//! real, as `docker stop` does, and compares. It fails on a "will not stop" that stops, and on a "will stop" that does not.
//!
//! No libtest harness: the rows are data, and many run at the same time. The gate runs a part of them.
//!
//! ```sh
//! cargo test -p rinit-tests --test survey                          # what the gate runs
//! RINIT_SURVEY=all cargo test -p rinit-tests --test survey         # all rows
//! RINIT_SURVEY=all cargo test -p rinit-tests --test survey -- nginx      # rows whose family or name contains it
//! RINIT_SURVEY=all cargo test -p rinit-tests --test survey -- --write    # all rows, and the tables of the documentation
//! cargo test -p rinit-tests --test survey -- --signals --write     # the stop signals of servers, in docs/usage.md
//! ```
//!
//! `RINIT_SURVEY_JOBS` says how many containers run at the same time, `RINIT_TEST_BIN` which rinit is judged.

mod cgroup;
mod container;
mod report;
mod row;
mod rows;
mod run;
mod signals;
mod verdict;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let write = arguments.iter().any(|word| word == "--write");
    let list = arguments.iter().any(|word| word == "--list");
    let all = std::env::var("RINIT_SURVEY").is_ok_and(|value| value == "all");
    let filter = arguments.iter().find(|word| !word.starts_with('-'));
    let chosen: Vec<row::Row> = rows::all()
        .into_iter()
        .filter(|row| {
            (all || row.gate)
                && filter.is_none_or(|text| format!("{}: {}", row.family, row.name).contains(text.as_str()))
        })
        .collect();
    if list {
        for row in &chosen {
            println!("{}: {}", row.family, row.name);
        }
        return ExitCode::SUCCESS;
    }
    if let Err(why) = run::possible() {
        if std::env::var_os("CI").is_some() {
            eprintln!("cannot run, and CI skips nothing: {why}");
            return ExitCode::FAILURE;
        }
        eprintln!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|word| word == "--signals") {
        let complete = signals::run(filter.map(String::as_str), write);
        return if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let survey = run::run(&chosen);
    print!("{}", report::for_the_terminal(&survey));
    if write && filter.is_none() && all {
        report::write(&survey);
    }
    if survey.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
