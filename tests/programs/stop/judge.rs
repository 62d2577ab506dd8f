//! Runs scenarios, those that wait side by side.

use super::{Init, Outcome, Place, Scenario};
use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A stop under load may come too late for a limit in seconds. What is wrong is wrong each time.
const ATTEMPTS: usize = 3;

/// What is wrong with a scenario: one line for each init.
type Wrong = Vec<String>;

/// Scenarios that wait, begun all together at the first question for one: they need time and hardly the processor.
static BEGUN: LazyLock<Mutex<HashMap<&'static str, JoinHandle<Wrong>>>> = LazyLock::new(|| {
    let waiting = super::all().into_iter().filter(|scenario| scenario.waits && (scenario.needs)().is_ok());
    Mutex::new(waiting.map(|scenario| (scenario.row, std::thread::spawn(|| check(scenario)))).collect())
});

/// Fails unless rinit and the originals that are said to do it right do it right.
#[track_caller]
pub(crate) fn judge(scenario: &'static Scenario) {
    if let Err(why) = (scenario.needs)() {
        support::skip(why);
    }
    // With a filter the others are not wanted.
    let filtered = std::env::args().skip(1).any(|word| !word.starts_with('-'));
    let begun = if scenario.waits && !filtered {
        BEGUN.lock().unwrap_or_else(PoisonError::into_inner).remove(scenario.row)
    } else {
        None
    };
    let wrong = match begun {
        Some(thread) => thread.join().unwrap_or_else(|panic| vec![words(&*panic)]),
        None => check(scenario),
    };
    assert!(wrong.is_empty(), "{}:\n{}", scenario.row, wrong.join("\n"));
}

fn check(scenario: &'static Scenario) -> Wrong {
    let own = scenario.places.iter().map(|place| (Init::rinit(scenario.options), *place));
    let originals = scenario.right.iter().filter_map(|words| Init::original(words));
    let runs: Vec<_> = own.chain(originals.map(|init| (init, Place::Pid1))).collect();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let one = |(init, place): (Init, Place)| scope.spawn(move || attempts(scenario, &init, place).err());
        let threads: Vec<_> = runs.into_iter().map(one).collect();
        for thread in threads {
            wrong.extend(thread.join().unwrap_or_else(|panic| Some(words(&*panic))));
        }
    });
    wrong
}

fn attempts(scenario: &Scenario, init: &Init, place: Place) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let Err(wrong) = attempt(scenario, init, place) else { return Ok(()) };
        last = wrong;
    }
    Err(format!("{} ({place:?}): {last}", init.name))
}

fn attempt(scenario: &Scenario, init: &Init, place: Place) -> Result<(), String> {
    let Outcome { verdict, stopped } = run(scenario, init, place)?;
    verdict.map_err(|why| format!("{why}; {stopped:#?}"))
}

/// Runs it; a panic is an error.
pub(crate) fn run(scenario: &Scenario, init: &Init, place: Place) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| (scenario.run)(init, place))).map_err(|panic| words(&*panic))
}

/// The message of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
