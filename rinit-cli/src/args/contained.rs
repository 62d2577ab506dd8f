//! `rinit --contained NUMBER -- PROGRAM ARGS…`: how a program that uses `ChildSpec::contain` starts its rinit.
//!
//! It is for programs, not for people: everything else comes over the descriptor. So no help text names it, it has no other
//! options, and neither the name under which rinit is started nor a `RINIT_…` variable, which may be the job's, has any effect.

use std::ffi::{OsStr, OsString};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contained {
    pub(crate) channel: i32,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Contained {
    /// Returns `None` for any other command line.
    pub(crate) fn parse(arguments: &[OsString]) -> Option<Self> {
        let [_, option, number, dashes, program, arguments @ ..] = arguments else { return None };
        let channel = number.to_str()?.parse().ok()?;
        let is_it = option == OsStr::new("--contained") && dashes == OsStr::new("--");
        is_it.then(|| Self { channel, program: program.clone(), arguments: arguments.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<Contained> {
        Contained::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_complete_form_is_accepted() {
        let contained = parse(&["tini", "--contained", "7", "--", "sh", "-c", "--"]).expect("it is");
        assert_eq!((contained.channel, contained.program), (7, "sh".into()));
        assert_eq!(contained.arguments, ["-c", "--"]);
        for other in [
            &["rinit", "--contained", "7", "--"][..],
            &["rinit", "--contained", "seven", "--", "sh"],
            &["rinit", "-v", "--contained", "7", "--", "sh"],
            &["rinit", "sh", "--contained", "7", "--", "sh"],
            &["rinit"],
            &[],
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
