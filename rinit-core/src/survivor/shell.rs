//! Shells: a trap runs only once the command in the foreground has exited
//! (POSIX Shell Command Language, 2.12 Signals and Error Handling).

use crate::duration;
use crate::pid::Pid;
use crate::procfs::cmdline;
use crate::procfs::fact::Fact;
use crate::procfs::syscall::SystemCall;
use crate::signal::Signal;
use crate::signal::set::SignalSet;
use crate::sys;
use std::time::Duration;

/// What is known of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shell {
    /// How its `wait` builtin waits.
    pub(crate) kind: Kind,
    /// The system call that it is in; `Known(None)` while it runs.
    pub(crate) call: Fact<Option<SystemCall>>,
    /// Its living children.
    pub(crate) children: Vec<ShellChild>,
    /// Time until the command in the foreground exits by itself, where that can be known: a `sleep` that no other process of the
    /// PID namespace is there to terminate. The watcher of `busybox timeout` would be one, and a process of `docker exec` another.
    /// An alarm that was set before the execve (`setitimer(2)`) terminates it as well. `/proc` has not shown that since Linux 2.6.17:
    /// `itrealvalue` is 0 (`proc_pid_stat(5)`).
    pub(crate) exits_after: Option<Duration>,
}

/// How a shell waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// dash and busybox: the `wait` builtin sleeps in `rt_sigsuspend`, and only a command in the foreground is waited for
    /// in `wait4`.
    WaitIsVisible,
    /// bash, and any shell that is not known: both sleep in `wait4`.
    WaitIsAmbiguous,
}

/// A living child of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellChild {
    pub(crate) pid: Pid,
    /// Escaped, for people.
    pub(crate) command: String,
    pub(crate) start_ticks: u64,
    pub(crate) ignored: SignalSet,
}

/// What a shell with a trap is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting<'a> {
    /// It waits for a command in the foreground: the trap has to wait.
    Foreground(&'a ShellChild),
    /// It waits for a child, in the foreground or not.
    Perhaps(&'a ShellChild),
    /// It can run its trap at once, or that cannot be known.
    Otherwise,
}

/// A text in the file of each dash, and of each busybox. A program of another author may have the same name.
pub(crate) const DASH: &str = "sh: turning off NDELAY mode";
pub(crate) const BUSYBOX: &str = "BusyBox v";
/// A text in the file of coreutils' `sleep`.
pub(crate) const COREUTILS: &str = "GNU coreutils";

const SHELLS: [&[u8]; 8] = [b"sh", b"bash", b"dash", b"ash", b"busybox", b"zsh", b"ksh", b"mksh"];

/// True for the name of a shell.
pub(crate) fn is_shell(name: &[u8]) -> bool {
    SHELLS.contains(&name)
}

impl Kind {
    /// From the name of the program file, where it is known, or the process's own name. `sh` may be any of them.
    pub(crate) fn of(program: Option<&[u8]>, comm: &[u8]) -> Self {
        match program.unwrap_or(comm) {
            b"dash" | b"ash" | b"busybox" => Self::WaitIsVisible,
            _ => Self::WaitIsAmbiguous,
        }
    }
}

impl Shell {
    /// What the shell waits for. `ignored` is the set of signals that it ignores.
    pub(crate) fn waiting(&self, ignored: SignalSet) -> Waiting<'_> {
        let waits = match &self.call {
            Fact::Known(call) => call.is_some_and(|call| sys::is_wait(call.number)),
            // Nothing is concluded from it: the answer below is "perhaps".
            Fact::NotPermitted | Fact::NotThere => true,
        };
        let Some(child) = self.foreground(ignored).filter(|_| waits) else { return Waiting::Otherwise };
        match (self.kind, &self.call) {
            (Kind::WaitIsVisible, Fact::Known(_)) => Waiting::Foreground(child),
            _ => Waiting::Perhaps(child),
        }
    }

    /// The child that the shell most likely waits for: the youngest that was not started with `&`.
    ///
    /// A shell without job control starts children with `&` with INT and QUIT ignored (POSIX, as above). If it ignores both itself,
    /// all its children do. A server may have reset them. So this can name a child, and decides no verdict.
    fn foreground(&self, ignored: SignalSet) -> Option<&ShellChild> {
        let keyboard = SignalSet::only(Signal::INT).with(Signal::QUIT);
        let shows = !ignored.is_superset(keyboard);
        let in_foreground = self.children.iter().filter(|child| !(shows && child.ignored.is_superset(keyboard)));
        in_foreground.max_by_key(|child| (child.start_ticks, child.pid))
    }
}

/// When a process exits by itself: `sleep NUMBER[smhd]...`, which has slept for `age` already.
pub(crate) fn exits_after(arguments: &[u8], age: Duration) -> Option<Duration> {
    let mut words = arguments.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let mut name = cmdline::program_name(words.next()?);
    if name == b"busybox" {
        name = words.next()?;
    }
    if name != b"sleep" {
        return None;
    }
    let mut whole = Duration::ZERO;
    for word in words {
        let text = std::str::from_utf8(word).ok()?;
        if matches!(text, "inf" | "infinity") {
            return Some(Duration::MAX);
        }
        let (number, seconds) = match text.as_bytes().last()? {
            b's' => (text.strip_suffix('s')?, 1),
            b'm' => (text.strip_suffix('m')?, 60),
            b'h' => (text.strip_suffix('h')?, 3600),
            b'd' => (text.strip_suffix('d')?, 86_400),
            _ => (text, 1),
        };
        // `.5` is a number for sleep.
        let number = format!("0{number}");
        whole = whole.saturating_add(duration::decimal(&number, seconds * 1_000_000_000)?);
    }
    Some(whole.saturating_sub(age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sleep_says_when_it_exits() {
        let after = |arguments: &[u8], age| exits_after(arguments, Duration::from_secs(age));
        for (arguments, age, left) in [
            (&b"sleep\x001000\0"[..], 400, Some(600)),
            (b"/bin/sleep\x000.5\0", 1, Some(0)),
            (b"busybox\0sleep\x001m\0", 10, Some(50)),
            (b"sleep\x001m\x002h\0", 0, Some(7260)),
            (b"sleep\0.5m\0", 10, Some(20)),
            (b"sleep\0infinity\0", 5, Some(u64::MAX)),
            (b"sleep\0-1\0", 0, None),
            (b"sleep\0x\0", 0, None),
            (b"sleeper\x001\0", 0, None),
            (b"", 0, None),
        ] {
            assert_eq!(
                after(arguments, age).map(|left| left.as_secs()),
                left,
                "{:?}",
                String::from_utf8_lossy(arguments)
            );
        }
    }

    #[test]
    fn kinds() {
        assert_eq!(Kind::of(None, b"dash"), Kind::WaitIsVisible);
        assert_eq!(Kind::of(Some(b"dash"), b"sh"), Kind::WaitIsVisible);
        assert_eq!(Kind::of(Some(b"busybox"), b"entrypoint"), Kind::WaitIsVisible);
        assert_eq!(Kind::of(None, b"sh"), Kind::WaitIsAmbiguous);
        assert_eq!(Kind::of(Some(b"bash"), b"dash"), Kind::WaitIsAmbiguous);
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_without_panic(bytes in "sleep\0[0-9.a-z\\x00-]{0,20}") {
            let _ = exits_after(bytes.as_bytes(), Duration::from_secs(1));
        }
    }
}
