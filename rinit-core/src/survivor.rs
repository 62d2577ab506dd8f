#![allow(missing_docs, dead_code)]
use crate::*;
#[derive(Clone, Debug)]
pub struct Survivor {
    pub pid: Pid,
}
impl std::fmt::Display for Survivor {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
pub(crate) fn examine(_: &tree::Process, _: Option<Signal>) -> Option<Survivor> {
    None
}
