//! Real services, and what their stop needs from an init.

use super::parts::{PYTHON, needs, needs_root, script, wait_ready};
use super::{Init, Outcome, Place, Scenario, Stopped, judge};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::running::{Running, run};
use tempfile::TempDir;

pub(super) const ALL: &[&Scenario] =
    &[&CELERY, &CELERY_WITHOUT_EXEC, &MARIADB, &TMUX, &TERMINAL, &CRON, &SUPERVISORD, &APACHE, &NPM];

/// A directory that other users may enter, for programs that change theirs.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary directory's name is UTF-8")
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A broker, a worker that is an init's main or below a shell, and a task that takes a number of seconds from the stop on.
fn celery(init: &Init, place: Place, seconds: u32, below_shell: bool) -> Outcome {
    let directory = directory();
    let path = directory.path();
    let application = format!(
        "import os, time\n\
         from celery import Celery\n\
         app = Celery('work', broker='redis+socket://{path}/socket')\n\
         @app.task(name='job')\n\
         def job(seconds):\n\
         \x20   open('{path}/begun', 'w').close()\n\
         \x20   while not os.path.exists('{path}/stop'):\n\
         \x20       time.sleep(0.05)\n\
         \x20   time.sleep(seconds)\n\
         \x20   open('{path}/done', 'w').close()\n",
        path = path.display()
    );
    write(&path.join("work.py"), &application);
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--save", "", "--dir", text(path), "--unixsocket"]).arg(path.join("socket"));
    let broker = Running::start(server);
    broker.out.wait("eady to accept connections");
    let worker = format!(
        "{PYTHON} -m celery --workdir {} -A work worker --concurrency 1 --loglevel INFO \
         --without-gossip --without-mingle --without-heartbeat",
        path.display()
    );
    let program = if below_shell { format!("{worker}; :") } else { format!("exec {worker}") };
    let mut running = init.start(place, &["sh", "-c", &program]);
    running.err.wait(" ready.");
    let mut sender = Command::new(PYTHON);
    sender.current_dir(path).args(["-c", &format!("import work; work.job.delay({seconds})")]);
    let sent = run(sender);
    assert_eq!(sent.code, 0, "{sent:#?}");
    wait_ready(&mut running, "the task", || path.join("begun").exists());
    write(&path.join("stop"), "");
    let stopped = Stopped::by_term(&mut running);
    let outcome = stopped.outcome(if below_shell { 143 } else { 0 }, &["Warm shutdown", "succeeded in"]);
    outcome.and(path.join("done").exists(), "the task is lost")
}

/// The modules are Debian's.
fn has_celery() -> Result<(), String> {
    needs(&[PYTHON, "redis-server"])?;
    let found = Command::new(PYTHON).args(["-c", "import celery, redis"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if found { Ok(()) } else { Err(format!("{PYTHON} has no celery and redis")) }
}

static CELERY: Scenario = Scenario {
    row: "celery with a task of 6 s",
    needs: has_celery,
    options: &[],
    places: Place::BOTH,
    right: &[&["tini"]],
    waits: true,
    run: |init, place| celery(init, place, 6, false),
};

static CELERY_WITHOUT_EXEC: Scenario = Scenario {
    row: "celery below a shell without exec, a task of 6 s",
    needs: has_celery,
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| celery(init, place, 6, true),
};

/// mysqld_safe ignores TERM, and waits for mariadbd.
static MARIADB: Scenario = Scenario {
    row: "`mysqld_safe`, mariadbd below it",
    needs: || needs_root(&["mysqld_safe", "mariadb-install-db"]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini", "-g"], &["dumb-init"], &["catatonit", "-g"]],
    waits: true,
    run: |init, place| {
        let directory = directory();
        let path = directory.path();
        let data = path.join("data");
        fs::create_dir(&data).expect("make a directory");
        let mut owner = Command::new("chown");
        owner.args(["mysql:mysql", text(path), text(&data)]);
        assert_eq!(run(owner).code, 0);
        // Its temporary tables have a name that is another's in another PID namespace.
        let temporary = format!("--tmpdir={}", path.display());
        let small = ["--no-defaults", "--user=mysql", "--innodb-log-file-size=4M", &temporary];
        let mut install = Command::new("mariadb-install-db");
        install.args(small).arg(format!("--datadir={}", data.display())).arg("--skip-test-db");
        let installed = run(install);
        assert_eq!(installed.code, 0, "{installed:#?}");
        let (log, socket) = (path.join("log.err"), path.join("socket"));
        let options = [
            format!("--datadir={}", data.display()),
            format!("--log-error={}", log.display()),
            format!("--socket={}", socket.display()),
            format!("--pid-file={}", path.join("pid").display()),
            "--skip-networking".to_owned(),
        ];
        let program = ["mysqld_safe"].iter().chain(&small).copied().chain(options.iter().map(String::as_str));
        let mut running = init.start(place, &program.collect::<Vec<_>>());
        wait_ready(&mut running, "mariadbd", || content(&log).contains("ready for connections"));
        // Well before the last call of a stop without a known limit.
        let outcome = Stopped::by_term(&mut running).within(7, 0, &[]);
        outcome.and(content(&log).contains("Shutdown complete"), "no clean shutdown in its log")
    },
};

/// tmux hangs up its programs when it exits. One that saves has its time.
static TMUX: Scenario = Scenario {
    row: "tmux, a program in it that saves for 2 s",
    needs: || needs(&["tmux", PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let directory = directory();
        let log = directory.path().join("log");
        let program = format!("{PYTHON} -I {} 2 0 {}", script("saver.py"), log.display());
        let socket = directory.path().join("socket");
        let start = format!("tmux -f /dev/null -S {} new-session -d '{program}'; exec sleep 1000", socket.display());
        let mut command = init.command(&["sh", "-c", &start]);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8");
        let mut running = place.start(&command);
        wait_ready(&mut running, "the program in tmux", || content(&log).contains("ready"));
        let outcome = Stopped::by_term(&mut running).outcome(143, &[]);
        outcome.and(content(&log).contains("saved"), "not saved")
    },
};

/// One that reads a terminal, and would die by TERM, is asked after the program on that terminal.
static TERMINAL: Scenario = Scenario {
    row: "recorder of a terminal, without a TERM handler",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let directory = directory();
        let log = directory.path().join("log");
        let (recorder, saver) = (script("recorder.py"), script("saver.py"));
        let program = format!("{PYTHON} -I {recorder} {} {PYTHON} -I {saver} 0.5 0; :", log.display());
        let mut running = init.start(place, &["sh", "-c", &program]);
        wait_ready(&mut running, "the program on the terminal", || content(&log).contains("ready"));
        let outcome = Stopped::by_term(&mut running).outcome(143, &[]);
        outcome.and(content(&log).contains("saved"), "its last line is lost")
    },
};

/// A cron of its own, with a job that has begun. The mounts hide the machine's tables, and that it has been started before.
static CRON: Scenario = Scenario {
    row: "cron with a running job, `--on-main-exit finish`",
    needs: || needs_root(&["cron", "unshare", "mount"]),
    options: &["--on-main-exit", "finish"],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let directory = directory();
        let log = directory.path().join("log");
        let stop = directory.path().join("stop");
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", stop.display());
        let job = format!("(echo begun; {wait}; sleep 3 && echo finished) >{}", log.display());
        let set_up = format!(
            "for hidden in /run /etc/cron.d /var/spool/cron/crontabs; do mount -t tmpfs none $hidden; done\n\
             mount --bind /dev/null /etc/crontab\n\
             echo '@reboot {job}' >/var/spool/cron/crontabs/root\n\
             chmod 600 /var/spool/cron/crontabs/root\n\
             exec \"$@\""
        );
        let before = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-e", "-c", &set_up, "sh"];
        let mut running = init.start_in(place, &before, &["cron", "-f"]);
        wait_ready(&mut running, "the job", || content(&log).contains("begun"));
        write(&stop, "");
        let outcome = Stopped::by_term(&mut running).outcome(143, &[]);
        outcome.and(content(&log).contains("finished"), "the job is lost")
    },
};

/// supervisord stops its programs itself.
static SUPERVISORD: Scenario = Scenario {
    row: "supervisord below a shell without exec",
    needs: || needs(&["supervisord", PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let directory = directory();
        let path = directory.path();
        let program = |name: &str, seconds: &str, status: u32| {
            let command = format!("{PYTHON} -I {} {seconds} {status}", script("saver.py"));
            format!(
                "[program:{name}]\ncommand={command}\nautorestart=false\nstdout_logfile={}/{name}\n",
                path.display()
            )
        };
        let general = format!(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/stdout\nlogfile_maxbytes=0\npidfile={path}/pid\nchildlogdir={path}\n",
            path = path.display()
        );
        let file = path.join("supervisord.conf");
        write(&file, &(general + &program("quick", "0", 0) + &program("slow", "1", 3)));
        let mut running = init.start(place, &["sh", "-c", &format!("supervisord -c {}; :", file.display())]);
        for name in ["quick", "slow"] {
            wait_ready(&mut running, "the program", || content(&path.join(name)).contains("ready"));
        }
        let stopped = Stopped::by_term(&mut running);
        let outcome = stopped.outcome(143, &["stopped: quick (exit status 0)", "stopped: slow (exit status 3)"]);
        let terminated_once = ["quick", "slow"].iter().all(|name| content(&path.join(name)).contains("saved"));
        outcome.and(terminated_once, "not saved")
    },
};

/// apache2ctl is a shell that waits for apache2, which stops its own workers.
static APACHE: Scenario = Scenario {
    row: "`apache2ctl -D FOREGROUND`",
    needs: || needs_root(&["apache2ctl", "unshare"]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let directory = directory();
        let path = directory.path();
        let log = path.join("log");
        let modules = ["mpm_prefork", "authz_core"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
        let configuration = format!(
            "{}ServerName localhost\nListen 80\nPidFile {path}/pid\nErrorLog {path}/log\nDefaultRuntimeDir {path}\n\
             DocumentRoot {path}\nUser www-data\nGroup www-data\nStartServers 3\n",
            modules.concat(),
            path = path.display()
        );
        let file = path.join("apache2.conf");
        write(&file, &configuration);
        // In its own network namespace: it listens only on TCP.
        let before = ["unshare", "--net", "--"];
        let words = ["apache2ctl", "-d", text(path), "-f", text(&file), "-D", "FOREGROUND"];
        let mut running = init.start_in(place, &before, &words);
        wait_ready(&mut running, "apache2", || content(&log).contains("resuming normal operations"));
        let outcome = Stopped::by_term(&mut running).outcome(143, &[]);
        let log = content(&log);
        let said = speaks(init, &outcome);
        outcome
            .and(log.contains("caught SIGTERM, shutting down"), "no clean shutdown in its log")
            .and(!log.contains("still did not exit"), "workers were killed")
            .and(!said, "rinit speaks")
    },
};

/// npm starts a shell, which starts node.
static NPM: Scenario = Scenario {
    row: "`npm start`, a server that saves",
    needs: || needs(&["npm", "node"]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let directory = directory();
        let path = directory.path();
        write(
            &path.join("package.json"),
            r#"{"name": "x", "version": "1.0.0", "scripts": {"start": "node server.js"}}"#,
        );
        let server = "const timer = setInterval(() => {}, 1000);\n\
             process.once('SIGTERM', () => {\n\
             \x20 console.log('saving');\n\
             \x20 clearInterval(timer);\n\
             \x20 setTimeout(() => console.log('saved'), 500);\n\
             });\n\
             console.log('ready');\n";
        write(&path.join("server.js"), server);
        let options = ["--prefix", text(path), "--offline", "--no-update-notifier", "--cache", text(path), "--silent"];
        let program = ["npm"].iter().chain(&options).chain(&["start"]).copied().collect::<Vec<_>>();
        let mut running = init.start(place, &program);
        running.out.wait("ready");
        let outcome = Stopped::by_term(&mut running).outcome(143, &["saving", "saved"]);
        let said = speaks(init, &outcome);
        outcome.and(!said, "rinit speaks")
    },
};

/// Returns true if rinit printed anything about a stop that was over within a second.
fn speaks(init: &Init, outcome: &Outcome) -> bool {
    let said = outcome.stopped.err.iter().any(|line| line.starts_with("rinit: "));
    init.name == "rinit" && outcome.stopped.took < Duration::from_millis(900) && said
}

super::tests! {
    celery_finishes_its_task: CELERY,
    celery_without_exec_finishes_its_task: CELERY_WITHOUT_EXEC,
    mariadb_below_mysqld_safe_shuts_down: MARIADB,
    program_in_tmux_saves: TMUX,
    program_on_a_recorded_terminal_is_recorded: TERMINAL,
    cron_lets_a_running_job_finish: CRON,
    supervisord_stops_its_programs_itself: SUPERVISORD,
    apache_stops_its_workers_itself: APACHE,
    server_of_npm_start_saves: NPM,
}
