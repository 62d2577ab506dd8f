//! Programs that are inits: what they do with a stop, by their file, their name and their options.

use super::Finding;
use crate::duration;
use crate::pid::Pid;
use crate::printable::Quoted;
use crate::procfs::bounded::BoundedReader;
use crate::procfs::cmdline;
use crate::procfs::fact::Fact;
use crate::procfs::program;
use crate::procfs::status::Signals;
use crate::signal::Signal;
use crate::signal::rewrite::Rewrite;
use crate::signal::set::SignalSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::LazyLock;
use std::time::Duration;

/// An init that forwards SIGTERM to its main child and exits when that has exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitProgram {
    /// The program's own name, also if the file has another name.
    pub(super) name: &'static str,
    /// It asks the other processes to stop too, and waits for them.
    pub(super) is_rinit: bool,
    /// It starts no program, and exits on SIGTERM.
    pub(super) pauses: bool,
    /// What main gets for SIGTERM; `None` where it is dropped.
    pub(super) signal: Option<Signal>,
    /// Processes beside main get the signal as well, or may get it.
    pub(super) reaches_others: bool,
    /// It starts main in a process group of main's own.
    pub(super) makes_group: bool,
    /// When it kills everything, after the stop was asked for.
    pub(super) kills_after: Option<Duration>,
    /// When it asks the processes that it has left to their parents until then, where an option says so.
    pub(super) last_call: Option<Duration>,
    /// Something about it is not known: its options or its environment.
    pub(super) is_unclear: bool,
}

/// rinit's last call if no option gives a time.
const LAST_CALL: Duration = Duration::from_secs(8);

/// The programs whose command lines are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownInit {
    Tini,
    DumbInit,
    Catatonit,
    Pidunu,
    Rinit,
}

/// The options of a program that take a value. All other options are flags.
struct Valued {
    short: &'static str,
    long: &'static [&'static str],
}

/// Those of rinit. A test of rinit-cli compares them with the options that its parser takes.
const RINIT: Valued = Valued {
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
        "rlimit",
        "umask",
        "parent-death-signal",
        "log-format",
        "pid",
    ],
};

impl KnownInit {
    /// Recognises a program by a text that every version of its file contains. No such text is known for pidunu.
    ///
    /// rinit comes first, because its file has the others' texts too.
    fn of_file(file: impl Read) -> io::Result<Option<Self>> {
        // Written backwards: a program that contains this library is not the command.
        let rinit: String = "LLAC_TSAL_TINIR".chars().rev().collect();
        let texts: [(&str, Self); 5] = [
            (&rinit, Self::Rinit),
            ("github.com/openSUSE/catatonit", Self::Catatonit),
            ("[dumb-init] ", Self::DumbInit),
            ("TINI_SUBREAPER", Self::Tini),
            ("TINI_KILL_PROCESS_GROUP", Self::Tini),
        ];
        // Once rinit's text is found, the search ends: rinit's file contains the other texts too.
        let found = program::find(file, texts.map(|(text, _)| text))?;
        Ok(texts.iter().zip(found).find(|(_, found)| *found).map(|((_, program), _)| *program))
    }

    /// By the name of the file, or its first 15 bytes. Authors publish under longer names, and rinit accepts the
    /// same ones for theirs.
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"tini" | b"docker-init" => Some(Self::Tini),
            b"dumb-init" => Some(Self::DumbInit),
            b"catatonit" | b"podman-init" => Some(Self::Catatonit),
            b"pidunu" => Some(Self::Pidunu),
            b"rinit" => Some(Self::Rinit),
            _ if name.starts_with(b"tini-") => Some(Self::Tini),
            _ if name.starts_with(b"dumb-init_") => Some(Self::DumbInit),
            _ if name.starts_with(b"catatonit.") => Some(Self::Catatonit),
            _ => None,
        }
    }

    /// `None` for a program without options: its first argument is the program.
    fn valued(self) -> Option<Valued> {
        match self {
            Self::Tini => Some(Valued { short: "pe", long: &[] }),
            Self::DumbInit => Some(Valued { short: "r", long: &["rewrite"] }),
            Self::Catatonit => Some(Valued { short: "", long: &[] }),
            Self::Pidunu => None,
            Self::Rinit => Some(RINIT),
        }
    }

    /// True where the process treats its signals as the program does: tini ignores TTIN and TTOU, dumb-init and pidunu have
    /// handlers, catatonit reads from a signalfd.
    fn has_signal_setup_of(self, signals: Signals) -> bool {
        match self {
            Self::Tini => signals.ignored.is_superset(SignalSet::only(Signal::TTIN).with(Signal::TTOU)),
            Self::DumbInit | Self::Pidunu => signals.caught.contains(Signal::TERM),
            Self::Catatonit => signals.blocked.contains(Signal::TERM),
            Self::Rinit => true,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tini => "tini",
            Self::DumbInit => "dumb-init",
            Self::Catatonit => "catatonit",
            Self::Pidunu => "pidunu",
            Self::Rinit => "rinit",
        }
    }
}

type OwnProgram = ((u64, u64), Option<KnownInit>);

/// Device and inode of this program's file, and which program it is.
static OWN_PROGRAM: LazyLock<Option<OwnProgram>> = LazyLock::new(|| {
    let file = File::open("/proc/self/exe").ok()?;
    let metadata = file.metadata().ok()?;
    Some(((metadata.dev(), metadata.ino()), KnownInit::of_file(file).ok()?))
});

/// Which program a process runs, by its file; `Known(None)` for one that is not an init. A name proves nothing.
pub(super) fn program_of(pid: Pid, comm: &[u8], bounded: &mut BoundedReader) -> Fact<Option<KnownInit>> {
    // rinit is large with its debugging information, but is not expected so under another name.
    let most = if KnownInit::named(comm).is_some() { 64 << 20 } else { program::LARGEST };
    let own_program = *OWN_PROGRAM;
    bounded.run(move || {
        let file = File::open(format!("/proc/{pid}/exe"))?;
        let metadata = file.metadata()?;
        // Most often rinit is asked about itself.
        if own_program.is_some_and(|(own, program)| own == (metadata.dev(), metadata.ino()) && program.is_some()) {
            return Ok(own_program.and_then(|(_, program)| program));
        }
        if metadata.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        KnownInit::of_file(file)
    })
}

impl InitProgram {
    /// `None` for a program that is not known. `arguments` and `environment` have a NUL after each entry.
    ///
    /// The file decides: a name proves nothing. A link to rinit may have another init's name, and then asks the others and waits
    /// for them as rinit does. Where the file may not be read, the name and the signals give the most likely answer, and it is
    /// unclear.
    pub(super) fn of(
        comm: &[u8],
        file: &Fact<Option<KnownInit>>,
        signals: Signals,
        arguments: &Fact<Vec<u8>>,
        environment: &Fact<Vec<u8>>,
    ) -> Option<Self> {
        let named = KnownInit::named(comm);
        let (program, is_unclear) = match (file.as_known().copied(), named) {
            (Some(Some(found)), _) => (found, false),
            (Some(None), Some(KnownInit::Pidunu)) => (KnownInit::Pidunu, true),
            // Another program, whatever its name.
            (Some(None), _) => return None,
            (None, named) => (named?, true),
        };
        let has_its_signals = program.has_signal_setup_of(signals);
        if !is_unclear && !has_its_signals {
            return None;
        }
        let is_rinit = program == KnownInit::Rinit || (is_unclear && !has_its_signals);
        // The options are those of the name by which rinit was called.
        let original = named.unwrap_or(program);
        let mut init = Self {
            name: if is_rinit { KnownInit::Rinit } else { program }.name(),
            is_rinit,
            pauses: false,
            signal: Some(Signal::TERM),
            // dumb-init signals the whole group unless it is asked not to.
            reaches_others: original == KnownInit::DumbInit,
            makes_group: original != KnownInit::Pidunu,
            kills_after: None,
            last_call: None,
            is_unclear: is_unclear || !(is_rinit || original == program),
        };
        // The variables first: an option wins, and a rule for the same signal replaces an earlier one.
        let mut rewrite = Rewrite::default();
        init.environment(original, environment, &mut rewrite);
        match arguments {
            // Under another name its options are another program's: a link to rinit is called docker-init, for example.
            Fact::Known(words) if is_named(words, comm) => {
                if let Some(valued) = original.valued() {
                    init.options(original, words, &valued, &mut rewrite);
                }
                init.signal = rewrite.apply(Signal::TERM);
            }
            _ => init.is_unclear = true,
        }
        Some(init)
    }

    /// What it does with SIGTERM, in words; `None` where a rule drops it.
    pub(super) fn role(&self, main: Option<&Finding>) -> Option<String> {
        let Self { name, .. } = self;
        if self.pauses {
            return Some(format!("{name}, which exits on SIGTERM"));
        }
        let signal = self.signal?;
        let Some(main) = main.map(|main| &main.process) else {
            return Some(format!("{name}, whose program has exited or cannot be found"));
        };
        let action = match signal == Signal::TERM {
            true => "forwards SIGTERM to".to_owned(),
            false => format!("for SIGTERM sends {signal} to"),
        };
        let others = if self.is_rinit { "stops the other processes" } else { "exits" };
        let (pid, command) = (main.pid, Quoted(&main.command));
        Some(format!("{name}, which {action} main (pid {pid} {command}), and {others} when that has exited"))
    }

    fn options(&mut self, original: KnownInit, arguments: &[u8], valued: &Valued, rewrite: &mut Rewrite) {
        let is_dumb_init = original == KnownInit::DumbInit;
        let text = String::from_utf8_lossy(arguments);
        let mut words = text.split_terminator('\0').skip(1);
        while let Some(word) = words.next() {
            if word == "--" || !word.starts_with('-') || word == "-" {
                return;
            }
            if let Some(option) = word.strip_prefix("--") {
                let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                let name = if is_dumb_init { dumb_init_option(name) } else { name };
                let value = if valued.long.contains(&name) { value.or_else(|| words.next()) } else { value };
                self.option(name, value, is_dumb_init, rewrite);
                continue;
            }
            let letters = word.get(1..).unwrap_or_default();
            for (at, letter) in letters.char_indices() {
                let name = letter.to_string();
                if valued.short.contains(letter) {
                    let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                    let rest = rest.strip_prefix('=').unwrap_or(rest);
                    let value = if rest.is_empty() { words.next() } else { Some(rest) };
                    self.option(&name, value, is_dumb_init, rewrite);
                    break;
                }
                self.option(&name, None, is_dumb_init, rewrite);
            }
        }
        // There is always a program, unless it pauses: a long command line was not read to its end.
        self.is_unclear |= !self.pauses;
    }

    fn option(&mut self, name: &str, value: Option<&str>, is_dumb_init: bool, rewrite: &mut Rewrite) {
        match (name, value) {
            ("r" | "rewrite", Some(rule)) => self.is_unclear |= rewrite.add(rule).is_err(),
            ("g", None) => self.reaches_others = true,
            ("c" | "single-child", None) => {
                self.reaches_others = false;
                self.makes_group &= !is_dumb_init;
            }
            ("to", Some(to)) => self.reaches_others = to != "main",
            ("P" | "pause", None) => self.pauses = true,
            ("grace", Some(time)) => self.kills_after(time),
            ("last-call", Some(time)) => self.last_call(time),
            // It counts from main's exit, and does not decide whether main exits.
            ("drain", Some(_)) => {}
            ("stop-delay" | "on-main-exit" | "forward", Some(_)) => self.is_unclear = true,
            _ => {}
        }
    }

    fn kills_after(&mut self, time: &str) {
        match duration::parse(time) {
            Some(time) => self.kills_after = Some(time),
            None => self.is_unclear = true,
        }
    }

    fn last_call(&mut self, time: &str) {
        match duration::parse(time) {
            Some(time) => self.last_call = Some(time),
            None => self.is_unclear = true,
        }
    }

    /// True if it asks every process within that time of the stop request, as rinit does: at the last call at the latest, which
    /// is at four fifths of a known limit, and else after eight seconds.
    pub(super) fn asks_all_within(&self, limit: Duration) -> bool {
        let by_limit = self.kills_after.map_or(LAST_CALL, |grace| grace * 4 / 5);
        self.is_rinit && self.last_call.unwrap_or(by_limit) < limit
    }

    fn environment(&mut self, original: KnownInit, environment: &Fact<Vec<u8>>, rewrite: &mut Rewrite) {
        let is_tini = original == KnownInit::Tini;
        let is_dumb_init = original == KnownInit::DumbInit;
        if !is_tini && !is_dumb_init && !self.is_rinit {
            return;
        }
        let Fact::Known(entries) = environment else {
            // A variable may change what a process beside main gets, and when it is killed.
            self.reaches_others = true;
            self.is_unclear |= self.is_rinit;
            return;
        };
        let mut seen = Vec::new();
        for entry in entries.split(|byte| *byte == 0) {
            let Some((name, value)) = std::str::from_utf8(entry).ok().and_then(|entry| entry.split_once('=')) else {
                continue;
            };
            // The first of several counts, as for `getenv(3)`.
            if !name.starts_with("RINIT_") && !name.starts_with("TINI_") && !name.starts_with("DUMB_INIT_")
                || seen.contains(&name)
            {
                continue;
            }
            seen.push(name);
            match name.strip_prefix("RINIT_") {
                _ if value.is_empty() => {}
                None if is_dumb_init && (name, value) == ("DUMB_INIT_SETSID", "0") => {
                    self.reaches_others = false;
                    self.makes_group = false;
                }
                Some(name) if self.is_rinit => self.variable(name, value, rewrite),
                _ => self.reaches_others |= is_tini && name == "TINI_KILL_PROCESS_GROUP",
            }
        }
    }

    /// A variable of rinit, which counts under another init's name too.
    fn variable(&mut self, name: &str, value: &str, rewrite: &mut Rewrite) {
        match name {
            "TO" => self.reaches_others |= value != "main",
            "GRACE" => self.kills_after(value),
            "LAST_CALL" => self.last_call(value),
            "REWRITE" => {
                let mut rules = value.split([',', ' ']).filter(|rule| !rule.is_empty());
                self.is_unclear |= rules.any(|rule| rewrite.add(rule).is_err());
            }
            "STOP_DELAY" | "ON_MAIN_EXIT" | "FORWARD" => self.is_unclear = true,
            _ => {}
        }
    }
}

/// The option of which this is the beginning, as `getopt_long(3)` accepts it.
fn dumb_init_option(name: &str) -> &str {
    let options = ["help", "single-child", "rewrite", "verbose", "version"];
    options.into_iter().find(|option| !name.is_empty() && option.starts_with(name)).unwrap_or(name)
}

/// `/proc/pid/comm` holds at most 15 bytes (`proc_pid_comm(5)`).
fn is_named(arguments: &[u8], comm: &[u8]) -> bool {
    let name = cmdline::program_name(arguments);
    name.get(..15).unwrap_or(name) == comm
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
        let (none, rinit) = (Fact::Known(Vec::new()), file("..RINIT_LAST_CALL..TINI_SUBREAPER"));
        for comm in [
            &b"tini"[..],
            b"docker-init",
            b"tini-amd64",
            b"tini-static-amd",
            b"dumb-init",
            b"dumb-init_1.2.5",
            b"catatonit",
            b"catatonit.x86_6",
            b"podman-init",
            b"pidunu",
        ] {
            let of = |file, signals| InitProgram::of(comm, file, signals, &none, &none).unwrap();
            for signals in [originals(), Signals::default()] {
                let init = of(&rinit, signals);
                assert!(init.is_rinit && init.name == "rinit", "{}", comm.escape_ascii());
            }
            // The file may not be read: a guess, and said to be one.
            let unread = |signals| of(&Fact::NotPermitted, signals);
            assert!(!unread(originals()).is_rinit && unread(originals()).is_unclear, "{}", comm.escape_ascii());
            assert!(unread(Signals::default()).is_rinit && unread(Signals::default()).is_unclear);
        }
    }

    fn file(text: &str) -> Fact<Option<KnownInit>> {
        Fact::Known(KnownInit::of_file(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_text_across_two_parts_is_found() {
        use program::PART;
        for before in [0, 1, PART - 5, PART, 2 * PART - 70] {
            let text = "x".repeat(before) + "TINI_SUBREAPER" + &"x".repeat(PART);
            assert_eq!(file(&text), Fact::Known(Some(KnownInit::Tini)), "{before}");
        }
    }

    #[test]
    fn the_file_decides_and_not_the_name() {
        let none = Fact::Known(Vec::new());
        let of = |comm: &[u8], text, signals| InitProgram::of(comm, &file(text), signals, &none, &none);
        // A shell or another program of that name, with the same signals.
        for comm in [&b"tini"[..], b"dumb-init", b"catatonit", b"rinit"] {
            assert_eq!(of(comm, "GNU bash, TINI", originals()), None);
        }
        assert!(of(b"pidunu", "anything", originals()).unwrap().is_unclear);
        // `COPY tini /init`.
        let init = of(b"init", "TINI_SUBREAPER", originals()).unwrap();
        assert!(!init.is_rinit && init.name == "tini", "{init:?}");
        assert!(of(b"init", "RINIT_LAST_CALL", originals()).unwrap().is_rinit);
        assert_eq!(of(b"tini", "TINI_SUBREAPER", Signals::default()), None, "without its signals");
        // The judge knows the others' texts, and is part of a program that contains this library.
        assert_eq!(of(b"app", "LLAC_TSAL_TINIR", originals()), None);
    }

    fn of(words: &str, environment: &str) -> InitProgram {
        let nul =
            |text: &str| Fact::Known(text.split(' ').flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect());
        let comm = words.split(' ').next().unwrap().as_bytes();
        let comm = comm.get(..15).unwrap_or(comm);
        let text = match KnownInit::named(comm).expect("a name") {
            KnownInit::Tini => "TINI_SUBREAPER",
            KnownInit::DumbInit => "[dumb-init] ",
            KnownInit::Catatonit => "github.com/openSUSE/catatonit",
            KnownInit::Pidunu => "",
            KnownInit::Rinit => "RINIT_LAST_CALL",
        };
        InitProgram::of(comm, &file(text), originals(), &nul(words), &nul(environment)).expect("an init")
    }

    #[test]
    fn a_value_is_not_the_program() {
        for option in ["--umask 022", "--rlimit nofile=1024", "--log-format json"] {
            assert_eq!(of(&format!("rinit {option} -r TERM= -- x"), "").signal, None, "{option}");
        }
    }

    #[test]
    fn a_command_line_that_was_cut_is_unclear() {
        // As /proc cuts a long command line: in a value, in an option, before a value.
        for words in ["rinit --env X=xxx", "rinit -r TERM=INT --gr", "rinit --grace"] {
            assert!(of(words, "").is_unclear, "{words}");
        }
        assert!(!of("rinit --grace 2 x", "").is_unclear);
        assert!(!of("rinit -P", "").is_unclear);
    }

    #[test]
    fn the_first_of_several_variables_counts() {
        let init = of("rinit x", "RINIT_GRACE=60 RINIT_GRACE=2");
        assert_eq!(init.kills_after, Some(Duration::from_secs(60)));
    }

    #[test]
    fn dumb_init_accepts_abbreviated_options() {
        for option in ["--rew 15:0", "--r=15:0", "--rewrite 15:0"] {
            assert_eq!(of(&format!("dumb-init {option} -- x"), "").signal, None, "{option}");
        }
        assert!(!of("dumb-init --si -- x", "").makes_group && !of("dumb-init x", "DUMB_INIT_SETSID=0").makes_group);
        assert!(of("dumb-init x", "DUMB_INIT_SETSID=1").makes_group);
    }

    #[test]
    fn the_names_under_which_inits_are_published() {
        for words in [
            "podman-init -- x",
            "pidunu x",
            "tini-amd64 -s -- x",
            "tini-static-amd64 -- x",
            "dumb-init_1.2.5_x86_64 -c x",
            "catatonit.x86_64 -- x",
        ] {
            let init = of(words, "");
            assert!(!init.is_rinit && !init.reaches_others, "{words}: {init:?}");
            assert_eq!(init.is_unclear, words.starts_with("pidunu"), "{words}: {init:?}");
        }
        // pidunu has no options: this is its program.
        assert!(!of("pidunu -P", "").pauses);
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
    fn when_rinit_asks_all() {
        let rinit = |words: &str, environment| of(words, environment).asks_all_within(Duration::from_secs(10));
        assert!(rinit("rinit x", "") && rinit("rinit --last-call 9.5s x", "") && rinit("rinit --grace 12s x", ""));
        assert!(!rinit("rinit --last-call 10s x", "") && !rinit("rinit x", "RINIT_LAST_CALL=1m"));
        assert!(!rinit("rinit --grace 60 x", "") && rinit("rinit --grace 60 --last-call 3 x", ""));
        assert!(!rinit("tini x", ""));
        assert!(of("rinit --last-call never x", "").is_unclear);
    }

    #[test]
    fn whether_main_has_a_group() {
        for words in ["tini x", "dumb-init x", "catatonit x", "rinit -c x", "rinit --session x"] {
            assert!(of(words, "").makes_group, "{words}");
        }
        for words in ["pidunu x", "dumb-init -c x", "dumb-init --single-child x"] {
            assert!(!of(words, "").makes_group, "{words}");
        }
    }

    #[test]
    fn options_that_signal_other_processes_than_main() {
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
        assert_eq!(of("rinit x", "RINIT_REWRITE=HUP=TERM,TERM=").signal, None);
        assert_eq!(of("rinit -r TERM=INT x", "RINIT_REWRITE=TERM=").signal, Some(Signal::INT));
        assert_eq!(of("tini x", "RINIT_REWRITE=TERM=").signal, Some(Signal::TERM));
    }

    #[test]
    fn an_unknown_option_is_unclear() {
        assert!(of("rinit --stop-delay 3 x", "").is_unclear);
        assert!(of("rinit x", "RINIT_STOP_DELAY=3").is_unclear);
        let rinit = file("RINIT_LAST_CALL");
        let without =
            |environment| InitProgram::of(b"rinit", &rinit, originals(), &Fact::NotThere, &environment).unwrap();
        assert!(without(Fact::NotPermitted).is_unclear);
        let nothing = Fact::NotThere;
        assert_eq!(InitProgram::of(b"nginx", &Fact::NotThere, originals(), &nothing, &nothing), None);
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_without_panic(words in "rinit( -?-?[a-z=-]{0,12}){0,5}") {
            let _ = of(&words, "");
        }
    }
}
