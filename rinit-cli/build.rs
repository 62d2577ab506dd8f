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
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() != Ok("musl") {
        return;
    }
    // Cargo names the linker where one is configured; otherwise rustc runs `cc`.
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let is_lld = Path::new(&linker).file_name().is_some_and(|name| name.to_string_lossy().contains("lld"));
    println!("cargo::rustc-link-arg-bins={}", if is_lld { "--no-rosegment" } else { "-Wl,-z,noseparate-code" });
}
