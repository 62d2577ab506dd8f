//! Brings rinit-core, or a naive loop, into a program that does not know of it, before its `main`.
//!
//! `RINIT_SUITE` says what: `cooperative`, `split`, `naive` (a thread that waits for any child, as a control), or anything else
//! for nothing. The variables are removed, so that the program's children are as they would be.

use rinit_core::{Init, Reaper, become_subreaper};
use std::ffi::c_int;

// The dynamic linker calls what this section points to, after the constructors of the libraries that this one needs.
// SAFETY: a function of the type that the linker expects, in the section for such pointers.
#[unsafe(link_section = ".init_array")]
#[used]
static START: extern "C" fn() = start;

extern "C" fn start() {
    let mode = std::env::var("RINIT_SUITE").unwrap_or_default();
    for name in ["RINIT_SUITE", "LD_PRELOAD"] {
        // SAFETY: the program has one thread before its main.
        unsafe { std::env::remove_var(name) };
    }
    match mode.as_str() {
        "cooperative" => {
            become_subreaper().expect("subreaper").keep();
            Reaper::cooperative().expect("a reaper").start().expect("a thread").detach();
        }
        "split" => drop(Init::split().expect("split")),
        "naive" => {
            become_subreaper().expect("subreaper").keep();
            std::thread::spawn(|| {
                loop {
                    let mut status: c_int = 0;
                    // SAFETY: `status` is a live integer.
                    if unsafe { libc::waitpid(-1, &raw mut status, 0) } == -1 {
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                }
            });
        }
        _ => {}
    }
}
