//! Whole processes: rinit beside every other init that is installed, in one run, as ratios.
//!
//! ```text
//! cargo bench --bench processes -- [--write] [--quick] [--musl FILE] [--small FILE] [--gnu FILE] [--only WORD]
//! ```
//!
//! `--write` puts the tables and the plots into docs/performance.md and the README, if the machine is quiet; without it they are
//! printed. `--quick` is to see that it works: its figures mean little. `--musl` and `--gnu` name other builds than this tree's
//! static ones, `--small` a small build (default: made by `.ci/build-small` where the machine can). `--only` picks measurements
//! by name.
//!
//! **How it copes with a busy machine.** Each init is measured in turn, and that is repeated: whatever else goes on meets all of
//! them. What takes little time is repeated most, and the order is turned with each round. A ratio is the median of the ratios
//! within the rounds, not the ratio of two medians, so that a slow drift does not count. Beside time there is what no neighbour
//! changes: processor time, instructions, system calls, page faults, pages. The spread is given, and the machine's load.
#![allow(missing_docs, unsafe_code)]

mod contender;
mod measure;
mod page;
mod plot;
mod session;
mod stats;

use std::path::PathBuf;
use std::time::Duration;

/// What was asked for on the command line.
struct Options {
    write: bool,
    quick: bool,
    musl: Option<PathBuf>,
    small: Option<PathBuf>,
    gnu: Option<PathBuf>,
    only: Option<String>,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { write: false, quick: false, musl: None, small: None, gnu: None, only: None };
    let mut words = lexopt::Parser::from_env();
    while let Some(word) = words.next()? {
        match word {
            Long("write") => options.write = true,
            Long("quick") => options.quick = true,
            Long("musl") => options.musl = Some(words.value()?.into()),
            Long("small") => options.small = Some(words.value()?.into()),
            Long("gnu") => options.gnu = Some(words.value()?.into()),
            Long("only") => options.only = Some(words.value()?.string()?),
            // Cargo says so to every bench.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// Seconds in which the load average of a quiet machine sinks after a build.
const SINKS_WITHIN: u32 = 180;

fn main() {
    let options = options().unwrap_or_else(|error| {
        eprintln!("processes: {error}");
        std::process::exit(2)
    });
    if let Err(why) = support::namespace::available() {
        eprintln!("skipped: {why}");
        return;
    }
    let contenders = contender::all(options.gnu.as_deref(), options.musl.as_deref(), options.small.as_deref());
    let extent = if options.quick { measure::Extent::quick() } else { measure::Extent::full() };
    // Building the contenders is load, too: it is over when the average has sunk.
    for _ in 0..SINKS_WITHIN {
        if !options.write || page::load() <= page::QUIET {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let load = page::load();
    if options.write && load > page::QUIET {
        eprintln!(
            "processes: the load average is {load}, above {}: what it would write is not worth keeping",
            page::QUIET
        );
        std::process::exit(1);
    }
    let results = measure::everything(&contenders, &extent, options.only.as_deref());
    let page = page::Page::new(&contenders, &extent, &results, load);
    if options.write {
        page.write();
    } else {
        println!("{}", page.text());
    }
}
