//! A real pseudoterminal with a program in it.

use super::running::Running;
use super::{deadline, probe_path};
use rustix::fd::OwnedFd;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A terminal: what is typed and what it shows.
pub(crate) struct Terminal {
    keyboard: std::fs::File,
    screen: Arc<Mutex<(String, bool)>>,
    pub(crate) running: Running,
}

impl Terminal {
    /// Runs the command in a session of its own with a new terminal as its controlling one.
    #[track_caller]
    pub(crate) fn start(inner: &Command) -> Self {
        let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
        let copy = |fd: &OwnedFd| fd.try_clone().expect("a copy of a descriptor");
        let mut command = Command::new(probe_path());
        command.args(["launch", "--ctty", "--"]).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.stdin(Stdio::from(copy(&pty.user)));
        command.stdout(Stdio::from(copy(&pty.user))).stderr(Stdio::from(copy(&pty.user)));
        let running = Running::start_bare(command);
        drop(pty.user);
        let screen = Arc::new(Mutex::new((String::new(), false)));
        let shown = Arc::clone(&screen);
        let mut reader = std::fs::File::from(copy(&pty.controller));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // EIO is the end: nobody has the terminal open any more.
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
    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("type into the terminal");
    }

    /// Everything shown so far.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// True when nobody has it open any more: what was shown is all.
    pub(crate) fn ended(&self) -> bool {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits until the text has been shown, and returns all from it on.
    #[track_caller]
    pub(crate) fn wait(&self, text: &str) -> String {
        let end = Instant::now() + deadline();
        loop {
            let ended = self.ended();
            let screen = self.screen();
            if let Some(at) = screen.find(text) {
                return screen.get(at..).unwrap_or_default().to_owned();
            }
            assert!(!ended && Instant::now() < end, "no {text:?} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for a line that begins with the text and has ended.
    #[track_caller]
    pub(crate) fn wait_line(&self, text: &str) -> String {
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
