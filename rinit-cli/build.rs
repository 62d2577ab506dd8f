//! Link arguments for the static program.
//!
//! By default a linker puts code and constants into segments of their own, so that constants cannot be executed. Each segment costs
//! page faults and page tables at the start of every container. A cargo configuration could say the same, but it does not come with
//! a crate: `cargo install` sees only this.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        let argument = if linker_is_lld() { "--no-rosegment" } else { "-Wl,-z,noseparate-code" };
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// True if rustc runs lld itself; otherwise it runs a C compiler.
fn linker_is_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let in_flags =
        flags.split('\x1f').filter_map(|flag| flag.trim_start_matches("-C").strip_prefix("linker=")).next_back();
    let configured = env::var("RUSTC_LINKER").ok();
    let linker = in_flags.or(configured.as_deref()).unwrap_or("cc");
    Path::new(linker).file_name().is_some_and(|name| name.to_string_lossy().contains("lld"))
}
