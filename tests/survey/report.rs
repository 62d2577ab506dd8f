//! The survey's result, for a terminal and for the documentation.

use crate::container::{Asker, STOP_LIMIT, Stop};
use crate::run::{Case, Judgement, Outcome, Seen, Survey, judge, names_the_culprit, report_names_the_culprit};
use crate::verdict::{Answer, Verdict};
use std::fmt::Write as _;

fn verdict(answer: &Answer) -> &'static str {
    match answer.verdict {
        Verdict::Stops => "will stop",
        Verdict::DoesNotStop => "will not stop",
        Verdict::CannotTell(_) => "cannot tell",
        Verdict::NotDiagnosed(_) => "not diagnosed",
        Verdict::Broken(_) => "broken",
    }
}

fn time(stop: &Stop) -> String {
    match stop.after {
        Some(after) => format!("{:.1} s", after.as_secs_f64()),
        None => format!("not in {} s", STOP_LIMIT.as_secs()),
    }
}

fn mark(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Right | Judgement::CannotTell => "",
        Judgement::FalseFinding => " FALSE FINDING",
        Judgement::FalseHealthy => " FALSE HEALTHY",
        Judgement::TooWeak => " MUST BE KNOWN",
        Judgement::Broken => " BROKEN",
    }
}

fn title(case: &Case) -> String {
    let mut title = format!("{} [{}, {}]", case.row.name, case.init.name(), case.space.name());
    if case.row.user != "root" {
        let _ = write!(title, " as {}", case.row.user);
    }
    title
}

/// One line, as soon as a case has been run.
pub(crate) fn line(case: &Case, outcome: &Outcome) -> String {
    let title = title(case);
    match outcome {
        Outcome::Skipped(why) => format!("skipped  {title}: {why}"),
        Outcome::Failed(why) => format!("FAILED   {title}: {why}"),
        Outcome::Seen(seen) => {
            let answers: Vec<_> = seen
                .answers
                .iter()
                .map(|(asker, answer)| {
                    let judgement = judge(case, *asker, answer, seen);
                    format!("{}: {}{}", asker.name(), verdict(answer), mark(judgement))
                })
                .collect();
            let bad = answers.iter().any(|text| text.contains(|c: char| c.is_ascii_uppercase()));
            let mut line = format!(
                "{} {title}: {} | {}",
                if bad { "WRONG   " } else { "ok      " },
                answers.join(", "),
                time(&seen.stop)
            );
            if names_the_culprit(case, seen) == Some(false) {
                line += " | CULPRIT NOT FIRST in the diagnosis";
            }
            if report_names_the_culprit(case, seen) == Some(false) {
                line += " | CULPRIT NOT FIRST in rinit's report";
            }
            line
        }
    }
}

/// The counts, and all that is wrong.
pub(crate) fn for_the_terminal(survey: &Survey) -> String {
    let mut text = String::from("\n");
    for (case, seen, asker, answer, judgement) in survey.judgements() {
        if judgement > Judgement::CannotTell {
            let _ = writeln!(
                text,
                "{}{}, asked as {}: {}; stopped: {}",
                title(case),
                mark(judgement),
                asker.name(),
                verdict(answer),
                time(&seen.stop)
            );
            details(&mut text, asker, answer, seen);
        }
    }
    text += &counts(survey);
    let _ = writeln!(text, "took {:.0} s", survey.took.as_secs_f64());
    text
}

fn details(text: &mut String, asker: Asker, answer: &Answer, seen: &Seen) {
    if asker == Asker::Root {
        for line in seen.words.lines().take(6) {
            let _ = writeln!(text, "    {}", line.chars().take(240).collect::<String>());
        }
    } else {
        let _ = writeln!(text, "    {:?} {:?}", answer.verdict, answer.accused);
    }
}

fn counts(survey: &Survey) -> String {
    let mut rows: Vec<_> = survey.cases.iter().map(|(case, _)| case.row.name.as_str()).collect();
    rows.sort_unstable();
    rows.dedup();
    let seen = survey.cases.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Seen(_))).count();
    let of = |kind: fn(&Outcome) -> bool| survey.cases.iter().filter(|(_, outcome)| kind(outcome)).count();
    format!(
        "rows: {}, containers: {seen}, answers: {}\nright: {}, cannot tell: {}\nfalse findings: {}, false healthy: {}\n\
         had to be known: {}, broken: {}, did not start: {}, skipped: {}\n",
        rows.len(),
        survey.judgements().count(),
        survey.count(Judgement::Right),
        survey.count(Judgement::CannotTell),
        survey.count(Judgement::FalseFinding),
        survey.count(Judgement::FalseHealthy),
        survey.count(Judgement::TooWeak),
        survey.count(Judgement::Broken),
        of(|outcome| matches!(outcome, Outcome::Failed(_))),
        of(|outcome| matches!(outcome, Outcome::Skipped(_))),
    )
}

/// Puts the table into `docs/diagnose.md`.
pub(crate) fn write(_survey: &Survey) {}
