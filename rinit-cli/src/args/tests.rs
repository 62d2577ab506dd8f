use super::*;
use crate::args::help::{HELP, HELP_ALL};
use proptest::prelude::*;
use rinit_core::child::Resource;

fn parse_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Command, String> {
    let arguments = std::iter::once("rinit").chain(arguments.iter().copied()).map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    parse(arguments, variable).map_err(|error| error.0)
}

fn options(arguments: &[&str]) -> Options {
    match parse_with(arguments, &[]) {
        Ok(Command::Run(options)) => *options,
        other => panic!("{arguments:?} gave {other:?}"),
    }
}

fn error(arguments: &[&str]) -> String {
    parse_with(arguments, &[]).expect_err("bad usage")
}

#[test]
fn options_end_at_the_program() {
    let run = options(&["-v", "sh", "-c", "exit 7", "--grace"]);
    assert_eq!((run.program.to_str(), run.verbosity), (Some("sh"), 1));
    assert_eq!(run.arguments, ["-c", "exit 7", "--grace"]);
    let run = options(&["--", "-odd", "--", "x"]);
    assert_eq!(run.program, "-odd");
    assert_eq!(run.arguments, ["--", "x"]);
}

#[test]
fn every_flag() {
    let run = options(&[
        "-g",
        "-svvw",
        "-p",
        "KILL",
        "-r15:3",
        "--rewrite=HUP=",
        "--forward",
        "handled",
        "--stop-signal",
        "USR1,WINCH",
        "--stop-delay=500ms",
        "--grace",
        "1m30s",
        "--drain",
        "7",
        "--on-main-exit",
        "wait",
        "--user",
        "www:adm",
        "--workdir",
        "/srv",
        "--env",
        "A=b=c",
        "--env=D=",
        "--rlimit",
        "nofile=64:128",
        "--rlimit=core=unlimited",
        "--umask=027",
        "--log-format=json",
        "--session",
        "-e143",
        "-e",
        "7",
        "--mirror-signal",
        "p",
    ]);
    assert_eq!(run.to, ForwardTo::Group);
    assert_eq!((run.subreaper, run.verbosity, run.warn_on_reap), (Some(true), 2, true));
    assert_eq!(run.parent_death_signal, Some(Signal::KILL));
    assert_eq!(run.rewrite.apply(Signal::TERM), Some(Signal::QUIT));
    assert_eq!(run.rewrite.apply(Signal::HUP), None);
    assert_eq!(run.forward, ForwardFilter::Handled);
    assert_eq!(run.stop_signals, [Signal::USR1, Signal::WINCH]);
    assert_eq!(run.stop_delay, Some(Duration::from_millis(500)));
    assert_eq!(run.grace, Some(Duration::from_secs(90)));
    assert_eq!(run.drain, Some(Duration::from_secs(7)));
    assert_eq!(run.on_main_exit, Some(OnMainExit::Wait));
    assert_eq!((run.user.as_deref(), run.workdir), (Some("www:adm"), Some(PathBuf::from("/srv"))));
    assert_eq!(run.env, [("A".into(), "b=c".into()), ("D".into(), OsString::new())]);
    let limit = |resource, soft, hard| Limit { resource, soft, hard };
    assert_eq!(run.limits, [limit(Resource::OpenFiles, Some(64), Some(128)), limit(Resource::Core, None, None)]);
    assert_eq!((run.umask, run.log_format), (Some(0o27), LogFormat::Json));
    assert!(run.session && run.mirror_signal);
    let loudness = |flags: &[&str]| {
        let run = options(&[flags, &["p"]].concat());
        (run.verbosity, run.quiet)
    };
    assert_eq!(loudness(&["-q"]), (0, true));
    assert_eq!((loudness(&["-vvq"]), loudness(&["--quiet", "-v"])), ((0, true), (1, false)));
    assert_eq!(run.ok_codes, [143, 7]);
    assert_eq!(options(&["--to", "all", "p"]).to, ForwardTo::All);
    assert_eq!(options(&["--to", "all", "-c", "p"]).to, ForwardTo::Main);
    assert_eq!(options(&["--no-subreaper", "p"]).subreaper, Some(false));
    assert_eq!(options(&["p"]), Options { program: "p".into(), ..Options::default() });
}

#[test]
fn commands_without_a_program() {
    for (flag, command) in [
        ("-h", Command::Help { all: false }),
        ("--help", Command::Help { all: false }),
        ("--help=all", Command::Help { all: true }),
        ("-V", Command::Version),
        ("--version", Command::Version),
        ("-l", Command::License),
        ("-L", Command::License),
        ("--license", Command::License),
        ("--diagnose", Command::Diagnose { json: false, pid: None }),
    ] {
        assert_eq!(parse_with(&[flag], &[]), Ok(command), "{flag}");
    }
    assert_eq!(parse_with(&["--diagnose", "--json"], &[]), Ok(Command::Diagnose { json: true, pid: None }));
    let of = Ok(Command::Diagnose { json: false, pid: rinit_core::Pid::new(12) });
    assert_eq!(parse_with(&["--pid=12", "--diagnose"], &[]), of);
    assert!(matches!(parse_with(&["-P"], &[]), Ok(Command::Pause(_))));
    assert!(matches!(parse_with(&["--pause", "-v"], &[]), Ok(Command::Pause(_))));
}

#[test]
fn bad_usage_says_what_is_wrong_and_what_is_accepted() {
    for (arguments, parts) in [
        (&[][..], &["no program", "rinit [OPTIONS]"][..]),
        (&["--"], &["no program"]),
        (&[""], &["no program"]),
        (&["--nope", "p"], &["--nope", "--help"]),
        (&["-x", "p"], &["-x", "--help"]),
        (&["--grace"], &["--grace", "--help"]),
        (&["--grace", "soon", "p"], &["--grace", "'soon'", "10s"]),
        (&["--stop-delay=-1s", "p"], &["--stop-delay", "500ms"]),
        (&["-r", "TERM", "p"], &["-r", "'TERM'", "FROM=TO"]),
        (&["-r", "NOPE=TERM", "p"], &["-r: 'NOPE'", "RTMIN+n"]),
        (&["-r", "KILL=TERM", "p"], &["cannot be caught"]),
        (&["-r", "CHLD=TERM", "p"], &["'CHLD=TERM'", "SIGCHLD"]),
        (&["-r", "17:0", "p"], &["SIGCHLD"]),
        (&["--stop-signal", "KILL", "p"], &["'KILL'", "catch"]),
        (&["--stop-signal=USR1,19", "p"], &["'19'", "catch"]),
        (&["--stop-signal=SIGCHLD", "p"], &["SIGCHLD", "itself"]),
        (&["--rlimit", "nofiles=1", "p"], &["--rlimit: 'nofiles=1'", "nofile"]),
        (&["--rlimit", "nofile", "p"], &["NAME=SOFT"]),
        (&["--umask", "9", "p"], &["--umask: '9'", "octal"]),
        (&["--log-format", "xml", "p"], &["text or json"]),
        (&["--help=me"], &["--help=all"]),
        (&["--stop-signal", "X", "p"], &["--stop-signal", "'X'", "SIGTERM"]),
        (&["-p", "65", "p"], &["-p", "'65'", "1 to 64"]),
        (&["-e", "256", "p"], &["-e", "'256'", "0 to 255"]),
        (&["--to", "some", "p"], &["--to", "main or group or all"]),
        (&["--forward", "x", "p"], &["all or handled"]),
        (&["--on-main-exit", "x", "p"], &["drain or wait or finish or exit"]),
        (&["--env", "NOVALUE", "p"], &["--env", "NAME=VALUE"]),
        (&["--env", "=x", "p"], &["NAME=VALUE"]),
        (&["--user", "", "p"], &["--user", "USER:GROUP"]),
        (&["--session=yes", "p"], &["--session"]),
        (&["--pause", "p"], &["--pause takes no program"]),
        (&["--diagnose", "p"], &["--diagnose takes no program"]),
        (&["--json", "p"], &["--json goes with --diagnose"]),
        (&["--pid", "1", "p"], &["--pid goes with --diagnose"]),
        (&["--diagnose", "--pid", "0"], &["--pid: '0': not a process id"]),
        (&["--diagnose", "--pid", "x"], &["--pid: 'x': not a process id"]),
        (&["--pause", "--diagnose"], &["either"]),
    ] {
        let error = error(arguments);
        assert!(parts.iter().all(|part| error.contains(part)), "{arguments:?} gave {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn variables_stand_for_flags_and_flags_win() {
    let variables = [
        ("RINIT_TO", "all"),
        ("RINIT_FORWARD", "handled"),
        ("RINIT_STOP_SIGNAL", "HUP"),
        ("RINIT_STOP_DELAY", "1s"),
        ("RINIT_GRACE", "2s"),
        ("RINIT_DRAIN", "3s"),
        ("RINIT_ON_MAIN_EXIT", "exit"),
    ];
    let Ok(Command::Run(run)) = parse_with(&["p"], &variables) else { panic!() };
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(
        (run.to, run.forward, run.on_main_exit),
        (ForwardTo::All, ForwardFilter::Handled, Some(OnMainExit::Exit))
    );
    assert_eq!((run.stop_delay, run.grace, run.drain), (seconds(1), seconds(2), seconds(3)));
    assert_eq!(run.stop_signals, [Signal::HUP]);
    let Ok(Command::Run(run)) = parse_with(&["-c", "--grace", "9", "--stop-signal", "USR1", "p"], &variables) else {
        panic!()
    };
    assert_eq!((run.to, run.grace, run.drain), (ForwardTo::Main, seconds(9), seconds(3)));
    assert_eq!(run.stop_signals, [Signal::USR1]);
    let Ok(Command::Run(run)) = parse_with(&["p"], &[("RINIT_GRACE", "")]) else { panic!() };
    assert_eq!(run.grace, None);
    let error = parse_with(&["p"], &[("RINIT_GRACE", "soon")]).expect_err("bad");
    assert!(error.starts_with("RINIT_GRACE: 'soon'"), "{error}");
}

#[test]
fn a_wrong_variable_does_no_harm_where_its_flag_is_given_or_nothing_is_started() {
    let wrong: Vec<_> = VARIABLES.iter().map(|(name, _)| (*name, "?")).collect();
    for (name, option) in VARIABLES {
        let error = parse_with(&["p"], &[(name, "?")]).expect_err(name);
        assert!(error.starts_with(&format!("{name}: '?'")), "{error}");
        let flag = match *option {
            "to" => "-g",
            "forward" => "--forward=all",
            "stop-signal" => "--stop-signal=HUP",
            "on-main-exit" => "--on-main-exit=exit",
            "umask" => "--umask=0",
            "log-format" => "--log-format=text",
            "verbose" => "-v",
            "quiet" => "-q",
            "rewrite" | "rlimit" => continue,
            option => &format!("--{option}=3"),
        };
        assert!(parse_with(&[flag, "p"], &[(name, "?")]).is_ok(), "{name}");
    }
    for flag in ["-V", "-h", "-l", "--diagnose"] {
        assert!(parse_with(&[flag], &wrong).is_ok(), "{flag}");
    }
}

#[test]
fn variables_of_lists() {
    let variables = [("RINIT_REWRITE", "TERM=QUIT, HUP="), ("RINIT_RLIMIT", "nofile=64 core=0")];
    let Ok(Command::Run(run)) = parse_with(&["-r", "HUP=USR1", "--rlimit=nproc=5", "p"], &variables) else { panic!() };
    assert_eq!(run.rewrite.apply(Signal::TERM), Some(Signal::QUIT));
    assert_eq!(run.rewrite.apply(Signal::HUP), Some(Signal::USR1), "the last rule for a signal counts");
    let limited = |run: &Options| run.limits.iter().map(|limit| limit.resource).collect::<Vec<_>>();
    assert_eq!(limited(&run), [Resource::Processes]);
    let Ok(Command::Run(run)) = parse_with(&["p"], &variables) else { panic!() };
    assert_eq!((run.rewrite.apply(Signal::HUP), limited(&run)), (None, vec![Resource::OpenFiles, Resource::Core]));
    let loud = [("RINIT_VERBOSE", "2"), ("RINIT_QUIET", "0"), ("RINIT_LOG_FORMAT", "json"), ("RINIT_UMASK", "077")];
    let Ok(Command::Run(run)) = parse_with(&["p"], &loud) else { panic!() };
    assert_eq!((run.verbosity, run.quiet, run.log_format, run.umask), (2, false, LogFormat::Json, Some(0o77)));
    let Ok(Command::Run(run)) = parse_with(&["-v", "p"], &[("RINIT_QUIET", "1")]) else { panic!() };
    assert_eq!((run.verbosity, run.quiet), (1, false));
}

#[test]
fn the_list_of_options_is_what_the_parser_takes() {
    let unknown = |flag: &str| error(&[flag]).contains("invalid option");
    for (shorts, long, value) in OPTIONS {
        let flags =
            shorts.chars().map(|short| format!("-{short}")).chain(long.chars().next().map(|_| format!("--{long}")));
        for flag in flags {
            // Without a program every command line here is wrong, or needs none; but never for an unknown option.
            if let Err(error) = parse_with(&[&flag], &[]) {
                assert!(!error.contains("invalid option"), "{flag}: {error}");
                assert_eq!(error.contains("argument for option"), *value, "{flag}: {error}");
            }
        }
    }
    let shorts: String = OPTIONS.iter().map(|(shorts, ..)| *shorts).collect();
    for letter in ('!'..='~').filter(|letter| !"-=".contains(*letter) && !shorts.contains(*letter)) {
        assert!(unknown(&format!("-{letter}")), "-{letter} is taken and not listed");
    }
    // Long names cannot all be tried: this reads them from the parser's source.
    let source = include_str!("mod.rs");
    for long in source.split("Arg::Long(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(OPTIONS.iter().any(|(_, name, _)| *name == long), "--{long} is taken and not listed");
    }
}

/// `--diagnose` reads the command line of a running rinit: a value that it takes for the program hides all options after it.
#[test]
fn the_diagnosis_knows_every_option_that_takes_a_value() {
    let source = include_str!("../../../rinit-core/src/diagnose/init_program.rs");
    let known = source.split("const RINIT: Valued").nth(1).and_then(|rest| rest.split("};").next()).expect("the list");
    let mut words = known.split('"').skip(1).step_by(2);
    let mut letters: Vec<char> = words.next().expect("the letters").chars().collect();
    let mut names: Vec<&str> = words.collect();
    let valued = || OPTIONS.iter().filter(|(.., value)| *value);
    let mut own_letters: Vec<char> = valued().flat_map(|(shorts, ..)| shorts.chars()).collect();
    let mut own_names: Vec<&str> = valued().map(|(_, name, _)| *name).filter(|name| !name.is_empty()).collect();
    for letters in [&mut letters, &mut own_letters] {
        letters.sort_unstable();
    }
    for names in [&mut names, &mut own_names] {
        names.sort_unstable();
    }
    assert_eq!((letters, names), (own_letters, own_names));
}

/// The options that a text in some notation names, by how it writes them.
fn assert_names_all(what: &str, text: &str, short: impl Fn(char) -> String, long: impl Fn(&str) -> String) {
    for (shorts, name, _) in OPTIONS {
        for letter in shorts.chars() {
            assert!(text.contains(&short(letter)), "{what}: no -{letter}");
        }
        assert!(name.is_empty() || text.contains(&long(name)), "{what}: no --{name}");
    }
}

#[test]
fn help_manual_page_and_completions_name_every_option() {
    let dashes = |name: &str| format!("--{name}");
    assert_names_all("help", HELP_ALL, |letter| format!("-{letter}"), dashes);
    let roff = |name: &str| format!("\\-\\-{}", name.replace('-', "\\-"));
    assert_names_all("rinit.1", include_str!("../../../docs/rinit.1"), |letter| format!("\\-{letter}"), roff);
    let bash = include_str!("../../../docs/completions/rinit.bash").replace('\n', " ");
    assert_names_all("bash", &bash, |letter| format!("-{letter} "), dashes);
    let zsh = include_str!("../../../docs/completions/_rinit");
    assert_names_all("zsh", zsh, |letter| format!("-{letter}"), dashes);
    let fish = include_str!("../../../docs/completions/rinit.fish");
    assert_names_all("fish", fish, |letter| format!(" -s {letter} "), |name| format!(" -l {name} "));
    // And they name none that the parser does not know.
    let known = |name: &str| OPTIONS.iter().any(|(_, long, _)| *long == name);
    let words = |text: &str, mark: &str| -> Vec<String> {
        let after = text.split(mark).skip(1);
        after.map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect()).collect()
    };
    let own_manual = include_str!("../../../docs/rinit.1").replace("\\-", "-");
    for (what, text, mark) in [
        ("help", HELP, "--"),
        ("help", HELP_ALL, "--"),
        ("fish", fish, " -l "),
        ("zsh", zsh, "--"),
        ("man", &*own_manual, "--"),
    ] {
        for name in words(text, mark).iter().filter(|name| !name.is_empty()) {
            assert!(known(name), "{what} names --{name}, which the parser does not know");
        }
    }
}

#[test]
fn the_help_fits_and_names_every_variable() {
    let manual = include_str!("../../../docs/rinit.1");
    for (variable, _) in VARIABLES {
        assert!(HELP_ALL.contains(variable), "{variable}");
        assert!(manual.contains(variable), "{variable}");
    }
    // The prompt after it needs a line too.
    assert!(HELP.lines().count() <= 23);
    for help in [HELP, HELP_ALL] {
        assert!(help.lines().all(|line| line.len() <= 80), "{:?}", help.lines().find(|line| line.len() > 80));
    }
}

proptest! {
    #[test]
    fn no_command_line_panics(arguments in prop::collection::vec("(-{0,2})[a-zA-Z=:0-9é-]{0,12}", 0..6)) {
        let arguments = std::iter::once("rinit".into()).chain(arguments.into_iter().map(OsString::from)).collect();
        let _ = parse(arguments, |_| None);
    }
}
