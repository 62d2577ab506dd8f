//! `/proc/pid/cmdline`, made fit for a line of a log.

/// Characters that a command may take in a message.
pub(crate) const WIDTH: usize = 80;

/// Returns the arguments joined by spaces, or the name in brackets if there are none, as for a kernel thread or a zombie.
///
/// Source: `proc_pid_cmdline(5)`. Both are chosen by the program: see [`printable`].
pub(crate) fn display(cmdline: &[u8], comm: &[u8]) -> String {
    // Programs that show a title in their arguments (setproctitle) leave NULs or spaces behind it.
    let end = cmdline.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let Some(arguments) = cmdline.get(..end).filter(|arguments| !arguments.is_empty()) else { return bracketed(comm) };
    let joined: Vec<u8> = arguments.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    printable(&joined, WIDTH)
}

/// Each argument, whole and escaped.
pub(crate) fn arguments(cmdline: &[u8]) -> Vec<String> {
    let words = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    if words.is_empty() {
        return Vec::new();
    }
    words.split(|byte| *byte == 0).map(|word| printable(word, usize::MAX)).collect()
}

/// The name in brackets.
pub(crate) fn bracketed(comm: &[u8]) -> String {
    format!("[{}]", printable(comm, WIDTH - 2))
}

/// The first argument without its directory and without the dash of a login shell.
pub(crate) fn program_name(cmdline: &[u8]) -> &[u8] {
    let first = cmdline.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.strip_prefix(b"-").unwrap_or(name)
}

/// Returns the bytes as unambiguous text: control characters, bytes that are not UTF-8, invisible characters and those that
/// change the writing direction are escaped, so that a process can neither forge a log line by its name nor send escape
/// sequences to the reader's terminal. Backslashes are doubled, to tell them from escapes.
///
/// It has at most `max` characters; the last is a `…` if something was cut off. No escape is cut in two.
pub(crate) fn printable(bytes: &[u8], max: usize) -> String {
    let mut text = Bounded { text: String::new(), count: 0, cut_at: 0, max };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let fits = match character {
                '\'' | '"' => text.push(std::iter::once(character)),
                _ => text.push(character.escape_debug()),
            };
            if !fits {
                return text.cut();
            }
        }
        for byte in chunk.invalid() {
            if !text.push(byte.escape_ascii().map(char::from)) {
                return text.cut();
            }
        }
    }
    text.text
}

/// Text that remembers where it can be cut to make room for the `…`.
struct Bounded {
    text: String,
    count: usize,
    cut_at: usize,
    max: usize,
}

impl Bounded {
    fn push(&mut self, piece: impl Iterator<Item = char> + Clone) -> bool {
        self.count += piece.clone().count();
        if self.count > self.max {
            return false;
        }
        self.text.extend(piece);
        if self.count < self.max {
            self.cut_at = self.text.len();
        }
        true
    }

    fn cut(mut self) -> String {
        self.text.truncate(self.cut_at);
        if self.max > 0 {
            self.text.push('…');
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands() {
        assert_eq!(display(b"sleep\x001000\0", b"sleep"), "sleep 1000");
        assert_eq!(display(b"nginx: master process\0\0\0\0", b"nginx"), "nginx: master process");
        assert_eq!(display(b"", b"kthreadd"), "[kthreadd]");
        assert_eq!(display(b"\0\0", b"a) R\n"), "[a) R\\n]");
        assert_eq!(display(b"sh\0-c\0echo \"it's\"\0", b"sh"), "sh -c echo \"it's\"");
        assert_eq!(arguments(b"sh\0-c\0a b\n\0\0"), ["sh", "-c", "a b\\n", ""]);
        assert_eq!(arguments(b""), [""; 0]);
    }

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(printable(b"\x1b[31m\r\n\x7f", 80), "\\u{1b}[31m\\r\\n\\u{7f}");
        assert_eq!(printable(b"a\xff\xfeb\\x", 80), "a\\xff\\xfeb\\\\x");
        assert_eq!(
            printable("\u{9b}31m\u{202e}\u{2028}\u{200b}\u{feff}".as_bytes(), 80),
            "\\u{9b}31m\\u{202e}\\u{2028}\\u{200b}\\u{feff}"
        );
        assert_eq!(printable("größe 日本".as_bytes(), 80), "größe 日本");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(printable(b"abcdef", 6), "abcdef");
        assert_eq!(printable(b"abcdefg", 6), "abcde…");
        assert_eq!(printable(b"abc\n\n", 6), "abc\\n…");
        assert_eq!(printable(b"abcde\n", 6), "abcde…");
        assert_eq!(printable(b"abc", 0), "");
        assert_eq!(display(&[b'x'; 500], b"x").chars().count(), WIDTH);
    }

    #[test]
    fn names_of_programs() {
        assert_eq!(program_name(b"/bin/sh\0-c\0x"), b"sh");
        assert_eq!(program_name(b"-bash\0"), b"bash");
        assert_eq!(program_name(b""), b"");
        assert_eq!(program_name(b"///"), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_become_one_bounded_line(bytes in prop::collection::vec(any::<u8>(), 0..200), max in 0..100_usize) {
            let text = printable(&bytes, max);
            prop_assert!(text.chars().count() <= max);
            prop_assert!(!text.chars().any(char::is_control));
            let _ = display(&bytes, &bytes);
        }

        #[test]
        fn any_text_becomes_one_line(text in "\\PC{0,30}|[\\x00-\\x9f\u{2028}\u{202e}]{0,30}") {
            let harmful = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
            let harmed = printable(text.as_bytes(), 500).chars().any(harmful);
            prop_assert!(!harmed);
        }
    }
}
