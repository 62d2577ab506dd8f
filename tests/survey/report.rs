//! The survey's result, for a terminal and for the documentation.

use crate::container::{Asker, STOP_LIMIT, Stop};
use crate::row::InitProgram;
use crate::run::{Case, Judgement, Outcome, Seen, Survey, judge, names_the_culprit, report_names_the_culprit};
use crate::verdict::{Answer, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

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
            let right = if is_wrong(case, outcome) { "WRONG   " } else { "ok      " };
            let mut line = format!("{right} {title}: {} | {}", answers.join(", "), time(&seen.stop));
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

/// Whether the row fails the survey.
pub(crate) fn is_wrong(case: &Case, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Skipped(_) => false,
        Outcome::Failed(_) => true,
        Outcome::Seen(seen) => {
            let missed = [names_the_culprit(case, seen), report_names_the_culprit(case, seen)].contains(&Some(false));
            missed
                || seen.answers.iter().any(|(asker, answer)| judge(case, *asker, answer, seen) > Judgement::CannotTell)
        }
    }
}

/// All that is wrong, with what was said.
pub(crate) fn wrong(survey: &Survey) -> String {
    let mut text = String::new();
    for (case, outcome) in survey.cases.iter().filter(|(case, outcome)| is_wrong(case, outcome)) {
        let _ = writeln!(text, "\n{}", line(case, outcome));
        let Outcome::Seen(seen) = outcome else { continue };
        for (asker, answer) in &seen.answers {
            if judge(case, *asker, answer, seen) > Judgement::CannotTell {
                details(&mut text, *asker, answer, seen);
            }
        }
        if report_names_the_culprit(case, seen) == Some(false) {
            seen.stop.said.iter().for_each(|said| text += &format!("    {said}\n"));
        }
    }
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

/// The counts.
pub(crate) fn counts(survey: &Survey) -> String {
    let (rows, seen, answers) = totals(survey);
    let of = |kind: fn(&Outcome) -> bool| survey.cases.iter().filter(|(_, outcome)| kind(outcome)).count();
    format!(
        "rows: {rows}, containers: {seen}, answers: {answers}\nright: {}, cannot tell: {}\nfalse findings: {}, false healthy: {}\n\
         had to be known: {}, broken: {}, did not start: {}, skipped: {}\ntook {:.0} s\n",
        survey.count(Judgement::Right),
        survey.count(Judgement::CannotTell),
        survey.count(Judgement::FalseFinding),
        survey.count(Judgement::FalseHealthy),
        survey.count(Judgement::TooWeak),
        survey.count(Judgement::Broken),
        of(|outcome| matches!(outcome, Outcome::Failed(_))),
        of(|outcome| matches!(outcome, Outcome::Skipped(_))),
        survey.took.as_secs_f64(),
    )
}

/// Puts the tables into `docs/diagnose.md`, between the two marks that are there.
pub(crate) fn write(survey: &Survey) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnose.md");
    replace_between(&path, "survey", &for_the_documentation(survey));
}

/// Puts a text between `<!-- NAME -->` and `<!-- /NAME -->`.
pub(crate) fn replace_between(path: &Path, name: &str, text: &str) {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let page = std::fs::read_to_string(path).expect("read the page");
    let begin = page.find(&open).expect("the first mark") + open.len();
    let end = page.find(&close).expect("the second mark");
    std::fs::write(path, format!("{}\n{text}\n{}", &page[..begin], &page[end..])).expect("write the page");
}

fn for_the_documentation(survey: &Survey) -> String {
    let (rows, containers, answers) = totals(survey);
    let mut text = format!("{rows} rows, {containers} containers, {answers} answers.\n\n");
    text += "| asked as | answers | right | cannot tell | not diagnosed | false \"will not stop\" | false \"will stop\" |\n\
             |---|--:|--:|--:|--:|--:|--:|\n";
    for asker in [Asker::Root, Asker::Same, Asker::Other, Asker::Outside] {
        let of: Vec<_> = survey.judgements().filter(|(_, _, one, ..)| *one == asker).collect();
        let count = |one: &dyn Fn(Judgement, &Verdict) -> bool| {
            of.iter().filter(|(.., answer, judgement)| one(*judgement, &answer.verdict)).count()
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            asker.name(),
            of.len(),
            count(&|judgement, _| judgement == Judgement::Right),
            count(&|_, verdict| matches!(verdict, Verdict::CannotTell(_))),
            count(&|_, verdict| matches!(verdict, Verdict::NotDiagnosed(_))),
            count(&|judgement, _| judgement == Judgement::FalseFinding),
            count(&|judgement, _| judgement == Judgement::FalseHealthy),
        );
    }
    text += &reasons(survey);
    let mut families: Vec<_> = survey.cases.iter().map(|(case, _)| case.row.family).collect();
    families.dedup();
    for family in families {
        text += &family_table(survey, family);
    }
    text
}

/// The reasons for "cannot tell", and how often each was given.
fn reasons(survey: &Survey) -> String {
    let mut reasons: BTreeMap<(&str, &str), (usize, &str)> = BTreeMap::new();
    for (case, _, asker, answer, _) in survey.judgements() {
        if let Verdict::CannotTell(why) | Verdict::NotDiagnosed(why) = &answer.verdict {
            reasons.entry((why, asker.name())).or_insert((0, &case.row.name)).0 += 1;
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let mut text = "\n| cannot tell, because | asked as | answers | for example |\n|---|---|--:|---|\n".to_owned();
    for ((why, asker), (count, example)) in reasons {
        let _ = writeln!(text, "| {} | {asker} | {count} | {} |", cell(why), cell(example));
    }
    text
}

/// The rows of one family: a column for each of the common inits, and one for the rest.
fn family_table(survey: &Survey, family: &str) -> String {
    let mut text = format!("\n**{family}**\n\n| program | no init | rinit | tini | others |\n|---|---|---|---|---|\n");
    let cases: Vec<_> = survey.cases.iter().filter(|(case, _)| case.row.family == family).collect();
    let mut names: Vec<_> = cases.iter().map(|(case, _)| (&case.row.name, case.space)).collect();
    names.dedup();
    for (name, space) in names {
        let of_row = || cases.iter().filter(|(case, _)| (&case.row.name, case.space) == (name, space));
        let column = |init: InitProgram| {
            let found = of_row().find(|(case, _)| case.init == init);
            found.map_or_else(String::new, |(case, outcome)| result(case, outcome))
        };
        let common = [InitProgram::None, InitProgram::Rinit, InitProgram::Tini];
        let others: Vec<_> = of_row()
            .filter(|(case, _)| !common.contains(&case.init))
            .map(|(case, outcome)| format!("{}: {}", case.init.name(), result(case, outcome)))
            .collect();
        let place = if space.is_docker() && !name.contains("Docker") { ", by Docker" } else { "" };
        let [none, rinit, tini] = common.map(column);
        let _ = writeln!(text, "| {}{place} | {none} | {rinit} | {tini} | {} |", cell(name), others.join("; "));
    }
    text
}

/// What root was answered, and what happened.
fn result(case: &Case, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped(_) => "not installed".to_owned(),
        Outcome::Failed(_) => "did not start".to_owned(),
        Outcome::Seen(seen) => {
            let (asker, answer) = &seen.answers[0];
            let happened = seen.stop.after.map_or("killed".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
            let text = format!("{}, {happened}", verdict(answer));
            if judge(case, *asker, answer, seen) > Judgement::CannotTell { format!("**{text}**") } else { text }
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Rows, containers and answers.
fn totals(survey: &Survey) -> (usize, usize, usize) {
    let mut rows: Vec<_> = survey.cases.iter().map(|(case, _)| case.row.name.as_str()).collect();
    rows.sort_unstable();
    rows.dedup();
    let seen = survey.cases.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Seen(_))).count();
    (rows.len(), seen, survey.judgements().count())
}
