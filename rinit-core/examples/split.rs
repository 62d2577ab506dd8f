//! A service on std alone that is its own init: it answers on a Unix socket and starts programs.
//!
//! `split SOCKET`: a connection sends lines, each of which is given to `sh -c`, and gets the output and the exit status of
//! each. Run it as PID 1 of a container, or anywhere. On TERM or INT it takes no more connections, lets the programs that
//! run finish, answers, removes its socket and exits with 0. The init then stops what the programs have left behind; it has
//! reaped the orphans all along. None of them is ever mixed up with the children that `Command` waits for.

use rinit_core::Init;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    // First of all: no thread runs yet, and no descriptor is open that only the service should have.
    let split = Init::split_builder().drain(Duration::from_secs(5)).start()?;

    let socket = std::env::args_os().nth(1).ok_or("usage: split SOCKET")?;
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let listener = UnixListener::bind(&socket)?;
    println!("service {} listens, its init is {}", std::process::id(), split.init());

    let open = Arc::new(Connections::default());
    let (connections, path) = (Arc::clone(&open), socket.clone());
    thread::spawn(move || {
        // Handlers, not a blocked mask: `Command` hands the mask on, and its programs would be deaf.
        if signals.forever().next().is_some() {
            connections.close();
            // The listener's thread sleeps in accept(2) until a client connects.
            let _ = UnixStream::connect(path);
        }
    });

    thread::scope(|scope| {
        for connection in listener.incoming() {
            let Ok(connection) = connection.map(Arc::new) else { continue };
            if !open.add(&connection) {
                break;
            }
            scope.spawn(move || {
                if let Err(error) = answer(&connection) {
                    eprintln!("split: {error}");
                }
            });
        }
        // The scope ends when all have been answered.
    });
    std::fs::remove_file(&socket)?;
    println!("service ends");
    Ok(())
}

/// Runs each line until the other side, or the stop, has ended the lines.
fn answer(mut connection: &UnixStream) -> std::io::Result<()> {
    for line in BufReader::new(connection).lines() {
        let output = Command::new("sh").args(["-c", &line?]).output()?;
        connection.write_all(&output.stdout)?;
        writeln!(connection, "{}", output.status)?;
    }
    Ok(())
}

/// The open connections, so that a stop can end their input.
#[derive(Default)]
struct Connections(Mutex<State>);

#[derive(Default)]
struct State {
    closed: bool,
    open: Vec<Weak<UnixStream>>,
}

impl Connections {
    /// False if there is a stop.
    fn add(&self, connection: &Arc<UnixStream>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are not kept.
        state.open.retain(|one| one.strong_count() > 0);
        state.open.push(Arc::downgrade(connection));
        !state.closed
    }

    /// Ends the input of every connection. A line that is being answered is still answered.
    fn close(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let open = state.open.iter().filter_map(Weak::upgrade);
        open.for_each(|connection| drop(connection.shutdown(Shutdown::Read)));
    }
}
