//! Real programs under rinit as PID 1, stopped as by `docker stop`: they stop in their own order, and nothing is lost.
//!
//! The Debian packages: `nginx-light postgresql redis-server supervisor celery
//! python3-redis`. A program that is not there is skipped, or under CI a failure. Everything listens on Unix
//! sockets in a directory of the test.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::rinit::Rinit;
use support::running::{Finished, Running, run};
use support::{deadline, is_root, namespace, probe_path, require, rinit, wait_for};
use tempfile::TempDir;

const INT: i32 = 2;
const QUIT: i32 = 3;
const TERM: i32 = 15;

/// So much must rinit report that [`assert_left_alone`] sees every process that it terminated or killed.
const TALKATIVE: &str = "-vv";

fn needs(programs: &[&str]) -> Result<(), String> {
    namespace::available()?;
    support::needs::programs(programs)
}

/// For programs that change to another user: the user namespace that an ordinary user gets maps only one.
fn needs_root(programs: &[&str]) -> Result<(), String> {
    support::needs::root()?;
    needs(programs)
}

/// A directory that other users may enter, for programs that change theirs.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary directory's name is UTF-8")
}

/// rinit has sent signals only to main: the program has stopped its own processes.
#[track_caller]
fn assert_left_alone(finished: &Finished) {
    let touched = ["sent SIG", "still running", "time is up", "still waiting", "leaving "];
    let said = finished.err.iter().filter(|line| line.starts_with("rinit: "));
    let bad: Vec<_> = said.filter(|line| touched.iter().any(|words| line.contains(words))).collect();
    assert!(bad.is_empty(), "rinit interfered: {bad:#?}\nall of it: {:#?}", finished.err);
}

/// Ended with 0, and by itself.
#[track_caller]
fn assert_ended_well(finished: &Finished) {
    assert_eq!(finished.code, 0, "{finished:#?}");
    assert_left_alone(finished);
}

mod nginx {
    use super::*;
    use support::test;

    const PAGE: usize = 300_000;

    /// Two workers, a page that takes more than a second to send, and a log of every signal that a process of it gets.
    fn start(directory: &Path, options: &[&str]) -> Running {
        let path = text(directory);
        fs::write(directory.join("page"), vec![b'x'; PAGE]).expect("write the page");
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String = kinds.iter().map(|kind| format!("{kind}_temp_path {path}/{kind}; ")).collect();
        let server = format!("server {{ listen unix:{path}/socket; root {path}; limit_rate 200k; }}");
        let configuration = format!(
            "daemon off; worker_processes 2; pid {path}/pid; error_log stderr notice; events {{}}\n\
             http {{ access_log off; {temporary} {server} }}\n"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration).expect("write nginx.conf");
        let nginx = ["--", "nginx", "-e", "stderr", "-p", path, "-c", text(&file)];
        let running = namespace::rinit(&[&[TALKATIVE], options, &nginx].concat());
        running.err.wait_nth("start worker process ", 2);
        running
    }

    /// A request of which the beginning has been answered.
    fn begin_request(socket: &Path) -> (UnixStream, Vec<u8>) {
        let mut stream = wait_for("nginx's socket", || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(deadline())).expect("a read timeout");
        stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").expect("send a request");
        let mut got = vec![0; 100];
        stream.read_exact(&mut got).expect("the beginning of the answer");
        (stream, got)
    }

    /// nginx logs each signal with the pid that got it: `… 15#15: signal 3 (SIGQUIT) received from 1, shutting down`.
    #[track_caller]
    fn assert_only_the_master_was_sent(finished: &Finished) {
        let started = finished.err.iter().find_map(|line| line.strip_prefix("rinit: started main as pid "));
        let master = started.expect("rinit says main's pid");
        let sent: Vec<_> = finished.err.iter().filter(|line| line.contains(") received from 1,")).collect();
        assert_eq!(sent.len(), 1, "one stop signal from rinit, to one process: {sent:#?}");
        assert!(sent[0].contains(&format!(" {master}#{master}: ")), "to the master, {master}: {sent:#?}");
        let unasked: Vec<_> = finished.err.iter().filter(|line| line.contains("exited on signal")).collect();
        assert!(unasked.is_empty(), "workers end by themselves: {unasked:#?}");
    }

    fn graceful_stop(options: &[&str], signal: i32) {
        let directory = directory();
        let running = start(directory.path(), options);
        let (mut stream, mut answer) = begin_request(&directory.path().join("socket"));
        running.signal(signal);
        running.err.wait("shutting down");
        stream.read_to_end(&mut answer).expect("the rest of the answer");
        let header = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the header's end") + 4;
        assert_eq!(answer.len() - header, PAGE, "the answer was cut");
        let finished = running.finish();
        assert_ended_well(&finished);
        assert_only_the_master_was_sent(&finished);
    }

    /// QUIT is the `STOPSIGNAL` of nginx's image.
    #[test]
    fn quit_lets_workers_finish_the_request_they_serve() {
        require(needs_root(&["nginx"]));
        graceful_stop(&[], QUIT);
    }

    #[test]
    fn term_rewritten_to_quit_lets_workers_finish_the_request_they_serve() {
        require(needs_root(&["nginx"]));
        graceful_stop(&["--rewrite", "TERM=QUIT"], TERM);
    }

    #[test]
    fn fast_stop_by_term_is_left_to_the_master() {
        require(needs_root(&["nginx"]));
        let directory = directory();
        let running = start(directory.path(), &[]);
        running.signal(TERM);
        let finished = running.finish();
        assert_ended_well(&finished);
        assert_only_the_master_was_sent(&finished);
    }
}

mod postgres {
    use super::*;
    use support::test;

    /// As root by rinit's `--user`: postgres refuses root.
    const AS_POSTGRES: [&str; 2] = ["--user", "postgres"];

    struct Database {
        directory: TempDir,
        programs: PathBuf,
    }

    /// Debian keeps the server's programs out of PATH.
    fn programs() -> Option<PathBuf> {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut directories: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
        directories.retain(|directory| directory.join("initdb").is_file());
        directories.pop()
    }

    /// User and group of a line of /etc/passwd.
    fn ids(user: &str) -> Option<(u32, u32)> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        let line = passwd.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1).map(|field| field.parse().ok());
        Some((fields.next()??, fields.next()??))
    }

    impl Database {
        fn new() -> Result<Self, String> {
            needs_root(&["psql"])?;
            let programs = programs().ok_or("no postgres in /usr/lib/postgresql")?;
            let directory = directory();
            if is_root() {
                let (user, group) = ids("postgres").ok_or("no user postgres")?;
                chown(directory.path(), Some(user), Some(group)).expect("chown");
            }
            let database = Self { directory, programs };
            // Here not as PID 1: initdb runs postgres a few times, and all is to be as without rinit.
            let words = ["-D", &database.data(), "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C"];
            let mut initdb = rinit(user_options());
            initdb.arg("--").arg(database.programs.join("initdb")).args(words);
            let made = run(initdb);
            assert_eq!(made.code, 0, "initdb: {made:#?}");
            Ok(database)
        }

        fn data(&self) -> String {
            format!("{}/data", text(self.directory.path()))
        }

        fn start(&self) -> Running {
            let postgres = self.programs.join("postgres");
            let data = self.data();
            let words = ["-D", &data, "-k", text(self.directory.path()), "-c", "listen_addresses=", "-c", "fsync=off"];
            let running = namespace::rinit(&[&[TALKATIVE], user_options(), &["--", text(&postgres)], &words].concat());
            running.err.wait("database system is ready to accept connections");
            running
        }

        fn client(&self) -> Running {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"]);
            psql.arg(self.directory.path());
            Running::start(psql)
        }

        #[track_caller]
        fn ask(&self, question: &str) -> Vec<String> {
            let mut client = self.client();
            client.type_in(question);
            let finished = client.finish();
            assert_eq!(finished.code, 0, "{question}: {:#?}", finished.err);
            finished.out
        }

        /// The state of the stopped cluster, as it reports it.
        #[track_caller]
        fn assert_shut_down(&self, finished: &Finished) {
            assert_ended_well(finished);
            let last = finished.err.iter().any(|line| line.ends_with("LOG:  database system is shut down"));
            assert!(last, "no line of the shutdown: {:#?}", finished.err);
            let mut control = Command::new(self.programs.join("pg_controldata"));
            control.env("LC_ALL", "C").arg(self.data());
            let state = run(control).out.into_iter().find(|line| line.starts_with("Database cluster state:"));
            let state = state.expect("pg_controldata says the state");
            assert_eq!(state.rsplit("  ").next().map(str::trim), Some("shut down"), "{state}");
        }
    }

    fn user_options() -> &'static [&'static str] {
        if is_root() { &AS_POSTGRES } else { &[] }
    }

    /// INT is the `STOPSIGNAL` of postgres's image: clients are disconnected, the data is written.
    #[test]
    fn fast_shutdown_by_int_with_a_client_connected() {
        let database = require(Database::new());
        let running = database.start();
        database.ask("create table t (n int); insert into t values (1);\n");
        let mut client = database.client();
        client.type_in("select 'here';\n");
        client.out.wait("here");
        running.signal(INT);
        running.err.wait("received fast shutdown request");
        database.assert_shut_down(&running.finish());
        let running = database.start();
        assert_eq!(database.ask("select n from t;\n"), ["1"]);
        drop(running);
    }

    /// TERM waits for clients: a backend or a writer that got TERM from rinit would end the client's transaction.
    #[test]
    fn smart_shutdown_by_term_lets_the_client_commit() {
        let database = require(Database::new());
        let running = database.start();
        database.ask("create table t (n int);\n");
        let mut client = database.client();
        client.type_in("begin; insert into t values (2); select 'begun';\n");
        client.out.wait("begun");
        running.signal(TERM);
        running.err.wait("received smart shutdown request");
        client.type_in("insert into t values (3); commit;\n");
        let client = client.finish();
        assert_eq!(client.code, 0, "the client's transaction: {:#?}", client.err);
        database.assert_shut_down(&running.finish());
        let running = database.start();
        assert_eq!(database.ask("select n from t order by n;\n"), ["2", "3"]);
        drop(running);
    }
}

mod redis {
    use super::*;
    use support::test;

    pub(super) fn start(directory: &Path, persistence: &[&str]) -> Running {
        let socket = directory.join("socket");
        let _ = fs::remove_file(&socket);
        let server = ["--", "redis-server", "--port", "0", "--dir", text(directory), "--unixsocket", text(&socket)];
        let running = namespace::rinit(&[&[TALKATIVE], &server[..], persistence].concat());
        running.out.wait("eady to accept connections");
        running
    }

    #[track_caller]
    pub(super) fn ask(directory: &Path, question: &[&str]) -> Vec<String> {
        let mut client = Command::new("redis-cli");
        client.arg("-s").arg(directory.join("socket")).args(question);
        let finished = run(client);
        assert_eq!(finished.code, 0, "{question:?}: {finished:#?}");
        finished.out
    }

    fn data_survives_a_stop(persistence: &[&str]) {
        let directory = directory();
        let path = directory.path();
        let running = start(path, persistence);
        assert_eq!(ask(path, &["SET", "key", "value that must not get lost"]), ["OK"]);
        running.signal(TERM);
        let finished = running.finish();
        assert!(finished.out.iter().any(|line| line.contains("bye bye")), "{:#?}", finished.out);
        assert_ended_well(&finished);
        let running = start(path, persistence);
        assert_eq!(ask(path, &["GET", "key"]), ["value that must not get lost"]);
        drop(running);
    }

    /// Written only when it exits: nothing requests it before.
    #[test]
    fn snapshot_is_on_disk_after_term() {
        require(needs(&["redis-server", "redis-cli"]));
        data_survives_a_stop(&["--save", "3600", "1000000", "--appendonly", "no"]);
    }

    #[test]
    fn append_only_file_is_on_disk_after_term() {
        require(needs(&["redis-server", "redis-cli"]));
        data_survives_a_stop(&["--save", "", "--appendonly", "yes", "--appendfsync", "no"]);
    }
}

mod supervisord {
    use super::*;
    use support::test;

    fn program(name: &str, command: &str) -> String {
        format!(
            "[program:{name}]\ncommand={command}\nautorestart=false\nredirect_stderr=true\n\
             stdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n"
        )
    }

    /// One program that needs time to clean up, one that does not.
    #[test]
    fn programs_are_stopped_by_supervisord_and_clean_up() {
        require(needs(&["supervisord"]));
        let directory = directory();
        let path = text(directory.path());
        let probe = probe_path();
        let general = format!(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={path}/pid\nchildlogdir={path}\n"
        );
        let quick = program("quick", &format!("{probe} slow-term 0 0"));
        let slow = program("slow", &format!("{probe} slow-term 700 3"));
        let file = directory.path().join("supervisord.conf");
        fs::write(&file, general + &quick + &slow).expect("write supervisord.conf");
        let running = Rinit::with(&[TALKATIVE]).program(&["supervisord", "-c", text(&file)]).as_pid_1().start();
        running.out.wait_nth("ready pid=", 2);
        running.signal(TERM);
        let finished = running.finish();
        let count = |line: &str| finished.out.iter().filter(|it| it.contains(line)).count();
        assert_eq!(count("cleaning"), 2, "{:#?}", finished.out);
        assert_eq!(count("done"), 2, "{:#?}", finished.out);
        assert_eq!(count("stopped: quick (exit status 0)"), 1, "{:#?}", finished.out);
        assert_eq!(count("stopped: slow (exit status 3)"), 1, "{:#?}", finished.out);
        assert_ended_well(&finished);
    }
}

mod celery {
    use super::*;
    use support::test;

    const APPLICATION: &str = r#"
import os, time
from celery import Celery
here = os.path.dirname(os.path.abspath(__file__))
app = Celery("work", broker="redis+socket://" + here + "/socket")
@app.task(name="job")
def job():
    print("task begun")
    while not os.path.exists(here + "/go"):
        time.sleep(0.01)
"#;

    /// Debian's own, whatever other Python is in PATH.
    const PYTHON: &str = "/usr/bin/python3";

    fn has_celery() -> Result<(), String> {
        let found = Command::new(PYTHON).args(["-c", "import celery, redis"]).output();
        let found = found.is_ok_and(|output| output.status.success());
        if found { Ok(()) } else { Err(format!("{PYTHON} has no celery and redis")) }
    }

    /// On TERM celery's main process lets its pool finish what it has begun ("warm shutdown"); a second TERM or one to the
    /// pool's processes loses the task.
    #[test]
    fn task_that_has_begun_is_finished_after_term() {
        require(needs(&["redis-server", "redis-cli"]));
        require(has_celery());
        let directory = directory();
        let path = directory.path();
        let broker = super::redis::start(path, &["--save", ""]);
        fs::write(path.join("work.py"), APPLICATION).expect("write work.py");
        let words = ["--workdir", text(path), "-A", "work", "worker", "--concurrency", "2", "--loglevel", "INFO"];
        let quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"];
        let worker = namespace::rinit(&[&[TALKATIVE, "--", PYTHON, "-m", "celery"], &words[..], &quiet].concat());
        worker.err.wait(" ready.");
        let mut sender = Command::new(PYTHON);
        sender.current_dir(path).args(["-c", "import work; work.job.delay()"]);
        let sent = run(sender);
        assert_eq!(sent.code, 0, "{sent:#?}");
        worker.err.wait("task begun");
        worker.signal(TERM);
        worker.err.wait("Warm shutdown");
        fs::write(path.join("go"), "").expect("let the task go on");
        let finished = worker.finish();
        let done = |line: &String| line.contains("Task job[") && line.contains("] succeeded");
        assert!(finished.err.iter().any(done), "{finished:#?}");
        assert_ended_well(&finished);
        drop(broker);
    }
}
