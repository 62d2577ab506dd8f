//! The example services of the library in their intended roles: PID 1, a subreaper, in one another, on a terminal, and in
//! containers `FROM scratch`.

use rustix::fs::{FileType, Mode};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::docker::{self, Container, Image};
use support::running::{Running, number_in};
use support::terminal::Terminal;
use support::{example, namespace, needs, procfs, require, skip_part, static_build, test, wait_for, wait_until};

const TERM: i32 = 15;

/// Where a service is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Subreaper,
    Pid1,
    UnderRinit,
    UnderRinitAsPid1,
    Pid1WithoutProc,
}

const PLACES: [Place; 5] =
    [Place::Subreaper, Place::Pid1, Place::UnderRinit, Place::UnderRinitAsPid1, Place::Pid1WithoutProc];

fn places() -> Vec<Place> {
    match namespace::available() {
        Ok(()) => PLACES.to_vec(),
        Err(why) => {
            skip_part(why);
            vec![Place::Subreaper, Place::UnderRinit]
        }
    }
}

fn start(place: Place, program: &Path, arguments: &[&str]) -> Running {
    let mut bare = Command::new(program);
    bare.args(arguments);
    let mut below = support::rinit(["--"]);
    below.arg(program).args(arguments);
    match place {
        Place::Subreaper => Running::start(bare),
        Place::UnderRinit => Running::start(below),
        Place::Pid1 => namespace::start(&bare),
        Place::UnderRinitAsPid1 => namespace::start(&below),
        Place::Pid1WithoutProc => {
            // Over the /proc of the namespace, whose init then cannot see it.
            let mut shell = Command::new("sh");
            shell.args(["-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\""]).arg(program).args(arguments);
            let mut running = Running::start(namespace::as_pid_1(&shell));
            let outer = running.outer_pid();
            let name = program.to_str().expect("UTF-8");
            let is_program = |pid: i32| procfs::command_line(pid).first().is_some_and(|word| word == name);
            let init = wait_for("the service's init", || {
                let found = procfs::children(outer).iter().map(|child| child.pid).find(|pid| is_program(*pid));
                found.or_else(|| (!running.is_running()).then_some(0))
            });
            if init != 0 {
                running.set_target(init);
            }
            running
        }
    }
}

/// A client of the service `split`.
struct Client(BufReader<UnixStream>);

impl Client {
    #[track_caller]
    fn new(socket: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(socket).expect("connect")))
    }

    #[track_caller]
    fn send(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").expect("send");
    }

    /// The lines up to that with the status.
    #[track_caller]
    fn receive(&mut self) -> String {
        let mut text = String::new();
        while !text.contains("exit status: ") && !text.contains("signal: ") {
            assert!(self.0.read_line(&mut text).expect("receive") > 0, "no status after {text:?}");
        }
        text
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.receive()
    }
}

/// Waits until the process has at most `count` children, and no zombie among them.
#[track_caller]
fn wait_for_at_most(count: usize, init: i32) {
    wait_until("the orphans to be reaped", || {
        let children = procfs::children(init);
        children.len() <= count && children.iter().all(|child| child.state != 'Z')
    });
}

const MANY_ORPHANS: &str = "i=0; while [ $i -lt 100 ]; do (exit 5 &); i=$((i+1)); done";

/// The innermost init, the service's parent, as seen from here.
fn init_of_split(running: &Running, place: Place) -> i32 {
    match place {
        Place::UnderRinit | Place::UnderRinitAsPid1 => support::running::child_of(running.pid(), "the split's init"),
        _ => running.pid(),
    }
}

/// The service on a socket in a directory of its own, ready.
fn serving(place: Place, program: &Path) -> (tempfile::TempDir, PathBuf, Running) {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let running = start(place, program, &[socket.to_str().expect("UTF-8")]);
    running.out.wait("service ");
    (directory, socket, running)
}

#[test]
fn a_std_service_by_split() {
    let program = example("split");
    for place in places() {
        let (directory, socket, mut running) = serving(place, &program);
        let init = init_of_split(&running, place);
        let mut client = Client::new(&socket);
        assert_eq!(client.ask("echo hello; exit 7"), "hello\nexit status: 7\n", "{place:?}");
        assert_eq!(client.ask(MANY_ORPHANS), "exit status: 0\n");
        wait_for_at_most(1, init);
        // One that stays becomes the init's child, not the service's.
        assert_eq!(client.ask("(setsid sleep 1000 >/dev/null 2>&1 &)"), "exit status: 0\n");
        wait_until("the orphan to be the init's", || procfs::children(init).len() == 2);

        // The stop: a running answer is finished, and then no process is left.
        let go_on = directory.path().join("go-on");
        rustix::fs::mknodat(rustix::fs::CWD, &go_on, FileType::Fifo, Mode::RWXU, 0).expect("a fifo");
        client.send(&format!("read line < {}; echo done", go_on.display()));
        // Read by a thread of the service, and started, before the stop: until then the fifo has no reader.
        let open = |path| std::fs::File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut go_on = wait_for("the command", || open(&go_on).ok());
        running.signal(TERM);
        writeln!(go_on).expect("let it go on");
        assert_eq!(client.receive(), "done\nexit status: 0\n", "{place:?}");
        let finished = running.finished();
        assert_eq!(finished.code, 0, "{place:?}: {finished:?}");
        assert_eq!(finished.out.last().map(String::as_str), Some("service ends"), "{finished:?}");
        assert!(!socket.exists() && running.left().is_empty(), "{place:?}");
    }
}

fn sleeps(pid: i32, time: &str) -> bool {
    procfs::command_line(pid) == ["sleep", time]
}

#[test]
fn a_std_service_that_is_killed() {
    let program = example("split");
    for place in places() {
        let (_directory, socket, mut running) = serving(place, &program);
        let mut client = Client::new(&socket);
        client.send("kill -ABRT $PPID; sleep 1000");
        let code = running.wait();
        // Outside PID 1 the signal terminates the init; under rinit, and as PID 1, the status is a number.
        assert_eq!(code, if place == Place::Subreaper { -6 } else { 134 }, "{place:?}");
        assert!(running.left().is_empty(), "{place:?}: what it had started is ended");
    }
}

#[test]
fn a_tokio_service_by_the_cooperative_reaper() {
    let program = example("tokio_service");
    for place in places() {
        let mut running = start(place, &program, &[]);
        if place == Place::Pid1WithoutProc {
            // It could not distinguish orphans from children: refused, with the reason.
            let finished = running.finished();
            assert_eq!(finished.code, 1, "{finished:?}");
            assert!(finished.err.iter().any(|line| line.contains("/proc")), "{finished:?}");
            continue;
        }
        running.out.wait("300 jobs started");
        running.signal(TERM);
        let finished = running.finished();
        let number = |text: &str| -> u64 {
            let line = finished.out.iter().find(|line| line.ends_with(text)).expect("the line");
            line.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
        };
        assert_eq!(finished.code, 0, "{place:?}: {finished:?}");
        let right = number("statuses are right");
        assert!(right >= 300 && finished.out.contains(&format!("{right} of {right} statuses are right")));
        assert_eq!(finished.out.last(), Some(&format!("{right} orphans reaped")), "{place:?}");
        assert!(finished.err.is_empty() && running.left().is_empty(), "{place:?}: {finished:?}");
    }
}

/// The services, and a shell for their jobs; no libc, no /etc.
const SCRATCH: &str = "FROM scratch
COPY split tokio_service /
COPY sh sleep /bin/
";

/// A job runner that is one file: it is also the init of its jobs.
#[test]
fn a_job_runner_in_a_container_from_scratch() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let runner = static_build::example("tokio_jobs");
    let dockerfile = "FROM scratch\nCOPY tokio_jobs /\nCOPY sh sleep setsid /bin/\n";
    let files = [("tokio_jobs", &*runner), ("sh", &*busybox), ("sleep", &*busybox), ("setsid", &*busybox)];
    let image = Image::from_dockerfile(dockerfile, &files);
    let jobs =
        "printf 'echo hello; exit 3\\nsetsid sleep 1000 & (sleep 1000 &); exit 4\\nsleep 1000\\n' | /tokio_jobs 2";
    for options in [&[][..], &["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]] {
        let container = Container::run(&image, options, &["/bin/sh", "-c", jobs]);
        assert_eq!(container.wait(), 0, "{}", container.logs());
        for line in ["1| hello", "1: exited with status 3", "2: exited with status 4", "because it took too long"] {
            assert!(container.logs().contains(line), "{line}: {}", container.logs());
        }
    }
}

#[test]
fn in_containers_from_scratch() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let (split, tokio) = (static_build::example("split"), static_build::example("tokio_service"));
    let files = [("split", &*split), ("tokio_service", &*tokio), ("sh", &*busybox), ("sleep", &*busybox)];
    let image = Image::from_dockerfile(SCRATCH, &files);

    let directory = tempfile::tempdir().expect("a directory");
    let volume = format!("{}:/run", directory.path().display());
    let socket = directory.path().join("socket");
    let serve = |options: &[&str]| {
        let container = Container::run(&image, &[&["--volume", &volume], options].concat(), &["/split", "/run/socket"]);
        container.wait_log("its init is 1\n");
        container
    };
    for options in [&[][..], &["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]] {
        let container = serve(options);
        let init = container.pid();
        let mut client = Client::new(&socket);
        assert_eq!(client.ask("echo hello; exit 7"), "hello\nexit status: 7\n");
        assert_eq!(client.ask(MANY_ORPHANS), "exit status: 0\n");
        wait_for_at_most(1, init);
        // 137 would say that Docker used force.
        assert_eq!(container.stop(60), 0, "{}", container.logs());
        assert!(container.logs().ends_with("service ends\n"), "{}", container.logs());
        assert!(!socket.exists());
    }
    let container = serve(&[]);
    Client::new(&socket).send("kill -ABRT $PPID");
    assert_eq!(container.wait(), 134, "{}", container.logs());
    std::fs::remove_file(&socket).expect("it could not");

    let container = Container::run(&image, &[], &["/tokio_service"]);
    container.wait_log("300 jobs started");
    assert_eq!(container.stop(60), 0, "{}", container.logs());
    assert!(container.logs().contains(" statuses are right\n"), "{}", container.logs());
    let container = Container::run(&image, &[], &["/tokio_service", "100"]);
    assert_eq!(container.wait(), 0);
    assert!(container.logs().ends_with("100 of 100 statuses are right\n100 orphans reaped\n"), "{}", container.logs());
}

/// Starts the service from an interactive bash; its pid, and the shell's group.
fn from_a_shell(socket: &Path) -> (Terminal, i32, i32) {
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env("PS1", "prompt> ").env("TERM", "dumb").env("LC_ALL", "C").env("HISTFILE", "/dev/null");
    let mut terminal = Terminal::start(&command);
    terminal.wait("prompt> ");
    let shell = terminal.foreground();
    terminal.type_in(&format!("'{}' '{}'\n", example("split").display(), socket.display()));
    let line = terminal.wait_line("service ");
    (terminal, number_in(&line.replacen("service ", "service=", 1), "service"), shell)
}

#[test]
fn a_split_on_a_terminal() {
    require(needs::programs(&["bash"]));
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let (mut terminal, service, shell) = from_a_shell(&socket);
    let foreground = |terminal: &Terminal, group: i32| {
        wait_until("the group in the foreground", || terminal.foreground() == group);
    };
    let state = |wanted: char| {
        wait_until("the service's state", || procfs::read(service).is_some_and(|service| service.state == wanted));
    };
    foreground(&terminal, service);
    let mut client = Client::new(&socket);
    for _ in 0..3 {
        // What the service starts may read from the terminal.
        client.send("read x </dev/tty; echo \"got $x\"");
        wait_until("the reader", || procfs::children(service).iter().any(|child| child.state == 'S'));
        terminal.type_in("hello\n");
        assert_eq!(client.receive(), "got hello\nexit status: 0\n");

        terminal.ask("\x1a", "Stopped");
        foreground(&terminal, shell);
        state('T');
        terminal.type_in("bg\n");
        state('S');
        assert_eq!(terminal.foreground(), shell, "in the background");
        assert_eq!(client.ask("exit 3"), "exit status: 3\n");
        terminal.type_in("fg\n");
        wait_until("the shell to let it go", || terminal.foreground() != shell);
        // What is typed now reaches the service, whichever of the two has the terminal at this moment.
        terminal.ask("\x1a", "Stopped");
        foreground(&terminal, shell);
        terminal.type_in("fg\n");
        foreground(&terminal, service);
        state('S');
    }
    terminal.ask("\x03", "service ends");
    foreground(&terminal, shell);
    terminal.ask("echo status=$?\n", "status=0");
    assert_eq!(terminal.screen().matches("service ends").count(), 1);
}

#[test]
fn a_split_as_pid_1_on_a_terminal() {
    require(namespace::available());
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let mut command = Command::new(example("split"));
    command.arg(&socket);
    let mut terminal = Terminal::start_as_pid_1(&command);
    terminal.wait("its init is 1");
    let mut client = Client::new(&socket);
    // Nobody could continue it: ^Z has no effect.
    for round in 0..3 {
        terminal.ask("\x1a", "^Z");
        assert_eq!(client.ask(&format!("exit {round}")), format!("exit status: {round}\n"));
    }
    terminal.ask("\x03", "service ends");
    assert_eq!(terminal.running.wait(), 0);
}

/// What would be free if the process ended, in KiB: memory that it has written to, and all, with what it has of its file.
///
/// Not `Private_Dirty`: pages of a file that was built a moment ago and is not on the disk yet count as dirty there.
fn private_kib(pid: i32) -> (u64, u64) {
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).expect("smaps");
    let (mut written, mut all, mut private) = (0, 0, 0);
    for line in smaps.lines() {
        let value = || line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match line.split(':').next() {
            Some("Private_Clean") => private = value(),
            Some("Private_Dirty") => {
                private += value();
                all += private;
            }
            // Of one mapping, after the two: what is not the file's any more, shared with a child that was forked or not.
            Some("Anonymous") => written += value().min(private),
            _ => {}
        }
    }
    (written, all)
}

#[test]
fn the_init_of_a_split_costs_what_rinit_costs() {
    let rinit: PathBuf = static_build::programs().rinit.clone();
    let split = static_build::example("split");
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let idle = |running: &Running| {
        // It has printed everything, and waits: the figure does not change any more.
        wait_for("a steady figure", || {
            let (before, waits) = (private_kib(running.pid()), procfs::waits(running.pid()));
            std::thread::sleep(std::time::Duration::from_millis(200));
            // On a busy machine a process that does not sleep may still have its first work before it.
            let sleeps = procfs::read(running.pid()).is_some_and(|process| process.state == 'S');
            let is_steady = before == private_kib(running.pid()) && waits == procfs::waits(running.pid());
            (sleeps && is_steady).then_some(before)
        })
    };
    let mut command = Command::new(rinit);
    command.args(["--", "sleep", "1000"]);
    let with_rinit = Running::start(command);
    wait_until("main", || procfs::children(with_rinit.pid()).iter().any(|child| sleeps(child.pid, "1000")));
    let (written, all) = idle(&with_rinit);
    let mut command = Command::new(split);
    command.arg(&socket);
    let splits = Running::start(command);
    splits.out.wait("service ");
    let (split_written, split_all) = idle(&splits);
    println!("private memory when idle, static, release: rinit {written} KiB written to, {all} KiB with its file;");
    println!("the init of the example split {split_written} KiB and {split_all} KiB");
    assert!(split_written <= written && split_all <= all);
}
