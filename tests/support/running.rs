//! A process under test, with what it prints, and the guard that leaves nothing behind.

use super::procfs::{self, Process};
use super::{deadline, wait_for, wait_until};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Environment variable by which everything that a test has started is found again, wherever it has got to.
pub const MARK: &str = "RINIT_TEST_MARK";

/// Lines as they come.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Reading>>);

#[derive(Default)]
struct Reading {
    lines: Vec<String>,
    /// What comes after the last end of a line.
    rest: Vec<u8>,
    /// `None` from the end of the output on.
    from: Option<File>,
}

impl Reading {
    /// Reads what is there; false at the end.
    fn some(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.from.as_mut().map(|from| from.read(&mut bytes)) {
            Some(Ok(count @ 1..)) => self.rest.extend_from_slice(&bytes[..count]),
            Some(Err(error)) if error.kind() == ErrorKind::Interrupted => return true,
            _ => {
                self.from = None;
                let rest = std::mem::take(&mut self.rest);
                self.lines.extend((!rest.is_empty()).then(|| text(&rest)));
                return false;
            }
        }
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.lines.push(text(&line[..end]));
        }
        true
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Lines {
    /// Reads until the end in a thread of its own.
    pub fn read(from: impl Into<OwnedFd>) -> Self {
        let from = File::from(from.into());
        let polled = from.try_clone().expect("a copy of a descriptor");
        let lines = Self(Arc::new(Mutex::new(Reading { from: Some(from), ..Reading::default() })));
        let to = lines.clone();
        // Waits without the lock and reads under it, so that an empty pipe means that everything is in `lines`.
        std::thread::spawn(move || {
            while poll(&mut [PollFd::new(&polled, PollFlags::IN)], None).is_err() || to.lock().some() {}
        });
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines so far.
    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// True when no process has the other end any more.
    pub fn ended(&self) -> bool {
        self.lock().from.is_none()
    }

    /// True if everything has been read that was written before this call.
    fn drained(&self) -> bool {
        self.lock().from.as_ref().is_none_or(|from| ioctl_fionread(from).expect("FIONREAD") == 0)
    }

    /// The first line that contains the text, waited for.
    #[track_caller]
    pub fn wait(&self, text: &str) -> String {
        self.wait_nth(text, 1)
    }

    /// The nth line that contains the text, waited for. The deadline is for silence: while lines come, the process gets on,
    /// however slow the machine is.
    #[track_caller]
    pub fn wait_nth(&self, text: &str, nth: usize) -> String {
        let latest = Instant::now() + 10 * deadline();
        let (mut end, mut seen) = (Instant::now() + deadline(), 0);
        loop {
            // Ended before looking: what came before the end is then seen.
            let ended = self.ended();
            let lines = self.all();
            if let Some(line) = lines.iter().filter(|line| line.contains(text)).nth(nth - 1) {
                return line.clone();
            }
            if lines.len() > seen {
                (end, seen) = (latest.min(Instant::now() + deadline()), lines.len());
            }
            assert!(!ended && Instant::now() < end, "no line with {text:?} (number {nth}); there are {lines:#?}");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

/// What a process left when it had ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code, or minus the signal that ended it.
    pub code: i32,
    /// The lines of standard output.
    pub out: Vec<String>,
    /// The lines of standard error.
    pub err: Vec<String>,
}

/// A started process. Dropping it kills whatever it has started, in whatever session, and then itself.
pub struct Running {
    child: Child,
    mark: String,
    stdin: Option<ChildStdin>,
    /// Standard output, while it is written.
    pub out: Lines,
    /// Standard error, while it is written.
    pub err: Lines,
    /// Where signals go, if not to the child.
    target: Option<i32>,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts it with pipes for all three standard descriptors.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped());
        Self::start_with_stdin(command)
    }

    /// Starts it with the standard input that the command has.
    #[track_caller]
    pub fn start_with_stdin(mut command: Command) -> Self {
        let mark = mark(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = child.stdout.take().map(Lines::read).unwrap_or_default();
        let err = child.stderr.take().map(Lines::read).unwrap_or_default();
        let stdin = child.stdin.take();
        Self { child, mark, stdin, out, err, target: None, status: None }
    }

    /// Starts it with every standard descriptor as the command has it; there are no lines to read then.
    #[track_caller]
    pub fn start_bare(mut command: Command) -> Self {
        let mark = mark(&mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, mark, stdin: None, out: Lines::default(), err: Lines::default(), target: None, status: None }
    }

    /// The pid that signals go to: the init.
    pub fn pid(&self) -> i32 {
        self.target.unwrap_or(self.child.id() as i32)
    }

    /// The process that was started: `unshare` for a namespace.
    pub fn outer_pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// From now on signals go to this process.
    pub fn set_target(&mut self, pid: i32) {
        self.target = Some(pid);
    }

    /// Sends a signal by number to the init.
    #[track_caller]
    pub fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// Writes to standard input.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is a pipe");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("write to standard input");
    }

    /// Closes standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// True while it has not ended.
    pub fn is_running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait for the child");
        }
        self.status.is_none()
    }

    /// Waits for its end: the exit code, or minus the signal.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let end = Instant::now() + deadline();
        while self.is_running() {
            if Instant::now() >= end {
                let said = (self.out.all(), self.err.all());
                let below: Vec<_> = self.left().iter().map(|process| procfs::command_line(process.pid)).collect();
                panic!("it does not end; it said {said:#?} and there are {below:#?}");
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let status = self.status.expect("it has ended");
        status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
    }

    /// Waits for its end and for the end of its output.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        self.finished()
    }

    /// As [`Running::finish`]; the guard stays, so that a test can check what is left. If something is, the output is what was
    /// written until the end.
    #[track_caller]
    pub fn finished(&mut self) -> Finished {
        self.stdin = None;
        let code = self.wait();
        self.read_rest();
        Finished { code, out: self.out.all(), err: self.err.all() }
    }

    /// After its end: waits until what it has written is in `out` and `err`.
    pub fn read_rest(&self) {
        // A process that is left holds the pipes open, maybe for long. What was written before the end is in them.
        let left = !self.left().is_empty();
        wait_until("the output to be read", || {
            [&self.out, &self.err].iter().all(|lines| lines.ended() || left && lines.drained())
        });
    }

    /// Sends KILL to a process if it was started by this one.
    pub fn kill_one(&self, pid: i32) {
        kill_marked(pid, &self.mark);
    }

    /// Whatever it has started and still runs; itself too while it does.
    pub fn left(&self) -> Vec<Process> {
        marked(&self.mark)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let end = Instant::now() + deadline();
        let own = [self.child.id() as i32, self.pid()];
        // Others first: while their init lives it reaps them. They may be forking, so until none is left.
        while Instant::now() < end {
            let others: Vec<_> = self.left().into_iter().filter(|process| !own.contains(&process.pid)).collect();
            if others.is_empty() {
                break;
            }
            others.iter().for_each(|process| kill_marked(process.pid, &self.mark));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        while Instant::now() < end && !self.left().is_empty() {
            self.left().iter().for_each(|process| kill_marked(process.pid, &self.mark));
        }
    }
}

fn mark(command: &mut Command) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    command.env(MARK, &mark);
    mark
}

fn has_mark(pid: i32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// Processes that carry the mark, but for zombies.
pub fn marked(mark: &str) -> Vec<Process> {
    procfs::all().into_iter().filter(|process| process.state != 'Z' && has_mark(process.pid, mark)).collect()
}

/// Kills the process if it is still the one that carries the mark: held by a pidfd, its number cannot become another's.
fn kill_marked(pid: i32, mark: &str) {
    let Some(Ok(held)) = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return };
    if has_mark(pid, mark) {
        let _ = pidfd_send_signal(held, Signal::KILL);
    }
}

/// Sends a signal by number, real-time ones and 32 and 33 included.
#[track_caller]
#[allow(unsafe_code)]
pub fn kill(pid: i32, signal: i32) {
    assert!(pid > 1, "not a process of ours: {pid}");
    // SAFETY: plain system call.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0, "kill({pid}, {signal}): {}", std::io::Error::last_os_error());
}

/// Queues a signal with a value, as `sigqueue(3)`.
#[track_caller]
#[allow(unsafe_code)]
pub fn queue(pid: i32, signal: i32, value: usize) {
    assert!(pid > 1, "not a process of ours: {pid}");
    let value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(value) };
    // SAFETY: the pointer is only a number, which is never followed.
    let result = unsafe { libc::sigqueue(pid, signal, value) };
    assert_eq!(result, 0, "sigqueue({pid}, {signal}): {}", std::io::Error::last_os_error());
}

/// The pid in a probe's `ready pid=…` line.
#[track_caller]
pub fn number_in(line: &str, name: &str) -> i32 {
    let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line:?}"))
}

/// Runs to the end.
#[track_caller]
pub fn run(command: Command) -> Finished {
    Running::start(command).finish()
}

/// The child of a process that has that word as its command's first, waited for.
#[track_caller]
pub fn child_of(pid: i32, what: &str) -> i32 {
    wait_for(what, || procfs::children(pid).first().map(|child| child.pid))
}
