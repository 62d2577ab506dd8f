//! rinit as the entrypoint of real containers.

use support::docker::{self, Container, Image};
use support::terminal::Terminal;
use support::{procfs, require, rootfs, static_build, test, wait_until};

/// Only rinit, busybox and the probe: no libc, no shell, no /etc.
const SCRATCH: &str = "FROM scratch
COPY rinit probe busybox /
ENTRYPOINT [\"/rinit\", \"--\"]
";

fn scratch() -> Result<Image, String> {
    docker::engine()?;
    let busybox = static_build::busybox()?;
    let programs = static_build::programs();
    let files = [("rinit", &*programs.rinit), ("probe", &*programs.probe), ("busybox", &*busybox)];
    Ok(Image::from_dockerfile(SCRATCH, &files))
}

#[test]
fn from_scratch() {
    let image = require(scratch());
    let container = Container::run(&image, &[], &["/busybox", "sh", "-c", "echo hello; exit 7"]);
    assert_eq!(container.wait(), 7);
    assert_eq!(container.logs(), "hello\n");

    // On a read-only root, as the user nobody, with every capability dropped.
    let hardened = ["--read-only", "--user", "65534:65534", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let container = Container::run(&image, &hardened, &["/busybox", "sleep", "1000"]);
    assert_eq!(container.stop(60), 143, "main's own death by TERM: {}", container.logs());
    assert_eq!(container.logs(), "");

    // The contrast: a shell as PID 1 has no handler, the kernel drops TERM, and Docker uses force.
    let shell = ["/busybox", "sh", "-c", "/busybox sleep 1000; true"];
    let without = Container::run(&image, &["--entrypoint", ""], &shell);
    assert_eq!(without.stop(2), 137);
    // The same shell under rinit: it is not PID 1, and TERM terminates it.
    let with = Container::run(&image, &[], &shell);
    assert_eq!(with.stop(60), 143);

    ten_thousand_orphans(&image);
    on_a_terminal(&image);
    a_shell_on_a_terminal(&image);
    interrupted_on_a_terminal(&image);
    a_stop_in_good_order(&image);
    processes_of_docker_exec_are_left_alone(&image);
}

fn a_stop_in_good_order(image: &Image) {
    // Main exits first, its helper needs some time, and nothing is killed.
    let container = Container::run(image, &[], &["/probe", "with-helper", "5", "slow-term", "500", "0"]);
    container.wait_log(" ppid=1 ");
    assert_eq!(container.stop(60), 5);
    let logs = container.logs();
    assert!(logs.contains("main got TERM\n") && logs.contains("cleaning\ndone\n"), "{logs}");
    assert!(!logs.contains("SIGKILL"), "{logs}");
    // rinit kills one that ignores TERM, with the reason in the log.
    let container = Container::run(image, &["--env", "RINIT_GRACE=1s"], &["/probe", "ignore", "TERM"]);
    container.wait_log("ready");
    assert_eq!(container.stop(60), 137);
    assert!(
        container.logs().contains("state S") && container.logs().contains("ignores SIGTERM"),
        "{}",
        container.logs()
    );
}

fn processes_of_docker_exec_are_left_alone(image: &Image) {
    let options = ["--env", "RINIT_TO=all"];
    let container = Container::run(image, &options, &["/probe", "signals", "--exit-on", "TERM:3"]);
    container.wait_log("ready");
    let mark = format!("guest-{}", std::process::id());
    container.exec_detached(&["/probe", "sleep", &mark]);
    wait_until("the guest", || !procfs::with_word(&mark).is_empty());
    // USR1 would terminate the guest, which has no handler for it.
    for number in 1..=5 {
        container.signal("USR1");
        wait_until("main to get it", || container.logs().matches("got 10 ").count() == number);
    }
    assert_eq!(procfs::with_word(&mark).len(), 1, "the guest lives");
    assert_eq!(container.stop(60), 3);
}

fn ten_thousand_orphans(image: &Image) {
    let container = Container::run(image, &[], &["/probe", "orphans", "10000"]);
    container.wait_log("made 10000");
    let init = container.pid();
    wait_until("no process but main to be left", || procfs::descendants(init).len() == 1);
    assert_eq!(procfs::zombies(init).len(), 0);
    assert_eq!(container.stop(60), 143);
    let together = Container::run(image, &[], &["/probe", "orphans", "3000", "--together", "--exit", "9"]);
    assert_eq!(together.wait(), 9);
    assert!(together.logs().starts_with("made 3000\n"), "{}", together.logs());
}

fn on_a_terminal(image: &Image) {
    let container = Container::run(image, &["--tty"], &["/probe", "state"]);
    assert_eq!(container.wait(), 0);
    let logs = container.logs().replace('\r', "");
    let value =
        |name: &str| logs.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    assert!(value("pgid").is_some());
    assert_eq!(value("foreground"), value("pgid"), "{logs}");
}

/// Docker's client on a terminal of its own, as a person has it: `docker run -it … sh`.
fn a_shell_on_a_terminal(image: &Image) {
    let options = ["--interactive", "--tty", "--env", "PS1=prompt> "];
    let (_container, client) = Container::attached(image, &options, &["/busybox", "sh", "-i"]);
    let mut terminal = Terminal::start(&client);
    terminal.wait("prompt> ");
    assert!(!terminal.screen().contains("job control"), "a warning: {}", terminal.screen());
    terminal.ask("/probe sleep\n", "ready pid=");
    terminal.ask("\x1a", "Stopped");
    terminal.ask("jobs\n", "Stopped");
    terminal.ask("fg\n", "/probe sleep");
    terminal.ask("\x03", "prompt> ");
    terminal.ask("echo status=$?\n", "status=130");
    terminal.ask("/busybox stty size\n", "24 80");
    terminal.type_in("exit 7\n");
    assert_eq!(terminal.running.wait(), 7);
}

fn interrupted_on_a_terminal(image: &Image) {
    let main = ["/probe", "signals", "--exit-on", "34:4"];
    let (container, client) = Container::attached(image, &["--interactive", "--tty"], &main);
    let mut terminal = Terminal::start(&client);
    terminal.wait_line("ready pid=");
    terminal.ask("\x03", "got 2 ");
    // Docker's client sets the size at the start, and perhaps not before main runs.
    let before = terminal.screen().matches("got 28 ").count();
    terminal.resize(30, 100);
    wait_until("the new size", || terminal.screen().matches("got 28 ").count() > before);
    container.signal("RTMIN");
    assert_eq!(terminal.running.wait(), 4);
    wait_until("the end of what is shown", || terminal.ended());
    let screen = terminal.screen();
    assert_eq!(screen.matches("got 2 ").count(), 1, "{screen}");
    // ^C terminates main, and no shell could undo a ^Z.
    let (_container, client) = Container::attached(image, &["--interactive", "--tty"], &["/busybox", "cat"]);
    let mut terminal = Terminal::start(&client);
    terminal.ask("hello\n", "hello\nhello\n");
    terminal.ask("\x1a", "^Z");
    terminal.ask("again\n", "again\nagain\n");
    terminal.type_in("\x03");
    assert_eq!(terminal.running.wait(), 130);
}

#[test]
fn debian_servers() {
    require(docker::engine());
    let base = Image::import(&require(rootfs::debian()));
    let dockerfile = format!("FROM {}\nCOPY rinit /usr/local/bin/rinit\nENTRYPOINT [\"rinit\", \"--\"]\n", base.name());
    let image = Image::from_dockerfile(&dockerfile, &[("rinit", &static_build::programs().rinit)]);

    let nginx = ["nginx", "-g", "daemon off; error_log /dev/stderr notice;"];
    let container = Container::run(&image, &[], &nginx);
    container.wait_log("start worker process");
    assert_eq!(container.stop(60), 0, "nginx's own status: {}", container.logs());
    assert!(container.logs().contains("signal 15 (SIGTERM) received"), "{}", container.logs());
    assert!(container.logs().contains("exit\n"), "{}", container.logs());

    // QUIT is nginx's graceful stop.
    let words = ["rinit", "--rewrite", "TERM=QUIT", "--"];
    let container = Container::run(&image, &["--entrypoint", ""], &[&words[..], &nginx].concat());
    container.wait_log("start worker process");
    assert_eq!(container.stop(60), 0);
    assert!(container.logs().contains("gracefully shutting down"), "{}", container.logs());

    let redis = ["redis-server", "--save", "3600 1", "--dir", "/tmp"];
    let container = Container::run(&image, &[], &redis);
    container.wait_log("Ready to accept connections");
    assert_eq!(container.exec(&["redis-cli", "set", "key", "value"]), "OK");
    assert_eq!(container.stop(60), 0, "redis's own status: {}", container.logs());
    for line in ["User requested shutdown", "DB saved on disk", "bye bye"] {
        assert!(container.logs().contains(line), "no {line:?} in {}", container.logs());
    }

    supervised(&image);

    // For comparison, the usual start script as PID 1: Redis never gets the stop signal, and the data is lost.
    let script = "redis-server --save '3600 1' --dir /tmp; echo redis ended";
    let without = Container::run(&image, &["--entrypoint", ""], &["sh", "-c", script]);
    without.wait_log("Ready to accept connections");
    assert_eq!(without.stop(3), 137);
    assert!(!without.logs().contains("bye bye"), "{}", without.logs());
}

/// supervisord as main, with redis below it: supervisord tells its programs itself, and the data is on disk afterwards.
fn supervised(image: &Image) {
    let data = tempfile::tempdir().expect("a directory");
    let volume = format!("{}:/data", data.path().display());
    let script = "cat > /tmp/s.conf <<END
[supervisord]
nodaemon=true
user=root
logfile=/dev/stdout
logfile_maxbytes=0
pidfile=/tmp/s.pid
[program:redis]
command=redis-server --save '3600 1' --dir /data
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
END
exec supervisord -c /tmp/s.conf";
    let container = Container::run(image, &["--volume", &volume], &["sh", "-c", script]);
    container.wait_log("Ready to accept connections");
    assert_eq!(container.exec(&["redis-cli", "set", "key", "kept-on-disk"]), "OK");
    assert_eq!(container.stop(60), 0, "supervisord's own status: {}", container.logs());
    let logs = container.logs();
    assert!(logs.contains("stopped: redis (exit status 0)"), "{logs}");
    assert!(!logs.contains("rinit: "), "nothing was left for rinit to tell or kill: {logs}");
    let dump = std::fs::read(data.path().join("dump.rdb")).expect("the dump");
    assert!(String::from_utf8_lossy(&dump).contains("kept-on-disk"));
}
