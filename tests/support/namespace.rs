//! Real PID namespaces, in which rinit is PID 1.

use super::running::Running;
use super::{is_root, probe_path, procfs, wait_for};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// `unshare` with a new PID and mount namespace and a /proc of its own; as an ordinary user by a user namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]);
    command
}

/// Whether this machine allows a PID namespace; determined once.
pub fn available() -> Result<(), String> {
    static AVAILABLE: OnceLock<Result<(), String>> = OnceLock::new();
    AVAILABLE.get_or_init(try_one).clone()
}

fn try_one() -> Result<(), String> {
    let output = unshare().arg("true").stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("no PID namespace: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no unshare(1): {error}")),
    }
}

/// The command that runs another as PID 1.
pub fn as_pid_1(inner: &Command) -> Command {
    let mut command = unshare();
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Starts rinit, or whatever the command is, as PID 1; signals go to it, not to unshare.
#[track_caller]
pub fn start(inner: &Command) -> Running {
    let mut running = Running::start(as_pid_1(inner));
    find_init(&mut running);
    running
}

/// Waits for the init below a started unshare, and has signals go to it.
#[track_caller]
pub fn find_init(running: &mut Running) {
    let outer = running.outer_pid();
    let init = wait_for("the namespace's init", || {
        let found = procfs::children(outer).first().map(|child| child.pid).filter(|child| {
            let inside = procfs::field(*child, "NSpid").unwrap_or_default();
            // Past the steps of unshare and of `probe launch` when it runs the program.
            let is_program =
                procfs::command_line(*child).first().is_some_and(|name| name != "unshare" && name != probe_path());
            inside.split_whitespace().last() == Some("1") && is_program
        });
        // It may have exited already: then there is nothing to signal.
        found.or_else(|| (!running.is_running()).then_some(0))
    });
    if init != 0 {
        running.set_target(init);
    }
}

/// `rinit ARGUMENTS…` as PID 1.
#[track_caller]
pub fn rinit(arguments: &[&str]) -> Running {
    start(&super::rinit(arguments))
}
