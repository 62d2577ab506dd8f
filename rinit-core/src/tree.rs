#![allow(missing_docs, dead_code)]
use crate::*;
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) start_ticks: u64,
    pub(crate) group: i32,
}
impl Process {
    pub(crate) fn is_alive(&self) -> bool {
        true
    }
    pub(crate) fn is_stopped(&self) -> bool {
        false
    }
}
pub(crate) enum Sent {
    Delivered,
    Gone,
}
pub(crate) fn descendants(_: Pid) -> Result<Vec<Process>, Error> {
    Ok(vec![])
}
pub(crate) fn children(_: Pid) -> Result<Vec<Pid>, Error> {
    Ok(vec![])
}
pub(crate) fn process(_: Pid) -> Option<Process> {
    None
}
pub(crate) fn uid(_: Pid) -> Option<u32> {
    None
}
pub(crate) fn signal_process(_: &Process, _: Signal) -> Result<Sent, Error> {
    Ok(Sent::Gone)
}
