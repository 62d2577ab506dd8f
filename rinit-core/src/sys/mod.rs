//! The kernel's interface, where rustix's stable API ends.
//!
//! Everything here is one system call, or the smallest sound step around one, and decides nothing. What rustix has is
//! called directly by the modules above.
//!
//! # Safety
//!
//! This is the only module tree that may hold `unsafe`. It needs it for four things that safe Rust cannot say: raw
//! system calls on the kernel's own 64-bit signal set (libc's `sigset_t` hides signals 32 to 34 on musl), reading a
//! `siginfo_t` union, `fork(2)` with what the child does until it is a program of its own, and the C entry point. Each block says why it
//! is sound.
#![allow(unsafe_code)]

mod c_strings;
mod channel;
mod clock;
mod descriptors;
mod disposition;
mod entry;
mod environment;
mod fork;
mod group;
mod heap;
mod kill;
mod mask;
mod pass;
mod shared_memory;
mod siginfo;
mod signalfd;
mod sigwait;
mod spawn;
mod terminal;
mod threads;

pub(crate) use c_strings::{CStrings, LISTEN_PID_ROOM, c_string};
pub(crate) use channel::{adopt, peer, signal_on_input};
pub(crate) use clock::{since_boot, ticks_per_second};
pub(crate) use descriptors::{close_all_but, close_from};
pub(crate) use disposition::{Disposition, SavedDisposition, set_disposition};
#[doc(hidden)]
pub use entry::arguments;
pub(crate) use environment::environment;
pub(crate) use fork::{Forked, end_now, fork_only_thread, put_variable};
pub(crate) use group::{is_in_own_group, leads_session, own_group};
pub(crate) use heap::give_back_free_memory;
pub(crate) use kill::{
    die_by, kill, kill_everyone, kill_group, pidfd_send_signal, pidfd_signal_group, queue, set_parent_death_signal,
};
pub(crate) use mask::{block, set_mask, unblock};
pub(crate) use pass::{Passed, pipe, raise};
pub(crate) use siginfo::SigInfo;
pub(crate) use signalfd::SignalFd;
pub(crate) use sigwait::{is_sigtimedwait, sigtimedwait};
pub(crate) use spawn::{Failure, Ids, Placement, Plan, Stage, place, spawn};
pub(crate) use terminal::give_up_terminal;
pub(crate) use threads::{OnlyThread, only_thread};

/// The result of a system call made through libc: -1 means that `errno` tells why.
fn check(result: libc::c_long) -> std::io::Result<libc::c_long> {
    if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}
