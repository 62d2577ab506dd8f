//! Runs the rows, many at the same time, and compares each verdict with the stop.

use crate::container::{Asker, Container, Image, Place, Stop, interrupted};
use crate::row::{InitProgram, Row, Space};
use crate::verdict::{Answer, Verdict};
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// What is printed while the rows run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    All,
    /// What is wrong, and no more.
    Wrong,
}

/// One container: a row with an init.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) row: Row,
    pub(crate) init: InitProgram,
    pub(crate) space: Space,
}

/// What was asked and seen in one container.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) answers: Vec<(Asker, Answer)>,
    pub(crate) words: String,
    pub(crate) stop: Stop,
}

#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Seen(Seen),
    /// A program is not installed.
    Skipped(String),
    /// The row did not start.
    Failed(String),
}

/// How an answer and the stop go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Judgement {
    Right,
    CannotTell,
    /// "Will not stop", and it stopped.
    FalseFinding,
    /// "Will stop", and it did not.
    FalseHealthy,
    /// "Cannot tell", or not diagnosed, where it has to be known.
    TooWeak,
    Broken,
}

/// All that was seen.
pub(crate) struct Survey {
    pub(crate) cases: Vec<(Case, Outcome)>,
    pub(crate) took: Duration,
}

impl Seen {
    pub(crate) fn stopped(&self) -> bool {
        self.stop.after.is_some()
    }
}

/// Whether an answer holds.
pub(crate) fn judge(case: &Case, asker: Asker, answer: &Answer, seen: &Seen) -> Judgement {
    let known = must_know(case, asker);
    match &answer.verdict {
        Verdict::Stops | Verdict::DoesNotStop if seen.stop.is_slow() => Judgement::Right,
        Verdict::Stops if seen.stopped() && !answer.accused.is_empty() => Judgement::FalseFinding,
        Verdict::Stops if seen.stopped() => Judgement::Right,
        Verdict::Stops => Judgement::FalseHealthy,
        Verdict::DoesNotStop if seen.stopped() => Judgement::FalseFinding,
        Verdict::DoesNotStop => Judgement::Right,
        Verdict::CannotTell(_) if known => Judgement::TooWeak,
        Verdict::CannotTell(_) => Judgement::CannotTell,
        Verdict::NotDiagnosed(_) if asker == Asker::Other => Judgement::CannotTell,
        Verdict::NotDiagnosed(_) => Judgement::TooWeak,
        Verdict::Broken(_) => Judgement::Broken,
    }
}

/// Whether "cannot tell" is not good enough.
fn must_know(case: &Case, asker: Asker) -> bool {
    // Without CAP_SYS_PTRACE root may not read all of another user's process.
    let knows = if case.row.user == "root" { Asker::Root } else { Asker::Same };
    case.row.certain.contains(&case.init) && asker == knows
}

/// Whether the first process that the answer names is the one to which a person would point.
fn names_first(row: &Row, answer: &Answer) -> Option<bool> {
    let culprit = row.culprit?;
    let named = match answer.verdict {
        Verdict::DoesNotStop => &answer.accused,
        Verdict::CannotTell(_) if !answer.undecided.is_empty() => &answer.undecided,
        _ => return None,
    };
    Some(named.first().is_some_and(|command| unescaped(command).contains(culprit)))
}

/// Whether the process that a person would point to is named first; `None` if the row names none, or the container stopped.
pub(crate) fn names_the_culprit(case: &Case, seen: &Seen) -> Option<bool> {
    let root = seen.answers.iter().find(|(asker, _)| *asker == Asker::Root).filter(|_| !seen.stopped());
    names_first(&case.row, &root?.1)
}

/// Whether rinit's own report, while it waits, names that process first.
pub(crate) fn report_names_the_culprit(case: &Case, seen: &Seen) -> Option<bool> {
    let culprit = case.row.culprit.filter(|_| !seen.stopped() && case.init.is_rinit())?;
    let first = seen.stop.said.iter().find(|line| line.contains("pid "));
    Some(first.is_some_and(|line| unescaped(line).contains(culprit)))
}

fn unescaped(command: &str) -> String {
    command.replace("\\'", "'").replace("\\\"", "\"").replace("\\\\", "\\")
}

impl Survey {
    pub(crate) fn judgements(&self) -> impl Iterator<Item = (&Case, &Seen, Asker, &Answer, Judgement)> {
        self.cases.iter().flat_map(|(case, outcome)| {
            let seen = if let Outcome::Seen(seen) = outcome { Some(seen) } else { None };
            seen.into_iter().flat_map(move |seen| {
                seen.answers
                    .iter()
                    .map(move |(asker, answer)| (case, seen, *asker, answer, judge(case, *asker, answer, seen)))
            })
        })
    }

    pub(crate) fn count(&self, judgement: Judgement) -> usize {
        self.judgements().filter(|(.., one)| *one == judgement).count()
    }

    /// Nothing is false, and everything started.
    pub(crate) fn holds(&self) -> bool {
        self.cases.iter().all(|(case, outcome)| !crate::report::is_wrong(case, outcome))
    }

    /// Every row has started.
    pub(crate) fn is_complete(&self) -> bool {
        self.cases.iter().all(|(_, outcome)| matches!(outcome, Outcome::Seen(_)))
    }

    /// Why rows were left out.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Skipped(why) => Some(why.as_str()),
            _ => None,
        })
    }
}

/// Whether this machine lets us make containers.
pub(crate) fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("containers of several users need root".to_owned());
    }
    let output = std::process::Command::new("unshare").args(["--pid", "--fork", "--mount", "--net", "true"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("no namespaces: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no unshare(1): {error}")),
    }
}

/// Whether a program is in PATH, or a pattern of paths matches.
pub(crate) fn installed(program: &str) -> bool {
    if program.contains('/') {
        let mut shell = std::process::Command::new("sh");
        return shell
            .args(["-c", &format!("set -- {program}; [ -e \"$1\" ]")])
            .status()
            .is_ok_and(|status| status.success());
    }
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.iter().any(|place| Path::new(place).join(program).is_file())
}

/// Limits how many containers start at the same time: a start needs the processor, a wait for a stop does not.
struct Starts {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Starts {
    const fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), changed: Condvar::new() }
    }

    fn during<T>(&self, start: impl FnOnce() -> T) -> T {
        let free = self.free.lock().expect("no panic");
        *self.changed.wait_while(free, |free| *free == 0).expect("no panic") -= 1;
        let started = start();
        *self.free.lock().expect("no panic") += 1;
        self.changed.notify_one();
        started
    }
}

static STARTS: Starts = Starts::new(10);

/// Runs each row with each of its inits.
pub(crate) fn run(rows: &[Row], progress: Progress) -> Survey {
    let start = Instant::now();
    let place = Place::new().expect("a directory in /var/tmp");
    let mut cases = Vec::new();
    for row in rows {
        for space in &row.spaces {
            for init in &row.inits {
                cases.push(Case { row: row.clone(), init: *init, space: *space });
            }
        }
    }
    let image = cases.iter().any(|case| case.space.is_docker()).then(Image::make);
    let jobs = std::env::var("RINIT_SURVEY_JOBS").ok().and_then(|text| text.parse().ok()).unwrap_or(32);
    let outcomes: Vec<Mutex<Option<Outcome>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    // The heavy ones wait for each other, and let the rest pass.
    let (heavy, light): (Vec<usize>, Vec<usize>) = (0..cases.len()).partition(|at| cases[*at].row.heavy);
    let (heavy, light) = (Mutex::new(heavy.into_iter()), Mutex::new(light.into_iter()));
    let work = |queue: &Mutex<std::vec::IntoIter<usize>>| {
        loop {
            let next = queue.lock().expect("no panic").next().filter(|_| !interrupted());
            let Some(at) = next else { return };
            let outcome = one(&place, &image, at, &cases[at]);
            if progress == Progress::All || crate::report::is_wrong(&cases[at], &outcome) {
                println!("{}", crate::report::line(&cases[at], &outcome));
            }
            *outcomes[at].lock().expect("no panic") = Some(outcome);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..jobs {
            let queue = if thread < 3 { &heavy } else { &light };
            scope.spawn(|| work(queue));
        }
    });
    let outcomes = outcomes
        .into_iter()
        .map(|one| one.into_inner().expect("no panic").unwrap_or(Outcome::Failed("interrupted".to_owned())));
    Survey { cases: cases.into_iter().zip(outcomes).collect(), took: start.elapsed() }
}

fn one(place: &Place, image: &Option<Result<Image, String>>, number: usize, case: &Case) -> Outcome {
    if let (true, Some(Err(why))) = (case.space.is_docker(), image) {
        return Outcome::Skipped(why.clone());
    }
    let programs = case.row.needs.iter().copied().chain(case.init.program());
    let missing: Vec<_> = programs.filter(|program| !installed(program)).collect();
    if !missing.is_empty() {
        return Outcome::Skipped(format!("not installed: {}", missing.join(", ")));
    }
    // Once more where it does not start: a program may meet itself, still starting, in its own readiness test.
    let start = |number| STARTS.during(|| Container::start(place, number, &case.row, case.init, case.space));
    let mut container = match start(number).or_else(|_| start(number + SECOND_START)) {
        Ok(container) => container,
        Err(why) => return Outcome::Failed(why),
    };
    let answers = container.askers().into_iter().map(|asker| (asker, ask(&container, case, asker))).collect();
    let words = container.ask_in_words();
    let stop = container.stop();
    Outcome::Seen(Seen { answers, words, stop })
}

/// Added to a case's number for its second start.
const SECOND_START: usize = 1_000_000;

/// Asks, and once or twice more where the answer is less than it has to be: on a busy machine a process may be seen on its way
/// into the call in which it waits, and "cannot tell" is then right.
fn ask(container: &Container<'_>, case: &Case, asker: Asker) -> Answer {
    let mut answer = container.ask(asker);
    for _ in 0..2 {
        let weak = must_know(case, asker) && matches!(answer.verdict, Verdict::CannotTell(_));
        if !weak && names_first(&case.row, &answer) != Some(false) {
            break;
        }
        answer = container.ask(asker);
    }
    answer
}
