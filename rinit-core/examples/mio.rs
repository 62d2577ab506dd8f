//! A supervisor on mio: signals, children and their exits in one poll loop, without threads.
//!
//! It keeps one program running: a program that exits is started again, TERM and INT stop it. Anything else that polls
//! descriptors works the same way.
//!
//! ```sh
//! cargo run --example mio -- sh -c 'echo started; sleep 1; exit 3'
//! ```

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rinit_core::{Child, ChildSpec, Reaper, Signal, SignalForwarder, SignalSet, become_subreaper};
use std::os::fd::AsRawFd;
use std::time::Duration;

const SIGNALS: Token = Token(0);
const CHILDREN: Token = Token(1);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or("give a program and its arguments")?;
    let spec = ChildSpec::new(program).args(words).stop_timeout(Duration::from_secs(5));
    let signals = SignalForwarder::new(SignalSet::from_iter([Signal::TERM, Signal::INT, Signal::HUP]))?;
    let reaper = Reaper::exclusive()?;
    let _subreaper = become_subreaper()?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut SourceFd(&signals.as_raw_fd()), SIGNALS, Interest::READABLE)?;
    poll.registry().register(&mut SourceFd(&reaper.as_raw_fd()), CHILDREN, Interest::READABLE)?;
    let mut child = reaper.spawn(&spec)?;
    let mut events = Events::with_capacity(8);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        // mio's events are edges: everything is read until there is nothing more.
        while let Some(received) = signals.try_next()? {
            if received.signal() == Signal::HUP {
                signals.forward(&received, &child)?;
            } else {
                println!("{}", stop(&mut child)?);
                return Ok(());
            }
        }
        while let Some(reaped) = reaper.try_next()? {
            println!("{}: {}", reaped.pid, reaped.status);
            if reaped.pid == child.pid() {
                // A program that fails at once must not keep this one busy.
                std::thread::sleep(Duration::from_millis(500));
                child = reaper.spawn(&spec)?;
            }
        }
    }
}

fn stop(child: &mut Child) -> Result<String, rinit_core::Error> {
    Ok(format!("stopped: {}", child.stop()?))
}
