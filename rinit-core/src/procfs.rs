#![allow(missing_docs, dead_code)]
use crate::*;
pub(crate) struct Status {
    pub(crate) caught: SignalSet,
    pub(crate) ignored: SignalSet,
    pub(crate) blocked: SignalSet,
}
pub(crate) fn read_status(_: Pid) -> Result<Option<Status>, Error> {
    Ok(None)
}
