//! A service on std alone that is its own init: it answers on a Unix socket and starts programs.
//!
//! `split SOCKET`: each connection sends a line, which is given to `sh -c`, and gets the output and the exit status. Run
//! it as PID 1 of a container, or anywhere. TERM ends it by its default action, which PID 1 alone would not have; orphans
//! that the commands leave go to the init, and never mix with the children that `Command` waits for.

use rinit_core::Init;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    // First of all: no thread runs yet, and no descriptor is open that only the service should have.
    let split = Init::splitting().drain(Duration::from_secs(5)).start()?;

    let socket = std::env::args_os().nth(1).ok_or("usage: split SOCKET")?;
    let listener = UnixListener::bind(&socket)?;
    println!("service {} listens, its init is {}", std::process::id(), split.init());
    for connection in listener.incoming() {
        let connection = connection?;
        thread::spawn(move || {
            if let Err(error) = answer(&connection) {
                eprintln!("split: {error}");
            }
        });
    }
    Ok(())
}

fn answer(mut connection: &UnixStream) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line)?;
    let output = Command::new("sh").args(["-c", line.trim_end()]).output()?;
    connection.write_all(&output.stdout)?;
    writeln!(connection, "{}", output.status)
}
