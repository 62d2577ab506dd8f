//! Any command line, words divided by NUL: it is read without a panic, what follows the program is the program's own,
//! and what is wrong is said in one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rinit_cli::args::{Command, parse};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fuzz_target!(|bytes: &[u8]| {
    let words: Vec<OsString> = bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
    let arguments: Vec<OsString> = std::iter::once("rinit".into()).chain(words.iter().cloned()).collect();
    // The last word stands for a variable too: the same reading by another way.
    let variable = |name: &str| (name == "RINIT_DRAIN").then(|| words.last().cloned()).flatten();
    for result in [parse(arguments.clone(), |_| None), parse(arguments.clone(), variable)] {
        match result {
            Ok(Command::Run(options)) => {
                assert!(!options.program.is_empty());
                let tail = [&[options.program.clone()], &options.arguments[..]].concat();
                assert!(words.ends_with(&tail), "{tail:?} is not the end of {words:?}");
                assert!(options.verbosity <= 3);
            }
            Ok(_) => {}
            Err(why) => assert!(!why.to_string().is_empty()),
        }
    }
});
