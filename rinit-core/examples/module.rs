//! A native module for a host of another language: Python, C, a database.
//!
//! Its one function runs a shell command as a contained job, whatever threads, children and waits the host has. The host's program
//! cannot be a job's init, so this wants an `rinit` in PATH, or its path in the variable `RINIT`.
//!
//! ```sh
//! cargo build --example module
//! python3 -c 'import ctypes; print(ctypes.CDLL("target/debug/examples/libmodule.so").run_job(b"exit 7"))'
//! ```
#![allow(unsafe_code)] // A string of C comes from the host.

use rinit_core::{ChildSpec, Error, claim};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// Runs the command. Returns its exit status when nothing of it is left; -1 where it could not be run, with a line on standard error.
///
/// # Safety
///
/// The command is a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run_job(command: *const c_char) -> c_int {
    // SAFETY: so says the contract above.
    let command = unsafe { CStr::from_ptr(command) };
    run(OsStr::from_bytes(command.to_bytes())).map_or_else(
        |error| {
            eprintln!("run_job: {error}");
            -1
        },
        c_int::from,
    )
}

fn run(command: &OsStr) -> Result<u8, Error> {
    let spec = ChildSpec::new("sh").arg("-c").arg(command);
    let mut spec = spec.contain().drain(Duration::ZERO).time_limit(Duration::from_secs(600));
    if let Some(rinit) = std::env::var_os("RINIT") {
        spec = spec.rinit(rinit);
    }
    // Protects the job's rinit where the host, or another module in it, has a cooperative reaper.
    let mut job = claim(|| spec.start())?;
    Ok(job.wait()?.exit_code())
}
