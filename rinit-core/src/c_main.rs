//! A `main` that keeps the inherited signal state.

/// Defines the program's entry point as a C `main`, so that `run` sees the process as its parent made it.
///
/// Rust's own start-up code sets SIGPIPE to ignored, opens `/dev/null` on closed standard descriptors and installs
/// handlers for SEGV and BUS, all before `main`; an init process would hand the first two to its child. A C `main`
/// does none of this. The macro blocks every signal as its first step ([`Inherited::capture`](crate::Inherited::capture)),
/// then collects the arguments and calls `run(Result<Inherited, Error>, Vec<OsString>) -> u8`; the value is the exit
/// status. The crate that uses it says `#![no_main]`.
///
/// `run` may hand the [`Inherited`](crate::Inherited) to [`Init`](crate::Init), which then closes every descriptor from 3 up and
/// changes to `/` once the child is started, so that rinit neither delays an EOF nor keeps a file system busy. Therefore `run`
/// must not open descriptors that it needs after that. It must not install a signal handler either: until the child executes its
/// program it runs in this process's memory, and a signal at that moment would run the handler there.
///
/// The program loses the message that std prints at a stack overflow, and `ExitCode`/`Result` as a return value.
///
/// Source: `signal(7)`, `execve(2)` "dispositions"; `library/std/src/rt.rs` and `sys/pal/unix/mod.rs` of Rust 1.95.
///
/// ```no_run
/// # mod program { // a doc test cannot have no_main itself
/// use rinit_core::{Error, Inherited};
/// use std::ffi::OsString;
///
/// fn run(inherited: Result<Inherited, Error>, arguments: Vec<OsString>) -> u8 {
///     u8::from(inherited.is_err() || arguments.is_empty())
/// }
/// # }
/// // In a crate with #![no_main]:
/// // rinit_core::c_main!(run);
/// ```
#[macro_export]
macro_rules! c_main {
    ($run:path) => {
        /// The C entry point.
        ///
        /// # Safety
        ///
        /// Only the C runtime may call it, with `argc` valid strings.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            argc: ::std::ffi::c_int,
            argv: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            let inherited = $crate::Inherited::__capture_first();
            // SAFETY: the C runtime calls `main` once, with its own arguments.
            let arguments = unsafe { $crate::__arguments(argc, argv) };
            ::std::ffi::c_int::from($run(inherited, arguments))
        }
    };
}
