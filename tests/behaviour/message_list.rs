//! Compares the page of messages with the source.

use std::collections::BTreeSet;
use support::{in_repository, test};

/// The text with every placeholder as `{}`, and single spaces.
fn without_names(text: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '{' => {
                depth += 1;
                plain.push_str("{}");
            }
            '}' => depth -= 1,
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The string literals of a source file. An indented one continues another.
fn literals(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let literals = code.split('"').skip(1).step_by(2).map(|text| text.replace("\\\n", " "));
    literals.filter(|text| !text.starts_with(' ')).map(|text| without_names(&text)).collect()
}

/// Those that are sentences: with several words.
fn is_sentence(text: &str) -> bool {
    text.split(' ').count() >= 3 && text.len() > 12
}

#[test]
fn every_message_is_on_its_page_and_no_other() {
    let read =
        |path: &str| std::fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let source = read("rinit-cli/src/messages/mod.rs");
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let page = read("docs/messages.md");
    let listed: BTreeSet<String> = page.split('`').skip(1).step_by(2).map(without_names).collect();
    let said = literals(source);
    let missing: Vec<_> =
        said.iter().filter(|text| is_sentence(text)).filter(|message| !listed.contains(*message)).collect();
    assert!(missing.is_empty(), "not in docs/messages.md: {missing:#?}");
    // The first cell of each row of a table is a message or a reason.
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let unknown: Vec<_> = rows.map(without_names).filter(|row| !said.contains(row)).collect();
    assert!(unknown.is_empty(), "not in rinit-cli/src/messages/mod.rs: {unknown:#?}");
}
