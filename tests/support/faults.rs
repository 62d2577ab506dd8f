//! Faults in the kernel's answers: each system call of rinit's is asked about before it is made, and may be refused with an
//! error instead (`seccomp_unotify(2)`). Nothing is traced, so rinit's signals and stops are as usual.
#![allow(unsafe_code)]

use super::{deadline, probe};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Instant;

/// What was asked for.
#[derive(Debug)]
pub struct Ask {
    /// The system call's number.
    pub call: i64,
    /// Its arguments, as they are in the registers.
    pub arguments: [u64; 6],
    /// Which call of that number it is, from 1, counted from rinit's first instruction on.
    pub nth: u64,
}

/// What a supervised rinit has done.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls by their number, refused ones included.
    pub calls: BTreeMap<i64, u64>,
    /// How many of them were refused.
    pub refused: u64,
    /// How many calls got no answer.
    pub stalled: u64,
}

/// Answers for one rinit, until it and all its descendants have exited.
pub struct Supervisor {
    thread: JoinHandle<Seen>,
}

impl Supervisor {
    /// The command under supervision. Of rinit's own calls of these names (see `tests/probe/seccomp.rs`) `decide` says the
    /// error that each gets, or that it is made; those of others are made.
    pub fn of(
        inner: &Command,
        calls: &str,
        decide: impl FnMut(&Ask) -> Option<i32> + Send + 'static,
    ) -> (Command, Self) {
        Self::start(inner, calls, decide, None)
    }

    /// The same, where the calls of threads with this name never return. All others are made.
    pub fn that_stalls(inner: &Command, calls: &str, thread: &'static str) -> (Command, Self) {
        Self::start(inner, calls, |_| None, Some(thread))
    }

    fn start(
        inner: &Command,
        calls: &str,
        decide: impl FnMut(&Ask) -> Option<i32> + Send + 'static,
        stalled: Option<&'static str>,
    ) -> (Command, Self) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let socket = UnixListener::bind(&path).expect("a socket");
        let mut command = probe(["supervise", path.to_str().expect("UTF-8"), calls, "--"]);
        command.arg(inner.get_program()).args(inner.get_args());
        let thread = std::thread::spawn(move || {
            let seen = accept(&socket).map(|stream| {
                let listener = receive_descriptor(&stream);
                serve(listener.as_fd(), peer(&stream), decide, stalled)
            });
            drop(directory);
            seen.unwrap_or_default()
        });
        (command, Self { thread })
    }

    /// Waits for the end of all that is supervised.
    #[track_caller]
    pub fn seen(self) -> Seen {
        self.thread.join().expect("the supervisor's thread")
    }
}

/// `None` where none connects.
fn accept(socket: &UnixListener) -> Option<UnixStream> {
    let wait = Timespec { tv_sec: deadline().as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut fds, Some(&wait)).is_ok_and(|ready| ready > 0).then(|| socket.accept().expect("accept").0)
}

/// The pid of the probe, which becomes rinit.
fn peer(stream: &UnixStream) -> u32 {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    let into = std::ptr::from_mut(&mut peer).cast();
    // SAFETY: the structure and its length live during the call.
    let result =
        unsafe { libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, into, &raw mut length) };
    assert_eq!(result, 0, "SO_PEERCRED: {}", std::io::Error::last_os_error());
    peer.pid.unsigned_abs()
}

/// Takes the descriptor that the probe sends (`unix(7)`, SCM_RIGHTS).
fn receive_descriptor(from: &UnixStream) -> OwnedFd {
    let mut control = [0_u64; 8];
    let mut byte = [0_u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: byte.len() };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    message.msg_control = control.as_mut_ptr().cast();
    // The field's type depends on the C library.
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message and all that it points to live during the call.
    let received = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    assert_eq!(received, 1, "no descriptor: {}", std::io::Error::last_os_error());
    // SAFETY: the message was filled by the kernel.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    assert!(!header.is_null(), "a message without a descriptor");
    // SAFETY: the header is followed by the one descriptor that the probe has sent.
    let fd = unsafe { libc::CMSG_DATA(header).cast::<i32>().read_unaligned() };
    // SAFETY: the kernel has made it for this process.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn serve(
    listener: BorrowedFd<'_>,
    rinit: u32,
    mut decide: impl FnMut(&Ask) -> Option<i32>,
    stalled: Option<&str>,
) -> Seen {
    let mut seen = Seen::default();
    // The loader's own calls, before rinit's first instruction, are not rinit's to survive.
    let mut started = false;
    let end = Instant::now() + 4 * deadline();
    while Instant::now() < end {
        let wait = Timespec { tv_sec: 1, tv_nsec: 0 };
        let mut fds = [PollFd::new(&listener, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => {}
            // No process is under the filter any more.
            _ => break,
        }
        let Some(notice) = notice(listener) else { continue };
        if stalled.is_some_and(|thread| name_of(notice.pid) == thread) {
            seen.stalled += 1;
            continue;
        }
        let call = i64::from(notice.data.nr);
        let by_rinit = notice.pid == rinit;
        started |= by_rinit && call == libc::SYS_rt_sigprocmask;
        let mut error = None;
        if by_rinit && started {
            let nth = seen.calls.entry(call).or_default();
            *nth += 1;
            error = decide(&Ask { call, arguments: notice.data.args, nth: *nth });
            seen.refused += u64::from(error.is_some());
        }
        let flags = if error.is_some() { 0 } else { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 };
        let answer = libc::seccomp_notif_resp { id: notice.id, val: 0, error: -error.unwrap_or(0), flags };
        // SAFETY: the structure lives during the call. It fails where the caller was killed meanwhile.
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
    }
    seen
}

/// A thread's name (`proc_pid_comm(5)`); empty if it has exited.
fn name_of(thread: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// The next question; `None` where the asking process has been killed meanwhile.
fn notice(listener: BorrowedFd<'_>) -> Option<libc::seccomp_notif> {
    // SAFETY: plain integers, for which zeros are a valid value, and which the kernel wants to be zeros.
    let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the structure lives during the call.
    let result =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, std::ptr::from_mut(&mut notice)) };
    (result == 0).then_some(notice)
}
