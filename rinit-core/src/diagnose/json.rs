//! Writes JSON (RFC 8259).

use std::fmt::{self, Write as _};

/// A value; its `Display` is JSON on one line.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Seconds, to a hundredth.
    Seconds(std::time::Duration),
    /// A string.
    Text(String),
    /// Values in order.
    Array(Vec<Json>),
    /// Members in order.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// A string, from anything that can be displayed.
    pub fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// The value, or null.
    pub fn or_null<T>(value: Option<T>, to_json: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, to_json)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Seconds(value) => write!(f, "{}.{:02}", value.as_secs(), value.subsec_millis() / 10),
            Self::Text(text) => quoted(text, f),
            Self::Array(values) => {
                f.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    quoted(name, f)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

/// Section 7 wants the quote, the backslash and the control characters below U+0020 escaped. DEL, the C1 controls and
/// the two line separators are escaped too: terminals and JavaScript act on them.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            // All of these lie in the first plane: one escape of four digits, no surrogates.
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values() {
        let value = Json::Object(vec![
            ("a", Json::Array(vec![Json::Null, Json::Bool(true), Json::Integer(-5)])),
            ("b\"", Json::text("x\"\\\n\r\t\0\x1b\x7f\u{9b}\u{2028}é😀")),
            ("c", Json::Object(vec![])),
            ("d", Json::Seconds(std::time::Duration::from_millis(12_059))),
            ("e", Json::or_null(None::<u8>, |_| Json::Null)),
        ]);
        let expected = concat!(
            r#"{"a":[null,true,-5],"b\"":"x\"\\\n\r\t\u0000\u001b\u007f\u009b\u2028é😀","c":{},"#,
            r#""d":12.05,"e":null}"#
        );
        assert_eq!(value.to_string(), expected);
    }

    /// What a reader makes of a string (RFC 8259, section 7), strictly; `None` for what it would refuse.
    fn read_back(json: &str) -> Option<String> {
        let mut rest = json.strip_prefix('"')?.strip_suffix('"')?.chars();
        let mut text = String::new();
        while let Some(character) = rest.next() {
            text.push(match character {
                '"' => return None,
                '\\' => match rest.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => char::from_u32(u32::from_str_radix(&rest.by_ref().take(4).collect::<String>(), 16).ok()?)?,
                    c @ ('"' | '\\') => c,
                    _ => return None,
                },
                c if c.is_control() => return None,
                c => c,
            });
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text: String) {
            prop_assert_eq!(read_back(&Json::text(&text).to_string()), Some(text));
        }

        #[test]
        fn any_control_characters_come_back(text in "[\\x00-\\xff\"\\\\]{0,20}") {
            prop_assert_eq!(read_back(&Json::text(&text).to_string()), Some(text));
        }
    }
}
