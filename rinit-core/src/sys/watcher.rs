//! A process that continues its parent when another process goes on.

use crate::pid::Pid;
use std::ffi::CString;
use std::io;

/// How often the watcher reads the states. It lives only while its parent is stopped.
const INTERVAL_MS: libc::c_int = 100;
/// How many intervals the parent may take to stop.
const STOPS_WITHIN: u32 = 50;
/// The watcher's exit status when it has continued its parent.
const CONTINUED: libc::c_int = 1;

/// A child that sends SIGCONT to this process once this process is stopped and another one is not. A stopped process can do
/// nothing by itself, and the kernel offers no event that continues one.
#[derive(Debug)]
pub(crate) struct Watcher {
    pid: Pid,
}

impl Watcher {
    /// Starts it. It keeps the signals blocked that are blocked here, and dies with this process.
    pub(crate) fn start(watched: Pid) -> io::Result<Self> {
        let own = Pid::this();
        let path = |pid: Pid| CString::new(format!("/proc/{pid}/stat")).map_err(io::Error::from);
        let (own_stat, watched_stat) = (path(own)?, path(watched)?);
        // SAFETY: other threads may run, and hold any lock. The child makes system calls alone, on memory that was allocated
        // before, and exits without returning.
        match unsafe { libc::fork() } {
            0 => watch(own, &own_stat, &watched_stat),
            pid => Pid::new(pid).map(|pid| Self { pid }).ok_or_else(io::Error::last_os_error),
        }
    }

    /// Ends it; true if it has continued this process.
    pub(crate) fn end(self) -> bool {
        let mut status = 0;
        // SAFETY: the child is this process's own and not reaped, so that the number is its own.
        unsafe { libc::kill(self.pid.get(), libc::SIGKILL) };
        // SAFETY: the status is written to a variable that lives during the call.
        while unsafe { libc::waitpid(self.pid.get(), &raw mut status, 0) } == -1 {
            // Interrupted: all signals are blocked, so that it does not stay so.
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return false;
            }
        }
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == CONTINUED
    }
}

/// The child. Nothing here allocates.
fn watch(parent: Pid, parent_stat: &CString, watched_stat: &CString) -> ! {
    // SAFETY: plain system calls on numbers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // Out of the parent's group: what a shell does to its job is not meant for it.
        libc::setpgid(0, 0);
    }
    let stopped = |stat| matches!(state(stat), Some(b'T' | b't'));
    let mut waits = 0;
    // The parent stops after it has started this process.
    while !stopped(parent_stat) {
        waits += 1;
        if waits > STOPS_WITHIN || !pause_below(parent) {
            exit(0);
        }
    }
    while stopped(parent_stat) {
        // One that has exited goes on as well: its parent has to reap it.
        if !stopped(watched_stat) {
            // SAFETY: the parent lives, or this process would have been killed.
            unsafe { libc::kill(parent.get(), libc::SIGCONT) };
            exit(CONTINUED);
        }
        if !pause_below(parent) {
            break;
        }
    }
    exit(0)
}

/// Sleeps for an interval; false if the parent is gone.
fn pause_below(parent: Pid) -> bool {
    // SAFETY: plain system calls; no descriptor is polled.
    unsafe {
        libc::poll(std::ptr::null_mut(), 0, INTERVAL_MS);
        libc::getppid() == parent.get()
    }
}

fn exit(code: libc::c_int) -> ! {
    // SAFETY: nothing of this process is used again.
    unsafe { libc::_exit(code) }
}

/// The state of a process: the third field, after a name in parentheses that may hold parentheses (`proc_pid_stat(5)`).
fn state(stat: &CString) -> Option<u8> {
    let mut buffer = [0_u8; 128];
    // SAFETY: the path ends with a nul byte; the buffer is as long as said.
    let count = unsafe {
        let fd = libc::open(stat.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let count = libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len());
        libc::close(fd);
        count
    };
    let text = buffer.get(..usize::try_from(count).ok()?)?;
    let name_ends = text.iter().rposition(|byte| *byte == b')')?;
    text.get(name_ends + 2).copied()
}
