//! `/proc`: pure parsers of bytes, and thin readers that take a pid.
//!
//! Nothing here makes decisions. A file of `/proc/pid` describes the process that has that number at the moment of reading: a
//! caller that needs the same process twice compares `start_ticks` (see [`crate::process::signal_process`]).

pub(crate) mod bounded;
pub(crate) mod cgroup;
pub(crate) mod children;
pub(crate) mod cmdline;
pub(crate) mod fact;
pub(crate) mod fdinfo;
pub(crate) mod program;
pub(crate) mod reader;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod syscall;

use crate::error::Error;
use crate::pid::Pid;
use fact::Fact;
use reader::Reader;
use status::Status;
use std::io;
use std::path::PathBuf;

/// Makes sure that `/proc` is there and shows the PID namespace of this process.
///
/// A process in a new PID namespace may still see the `/proc` of the old one (`unshare --pid` without `--mount-proc`).
/// Every number in it would then name another process here, and a signal would hit an unrelated one.
pub(crate) fn verify(reader: &mut Reader) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Proc { path: PathBuf::from("/proc"), source };
    let missing = || failed(io::Error::new(io::ErrorKind::NotFound, "not mounted, or of another PID namespace"));
    let bytes = reader.read(format_args!("/proc/self/status"), reader::LARGEST)?;
    let own = bytes.map(Status::parse).ok_or_else(missing)?;
    let me = Pid::from(rustix::process::getpid());
    let same = if own.namespace_pids.is_empty() {
        // Linux before 4.1 and gVisor have no such line: the link then has to do.
        let link = std::fs::read_link("/proc/self").map_err(failed)?;
        link.to_str() == Some(me.to_string().as_str())
    } else {
        // From the namespace of /proc down to that of the process: one entry when they are the same.
        own.namespace_pids == [me]
    };
    if same { Ok(()) } else { Err(failed(io::Error::other("shows another PID namespace than that of this process"))) }
}

/// The name of a process's namespace, such as `pid:[4026531836]`.
pub(crate) fn namespace(pid: Pid, kind: &str) -> Fact<String> {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}"));
    Fact::from(link).map(|link| link.to_string_lossy().into_owned())
}
