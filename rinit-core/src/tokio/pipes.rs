//! Converts pipes of a child to tokio's types.

use crate::error::Error;
use ::tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use std::process;

pub(super) fn stdin(pipe: Option<process::ChildStdin>) -> Result<Option<ChildStdin>, Error> {
    pipe.map(ChildStdin::from_std).transpose().map_err(Error::Reactor)
}

pub(super) fn stdout(pipe: Option<process::ChildStdout>) -> Result<Option<ChildStdout>, Error> {
    pipe.map(ChildStdout::from_std).transpose().map_err(Error::Reactor)
}

pub(super) fn stderr(pipe: Option<process::ChildStderr>) -> Result<Option<ChildStderr>, Error> {
    pipe.map(ChildStderr::from_std).transpose().map_err(Error::Reactor)
}
