//! A program that is also the rinit of its jobs.

use crate::contain::spec::RinitProgram;
use crate::pid::Pid;
use crate::sys;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once the program has shown that it becomes a job's init when it is started as one.
static HAS_ENTRY: AtomicBool = AtomicBool::new(false);

/// True if a process of this program becomes a job's init when it is started as one.
pub(super) fn exists() -> bool {
    HAS_ENTRY.load(Ordering::Relaxed)
}

/// The option with which a controlling process starts the rinit of a job.
pub(super) const OPTION: &str = "--contained";

/// What a job's rinit was started with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) channel: RawFd,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// Notes that the program has its entry; the arguments, if this process was started as a job's init.
///
/// Not by the words alone, which a user can type as well: the descriptor must be a socket whose other end was made by the
/// parent.
pub(crate) fn arguments() -> Option<Arguments> {
    HAS_ENTRY.store(true, Ordering::Relaxed);
    let found = parse(std::env::args_os().skip(1))?;
    let peer = sys::peer_of_inherited(found.channel).ok()?;
    // The peer has no number here if it is in another PID namespace, and then the parent has none either.
    (peer == rustix::process::getppid().map(Pid::from)).then_some(found)
}

fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let is = |word: Option<OsString>, wanted: &str| word.is_some_and(|word| word == wanted);
    if !is(words.next(), OPTION) {
        return None;
    }
    let channel = words.next()?.to_str()?.parse().ok()?;
    if !is(words.next(), "--") {
        return None;
    }
    Some(Arguments { channel, program: words.next()?, arguments: words.collect() })
}

impl RinitProgram {
    /// The file that this process runs, even if its name now belongs to another file.
    pub(super) const THIS: &'static str = "/proc/self/exe";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_form_of_arguments_is_accepted() {
        let parse = |words: &[&str]| parse(words.iter().map(OsString::from));
        let found = parse(&["--contained", "7", "--", "sh", "-c", "true"]).expect("arguments");
        assert_eq!((found.channel, found.program, found.arguments.len()), (7, "sh".into(), 2));
        for other in
            [&["--contained"][..], &["--contained", "x", "--", "sh"], &["--contained", "7", "sh"], &["sh"], &[]]
        {
            assert_eq!(parse(other), None);
        }
    }
}
