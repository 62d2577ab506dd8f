//! `probe refuse` and `probe supervise`: a seccomp filter, and then another program under it.
//!
//! The filter is inherited by everything that the program starts, as Docker's is.

use crate::{fail, sys};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// A system call, or one of the things that a call does beside others.
#[derive(Clone, Copy)]
struct Call {
    number: libc::c_long,
    /// Only where the first argument is this.
    first: Option<u32>,
}

const fn whole(number: libc::c_long) -> Call {
    Call { number, first: None }
}

const fn only(number: libc::c_long, first: u32) -> Call {
    Call { number, first: Some(first) }
}

/// What rinit has another way for that does the same: under all of these together the whole suite must pass.
const ALL: &[&str] =
    &["pidfd_open", "pidfd_send_signal", "waitid_pidfd", "close_range", "signalfd", "clone3", "pwritev2"];

fn named(name: &str) -> Vec<Call> {
    let calls: &[Call] = match name {
        "all" => return ALL.iter().flat_map(|name| named(name)).collect(),
        "pidfd_open" => &[whole(libc::SYS_pidfd_open)],
        "pidfd_send_signal" => &[whole(libc::SYS_pidfd_send_signal)],
        "waitid_pidfd" => &[only(libc::SYS_waitid, libc::P_PIDFD)],
        "close_range" => &[whole(libc::SYS_close_range)],
        "signalfd" => &[
            whole(libc::SYS_signalfd4),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_signalfd),
        ],
        "clone3" => &[whole(libc::SYS_clone3)],
        "subreaper" => &[
            only(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER as u32),
            only(libc::SYS_prctl, libc::PR_GET_CHILD_SUBREAPER as u32),
        ],
        "pwritev2" => &[whole(libc::SYS_pwritev2)],
        "rt_sigqueueinfo" => &[whole(libc::SYS_rt_sigqueueinfo)],
        "unshare" => &[whole(libc::SYS_unshare)],
        "rt_sigtimedwait" => &[whole(libc::SYS_rt_sigtimedwait)],
        "wait4" => &[whole(libc::SYS_wait4)],
        "waitid" => &[whole(libc::SYS_waitid)],
        "kill" => &[whole(libc::SYS_kill)],
        "open" => &[
            whole(libc::SYS_openat),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_open),
        ],
        "read" => &[whole(libc::SYS_read)],
        "getdents" => &[whole(libc::SYS_getdents64)],
        "write" => &[whole(libc::SYS_write)],
        "prctl" => &[whole(libc::SYS_prctl)],
        "fork" => &[
            whole(libc::SYS_clone),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_fork),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_vfork),
        ],
        "pipe2" => &[whole(libc::SYS_pipe2)],
        "poll" => &[
            whole(libc::SYS_ppoll),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_poll),
        ],
        "ioctl" => &[whole(libc::SYS_ioctl)],
        "chdir" => &[whole(libc::SYS_chdir)],
        "rt_sigprocmask" => &[whole(libc::SYS_rt_sigprocmask)],
        "rt_sigaction" => &[whole(libc::SYS_rt_sigaction)],
        "readlink" => &[
            whole(libc::SYS_readlinkat),
            #[cfg(target_arch = "x86_64")]
            whole(libc::SYS_readlink),
        ],
        "setpgid" => &[whole(libc::SYS_setpgid)],
        "nanosleep" => &[whole(libc::SYS_clock_nanosleep), whole(libc::SYS_nanosleep)],
        "close" => &[whole(libc::SYS_close)],
        other => fail(&format!("unknown system call {other}")),
    };
    calls.to_vec()
}

fn errno(name: &str) -> u32 {
    let number = match name {
        "EPERM" => libc::EPERM,
        "EINTR" => libc::EINTR,
        "EAGAIN" => libc::EAGAIN,
        "ENOMEM" => libc::ENOMEM,
        "EMFILE" => libc::EMFILE,
        "ENOSYS" => libc::ENOSYS,
        other => fail(&format!("unknown error {other}")),
    };
    number.unsigned_abs()
}

const OFFSET_OF_NUMBER: u32 = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
const OFFSET_OF_ARCHITECTURE: u32 = std::mem::offset_of!(libc::seccomp_data, arch) as u32;
/// The lower half of the first argument, on a little-endian machine.
const OFFSET_OF_FIRST: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn answer(value: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Goes on with the next instruction where the value is `k`, and leaves out `otherwise` instructions where it is not.
fn is(k: u32, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf: otherwise, k }
}

/// Gives each of the calls its answer and lets the others through.
fn filter(calls: &[(Call, u32)]) -> Vec<libc::sock_filter> {
    // Another architecture's numbers mean other calls: not what is tested here.
    let ours = libc::sock_filter { jt: 1, ..is(ARCHITECTURE, 0) };
    let mut program = vec![load(OFFSET_OF_ARCHITECTURE), ours, answer(libc::SECCOMP_RET_ALLOW), load(OFFSET_OF_NUMBER)];
    for (call, value) in calls {
        let number = call.number as u32;
        match call.first {
            None => program.extend([is(number, 1), answer(*value)]),
            Some(first) => program.extend([
                is(number, 4),
                load(OFFSET_OF_FIRST),
                is(first, 1),
                answer(*value),
                load(OFFSET_OF_NUMBER),
            ]),
        }
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

/// Puts this process under the filter; the listener's descriptor if one is asked for.
fn install(calls: &[(Call, u32)], flags: libc::c_ulong) -> i32 {
    let mut program = filter(calls);
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let set = || {
        // SAFETY: the program and its instructions live during the call, and the kernel keeps a copy of them.
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) }
    };
    let mut result = set();
    if result < 0 {
        // Only root may do it without this, which shows in the state that is handed on.
        // SAFETY: plain integers.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        result = set();
    }
    if result < 0 {
        fail(&format!("seccomp: {}", std::io::Error::last_os_error()));
    }
    result as i32
}

/// `CALL,CALL…[:ERRNO][+CALL…[:ERRNO]]`: the calls and the error that each is refused with, EPERM unless it is said.
fn refused(text: &str) -> Vec<(Call, u32)> {
    let group = |group: &str| {
        let (names, error) = group.split_once(':').unwrap_or((group, "EPERM"));
        let value = libc::SECCOMP_RET_ERRNO | errno(error);
        names.split(',').flat_map(named).map(|call| (call, value)).collect::<Vec<_>>()
    };
    text.split('+').flat_map(group).collect()
}

/// `refuse CALLS -- PROGRAM ARGS`.
pub(crate) fn refuse(words: &[String]) -> ! {
    let [calls, dashes, program, arguments @ ..] = words else { fail("refuse CALLS -- PROGRAM") };
    if dashes != "--" {
        fail("refuse: no --");
    }
    install(&refused(calls), 0);
    sys::exec(program, arguments)
}

/// `supervise SOCKET CALL,CALL… -- PROGRAM ARGS`: the listener at the socket gets the descriptor by which the kernel
/// asks for each of the calls whether it shall be made (`seccomp_unotify(2)`).
pub(crate) fn supervise(words: &[String]) -> ! {
    let [socket, calls, dashes, program, arguments @ ..] = words else { fail("supervise SOCKET CALLS -- PROGRAM") };
    if dashes != "--" {
        fail("supervise: no --");
    }
    // Connected before: afterwards this process's own calls have to wait for an answer.
    let stream = UnixStream::connect(socket).unwrap_or_else(|error| fail(&format!("{socket}: {error}")));
    let calls: Vec<_> = calls.split(',').flat_map(named).map(|call| (call, libc::SECCOMP_RET_USER_NOTIF)).collect();
    let listener = install(&calls, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    sys::send_descriptor(&stream, listener);
    sys::close(listener);
    drop(stream);
    sys::exec(program, arguments)
}

/// Variable that makes this program, under rinit's name, a front for rinit: see [`stand_in`].
const REFUSE: &str = "RINIT_TEST_REFUSE";
/// The rinit behind it, where it is not the one beside this program's directory.
const BEHIND: &str = "RINIT_TEST_BIN";

/// Where `RINIT_TEST_REFUSE` says which system calls shall be refused, and this program was started under another name
/// than its own: execs rinit under such a filter, by the name that this program was called by.
///
/// So every test that there is can be run without these calls, whatever way it starts rinit.
pub(crate) fn stand_in(arguments: &[String]) {
    let Some((name, rest)) = arguments.split_first() else { return };
    let Ok(calls) = std::env::var(REFUSE) else { return };
    // By the file behind all links: some tests give the probe itself another first argument, or a link as its name.
    let own = sys::own_path();
    let path = std::fs::canonicalize(&own).unwrap_or(own);
    if path.file_name().is_some_and(|name| name == "probe") {
        return;
    }
    let beside = || path.ancestors().nth(2).map(|directory| directory.join("rinit"));
    let rinit = std::env::var_os(BEHIND).map(PathBuf::from).or_else(beside);
    let rinit = rinit.unwrap_or_else(|| fail("no rinit behind this program"));
    let mut calls = refused(&calls);
    // Whatever rinit starts has the filter too, and glibc does without clone3 only where it does not exist: with EPERM no server
    // would get a thread. rinit itself never calls it; `environments::syscall_fallbacks` refuses it both ways.
    for (call, value) in &mut calls {
        if call.number == libc::SYS_clone3 {
            *value = libc::SECCOMP_RET_ERRNO | errno("ENOSYS");
        }
    }
    install(&calls, 0);
    sys::exec_as(&rinit.to_string_lossy(), name, rest)
}
