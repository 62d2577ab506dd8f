//! A plug-in in a host of another author: Python with a native module, a database, a server with modules.
//!
//! The host has threads, its own children and its own waits, and cannot be changed. So the plug-in changes nothing of the
//! process's: no signal, no mask, no wait for any child. It runs its commands in contained jobs, whose only trace in the host is
//! one child for each, waited for by pidfd. Here `main` plays the host.
//!
//! It needs an `rinit` in PATH, or its path in the variable `RINIT`: the host's program cannot be a job's init.
//!
//! ```sh
//! RINIT=target/debug/rinit cargo run --example plugin
//! ```

use rinit_core::{ChildSpec, Error, Stdio, claim};
use std::time::Duration;

/// What the host calls, from any thread, as often as it likes. Nothing of the job outlives the call.
fn plugin_run(script: &str) -> Result<(u8, Vec<u8>), Error> {
    let spec = ChildSpec::new("sh").args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut spec = spec.contain().drain(Duration::ZERO).start_timeout(Duration::from_secs(5));
    if let Some(rinit) = std::env::var_os("RINIT") {
        spec = spec.rinit(rinit);
    }
    // The claim costs nothing where the host has no cooperative reaper, and protects the job's rinit where it has one.
    let job = claim(|| spec.start())?;
    let output = job.wait_with_output()?;
    Ok((output.report.exit_code(), output.stdout))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The host: other threads, and children of its own that it waits for late.
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            std::thread::spawn(move || plugin_run(&format!("setsid sleep 1000 & echo from {worker}; exit {worker}")))
        })
        .collect();
    let mut own = std::process::Command::new("sh").args(["-c", "exit 7"]).spawn()?;
    for worker in workers {
        let (code, stdout) = worker.join().map_err(|_| "the plug-in panicked")??;
        println!("{code}: {}", String::from_utf8_lossy(&stdout).trim_end());
    }
    println!("the host's own child: {}", own.wait()?);
    Ok(())
}
