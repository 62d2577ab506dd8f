//! Encodes the error for which main could not be started.

use super::codec::{Reader, Tagged, Wire, Writer, wire_enum};
use crate::error::{ContainmentError, Error};

wire_enum!(
    Error {
        1 = NotFound { program, searched, source },
        2 = NotExecutable { program, reason, source },
        3 = WorkingDirectory { directory, source },
        4 = User(source),
        5 = PrivilegesRetained,
        6 = ProcessGroup(source),
        7 = Fork(source),
        8 = Pipe(source),
        9 = Subreaper(source),
        10 = ParentDeathSignal(source),
        11 = Proc { path, source },
        12 = Channel(source),
        13 = Limit { resource, source },
        14 = Nice(source),
    }
    // Errors that cannot happen there, or are new, are sent as text.
    else 0, |error: &Error, to: &mut Writer| error.to_string().write(to), |from: &mut Reader<'_>| {
        String::read(from).map(|message| Error::Containment(ContainmentError::Failed { message }))
    }
);

impl Wire for Error {
    fn write(&self, to: &mut Writer) {
        to.u8(self.tag());
        self.write_fields(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let tag = from.u8()?;
        Self::read_fields(tag, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;
    use std::io;
    use std::path::PathBuf;

    fn over_the_wire(error: &Error) -> Error {
        let mut writer = Writer::default();
        error.write(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let back = Error::read(&mut reader).expect("an error");
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
            Error::Limit { resource: Resource::Stack, source: io() },
            Error::Nice(io()),
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
