//! What `rinit --diagnose` answers, read in one place.
//!
//! The contract: exit status 0, the container stops; 1, it does not; 2, only a stop shows it; 125, it could not be diagnosed.
//! The JSON has `stops` (true, false or null) and `findings`, each with `pid`, `command`, `reason` and `remedy`; the process
//! that keeps the container from stopping comes first. Where only a stop shows it, `undecided` has the processes in question.

use serde_json::Value;

/// An answer of `rinit --diagnose --json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stops,
    DoesNotStop,
    /// Only a stop shows it, with the reason.
    CannotTell(String),
    /// Exit status 125, with the reason.
    NotDiagnosed(String),
    /// Not a valid answer: it contradicts itself, or is not JSON.
    Broken(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// The commands of the processes that keep the container from stopping, in order.
    pub(crate) accused: Vec<String>,
    /// The commands of those that may keep it from stopping, in order.
    pub(crate) undecided: Vec<String>,
}

/// Reads an answer: the exit status, standard output and standard error of `rinit --diagnose --json`.
pub(crate) fn read(code: Option<i32>, out: &str, err: &str) -> Answer {
    let alone = |verdict| Answer { verdict, accused: Vec::new(), undecided: Vec::new() };
    if code == Some(125) {
        return alone(Verdict::NotDiagnosed(err.lines().next().unwrap_or_default().to_owned()));
    }
    let Ok(json) = serde_json::from_str::<Value>(out) else {
        return alone(Verdict::Broken(format!("status {code:?}, not JSON: {out:?} {err:?}")));
    };
    let findings = json["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let accused = findings.iter().map(command).collect();
    let verdict = match (code, json["stops"].as_bool(), json["stops"].is_null()) {
        (Some(0), Some(true), _) => Verdict::Stops,
        (Some(1), Some(false), _) if findings.first().is_some_and(|first| first["reason"].is_string()) => {
            Verdict::DoesNotStop
        }
        (Some(2), None, true) => Verdict::CannotTell(json["reason"].as_str().unwrap_or("no reason given").to_owned()),
        _ => Verdict::Broken(format!("status {code:?} with stops {}", json["stops"])),
    };
    let undecided = json["undecided"].as_array().map(|list| list.iter().map(command).collect()).unwrap_or_default();
    Answer { verdict, accused, undecided }
}

/// The command in one line: the arguments, or the short form if they could not be read.
fn command(process: &Value) -> String {
    let words = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    match process["arguments"].as_array() {
        Some(list) if !list.is_empty() => words(list),
        _ => process["command"].as_str().unwrap_or_default().to_owned(),
    }
}
