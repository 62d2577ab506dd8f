//! A real pseudoterminal with a program in it.

use super::running::Running;
use super::{deadline, namespace, probe_path};
use rustix::fd::OwnedFd;
use rustix::termios::Winsize;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What programs that draw need to know.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// The command in a session of its own, with standard input as its controlling terminal.
fn as_leader(inner: &Command) -> Command {
    let mut command = Command::new(probe_path());
    command.args(["launch", "--ctty", "--"]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// A terminal: what is typed and what it shows.
pub struct Terminal {
    keyboard: std::fs::File,
    screen: Arc<Mutex<(String, bool)>>,
    /// The program, without its output: that is on the screen.
    pub running: Running,
}

impl Terminal {
    /// Runs the command in a session of its own with a new terminal as its controlling one.
    #[track_caller]
    pub fn start(inner: &Command) -> Self {
        Self::open(as_leader(inner))
    }

    /// The same as PID 1 of a PID namespace, as `docker run -t` does it.
    #[track_caller]
    pub fn start_as_pid_1(inner: &Command) -> Self {
        let mut terminal = Self::open(namespace::as_pid_1(&as_leader(inner)));
        namespace::find_init(&mut terminal.running);
        terminal
    }

    /// Runs the command on a new terminal, which it has not as its controlling one.
    #[track_caller]
    pub fn open(mut command: Command) -> Self {
        let pty = rustix_openpty::openpty(None, Some(&SIZE)).expect("a pseudoterminal");
        let copy = |fd: &OwnedFd| fd.try_clone().expect("a copy of a descriptor");
        command.stdin(Stdio::from(copy(&pty.user)));
        command.stdout(Stdio::from(copy(&pty.user))).stderr(Stdio::from(copy(&pty.user)));
        let running = Running::start_bare(command);
        drop(pty.user);
        let screen = Arc::new(Mutex::new((String::new(), false)));
        let shown = Arc::clone(&screen);
        let mut reader = std::fs::File::from(copy(&pty.controller));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // EIO is the end: no process has the terminal open any more.
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).replace('\r', "");
                shown.lock().unwrap_or_else(PoisonError::into_inner).0.push_str(&text);
            }
            shown.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        });
        Self { keyboard: pty.controller.into(), screen, running }
    }

    /// Types; `\x03` is ^C, `\x1a` is ^Z.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("type into the terminal");
    }

    /// Another size; the foreground group gets SIGWINCH.
    #[track_caller]
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ..SIZE };
        rustix::termios::tcsetwinsize(&self.keyboard, size).expect("set the terminal's size");
    }

    /// The foreground process group, as seen from here; 0 where there is none.
    pub fn foreground(&self) -> i32 {
        rustix::termios::tcgetpgrp(&self.keyboard).map_or(0, |group| group.as_raw_pid())
    }

    /// Everything shown so far.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// True when no process has it open any more: what was shown is all.
    pub fn ended(&self) -> bool {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits until the text has been shown, and returns all from it on.
    #[track_caller]
    pub fn wait(&self, text: &str) -> String {
        self.wait_from(0, text)
    }

    /// As [`Terminal::wait`], for what is shown after the first `from` bytes of the screen.
    #[track_caller]
    pub fn wait_from(&self, from: usize, text: &str) -> String {
        let end = Instant::now() + deadline();
        loop {
            let ended = self.ended();
            let screen = self.screen().get(from..).unwrap_or_default().to_owned();
            if let Some(at) = screen.find(text) {
                return screen.get(at..).unwrap_or_default().to_owned();
            }
            assert!(!ended && Instant::now() < end, "no {text:?} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Types, and waits for what is shown after that.
    #[track_caller]
    pub fn ask(&mut self, typed: &str, shown: &str) -> String {
        let from = self.screen().len();
        self.type_in(typed);
        self.wait_from(from, shown)
    }

    /// Waits for a line that begins with the text and has ended.
    #[track_caller]
    pub fn wait_line(&self, text: &str) -> String {
        let end = Instant::now() + deadline();
        loop {
            let from = self.wait(text);
            if let Some((line, _)) = from.split_once('\n') {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "the line does not end: {from:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
