//! Forwards signals to a child of std's `Command`, and exits as the child exits.
//!
//! ```sh
//! cargo run --example forward -- sleep 60
//! ```

use rinit_core::{ExitStatus, Pid, Signal, SignalForwarder, SignalSet};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open};
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First: before any thread.
    let signals = SignalForwarder::new(SignalSet::from_iter([Signal::TERM, Signal::INT, Signal::HUP]))?;
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new(words.next().ok_or("give a program and its arguments")?);
    let mut child = signals.unblock_in(command.args(words)).spawn()?;
    let pid = Pid::try_from(child.id())?;
    // Readable once the child has exited.
    let exited = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty())?;
    let status = loop {
        match poll(&mut [PollFd::new(&signals, PollFlags::IN), PollFd::new(&exited, PollFlags::IN)], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Before the child is reaped, so that its PID cannot be another process's.
        while let Some(received) = signals.try_next()? {
            signals.forward(&received, pid)?;
        }
        if let Some(status) = child.try_wait()? {
            break ExitStatus::try_from(status)?;
        }
    };
    std::process::exit(status.exit_code().into());
}
