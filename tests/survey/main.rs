//! The survey: compares what `rinit --diagnose` says with the stop that follows.
//!
//! Each row of a table starts a real program in a container, asks `rinit --diagnose` as several users, stops the container for
//! real, as `docker stop` does, and compares. It fails on a "will not stop" that stops, and on a "will stop" that does not.
//!
//! The gate runs some of the rows, as one test. Run the rest after a change to the diagnosis:
//!
//! ```sh
//! cargo test -p rinit-tests --test stop_survey                        # what the gate runs
//! RINIT_SURVEY=all cargo test -p rinit-tests --test stop_survey       # all rows
//! cargo test -p rinit-tests --test stop_survey -- --rows nginx        # rows whose family or name contains a text
//! cargo test -p rinit-tests --test stop_survey -- --write             # all rows, and the tables in docs/diagnose.md
//! cargo test -p rinit-tests --test stop_survey -- --signals [--write] # the servers' stop signals, in docs/usage.md
//! ```
//!
//! `RINIT_SURVEY_JOBS` is the number of containers at the same time. `RINIT_TEST_BIN` is the rinit that is judged.
#![allow(missing_docs)]

mod cgroup;
mod container;
mod report;
mod row;
mod rows;
mod run;
mod signals;
mod verdict;

use run::{Progress, Survey};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let by_hand = ["--rows", "--write", "--signals"];
    if words.iter().any(|word| by_hand.contains(&word.as_str())) {
        return run_by_hand(&words);
    }
    support::harness::main()
}

#[support::test]
fn each_verdict_is_what_the_stop_shows() {
    support::require(run::possible());
    let all = std::env::var("RINIT_SURVEY").is_ok_and(|value| value == "all");
    let rows: Vec<_> = rows::all().into_iter().filter(|row| all || row.gate).collect();
    let survey = run::run(&rows, Progress::Wrong);
    print!("{}", report::counts(&survey));
    survey.skipped().for_each(support::skip_part);
    assert!(survey.holds(), "{}", report::wrong(&survey));
}

fn run_by_hand(words: &[String]) -> ExitCode {
    if let Err(why) = run::possible() {
        eprintln!("cannot run: {why}");
        return ExitCode::FAILURE;
    }
    let has = |option: &str| words.iter().any(|word| word == option);
    let text = words.iter().find(|word| !word.starts_with('-'));
    let success = if has("--signals") {
        signals::run(text.map(String::as_str), has("--write"))
    } else {
        let survey = by_text(text);
        print!("{}\n{}", report::wrong(&survey), report::counts(&survey));
        // A table with holes would look like one of a smaller survey.
        if has("--write") && text.is_none() && survey.is_complete() {
            report::write(&survey);
        }
        survey.holds()
    };
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the rows whose family or name contains the text.
fn by_text(text: Option<&String>) -> Survey {
    let contains =
        |row: &row::Row| text.is_none_or(|text| format!("{}: {}", row.family, row.name).contains(text.as_str()));
    let rows: Vec<_> = rows::all().into_iter().filter(contains).collect();
    run::run(&rows, Progress::All)
}
