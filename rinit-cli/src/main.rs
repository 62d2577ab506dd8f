//! `rinit`, the program: see `rinit --help`, and `rinit_cli` for what is behind it.
#![cfg_attr(not(test), no_main)]

#[cfg(not(test))]
rinit_core::c_main!(rinit_cli::run);
