//! Why main could not be started, as bytes.

use super::codec::{Reader, Writer};
use crate::error::Error;
use std::io;
use std::path::PathBuf;

pub(super) fn write(to: &mut Writer, error: &Error) {
    match error {
        Error::NotFound { program, searched, source } => fields(to, 1, source, program, searched),
        Error::NotExecutable { program, reason, source } => fields(to, 2, source, program, reason),
        Error::WorkingDirectory { directory, source } => {
            head(to, 3, source);
            to.os(directory.as_os_str());
        }
        Error::User(source) => head(to, 4, source),
        Error::PrivilegesRetained => to.u8(5),
        Error::ProcessGroup(source) => head(to, 6, source),
        Error::Fork(source) => head(to, 7, source),
        Error::Pipe(source) => head(to, 8, source),
        Error::Subreaper(source) => head(to, 9, source),
        Error::ParentDeathSignal(source) => head(to, 10, source),
        Error::Proc { path, source } => {
            head(to, 11, source);
            to.os(path.as_os_str());
        }
        Error::Channel(source) => head(to, 12, source),
        // What cannot happen there, or is new: in words.
        other => {
            to.u8(0);
            to.bytes(other.to_string().as_bytes());
        }
    }
}

fn head(to: &mut Writer, kind: u8, source: &io::Error) {
    to.u8(kind);
    to.i32(source.raw_os_error().unwrap_or(0));
}

fn fields(to: &mut Writer, kind: u8, source: &io::Error, first: &str, second: &str) {
    head(to, kind, source);
    to.bytes(first.as_bytes());
    to.bytes(second.as_bytes());
}

pub(super) fn read(from: &mut Reader<'_>) -> Option<Error> {
    Some(match from.u8()? {
        0 => Error::Containment { reason: from.text()? },
        1 => {
            let source = source(from)?;
            Error::NotFound { program: from.text()?, searched: from.text()?, source }
        }
        2 => {
            let source = source(from)?;
            Error::NotExecutable { program: from.text()?, reason: from.text()?, source }
        }
        3 => {
            let source = source(from)?;
            Error::WorkingDirectory { directory: PathBuf::from(from.os()?), source }
        }
        4 => Error::User(source(from)?),
        5 => Error::PrivilegesRetained,
        6 => Error::ProcessGroup(source(from)?),
        7 => Error::Fork(source(from)?),
        8 => Error::Pipe(source(from)?),
        9 => Error::Subreaper(source(from)?),
        10 => Error::ParentDeathSignal(source(from)?),
        11 => {
            let source = source(from)?;
            Error::Proc { path: PathBuf::from(from.os()?), source }
        }
        12 => Error::Channel(source(from)?),
        _ => return None,
    })
}

fn source(from: &mut Reader<'_>) -> Option<io::Error> {
    Some(io::Error::from_raw_os_error(from.i32()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over_the_wire(error: &Error) -> Error {
        let mut writer = Writer::default();
        write(&mut writer, error);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let back = read(&mut reader).expect("an error");
        reader.end(back).expect("nothing behind it")
    }

    #[test]
    fn errors_come_back_as_they_were() {
        let io = || io::Error::from_raw_os_error(13);
        let text = || "two words".to_owned();
        let errors = [
            Error::NotFound { program: text(), searched: ": in no directory".to_owned(), source: io() },
            Error::NotExecutable { program: text(), reason: text(), source: io() },
            Error::WorkingDirectory { directory: PathBuf::from("/a b"), source: io() },
            Error::User(io()),
            Error::PrivilegesRetained,
            Error::ProcessGroup(io()),
            Error::Fork(io()),
            Error::Pipe(io()),
            Error::Subreaper(io()),
            Error::ParentDeathSignal(io()),
            Error::Proc { path: PathBuf::from("/proc"), source: io() },
            Error::Channel(io()),
        ];
        for error in &errors {
            let back = over_the_wire(error);
            assert_eq!(format!("{back:?}"), format!("{error:?}"));
            assert_eq!(back.exit_code(), error.exit_code());
        }
        let other = Error::SignalMask(io());
        assert!(over_the_wire(&other).to_string().ends_with(&other.to_string()));
    }
}
