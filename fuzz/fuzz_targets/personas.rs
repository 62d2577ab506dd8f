//! Any command line and variables of every persona, words divided by NUL: it is read without a panic, what is run stood on the
//! command line, and nothing but rinit's own `--user` changes who that runs as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rinit_cli::args::Command;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const NAMES: [&str; 6] = ["tini", "docker-init", "dumb-init", "catatonit", "pidunu", "tini-static"];
/// What the personas and rinit read, and names that look as if they did.
const VARIABLES: [&str; 14] = [
    "TINI_SUBREAPER",
    "TINI_VERBOSITY",
    "TINI_KILL_PROCESS_GROUP",
    "DUMB_INIT_DEBUG",
    "DUMB_INIT_SETSID",
    "RINIT_TO",
    "RINIT_FORWARD",
    "RINIT_STOP_SIGNAL",
    "RINIT_STOP_DELAY",
    "RINIT_GRACE",
    "RINIT_DRAIN",
    "RINIT_ON_MAIN_EXIT",
    "RINIT_USER",
    "RINIT_WORKDIR",
];

fuzz_target!(|bytes: &[u8]| {
    let Some(([name, which], rest)) = bytes.split_first_chunk() else { return };
    let mut words: Vec<OsString> =
        rest.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    // The last word stands for one of the variables.
    let value = if which % 2 == 0 { None } else { words.pop() };
    let set = VARIABLES[usize::from(which / 2) % VARIABLES.len()];
    let variable = |name: &str| value.clone().filter(|_| name == set);
    let name = NAMES[usize::from(name / 2) % NAMES.len()];
    let arguments: Vec<OsString> = std::iter::once(name.into()).chain(words.iter().cloned()).collect();
    match rinit_cli::fuzzing::persona(arguments, &variable, bytes[0] % 2 == 0) {
        Command::Run(options) => {
            let mut given = words.iter();
            let mut program = options.program.clone();
            let is_name = |word: &OsString| !word.is_empty() && !word.as_bytes().contains(&b'/');
            if name == "pidunu" && words.first().is_some_and(is_name) {
                // It takes a name for a file of the working directory.
                program = OsString::from_vec(program.as_bytes().strip_prefix(b"./").expect("a path").to_vec());
            }
            for word in std::iter::once(&program).chain(&options.arguments) {
                // An operand behind `-p` or the like may be the rest of a word; as a whole they come in their order.
                assert!(given.any(|it| it == word), "{word:?} is not from {words:?} in its order");
            }
            assert_eq!((options.user, options.workdir, options.env), (None, None, Vec::new()));
        }
        Command::Print(page) => {
            assert!(!page.text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{:?}", page.text);
        }
        _ => {}
    }
});
