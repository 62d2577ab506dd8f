//! Encodes the messages between a controlling process and its contained rinit: little-endian numbers, strings with their length.
//!
//! What is read comes from another process. The reader trusts nothing: it never allocates more than there are bytes, and a
//! value that is not exactly what it should be is `None`.
//!
//! [`Wire`] is written once for each basic type. Messages list their fields in [`wire_struct!`] or [`wire_enum!`], so that
//! writing and reading cannot differ.

use crate::child::spec::ProcessGroup;
use crate::exit_status::ExitStatus;
use crate::pid::Pid;
use crate::resource::Resource;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// Builds a message.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn duration(&mut self, value: Duration) {
        self.u64(value.as_secs());
        self.u32(value.subsec_nanos());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        // Nothing that is sent comes near 4 GiB: the kernel bounds arguments, and reports are cut to a thousand lines.
        self.u32(u32::try_from(bytes.len()).unwrap_or(0));
        self.0.extend(bytes);
    }

    pub(super) fn os(&mut self, text: &OsStr) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, list: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.u32(u32::try_from(list.len()).unwrap_or(0));
        for item in list {
            write(self, item);
        }
    }
}

/// Reads a message.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the value if nothing follows it.
    pub(super) fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Returns the next number without consuming it.
    pub(super) fn peek_u16(&self) -> Option<u16> {
        Self(self.0).u16()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn duration(&mut self) -> Option<Duration> {
        let seconds = self.u64()?;
        let nanoseconds = self.u32().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
        Some(Duration::new(seconds, nanoseconds))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(count.try_into().ok()?)
    }

    pub(super) fn os(&mut self) -> Option<OsString> {
        self.bytes().map(|bytes| OsString::from_vec(bytes.to_vec()))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }

    /// Each item takes at least one byte, so a count larger than the rest of the message is refused.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.u32()?).ok().filter(|count| *count <= self.0.len())?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Some(list)
    }
}

/// A value that can go over the channel.
pub(super) trait Wire: Sized {
    fn write(&self, to: &mut Writer);
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Implements `Wire` for a type by two closures.
macro_rules! wire {
    ($type:ty, |$value:ident, $to:ident| $write:expr, |$from:ident| $read:expr) => {
        impl Wire for $type {
            fn write(&self, $to: &mut Writer) {
                let $value = self;
                $write;
            }

            fn read($from: &mut Reader<'_>) -> Option<Self> {
                $read
            }
        }
    };
}

wire!(bool, |value, to| to.u8((*value).into()), |from| from.bool());
wire!(u16, |value, to| to.u16(*value), |from| from.u16());
wire!(u32, |value, to| to.u32(*value), |from| from.u32());
wire!(i32, |value, to| to.i32(*value), |from| from.i32());
wire!(u64, |value, to| to.u64(*value), |from| from.u64());
wire!(Duration, |value, to| to.duration(*value), |from| from.duration());
wire!(String, |value, to| to.bytes(value.as_bytes()), |from| from.text());
wire!(PathBuf, |value, to| to.os(value.as_os_str()), |from| from.os().map(Self::from));
wire!(Resource, |value, to| to.u8(value.index()), |from| Self::from_index(from.u8()?));
wire!(Pid, |value, to| to.i32(value.get()), |from| Self::new(from.i32()?));
wire!(Signal, |value, to| to.u8(value.number() as u8), |from| Self::new(from.u8()?.into()));
wire!(SignalSet, |value, to| to.u64(value.bits()), |from| from.u64().map(Self::from_bits));
wire!(io::Error, |value, to| to.i32(value.raw_os_error().unwrap_or(0)), |from| from.i32().map(Self::from_raw_os_error));
wire!(
    ProcessGroup,
    |value, to| to.u8(match value {
        Self::Inherit => 0,
        Self::Own => 1,
        Self::Session => 2,
    }),
    |from| [Self::Inherit, Self::Own, Self::Session].get(usize::from(from.u8()?)).copied()
);
wire!(
    ExitStatus,
    |value, to| match *value {
        Self::Code(code) => to.bytes(&[code]),
        Self::Signal { signal, core_dumped } => to.bytes(&[signal.number() as u8, core_dumped.into()]),
    },
    |from| match *from.bytes()? {
        [code] => Some(Self::Code(code)),
        [number, core @ (0 | 1)] => {
            Some(Self::Signal { signal: Signal::new(number.into())?, core_dumped: core == 1 })
        }
        _ => None,
    }
);

impl<T: Wire> Wire for Option<T> {
    fn write(&self, to: &mut Writer) {
        to.option(self.as_ref(), |to, value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.option(T::read)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, to: &mut Writer) {
        to.list(self, |to, value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.list(T::read)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

/// A value of one of several kinds, each of which has a number.
pub(super) trait Tagged: Sized {
    fn tag(&self) -> u8;
    fn write_fields(&self, to: &mut Writer);
    fn read_fields(tag: u8, from: &mut Reader<'_>) -> Option<Self>;
}

/// Writes and reads a struct field by field, in the order of its fields or of the list. The first form also defines the struct.
macro_rules! wire_struct {
    ($(#[$attribute:meta])* $visibility:vis struct $type:ident {
        $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $field_type:ty,)*
    }) => {
        $(#[$attribute])*
        $visibility struct $type {
            $($(#[$field_attribute])* $field_visibility $field: $field_type,)*
        }

        wire_struct!($type { $($field),* });
    };
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl Wire for $type {
            fn write(&self, to: &mut Writer) {
                $(self.$field.write(to);)*
            }

            fn read(from: &mut Reader<'_>) -> Option<Self> {
                Some(Self { $($field: Wire::read(from)?),* })
            }
        }
    };
}

/// Writes and reads an enum: a number for each variant, and its fields. The optional last arm writes and reads all
/// other variants.
macro_rules! wire_enum {
    (
        $type:ident {
            $($tag:literal = $variant:ident $({ $($field:ident),* })? $(($($inner:ident),*))?),* $(,)?
        }
        $(else $other_tag:literal, $write_other:expr, $read_other:expr)?
    ) => {
        impl Tagged for $type {
            fn tag(&self) -> u8 {
                match self {
                    $(Self::$variant { .. } => $tag,)*
                    $(_ => $other_tag,)?
                }
            }

            fn write_fields(&self, to: &mut Writer) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($($inner),*))? => {
                        $($($field.write(to);)*)?
                        $($($inner.write(to);)*)?
                    })*
                    $(other => $write_other(other, to),)?
                }
                // Variants without fields do not use it.
                let _ = to;
            }

            fn read_fields(tag: u8, from: &mut Reader<'_>) -> Option<Self> {
                Some(match tag {
                    $($tag => {
                        $($(let $field = Wire::read(from)?;)*)?
                        $($(let $inner = Wire::read(from)?;)*)?
                        Self::$variant $({ $($field),* })? $(($($inner),*))?
                    })*
                    $($other_tag => $read_other(from)?,)?
                    _ => return None,
                })
            }
        }
    };
}

pub(super) use {wire_enum, wire_struct};
