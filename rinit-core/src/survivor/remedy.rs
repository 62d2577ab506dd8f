//! What helps: for programs that are known to need another signal or another start, and for each reason.

use super::Survivor;
use super::reason::Reason;
use crate::signal::Signal;
use std::borrow::Cow;

/// What helps if one of these programs (names of files) was sent this signal and is still running.
struct Known {
    programs: &'static [&'static str],
    signal: Signal,
    helps: &'static str,
}

const fn known(programs: &'static [&'static str], signal: Signal, helps: &'static str) -> Known {
    Known { programs, signal, helps }
}

/// Programs that handle the signal and go on. docs/usage.md has the signals that servers want, each tried on the real one.
const HANDLERS: &[Known] = &[
    known(
        &["uwsgi", "uwsgi-core"],
        Signal::TERM,
        "uwsgi reloads on SIGTERM: use rinit -r TERM=INT, or start it with --die-on-term",
    ),
    known(
        &["postgres", "postmaster"],
        Signal::TERM,
        "postgres waits for its clients on SIGTERM: use rinit -r TERM=INT, which disconnects them",
    ),
    known(&["haproxy"], Signal::USR1, "haproxy waits for its connections on SIGUSR1: SIGTERM closes them"),
    known(&["nginx", "php-fpm"], Signal::QUIT, "it waits for open requests on SIGQUIT: SIGTERM closes them"),
    known(&["apache2", "httpd"], Signal::WINCH, "it waits for open requests on SIGWINCH: SIGTERM closes them"),
    known(&["celery"], Signal::TERM, "celery finishes its tasks on SIGTERM: use rinit -r TERM=QUIT to drop them"),
    known(
        &["gunicorn"],
        Signal::TERM,
        "gunicorn finishes its requests on SIGTERM, for at most --graceful-timeout (30 s by default)",
    ),
    known(&["uvicorn"], Signal::TERM, "uvicorn waits for open connections: give it --timeout-graceful-shutdown"),
    known(
        &["node", "nodejs"],
        Signal::TERM,
        "a node server waits for its open connections: call closeAllConnections() in the handler",
    ),
    known(&["java"], Signal::TERM, "a shutdown hook is still running: SIGQUIT makes java print what its threads do"),
    known(
        &["systemd"],
        Signal::TERM,
        "systemd stops on SIGRTMIN+3: use rinit -r TERM=RTMIN+3, or STOPSIGNAL SIGRTMIN+3",
    ),
    known(&["mysqld_safe", "mariadbd-safe"], Signal::TERM, "run mariadbd or mysqld itself, which stops on SIGTERM"),
    known(&["npm", "yarn", "pnpm"], Signal::TERM, "run node itself instead of a package manager"),
];

/// What helps against zombies that a debugger holds.
pub(crate) const LET_GO: &str = "let the debugger go on or exit";

/// What helps where the program is known.
pub(super) fn of_program(survivor: &Survivor) -> Option<Cow<'static, str>> {
    let command = survivor.command.as_str();
    let by_program = |signal: Signal| {
        let names = names(command);
        let known = HANDLERS.iter().find(|known| {
            known.signal == signal && names.iter().flatten().any(|name| known.programs.contains(&without_version(name)))
        });
        known.filter(|_| !command.contains("die-on-term")).map(|known| Cow::Borrowed(known.helps))
    };
    match &survivor.reason {
        Reason::Handles(_) | Reason::Waits(_) | Reason::Blocks(_) if is_node_as_init(survivor) => {
            Some(NODE_AS_INIT.into())
        }
        Reason::Handles(signal)
        | Reason::Waits(signal)
        | Reason::Blocks(signal)
        | Reason::FullPipe(signal)
        | Reason::Pending(signal) => by_program(*signal),
        Reason::Ignores(signal) if *signal == Signal::TERM && is_interactive_shell(command) => {
            Some("an interactive shell ignores SIGTERM: use rinit -r TERM=HUP".into())
        }
        Reason::Ignores(signal) => by_program(*signal),
        // Nothing in the container can help: the line in the log has to say what does.
        Reason::TracedZombie { tracer: Some(tracer) } => {
            Some(format!("{LET_GO} (kill -CONT {tracer}, kill {tracer})").into())
        }
        Reason::TracedZombie { tracer: None } => {
            Some(format!("{LET_GO} (on the host, TracerPid in /proc/PID/status names it)").into())
        }
        Reason::ShellWaits { .. } => {
            Some("start the command with exec, or in the background and wait for it (command & wait $!)".into())
        }
        _ => None,
    }
}

/// What helps, whatever the program is: for a diagnosis, which has room for it.
pub(crate) fn of_reason(survivor: &Survivor) -> Option<Cow<'static, str>> {
    if let Some(known) = of_program(survivor) {
        return Some(known);
    }
    let pid = survivor.pid;
    Some(match &survivor.reason {
        Reason::NamespaceInit(signal) => {
            format!("run it under an init (docker run --init, or rinit before the program), or have it handle {signal}")
                .into()
        }
        Reason::Dropped(signal) => format!(
            "remove the rule for {signal} (-r, --rewrite or RINIT_REWRITE), or name the signal that the program wants"
        )
        .into(),
        Reason::Ignores(signal) | Reason::IgnoredByDefault(signal) => format!(
            "have it handle {signal}, or stop it by a signal that it handles (STOPSIGNAL, or rinit -r {signal}=...)"
        )
        .replace("-r SIG", "-r ")
        .into(),
        Reason::Blocks(_) => "unblock the signal, or take it by sigwait or signalfd".into(),
        Reason::Frozen => "thaw it: docker unpause, or 0 to cgroup.freeze".into(),
        Reason::Stopped(_) => format!("let it go on: kill -CONT {pid}").into(),
        Reason::Traced(_) => format!("detach the debugger (TracerPid in /proc/{pid}/status)").into(),
        Reason::StuckInKernel { .. } => "check what it waits for: most often a file system or a device".into(),
        Reason::NotPermitted { .. } => "run both as the same user, or give CAP_KILL (docker run --cap-add KILL)".into(),
        Reason::NotReadable { uid: Some(uid) } => {
            format!("ask as its user (docker exec -u {uid}), or {WITH_EVERY_RIGHT}").into()
        }
        Reason::NotReadable { uid: None } => format!("ask as its user (docker exec -u), or {WITH_EVERY_RIGHT}").into(),
        Reason::ShellMayWait { .. } => {
            "if it does, start the command with exec, or in the background and wait for it (command & wait $!)".into()
        }
        Reason::FullPipe(_) => "read from the pipe, or close its reading end".into(),
        _ => return None,
    })
}

/// If init and main have different users, no user without this capability may read both.
const WITH_EVERY_RIGHT: &str = "with CAP_SYS_PTRACE (docker exec --privileged; from the host: rinit --diagnose --pid)";

/// node installs handlers of its own, which restore the terminal and raise the signal again; PID 1 outlives that.
const NODE_AS_INIT: &str =
    "node as PID 1 outlives SIGTERM unless the program handles it: run it under an init (docker run --init, or rinit)";

fn is_node_as_init(survivor: &Survivor) -> bool {
    survivor.pid == crate::pid::Pid::INIT
        && names(&survivor.command)[0].is_some_and(|name| matches!(name, "node" | "nodejs"))
}

/// The names by which a command may be known: that of its file, and that of a script behind an interpreter.
fn names(command: &str) -> [Option<&str>; 2] {
    let mut words = command.trim_matches(['[', ']']).split(' ');
    let first = words.next().and_then(file_name).map(|name| name.trim_start_matches('-').trim_end_matches(':'));
    let is_interpreter = |name: &str| {
        let name = without_version(name);
        matches!(name, "python" | "sh" | "bash" | "dash" | "perl" | "ruby")
    };
    let second = words.find(|word| !word.starts_with('-')).and_then(file_name);
    [first, second.filter(|_| first.is_some_and(is_interpreter))]
}

fn file_name(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}

/// `python3.11` is `python`, and `php-fpm8.2` is `php-fpm`.
fn without_version(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// A shell without `-c` and without a script.
fn is_interactive_shell(command: &str) -> bool {
    let shell = names(command)[0].is_some_and(|name| super::shell::is_shell(name.as_bytes()));
    let mut words = command.split(' ').skip(1);
    shell && words.all(|word| (word.starts_with('-') && word != "-c") || word == "sh")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pid::Pid;
    use crate::procfs::stat::State;
    use std::time::Duration;

    fn remedy(pid: i32, command: &str, reason: Reason) -> String {
        let pid = Pid::new(pid).unwrap();
        let survivor = Survivor {
            pid,
            ppid: None,
            command: command.to_owned(),
            state: State::Sleeping,
            age: Duration::ZERO,
            uid: None,
            reason,
        };
        of_program(&survivor).unwrap_or_default().into_owned()
    }

    #[test]
    fn known_programs() {
        let handles = Reason::Handles(Signal::TERM);
        for (command, part) in [
            ("uwsgi --http-socket 127.0.0.1:8080", "TERM=INT"),
            ("uwsgi --die-on-term", ""),
            ("postgres: checkpointer ", "TERM=INT"),
            ("/usr/lib/postgresql/17/bin/postgres -D /data", "TERM=INT"),
            ("[postgres]", "TERM=INT"),
            ("/usr/bin/python3 /usr/bin/celery -A app worker", "TERM=QUIT"),
            ("gunicorn: master [app]", "graceful-timeout"),
            ("node /app/postgres", "closeAllConnections"),
            ("vim postgres", ""),
        ] {
            let text = remedy(7, command, handles.clone());
            assert!(text.contains(part) && part.is_empty() == text.is_empty(), "{command}: {text}");
            // A quote would end the command's quotes in the reader's eyes.
            assert!(!text.contains('\''), "{text}");
        }
        assert!(remedy(1, "node server.js", handles).contains("PID 1"));
        assert!(remedy(7, "haproxy -W", Reason::Handles(Signal::USR1)).contains("SIGTERM closes"));
        assert_eq!(remedy(7, "haproxy -W", Reason::Handles(Signal::TERM)), "");
    }

    #[test]
    fn interactive_shells() {
        let ignores = Reason::Ignores(Signal::TERM);
        for (command, interactive) in [
            ("bash", true),
            ("-bash", true),
            ("bash --norc -i", true),
            ("busybox sh -i", true),
            ("bash -c sleep", false),
            ("sh /start.sh", false),
            ("sleep 5", false),
        ] {
            assert_eq!(remedy(7, command, ignores.clone()).contains("TERM=HUP"), interactive, "{command}");
        }
    }
}
