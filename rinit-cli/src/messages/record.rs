//! A record: one line of the log. It is written as text for people, or as JSON for programs.

use crate::args::{LogFormat, Stream};
use crate::output::{put, say};
use rinit_core::__Json as Json;
use rinit_core::{ExitStatus, Pid, Signal};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The version of the JSON lines. It grows when a field changes its meaning or is removed; new fields may be added at any time.
const SCHEMA: i64 = 1;

/// The longest text of a field and the longest message, in bytes of JSON. A record must stay below PIPE_BUF: otherwise lines of
/// several processes would mix.
const LONGEST_FIELD: usize = 640;
const LONGEST_MESSAGE: usize = 1400;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The content of one line.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) level: Level,
    /// The kind of event, a name that does not change.
    event: &'static str,
    /// The whole content as a sentence.
    pub(crate) message: String,
    fields: Vec<(&'static str, Json)>,
}

impl Record {
    pub(crate) const fn new(level: Level, event: &'static str, message: String) -> Self {
        Self { level, event, message, fields: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: Json) -> Self {
        self.fields.push((name, value));
        self
    }

    pub(crate) fn number(self, name: &'static str, value: impl TryInto<i64>) -> Self {
        self.with(name, Json::Integer(value.try_into().unwrap_or(i64::MAX)))
    }

    pub(crate) fn pid(self, name: &'static str, pid: Pid) -> Self {
        self.number(name, pid.get())
    }

    pub(crate) fn flag(self, name: &'static str, value: bool) -> Self {
        self.with(name, Json::Bool(value))
    }

    pub(crate) fn seconds(self, name: &'static str, value: Duration) -> Self {
        self.with(name, Json::Seconds(value))
    }

    pub(crate) fn text(self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.with(name, Json::Text(shortened(&value.to_string(), LONGEST_FIELD)))
    }

    pub(crate) fn signal(self, signal: Signal) -> Self {
        self.text("signal", signal)
    }

    pub(crate) fn status(self, status: ExitStatus) -> Self {
        match status {
            ExitStatus::Signal { signal, core_dumped } => self.signal(signal).flag("core_dumped", core_dumped),
            status => self.number("exit_status", status.exit_code()),
        }
    }

    /// Writes it to standard error.
    pub(crate) fn write(&self, format: LogFormat) {
        match format {
            LogFormat::Text => say(format_args!("{}", self.message)),
            LogFormat::Json => put(Stream::Error, self.json(SystemTime::now()).as_bytes()),
        }
    }

    /// One line of JSON.
    pub(crate) fn json(&self, now: SystemTime) -> String {
        let mut members = vec![
            ("schema", Json::Integer(SCHEMA)),
            ("time", Json::Text(utc(now))),
            ("level", Json::text(self.level.name())),
            ("event", Json::text(self.event)),
            ("message", Json::Text(shortened(self.message.trim_start(), LONGEST_MESSAGE))),
        ];
        members.extend(self.fields.iter().cloned());
        format!("{}\n", Json::Object(members))
    }
}

/// The longest start of the text that takes at most `longest` bytes in JSON.
fn shortened(text: &str, longest: usize) -> String {
    let mut length = 0;
    let mut shown = String::new();
    for c in text.chars() {
        length += if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '"' | '\\') { 6 } else { c.len_utf8() };
        if length > longest {
            shown.push('…');
            break;
        }
        shown.push(c);
    }
    shown
}

/// The time as RFC 3339 writes it, in UTC and to a millisecond.
fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years begin in March here, so that a leap day is the last day of one; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, era * 400 + year) } else { (month - 9, era * 400 + year + 1) };
    let (hour, minute, second, millisecond) = (second / 3_600, second / 60 % 60, second % 60, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_251_200, "2024-03-01T00:00:00.007Z"),
            (1_795_785_786, "2026-11-27T13:23:06.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::new(seconds, 7_654_321)), text);
        }
    }

    #[test]
    fn a_line_has_all_fields_and_stays_below_pipe_buf() {
        let long = "\x1b\"é".repeat(5_000);
        let mut record = Record::new(Level::Warning, "survivor", format!("  {long}"));
        for name in ["command", "reason_text", "remedy"] {
            record = record.text(name, &long);
        }
        let line = record.number("uid", u64::MAX).signal(Signal::TERM).json(SystemTime::now());
        assert!(line.len() <= crate::output::LONGEST, "{}", line.len());
        assert!(line.ends_with("\"uid\":9223372036854775807,\"signal\":\"SIGTERM\"}\n"), "{line}");
        assert!(line.starts_with("{\"schema\":1,\"time\":\""), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
    }
}
