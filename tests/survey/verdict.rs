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
    /// The answer is none: it contradicts itself, or is no JSON.
    Broken(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    /// The commands of the processes that are held against the container, in order.
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
    if json.get("schema").is_some() { by_schema(code, &json) } else { before_the_schema(code, &json) }
}

fn by_schema(code: Option<i32>, json: &Value) -> Answer {
    let findings = json["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let accused = findings.iter().filter(|one| !is_note(one)).map(command).collect();
    let verdict = match (code, json["stops"].as_bool(), json["stops"].is_null()) {
        (Some(0), Some(true), _) => Verdict::Stops,
        (Some(1), Some(false), _) if findings.first().is_some_and(|first| first["reason"].is_string()) => {
            Verdict::DoesNotStop
        }
        (Some(2), None, true) => Verdict::CannotTell(reason(json)),
        _ => Verdict::Broken(format!("status {code:?} with stops {}", json["stops"])),
    };
    let undecided = json["undecided"].as_array().map(|list| list.iter().map(command).collect()).unwrap_or_default();
    Answer { verdict, accused, undecided }
}

/// A zombie or a remark, which keeps no container from stopping.
fn is_note(finding: &Value) -> bool {
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    text("reason") == "zombie" || text("kind") == "zombie" || text("kind") == "note" || text("severity") == "note"
}

/// The reason for "cannot tell": of the answer as a whole, of its first finding, or of the first process.
fn reason(json: &Value) -> String {
    let places = [&json["reason"], &json["findings"][0]["reason"], &json["init"]["reason"], &json["pid1"]["reason"]];
    let more = [&json["init"]["term"], &json["pid1"]["term"], &json["first"]["reason"]];
    let found = places.iter().chain(&more).find_map(|value| value.as_str());
    found.unwrap_or("no reason given").to_owned()
}

/// The form of the first version: `healthy`, `pid1` with `stops`, `refusing`.
fn before_the_schema(code: Option<i32>, json: &Value) -> Answer {
    let mut accused: Vec<String> =
        json["refusing"].as_array().map(|list| list.iter().map(command).collect()).unwrap_or_default();
    let stops = json["pid1"]["stops"].as_bool();
    if stops == Some(false) {
        accused.insert(0, command(&json["pid1"]));
    }
    let verdict = match (code, stops) {
        (Some(0 | 1), Some(_)) if !accused.is_empty() => Verdict::DoesNotStop,
        (Some(0 | 1), Some(true)) if json["pid1"]["term"] == "unknown" => Verdict::CannotTell("unknown".to_owned()),
        (Some(0 | 1), Some(true)) => Verdict::Stops,
        _ => Verdict::Broken(format!("status {code:?}: {json}")),
    };
    Answer { verdict, accused, undecided: Vec::new() }
}

/// The command in one line, given as a text or as a list of arguments.
fn command(process: &Value) -> String {
    let words = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    for key in ["arguments", "argv", "command"] {
        match &process[key] {
            Value::String(text) => return text.clone(),
            // Empty if they could not be read.
            Value::Array(list) if !list.is_empty() => return words(list),
            _ => {}
        }
    }
    process.to_string()
}
