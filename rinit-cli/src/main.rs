//! `rinit`, the program: see `rinit --help`, and `rinit_cli` for its parts.
#![cfg_attr(not(test), no_main)]

/// rinit allocates less than 2 KiB: without a heap it starts with fewer system calls, page faults and page tables.
#[global_allocator]
static HEAP: rinit_core::__Arena = rinit_core::__Arena::new();

#[cfg(not(test))]
rinit_core::c_main!(rinit_cli::run);

#[cfg(not(test))]
rinit_core::__no_unwinder!();
