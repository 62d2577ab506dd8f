//! Text from outside, made fit for a message.

use std::ffi::OsStr;
use std::fmt::{Display, Formatter, Result, Write};

/// The longest text that is shown, in bytes. Text from outside may have any length.
const MAX_SHOWN: usize = 1024;

/// Shows text so that it can neither drive a terminal nor forge a line: control characters, invisible characters and those that
/// change the writing direction are escaped, and bytes that are not UTF-8 are replaced.
///
/// Backslashes and quotes stay, so that text that is already escaped does not change.
pub(crate) struct Printable<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: AsRef<OsStr> + ?Sized> Display for Printable<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        show(self.0.as_ref(), false, f)
    }
}

/// Does what [`Printable`] does, in single quotes. A quote in it is escaped, or the text could write the rest of the line itself.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('\'')?;
        show(OsStr::new(self.0), true, f)?;
        f.write_char('\'')
    }
}

fn show(text: &OsStr, is_quoted: bool, f: &mut Formatter<'_>) -> Result {
    let mut length = 0;
    for character in text.to_string_lossy().chars() {
        if length >= MAX_SHOWN {
            return f.write_char('…');
        }
        length += character.len_utf8();
        match character {
            '\'' if is_quoted => f.write_str("\\'")?,
            '\\' | '\'' | '"' => f.write_char(character)?,
            _ => write!(f, "{}", character.escape_debug())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_does_harm_is_escaped() {
        assert_eq!(Printable("größe 'a' \"b\" c\\d").to_string(), "größe 'a' \"b\" c\\d");
        assert_eq!(Printable("\x1b[1m\n\u{202e}").to_string(), "\\u{1b}[1m\\n\\u{202e}");
        assert_eq!(Quoted("it's").to_string(), "'it\\'s'");
        assert_eq!(Printable(&"x".repeat(2000)).to_string().len(), MAX_SHOWN + '…'.len_utf8());
    }

    proptest! {
        #[test]
        fn twice_is_as_once(text in any::<String>()) {
            let once = Printable(&text).to_string();
            prop_assert_eq!(Printable(&once).to_string(), once);
        }
    }
}
