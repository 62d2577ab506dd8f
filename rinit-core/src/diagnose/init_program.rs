//! Programs that are inits: what they do with a stop, by their name and their options.

use crate::procfs::cmdline;
use crate::procfs::fact::Fact;
use crate::procfs::status::Signals;
use crate::signal::Signal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use std::time::Duration;

/// An init that forwards SIGTERM to its main child and exits when that has exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitProgram {
    /// It asks the other processes to stop too, and waits for them.
    pub(super) is_rinit: bool,
    /// It starts no program, and exits on SIGTERM.
    pub(super) pauses: bool,
    /// What main gets for SIGTERM; `None` where it is dropped.
    pub(super) signal: Option<Signal>,
    /// Processes beside main get the signal as well, or may get it.
    pub(super) reaches_others: bool,
    /// When it kills everything, after the stop was asked for.
    pub(super) kills_after: Option<Duration>,
    /// Something about it is not known: its options or its environment.
    pub(super) is_unclear: bool,
}

/// A program and its options that take a value. All other options are flags.
struct Known {
    names: &'static [&'static [u8]],
    short: &'static str,
    long: &'static [&'static str],
}

const INITS: &[Known] = &[
    Known { names: &[b"tini", b"docker-init", b"tini-static"], short: "pe", long: &[] },
    Known { names: &[b"dumb-init"], short: "r", long: &["rewrite"] },
    Known { names: &[b"catatonit"], short: "", long: &[] },
    Known {
        names: &[b"rinit"],
        short: "rpe",
        long: &[
            "rewrite",
            "to",
            "forward",
            "stop-signal",
            "stop-delay",
            "grace",
            "last-call",
            "on-main-exit",
            "drain",
            "user",
            "workdir",
            "env",
            "parent-death-signal",
        ],
    },
];

impl InitProgram {
    /// `None` for a program that is not known. `arguments` and `environment` have a NUL after each entry.
    ///
    /// A link to rinit may have another init's name, and then asks the others and waits for them as rinit does. `signals`
    /// are how the first thread treats its signals, which differs.
    pub(super) fn of(
        comm: &[u8],
        signals: Signals,
        arguments: &Fact<Vec<u8>>,
        environment: &Fact<Vec<u8>>,
    ) -> Option<Self> {
        let known = INITS.iter().find(|known| known.names.contains(&comm))?;
        let mut init = Self {
            is_rinit: !is_original(comm, signals),
            pauses: false,
            signal: Some(Signal::TERM),
            // dumb-init signals the whole group unless it is asked not to.
            reaches_others: comm == b"dumb-init",
            kills_after: None,
            is_unclear: false,
        };
        match arguments {
            // Under another name its options are another program's: a link to rinit is called docker-init, for example.
            Fact::Known(words) if cmdline::program_name(words) == comm => init.options(words, known),
            _ => init.is_unclear = true,
        }
        init.environment(comm, environment);
        Some(init)
    }

    fn options(&mut self, arguments: &[u8], known: &Known) {
        let text = String::from_utf8_lossy(arguments);
        let mut words = text.split_terminator('\0').skip(1);
        let mut rewrite = Rewrite::default();
        while let Some(word) = words.next() {
            if word == "--" || !word.starts_with('-') || word == "-" {
                break;
            }
            if let Some(option) = word.strip_prefix("--") {
                let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                let value = if known.long.contains(&name) { value.or_else(|| words.next()) } else { value };
                self.option(name, value, &mut rewrite);
                continue;
            }
            let letters = word.get(1..).unwrap_or_default();
            for (at, letter) in letters.char_indices() {
                let name = letter.to_string();
                if known.short.contains(letter) {
                    let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                    let rest = rest.strip_prefix('=').unwrap_or(rest);
                    let value = if rest.is_empty() { words.next() } else { Some(rest) };
                    self.option(&name, value, &mut rewrite);
                    break;
                }
                self.option(&name, None, &mut rewrite);
            }
        }
        self.signal = rewrite.apply(Signal::TERM);
    }

    fn option(&mut self, name: &str, value: Option<&str>, rewrite: &mut Rewrite) {
        match (name, value) {
            ("r" | "rewrite", Some(rule)) => self.is_unclear |= rewrite.add(rule).is_err(),
            ("g", None) => self.reaches_others = true,
            ("c" | "single-child", None) => self.reaches_others = false,
            ("to", Some(to)) => self.reaches_others = to != "main",
            ("P" | "pause", None) => self.pauses = true,
            ("grace", Some(time)) => self.kills_after(time),
            // After main has exited, which is no part of the question whether it does.
            ("drain", Some(_)) => {}
            ("stop-delay" | "on-main-exit" | "forward", Some(_)) => self.is_unclear = true,
            _ => {}
        }
    }

    fn kills_after(&mut self, time: &str) {
        match seconds(time) {
            Some(time) => self.kills_after = Some(time),
            None => self.is_unclear = true,
        }
    }

    fn environment(&mut self, comm: &[u8], environment: &Fact<Vec<u8>>) {
        let prefix: &[u8] = match comm {
            b"rinit" => b"RINIT_",
            b"tini" | b"docker-init" | b"tini-static" => b"TINI_",
            _ => return,
        };
        let Fact::Known(entries) = environment else {
            // A variable may change what a process beside main gets, and when it is killed.
            self.reaches_others = true;
            self.is_unclear |= self.is_rinit;
            return;
        };
        for entry in entries.split(|byte| *byte == 0).filter(|entry| entry.starts_with(prefix)) {
            let Some((name, value)) = std::str::from_utf8(entry).ok().and_then(|entry| entry.split_once('=')) else {
                continue;
            };
            match name {
                _ if value.is_empty() => {}
                "TINI_KILL_PROCESS_GROUP" => self.reaches_others = true,
                "RINIT_TO" => self.reaches_others |= value != "main",
                "RINIT_GRACE" if self.kills_after.is_none() => self.kills_after(value),
                "RINIT_STOP_DELAY" | "RINIT_ON_MAIN_EXIT" | "RINIT_FORWARD" => self.is_unclear = true,
                _ => {}
            }
        }
    }
}

/// True where the process treats its signals as the program of that name does: tini ignores TTIN and TTOU, dumb-init has
/// handlers, catatonit reads from a signalfd.
fn is_original(comm: &[u8], signals: Signals) -> bool {
    match comm {
        b"tini" | b"docker-init" | b"tini-static" => {
            signals.ignored.is_superset(SignalSet::only(Signal::TTIN).with(Signal::TTOU))
        }
        b"dumb-init" => signals.caught.contains(Signal::TERM),
        b"catatonit" => signals.blocked.contains(Signal::TERM),
        _ => false,
    }
}

/// A duration of one unit, as `rinit --grace` takes it: `500ms`, `10s`, `2m`, `1h`, or a number of seconds.
fn seconds(text: &str) -> Option<Duration> {
    let (number, factor) = match text {
        _ if text.ends_with("ms") => (text.strip_suffix("ms")?, 0.001),
        _ if text.ends_with('s') => (text.strip_suffix('s')?, 1.0),
        _ if text.ends_with('m') => (text.strip_suffix('m')?, 60.0),
        _ if text.ends_with('h') => (text.strip_suffix('h')?, 3600.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What all of the originals do.
    fn originals() -> Signals {
        let ignored = SignalSet::only(Signal::TTIN).with(Signal::TTOU);
        let term = SignalSet::only(Signal::TERM);
        Signals { ignored, caught: term, blocked: term, ..Signals::default() }
    }

    #[test]
    fn a_link_to_rinit_is_rinit() {
        let none = Fact::Known(Vec::new());
        for comm in [&b"tini"[..], b"docker-init", b"dumb-init", b"catatonit"] {
            let is_rinit = |signals| InitProgram::of(comm, signals, &none, &none).unwrap().is_rinit;
            assert!(!is_rinit(originals()) && is_rinit(Signals::default()), "{}", comm.escape_ascii());
        }
    }

    fn of(words: &str, environment: &str) -> InitProgram {
        let nul =
            |text: &str| Fact::Known(text.split(' ').flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect());
        let comm = words.split(' ').next().unwrap();
        InitProgram::of(comm.as_bytes(), originals(), &nul(words), &nul(environment)).expect("an init")
    }

    #[test]
    fn plain_inits() {
        for words in
            ["tini -- sleep 5", "catatonit -- x -g", "rinit -v --grace 3 -- x", "dumb-init -c x", "tini -sv x -g"]
        {
            let init = of(words, "");
            assert!(!init.reaches_others && !init.is_unclear && !init.pauses, "{words}: {init:?}");
            assert_eq!(init.signal, Some(Signal::TERM), "{words}");
        }
        assert_eq!(of("rinit --grace=3 x", "").kills_after, Some(Duration::from_secs(3)));
        assert_eq!(of("rinit x", "RINIT_GRACE=500ms").kills_after, Some(Duration::from_millis(500)));
        assert!(of("rinit --pause", "").pauses && of("rinit -P", "").pauses);
    }

    #[test]
    fn what_reaches_others_than_main() {
        for (words, environment) in [
            ("tini -g -- x", ""),
            ("tini -sg x", ""),
            ("tini x", "TINI_KILL_PROCESS_GROUP=1"),
            ("rinit -g x", ""),
            ("rinit --to all x", ""),
            ("rinit x", "RINIT_TO=group"),
            ("dumb-init x", ""),
        ] {
            assert!(of(words, environment).reaches_others, "{words}");
        }
    }

    #[test]
    fn rewritten_signals() {
        assert_eq!(of("rinit -r TERM=INT x", "").signal, Some(Signal::INT));
        assert_eq!(of("rinit -rTERM=INT x", "").signal, Some(Signal::INT));
        assert_eq!(of("dumb-init --rewrite 15:3 x", "").signal, Some(Signal::QUIT));
        assert_eq!(of("rinit --rewrite TERM= x", "").signal, None);
        assert_eq!(of("rinit -- -r TERM=INT", "").signal, Some(Signal::TERM));
    }

    #[test]
    fn what_is_not_known_is_unclear() {
        assert!(of("rinit --stop-delay 3 x", "").is_unclear);
        assert!(of("rinit x", "RINIT_STOP_DELAY=3").is_unclear);
        let without = |environment| InitProgram::of(b"rinit", originals(), &Fact::NotThere, &environment).unwrap();
        assert!(without(Fact::NotPermitted).is_unclear);
        assert_eq!(InitProgram::of(b"nginx", originals(), &Fact::NotThere, &Fact::NotThere), None);
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_without_panic(words in "rinit( -?-?[a-z=-]{0,12}){0,5}") {
            let _ = of(&words, "");
        }
    }
}
