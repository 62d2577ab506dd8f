//! The kernel's interface, where rustix's stable API ends.
//!
//! Each function is one system call, or the smallest sound step around one, and contains no policy. Modules above call
//! rustix directly for everything that it has.
//!
//! # Safety
//!
//! This is the only module tree that may hold `unsafe`. It needs it for five things that safe Rust cannot say: raw
//! system calls on the kernel's own 64-bit signal set (libc's `sigset_t` hides signals 32 to 34 on musl), reading a
//! `siginfo_t` union, `fork(2)` and the child's steps until `execve(2)`, a thread that is not std's, and the C entry point.
//! Each block says why it is sound.
#![allow(unsafe_code)]

mod arena;
mod clock;
mod command;
mod entry;
mod environ;
mod fd;
mod fork;
mod heap;
mod no_unwinder;
mod process_group;
#[cfg(feature = "tokio")]
mod reactor;
pub(crate) mod retry;
mod scheduling;
mod search;
mod signal;
mod spawn;
mod terminal;
mod thread;
mod usage;
mod watcher;

#[doc(hidden)]
pub use arena::Arena;
pub(crate) use clock::{monotonic, since_boot, ticks_per_second};
pub(crate) use command::{set_mask_before_exec, unblock_before_exec};
#[doc(hidden)]
pub use entry::arguments;
#[doc(hidden)]
pub use environ::any_variable_begins_with;
pub(crate) use environ::environment;
pub(crate) use fd::close::{close_all_but, close_from};
pub(crate) use fd::remap::{Passed, move_above_stdio, pipe};
pub(crate) use fd::socket::{peer, peer_of_inherited, signal_on_input, take_inherited_fd};
pub(crate) use fork::{Forked, NotAlone, OnlyThread, exit_now, fork_only_thread, only_thread, put_variable};
pub(crate) use heap::give_back_free_memory;
pub(crate) use process_group::{group_of, leads_session, own_group};
#[cfg(feature = "tokio")]
pub(crate) use reactor::register_readable;
pub(crate) use scheduling::{enter_idle_policy, leave_idle_policy};
pub(crate) use search::contains;
pub(crate) use signal::disposition::{Disposition, SavedDisposition, is_ignored, set_disposition};
pub(crate) use signal::fd::SignalFd;
pub(crate) use signal::mask::{block, set_mask, unblock};
pub(crate) use signal::send::{
    die_by, kill, kill_all_processes, kill_group, pidfd_send_signal, pidfd_signal_group, queue, set_parent_death_signal,
};
pub(crate) use signal::wait::{is_sigtimedwait, is_wait, sigtimedwait};
pub(crate) use spawn::c_strings::{CStrings, LISTEN_PID_ROOM, NulByte, c_string};
pub(crate) use spawn::{Failure, Ids, Leads, Limits, Placement, Plan, Progress, Stage, Starting, place, spawn, start};
pub(crate) use terminal::give_up_terminal;
pub(crate) use thread::{Body, start_thread};
pub(crate) use usage::children_usage;
pub(crate) use watcher::Watcher;

use rustix::io::Errno;

/// `__WALL` of `wait(2)`, which rustix does not name: also children whose exit raises another signal than SIGCHLD, or none.
pub(crate) const ANY_EXIT_SIGNAL: u32 = libc::__WALL as u32;

/// The result of a system call made through libc: -1 means that `errno` has the reason.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result == -1 { Err(last_errno()) } else { Ok(result) }
}

/// `errno(3)` after a call made through libc that has failed.
fn last_errno() -> Errno {
    errno_of(&std::io::Error::last_os_error())
}

/// The error number behind std's error: EIO where std made the error itself.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
