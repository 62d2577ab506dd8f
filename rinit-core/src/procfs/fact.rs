//! A fact that `/proc` may refuse to give.

use crate::error::Error;
use std::io;

/// A fact that was read, or the reason why it is missing.
///
/// "Not permitted" and "not there" are kept apart from every value: taken for "no", they make a healthy process look like one
/// that loses its signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact<T> {
    Known(T),
    /// This user may not read it (EACCES or EPERM).
    NotPermitted,
    /// The kernel does not have it, the process is gone, or the answer did not come in time.
    NotThere,
}

impl<T> Fact<T> {
    pub(crate) fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotPermitted | Self::NotThere => None,
        }
    }

    pub(crate) const fn as_known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotPermitted | Self::NotThere => None,
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::NotPermitted => Fact::NotPermitted,
            Self::NotThere => Fact::NotThere,
        }
    }

    /// The value, or `Missing` if it does not parse.
    pub(crate) fn and_then<U>(self, parse: impl FnOnce(T) -> Option<U>) -> Fact<U> {
        match self {
            Self::Known(value) => parse(value).map_or(Fact::NotThere, Fact::Known),
            Self::NotPermitted => Fact::NotPermitted,
            Self::NotThere => Fact::NotThere,
        }
    }

    /// True where the value is known and is this one.
    pub(crate) fn is(&self, value: &T) -> bool
    where
        T: PartialEq,
    {
        matches!(self, Self::Known(own) if own == value)
    }
}

impl<T> From<io::Result<T>> for Fact<T> {
    fn from(read: io::Result<T>) -> Self {
        match read {
            Ok(value) => Self::Known(value),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Self::NotPermitted,
            Err(_) => Self::NotThere,
        }
    }
}

impl<T> From<Result<Option<T>, Error>> for Fact<T> {
    fn from(read: Result<Option<T>, Error>) -> Self {
        match read {
            Ok(value) => value.map_or(Self::NotThere, Self::Known),
            Err(Error::Proc { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Self::NotPermitted,
            Err(_) => Self::NotThere,
        }
    }
}
