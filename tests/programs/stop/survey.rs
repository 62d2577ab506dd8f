//! All scenarios under all inits, as a table: `docs/stop-survey.md`.

use super::containers::{self, KINDS};
use super::host_image::{self, Entry, ORIGINAL, PERSONA, RINIT};
use super::{Init, Place, Scenario, judge};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{in_repository, installed, namespace};

const PEERS: &[&[&str]] =
    &[&["tini"], &["tini", "-g"], &["dumb-init"], &["dumb-init", "-c"], &["catatonit"], &["catatonit", "-g"]];

/// Scenarios at the same time. More would slow each other down.
const TOGETHER: usize = 4;

const HEAD: &str = "# Stops, under rinit and under other inits

Made by `cargo test -p rinit-tests --test programs -- --stop-survey`, which runs the scenarios of
`tests/programs/stop/` and judges each: was the work done, is the exit status the right one, and did the init exit before
Docker's KILL at 10 s? A stop that is too late is tried once more. Do not edit by hand.
";

const TABLE: &str = "
## Programs

Each init is PID 1 of a PID namespace and gets TERM. Options in a row are rinit's alone.

";

const CONTAINERS: &str = "
## Containers in the shape of OpenStack Kolla's

The start script copies the configuration through sudo and execs the service. The service gets HUP, and then
`docker stop -t 5`. It exits with status 7 after half a second. dumb-init is started with `--single-child`.

";

/// Measures, and writes the page. That takes minutes.
pub(crate) fn survey() -> ExitCode {
    if let Err(why) = namespace::available() {
        eprintln!("cannot measure: {why}");
        return ExitCode::FAILURE;
    }
    let mut page = HEAD.to_owned();
    // Its first three numbers are averages of 1, 5 and 15 minutes.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(1).unwrap_or("unknown").to_owned();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    page += &format!("\nMeasured with {}, on {processors} processors at a load of {load}.", versions());
    page += " Above one for each processor the times are longer than they need be, and long tasks are late.\n";
    page += TABLE;
    page += &programs();
    if host_image::available().is_ok() {
        page += CONTAINERS;
        page += &kolla();
    }
    std::fs::write(in_repository("docs/stop-survey.md"), page).expect("write the page");
    ExitCode::SUCCESS
}

/// The originals' versions, as they say them: the first word that is a number.
fn versions() -> String {
    let version = |name: &str| {
        let output = Command::new(name).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let mut words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
        let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        let end = number.find(|character: char| !character.is_ascii_digit() && character != '.');
        Some(format!("{name} {}", number.get(..end.unwrap_or(number.len()))?))
    };
    let versions: Vec<_> = ["tini", "dumb-init", "catatonit"].into_iter().filter_map(version).collect();
    versions.join(", ")
}

/// A row for each scenario, a column for each init.
fn programs() -> String {
    let scenarios = super::all();
    let rows: Vec<_> = scenarios.iter().map(|_| Mutex::new(Vec::new())).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                while let Some((scenario, row)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(number).zip(rows.get(number))
                } {
                    *row.lock().expect("no panic") = cells(scenario);
                }
            });
        }
    });
    let names = std::iter::once("rinit".to_owned()).chain(PEERS.iter().map(|words| words.join(" ")));
    let mut table = heading("", names);
    for (scenario, row) in scenarios.iter().zip(rows) {
        table += &line(scenario.row, row.into_inner().expect("no panic").into_iter());
    }
    table
}

/// The cells of a row, measured side by side.
fn cells(scenario: &Scenario) -> Vec<String> {
    if let Err(why) = (scenario.needs)() {
        return vec![format!("not measured: {why}")];
    }
    let own = Some(Init::rinit(scenario.options));
    let inits: Vec<_> = std::iter::once(own).chain(PEERS.iter().map(|words| Init::original(words))).collect();
    std::thread::scope(|scope| {
        let one = |init: Option<Init>| scope.spawn(move || init.map(|init| cell(scenario, &init)));
        let threads: Vec<_> = inits.into_iter().map(one).collect();
        let cells = threads.into_iter().map(|thread| thread.join().expect("panics are results"));
        cells.map(|cell| cell.unwrap_or_else(|| "not installed".to_owned())).collect()
    })
}

/// A stop that is too late is tried once more: the machine may have been busy.
fn cell(scenario: &Scenario, init: &Init) -> String {
    let attempt = || match judge::run(scenario, init, Place::Pid1) {
        Ok(outcome) => outcome.verdict.map(|()| outcome.stopped.took),
        Err(why) => Err(why),
    };
    let is_late = |result: &Result<Duration, String>| result.as_ref().is_err_and(|why| why.contains("the limit"));
    let first = attempt();
    match if is_late(&first) { attempt() } else { first } {
        Ok(took) => right(took),
        Err(why) => wrong(&why),
    }
}

fn right(took: Duration) -> String {
    format!("yes, {:.1} s", took.as_secs_f32())
}

fn wrong(why: &str) -> String {
    format!("**no**: {}", why.lines().next().unwrap_or_default())
}

fn kolla() -> String {
    const TINI: Entry = Entry { path: "/usr/bin/tini", options: &["--"] };
    const CATATONIT: Entry = Entry { path: "/usr/bin/catatonit", options: &["--"] };
    let image = host_image::make();
    let entries = [
        ("rinit", RINIT),
        ("rinit as dumb-init", PERSONA),
        ("dumb-init", ORIGINAL),
        ("tini", TINI),
        ("catatonit", CATATONIT),
    ];
    let present = entries.into_iter().filter(|(name, entry)| !entry.leaves_alone() || installed(name));
    let entries: Vec<_> = present.collect();
    let mut table = heading("", entries.iter().map(|(name, _)| (*name).to_owned()));
    for (kind, options) in KINDS {
        let measure = |entry: Entry| {
            let result = catch_unwind(AssertUnwindSafe(|| containers::service(&image, entry, options)));
            match result.unwrap_or_else(|_| Err("does not start".to_owned())) {
                Ok(took) => right(took),
                Err(why) => wrong(why.split(':').next().unwrap_or_default()),
            }
        };
        table += &line(kind, entries.iter().map(|(_, entry)| measure(*entry)));
    }
    table
}

fn heading(first: &str, names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.map(|name| if name.contains(' ') { format!("`{name}`") } else { name }).collect();
    let rule = "|---".repeat(names.len() + 1);
    format!("| {first} | {} |\n{rule}|\n", names.join(" | "))
}

fn line(first: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {} | {} |\n", first.replace('|', "\\|"), cells.collect::<Vec<_>>().join(" | "))
}
