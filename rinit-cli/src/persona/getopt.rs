//! Reads options as glibc's `getopt(3)` and `getopt_long(3)` do, with which the originals were built.
//!
//! lexopt has neither abbreviated long options nor options after the first operand, and a drop-in needs both, with the
//! errors in the same form.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Which options there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// Short options, each followed by `:` where it takes a value.
    pub(crate) short: &'static [u8],
    /// Long options; each stands for a short one and takes a value where that does. `None`: `getopt(3)`, to which a
    /// double dash with more behind it is a bundle of short options that starts with a dash.
    pub(crate) long: Option<&'static [(&'static str, u8)]>,
    /// Options may follow operands. Otherwise the first operand ends them.
    pub(crate) permute: bool,
}

/// A command line that is being read: one option after the other, because an option may end the program before a later
/// mistake is seen.
#[derive(Debug)]
pub(crate) struct Getopt {
    syntax: Syntax,
    /// As errors call the program: its name, as it was started.
    name: String,
    rest: VecDeque<OsString>,
    /// The rest of a bundle of short options.
    bundle: VecDeque<u8>,
    operands: Vec<OsString>,
}

/// An option by its letter, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) letter: u8,
    pub(crate) value: OsString,
}

impl Getopt {
    /// Reads the arguments, the program's own name first. `posixly_correct`: the variable of this name is set, and stops
    /// the permuting.
    pub(crate) fn new(syntax: Syntax, arguments: Vec<OsString>, posixly_correct: bool) -> Self {
        let mut rest = VecDeque::from(arguments);
        let name = rest.pop_front().map(|name| super::visible(&name)).unwrap_or_default();
        let permute = syntax.permute && !posixly_correct;
        Self { syntax: Syntax { permute, ..syntax }, name, rest, bundle: VecDeque::new(), operands: Vec::new() }
    }

    /// The next option; `None` at the end of them. The error is glibc's line, with its line end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, String> {
        loop {
            if let Some(letter) = self.bundle.pop_front() {
                return self.short(letter).map(Some);
            }
            let Some(word) = self.rest.pop_front() else { return Ok(None) };
            match (word.as_bytes(), self.syntax.long) {
                (b"--", _) => return Ok(None),
                ([b'-', b'-', long @ ..], Some(known)) => return self.long(long, known).map(Some),
                ([b'-', letters @ ..], _) if !letters.is_empty() => self.bundle.extend(letters),
                _ if self.syntax.permute => self.operands.push(word),
                _ => {
                    self.rest.push_front(word);
                    return Ok(None);
                }
            }
        }
    }

    /// Returns the words that are not options: the program to start and its arguments.
    pub(crate) fn operands(mut self) -> Vec<OsString> {
        self.operands.extend(self.rest);
        self.operands
    }

    fn short(&mut self, letter: u8) -> Result<Found, String> {
        let place = self.syntax.short.iter().position(|known| *known == letter && letter != b':');
        let Some(place) = place else {
            return Err(self.complaint(&format!("invalid option -- '{}'", shown(&[letter]))));
        };
        if self.syntax.short.get(place + 1) != Some(&b':') {
            return Ok(Found { letter, value: OsString::new() });
        }
        let value = match self.bundle.is_empty() {
            false => Some(OsString::from_vec(self.bundle.drain(..).collect())),
            true => self.rest.pop_front(),
        };
        let value =
            value.ok_or_else(|| self.complaint(&format!("option requires an argument -- '{}'", shown(&[letter]))))?;
        Ok(Found { letter, value })
    }

    fn long(&mut self, word: &[u8], known: &[(&'static str, u8)]) -> Result<Found, String> {
        let end = word.iter().position(|byte| *byte == b'=').unwrap_or(word.len());
        let (given, value) = word.split_at(end);
        let value = (!value.is_empty()).then(|| OsString::from_vec(value.iter().skip(1).copied().collect()));
        let exact = known.iter().copied().find(|(name, _)| name.as_bytes() == given);
        let begins: Vec<_> = known.iter().filter(|(name, _)| name.as_bytes().starts_with(given)).copied().collect();
        let (name, letter) = match (exact, begins.as_slice()) {
            (Some(found), _) | (None, &[found]) => found,
            (None, []) => return Err(self.complaint(&format!("unrecognized option '--{}'", shown(word)))),
            (None, several) => {
                let names: Vec<_> = several.iter().map(|(name, _)| format!(" '--{name}'")).collect();
                let names = names.concat();
                let word = shown(word);
                return Err(self.complaint(&format!("option '--{word}' is ambiguous; possibilities:{names}")));
            }
        };
        let takes_value = self.syntax.short.windows(2).any(|pair| pair == [letter, b':']);
        let value = match (takes_value, value) {
            (false, None) => OsString::new(),
            (false, Some(_)) => return Err(self.complaint(&format!("option '--{name}' doesn't allow an argument"))),
            (true, Some(value)) => value,
            (true, None) => match self.rest.pop_front() {
                Some(value) => value,
                None => return Err(self.complaint(&format!("option '--{name}' requires an argument"))),
            },
        };
        Ok(Found { letter, value })
    }

    fn complaint(&self, what: &str) -> String {
        format!("{}: {what}\n", self.name)
    }
}

fn shown(bytes: &[u8]) -> String {
    super::visible(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERMUTING: Syntax = Syntax { short: b"ve:", long: None, permute: true };
    const STRICT: Syntax = Syntax {
        short: b"+vVhr:",
        long: Some(&[("verbose", b'v'), ("version", b'V'), ("help", b'h'), ("rewrite", b'r')]),
        permute: false,
    };

    /// The options as `v`, `e=5`, then the operands, or the complaint.
    fn read(syntax: Syntax, words: &[&str]) -> Result<(String, Vec<String>), String> {
        let words = std::iter::once(&"p").chain(words).map(OsString::from).collect();
        let mut getopt = Getopt::new(syntax, words, false);
        let mut options = Vec::new();
        while let Some(Found { letter, value }) = getopt.next()? {
            let equals = if value.is_empty() { "" } else { "=" };
            options.push(format!("{}{equals}{}", char::from(letter), value.to_string_lossy()));
        }
        let operands = getopt.operands().into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok((options.join(" "), operands))
    }

    fn good(syntax: Syntax, words: &[&str], options: &str, operands: &[&str]) {
        let operands = operands.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(read(syntax, words), Ok((options.to_owned(), operands)), "{words:?}");
    }

    fn bad(syntax: Syntax, words: &[&str], complaint: &str) {
        assert_eq!(read(syntax, words), Err(format!("p: {complaint}\n")), "{words:?}");
    }

    #[test]
    fn short_options() {
        good(PERMUTING, &["-vve5", "sh"], "v v e=5", &["sh"]);
        good(PERMUTING, &["sh", "-v", "-e", "-5", "x", "--", "-v"], "v e=-5", &["sh", "x", "-v"]);
        good(PERMUTING, &["-", "-v"], "v", &["-"]);
        good(PERMUTING, &["--", "sh", "-v"], "", &["sh", "-v"]);
        bad(PERMUTING, &["sh", "-c"], "invalid option -- 'c'");
        bad(PERMUTING, &["--version"], "invalid option -- '-'");
        bad(PERMUTING, &["-v:"], "invalid option -- ':'");
        bad(PERMUTING, &["-ve"], "option requires an argument -- 'e'");
    }

    #[test]
    fn long_options_and_their_beginnings() {
        good(STRICT, &["--verb", "--rew=15:3", "--rewrite", "1:2", "sh", "-c"], "v r=15:3 r=1:2", &["sh", "-c"]);
        good(STRICT, &["--rewrite="], "r", &[]);
        bad(STRICT, &["--ver"], "option '--ver' is ambiguous; possibilities: '--verbose' '--version'");
        bad(STRICT, &["--ver=1"], "option '--ver=1' is ambiguous; possibilities: '--verbose' '--version'");
        bad(STRICT, &["--nope=1"], "unrecognized option '--nope=1'");
        bad(STRICT, &["--vers=1"], "option '--version' doesn't allow an argument");
        bad(STRICT, &["--rewrite"], "option '--rewrite' requires an argument");
    }

    #[test]
    fn posixly_correct_stops_at_the_program() {
        let words = ["p", "sh", "-v"].map(OsString::from).to_vec();
        let mut getopt = Getopt::new(PERMUTING, words, true);
        assert_eq!(getopt.next(), Ok(None));
        assert_eq!(getopt.operands(), ["sh", "-v"]);
    }

    proptest! {
        #[test]
        fn no_command_line_panics(words in prop::collection::vec("(--?)?[ve:=r -]{0,4}", 0..6)) {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let _ = (read(PERMUTING, &words), read(STRICT, &words));
        }
    }
}
