//! The system calls that the probe needs, by the kernel's own numbers: glibc's wrappers leave out signals 32 and 33.

use crate::fail;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::ptr;

/// A set of signals in the kernel's form: bit n-1 is signal n.
#[derive(Clone, Copy)]
pub(crate) struct Mask(u64);

/// A signal taken from the queue.
#[derive(Clone, Copy)]
pub(crate) struct Got {
    pub(crate) number: i32,
    pub(crate) code: i32,
    pub(crate) value: i32,
    pub(crate) sender: i32,
}

/// Size of the kernel's signal set in bytes.
const SET_SIZE: usize = 8;

impl Mask {
    pub(crate) fn all() -> Self {
        Self(u64::MAX)
    }

    pub(crate) fn of(signals: impl IntoIterator<Item = i32>) -> Self {
        Self(signals.into_iter().fold(0, |set, signal| set | 1 << (signal - 1)))
    }

    /// Blocks these beside what is blocked already.
    pub(crate) fn block(self) {
        // SAFETY: the set is 8 bytes long and outlives the call; no old mask is asked for.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                &raw const self.0,
                ptr::null_mut::<u64>(),
                SET_SIZE,
            )
        };
        check(result, "rt_sigprocmask");
    }

    /// Waits for one of these; they must be blocked.
    pub(crate) fn wait(self) -> Got {
        loop {
            // SAFETY: all zeros is a valid siginfo_t.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            // SAFETY: set and info are valid for the call; no timeout.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_rt_sigtimedwait,
                    &raw const self.0,
                    &raw mut info,
                    ptr::null::<libc::timespec>(),
                    SET_SIZE,
                )
            };
            if result > 0 {
                // SAFETY: si_pid lies within the structure for every kind of signal.
                let sender = unsafe { info.si_pid() };
                // SAFETY: as above.
                let value = unsafe { info.si_value() }.sival_ptr as usize as i32;
                return Got { number: info.si_signo, code: info.si_code, value, sender };
            }
            if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                check(result, "rt_sigtimedwait");
            }
        }
    }
}

fn check(result: libc::c_long, what: &str) {
    if result < 0 {
        fail(&format!("{what}: {}", std::io::Error::last_os_error()));
    }
}

/// The number of `15`, `TERM` or `SIGTERM`, for the names that the tests use.
pub(crate) fn signal_number(name: &str) -> i32 {
    if let Ok(number) = name.parse() {
        return number;
    }
    match name.strip_prefix("SIG").unwrap_or(name) {
        "HUP" => libc::SIGHUP,
        "INT" => libc::SIGINT,
        "QUIT" => libc::SIGQUIT,
        "USR1" => libc::SIGUSR1,
        "USR2" => libc::SIGUSR2,
        "PIPE" => libc::SIGPIPE,
        "TERM" => libc::SIGTERM,
        "CHLD" => libc::SIGCHLD,
        "CONT" => libc::SIGCONT,
        "TSTP" => libc::SIGTSTP,
        "TTOU" => libc::SIGTTOU,
        "SEGV" => libc::SIGSEGV,
        "ABRT" => libc::SIGABRT,
        "KILL" => libc::SIGKILL,
        other => fail(&format!("unknown signal {other}")),
    }
}

/// What the kernel's `struct sigaction` holds.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// Sets the action of a signal to the default or to ignore, 32 and 33 included.
pub(crate) fn set_handler(signal: i32, handler: libc::sighandler_t) {
    let action = KernelAction { handler, flags: 0, restorer: 0, mask: 0 };
    let old = ptr::null_mut::<KernelAction>();
    // SAFETY: the structure is the kernel's and lives during the call; the handler is SIG_IGN or SIG_DFL.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, old, SET_SIZE) };
    check(result, "rt_sigaction");
}

/// From here on a crash leaves no core file.
pub(crate) fn no_core_files() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is valid for the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}

/// Ends by that signal, without a core file.
pub(crate) fn die_by(signal: i32) -> ! {
    no_core_files();
    if signal != libc::SIGKILL && signal != libc::SIGSTOP {
        set_handler(signal, libc::SIG_DFL);
    }
    let (own, ..) = ids();
    // SAFETY: plain system call.
    unsafe { libc::kill(own, signal) };
    loop {
        pause();
    }
}

pub(crate) fn ids() -> (i32, i32, i32, i32) {
    // SAFETY: cannot fail.
    let parent = unsafe { libc::getppid() };
    // SAFETY: cannot fail.
    let group = unsafe { libc::getpgrp() };
    // SAFETY: cannot fail for the calling process.
    let session = unsafe { libc::getsid(0) };
    (std::process::id() as i32, parent, group, session)
}

pub(crate) fn pause() {
    // SAFETY: plain system call.
    unsafe { libc::pause() };
}

pub(crate) fn sleep_ms(milliseconds: i32) {
    std::thread::sleep(std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)));
}

/// The monotonic clock in nanoseconds.
pub(crate) fn monotonic_ns() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid for the call.
    check(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) }.into(), "clock_gettime");
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Forks; 0 in the child.
pub(crate) fn fork() -> i32 {
    // SAFETY: this program has one thread, so that the child may do anything.
    let pid = unsafe { libc::fork() };
    check(pid.into(), "fork");
    pid
}

/// Forks; `None` where the kernel has no more processes to give.
pub(crate) fn try_fork() -> Option<i32> {
    // SAFETY: as in `fork`.
    let pid = unsafe { libc::fork() };
    (pid >= 0).then_some(pid)
}

/// Starts a child that sleeps, and whose exit raises this signal, or none where it is 0.
pub(crate) fn start_helper(exit_signal: i32) {
    let signal = libc::c_long::from(exit_signal);
    // s390x takes the stack first.
    let (first, second) = if cfg!(target_arch = "s390x") { (0, signal) } else { (signal, 0) };
    // SAFETY: without CLONE_VM the child has a copy of the memory, as after a fork, and this process has one thread.
    let child = unsafe { libc::syscall(libc::SYS_clone, first, second, 0_usize, 0_usize, 0_usize) };
    assert!(child >= 0, "clone");
    if child == 0 {
        loop {
            pause();
        }
    }
}

/// Waits for one child and forgets it.
pub(crate) fn wait_for(pid: i32) {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
}

/// Waits for any child, if there is one, or looks whether one has ended; true if there was one to forget.
pub(crate) fn wait_for_any(sleep: bool) -> bool {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(-1, ptr::null_mut(), if sleep { 0 } else { libc::WNOHANG }) > 0 }
}

/// Ends the calling thread alone, also the first one.
pub(crate) fn end_this_thread() -> ! {
    // SAFETY: nothing of the thread's is used by another one.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    leave(96)
}

/// Ends at once, without running exit handlers.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

pub(crate) fn new_session() {
    // SAFETY: plain system call.
    check(unsafe { libc::setsid() }.into(), "setsid");
}

pub(crate) fn own_group() {
    if !try_own_group() {
        fail(&format!("setpgid: {}", std::io::Error::last_os_error()));
    }
}

/// False where it cannot have one, as the leader of a session.
pub(crate) fn try_own_group() -> bool {
    // SAFETY: plain system call.
    unsafe { libc::setpgid(0, 0) == 0 }
}

/// A new session that has standard input as its controlling terminal.
pub(crate) fn take_terminal() {
    new_session();
    // SAFETY: the argument 0 says: do not steal it.
    check(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) }.into(), "TIOCSCTTY");
}

/// The foreground process group of the controlling terminal, if there is one.
pub(crate) fn foreground_group() -> Option<i32> {
    let tty = open(c"/dev/tty", libc::O_RDWR | libc::O_CLOEXEC)?;
    // SAFETY: plain system call on an open descriptor.
    let group = unsafe { libc::tcgetpgrp(tty) };
    close(tty);
    (group >= 0).then_some(group)
}

fn open(path: &CStr, flags: i32) -> Option<i32> {
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), flags) };
    (fd >= 0).then_some(fd)
}

/// Opens `/dev/null` as that very number, to be inherited.
pub(crate) fn open_as(fd: i32) {
    let null = open(c"/dev/null", libc::O_RDWR).unwrap_or_else(|| fail("/dev/null"));
    if null != fd {
        dup_onto(null, fd);
        // Numbers at or above the lowest wanted one are overwritten or wanted; only a lower one is in excess.
        if null < 3 || null > fd {
            close(null);
        }
    }
}

pub(crate) fn dup_onto(from: i32, to: i32) {
    // SAFETY: plain system call; nothing in this program owns a descriptor.
    check(unsafe { libc::dup2(from, to) }.into(), "dup2");
}

pub(crate) fn close(fd: i32) {
    // SAFETY: nothing in this program owns a descriptor.
    unsafe { libc::close(fd) };
}

pub(crate) fn pipe() -> (i32, i32) {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), 0) }.into(), "pipe2");
    (ends[0], ends[1])
}

/// One line, without its end; empty at the end of input.
pub(crate) fn read_line(fd: i32) -> String {
    let mut line = Vec::new();
    let mut byte = 0_u8;
    loop {
        // SAFETY: the buffer has room for one byte.
        let count = unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
        match count {
            1 if byte != b'\n' => line.push(byte),
            -1 if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            _ => return String::from_utf8_lossy(&line).into_owned(),
        }
    }
}

/// Writes the line and its end at once, so that lines of several processes do not mix.
pub(crate) fn write_line(fd: i32, line: &str) {
    let line = format!("{line}\n");
    // SAFETY: the buffer is valid for its length.
    unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
}

/// Runs the program in place of this one, found in PATH.
pub(crate) fn exec(program: &str, arguments: &[String]) -> ! {
    exec_as(program, program, arguments)
}

/// The same under another name, its first argument.
pub(crate) fn exec_as(program: &str, name: &str, arguments: &[String]) -> ! {
    let c_string = |word: &str| CString::new(word).unwrap_or_else(|_| fail("NUL in an argument"));
    let file = c_string(program);
    let strings: Vec<CString> =
        std::iter::once(name).chain(arguments.iter().map(String::as_str)).map(c_string).collect();
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(ptr::null());
    // SAFETY: the array ends with a null pointer, and the strings outlive the call.
    unsafe { libc::execvp(file.as_ptr(), pointers.as_ptr()) };
    fail(&format!("exec {program}: {}", std::io::Error::last_os_error()))
}

/// Sends a copy of the descriptor to the listener at the other end of the socket (`unix(7)`, SCM_RIGHTS).
pub(crate) fn send_descriptor(to: &UnixStream, fd: i32) {
    // SAFETY: a plain computation.
    let space = unsafe { libc::CMSG_SPACE(size_of::<i32>() as u32) } as usize;
    // Of u64, which a control message must be aligned like.
    let mut control = vec![0_u64; space.div_ceil(size_of::<u64>())];
    let mut byte = [0_u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: byte.len() };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), space);
    // SAFETY: the control buffer has room for this one header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: as above, and the header is not null then.
    unsafe {
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<i32>() as u32) as usize;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd);
    }
    // SAFETY: the message and all that it points to live during the call.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, 0) };
    check(sent as libc::c_long, "sendmsg");
}

/// Variable that names the descriptor on which a started probe says that it is ready.
const READY: &str = "PROBE_READY_FD";

/// Forks a child that ends up as a probe, or makes one and ends, and returns when that probe is ready. Takes no notice of
/// the child any more then.
pub(crate) fn start_ready<T>(child: impl FnOnce() -> T) {
    let (reader, writer) = pipe();
    if fork() == 0 {
        close(reader);
        // SAFETY: this process has one thread.
        unsafe { std::env::set_var(READY, writer.to_string()) };
        child();
        leave(98);
    }
    close(writer);
    if read_line(reader) != "ready" {
        fail("a child did not start");
    }
    close(reader);
}

/// Tells a parent in `start_ready`, if there is one.
pub(crate) fn tell_ready() {
    if let Some(fd) = std::env::var(READY).ok().and_then(|fd| fd.parse().ok()) {
        write_line(fd, "ready");
        close(fd);
    }
}

/// The path by which this program was executed; there may be no /proc to ask.
pub(crate) fn own_path() -> PathBuf {
    // SAFETY: a plain look into what the kernel gave to this program.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    // SAFETY: for AT_EXECFN that is a C string which lives as long as the program.
    PathBuf::from(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// Runs this very program again with another subcommand.
pub(crate) fn exec_self(command: &str, rest: &[String]) -> ! {
    let arguments: Vec<String> = std::iter::once(command.to_owned()).chain(rest.iter().cloned()).collect();
    exec(&own_path().to_string_lossy(), &arguments)
}

/// Attaches to a process as its tracer, without stopping it (`ptrace(2)`).
pub(crate) fn trace(pid: i32) {
    // SAFETY: PTRACE_SEIZE takes no memory of this process.
    let result = unsafe {
        libc::ptrace(libc::PTRACE_SEIZE, pid, ptr::null_mut::<libc::c_void>(), ptr::null_mut::<libc::c_void>())
    };
    check(result, "ptrace");
}

/// Allocates this number of bytes with one call.
pub(crate) fn take_memory(bytes: usize) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
    // SAFETY: a new mapping; nothing refers to it.
    let at = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    assert!(at != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
}
