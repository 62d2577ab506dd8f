//! Which signal each well-known server wants for its stop: measured with a request in flight, for a table in `docs/usage.md`.

use crate::container::{Container, Place};
use crate::report;
use crate::row::{InitProgram, Row, Space};
use crate::run::installed;
use rustix::process::Signal;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The word for a request, sent just before the stop, whose answer the client got completely.
const DONE: &str = "complete";

/// A stop that takes less than this is reported as "at once": the machine may be busy.
const AT_ONCE: Duration = Duration::from_millis(700);

const LIMIT: Duration = Duration::from_secs(10);

struct Server {
    /// As in the survey's rows, with another client.
    row: Row,
    /// What a client is in the middle of.
    request: &'static str,
    signals: &'static [&'static str],
    /// What to do, in the table's last column.
    advice: &'static str,
}

/// What one signal did.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Effect {
    /// `None` where it still runs after [`LIMIT`].
    after: Option<Duration>,
    /// Whether the client got all; `None` without a request.
    complete: Option<bool>,
    /// It still runs, and takes new connections.
    serves: bool,
}

impl Effect {
    fn words(&self) -> String {
        let exit = |after: Duration| {
            if after < AT_ONCE {
                "exits at once".to_owned()
            } else {
                format!("exits after {:.1} s", after.as_secs_f64())
            }
        };
        match (self.after, self.complete) {
            (Some(after), Some(true)) => format!("completes it, {}", exit(after)),
            (Some(after), Some(false)) => format!("cuts it off, {}", exit(after)),
            (Some(after), None) => exit(after),
            (None, Some(false)) => format!("cuts it off, **keeps running**{}", self.refusal()),
            (None, _) => format!("**keeps running**{}", self.refusal()),
        }
    }

    fn refusal(&self) -> &'static str {
        if self.serves { "" } else { ", refuses new connections" }
    }
}

fn measure(place: &Place, number: usize, server: &Server, name: &'static str) -> Result<Effect, String> {
    let init = if name == "TERM" { InitProgram::Rinit } else { InitProgram::RinitRewrite(name) };
    let mut container = Container::start(place, number, &server.row, init, Space::Own)?;
    let after = container.signal(Signal::TERM, LIMIT);
    let complete = server.row.client.contains(DONE).then(|| container.received(Duration::from_secs(8)).contains(DONE));
    let serves = after.is_none() && container.answers(&server.row.ready);
    Ok(Effect { after, complete, serves })
}

/// Measures all, and puts the table into `docs/usage.md` where it is to be written.
pub(crate) fn run(filter: Option<&str>, write: bool) -> bool {
    let place = Place::new().expect("a directory in /var/tmp");
    let servers: Vec<_> =
        servers().into_iter().filter(|server| filter.is_none_or(|text| server.row.name.contains(text))).collect();
    let work: Vec<_> =
        servers.iter().flat_map(|server| server.signals.iter().map(move |name| (server, *name))).collect();
    let next = AtomicUsize::new(0);
    let effects: Vec<Mutex<Result<Effect, String>>> = work.iter().map(|_| Mutex::new(Err(String::new()))).collect();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((server, name)) = work.get(at) else { return };
                    let missing = server.row.needs.iter().find(|program| !installed(program));
                    let effect = match missing {
                        Some(program) => Err(format!("{program} is not installed")),
                        None => measure(&place, at, server, name),
                    };
                    println!(
                        "{} {name}: {}",
                        server.row.name,
                        effect.as_ref().map_or_else(String::clone, Effect::words)
                    );
                    *effects[at].lock().expect("no panic") = effect;
                }
            });
        }
    });
    let effects: Vec<_> = effects.into_iter().map(|one| one.into_inner().expect("no panic")).collect();
    let mut table =
        String::from("| server | in flight | on TERM | on other signals | what to do |\n|---|---|---|---|---|\n");
    for server in &servers {
        let of = |name: &str| {
            let at =
                work.iter().position(|(one, two)| std::ptr::eq(*one, server) && *two == name).expect("was measured");
            effects[at].as_ref().map_or_else(|_| "not measured".to_owned(), Effect::words)
        };
        let others: Vec<_> =
            server.signals.iter().filter(|name| **name != "TERM").map(|name| format!("{name}: {}", of(name))).collect();
        let Server { row, request, advice, .. } = server;
        let _ = writeln!(table, "| {} | {request} | {} | {} | {advice} |", row.name, of("TERM"), others.join("; "));
    }
    print!("{table}");
    let complete = effects.iter().all(Result::is_ok);
    if write && filter.is_none() && complete {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/usage.md");
        report::replace_between(&path, "stop signals", &table);
    }
    complete
}

/// A client of a web server: asks for what takes four seconds.
fn curl(path: &str) -> String {
    format!(
        "( curl -sN -o $D/body -w '%{{http_code}}' http://127.0.0.1:8080/{path} >$D/code; status=$?; \
         [ $status = 0 ] && [ \"$(cat $D/code)\" = 200 ] && echo {DONE} ) & \
         until bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'; do sleep 0.1; done; sleep 0.7; echo asked; wait"
    )
}

/// A row of the survey, asked by another client.
fn like(name: &str, client: String) -> Row {
    let rows = crate::rows::all();
    let row = rows.into_iter().find(|row| row.name == name).expect("a row of this name");
    row.client(client)
}

fn servers() -> Vec<Server> {
    let server = |row: Row, request: &'static str, signals: &'static [&'static str], advice: &'static str| Server {
        row,
        request,
        signals,
        advice,
    };
    // 100 KB at 25 KB/s.
    let file = "head -c 100000 /dev/zero >$D/html/file; chmod -R a+rX $D/html";
    let mut nginx = like("nginx", curl("file"));
    nginx.setup = nginx
        .setup
        .replace("return 200 ok;", "root $D/html; limit_rate 25k;")
        .replace("mkdir -p $D/ng;", "mkdir -p $D/ng $D/html;");
    nginx.setup += &format!("\n{file}");
    let mut apache = like("apache2, event", curl("file"));
    apache.setup = apache.setup.replace(
        "DocumentRoot $D/html",
        "DocumentRoot $D/html\nLoadModule env_module /usr/lib/apache2/modules/mod_env.so\n\
         LoadModule ratelimit_module /usr/lib/apache2/modules/mod_ratelimit.so\n<Location />\nSetOutputFilter RATE_LIMIT\n\
         SetEnv rate-limit 25\nRequire all granted\n</Location>",
    );
    apache.setup += &format!("\n{file}");
    let mut php = like("php-fpm", format!("python3 $D/client.py # {DONE}"));
    php.setup += &format!(
        "\nprintf '<?php for ($end = time() + 4; time() < $end;) usleep(10000); echo \"{DONE}\";' >$D/slow.php\ncat >$D/client.py <<'END'\n{FASTCGI}\nEND"
    );
    let mut patient = php.clone();
    patient.name += ", process_control_timeout = 8s";
    patient.setup = patient.setup.replace("daemonize = no", "daemonize = no\nprocess_control_timeout = 8s");
    let mut haproxy = like("haproxy, master and worker", format!("python3 $D/slow.py & sleep 1; {}", curl("x")));
    haproxy.setup = haproxy.setup.replace("server none 127.0.0.1:1", "server slow 127.0.0.1:8081") + SLOW_BACKEND;
    let slow = |name: &str| {
        let mut row = like(name, curl("slow"));
        row.setup = row.setup.replace("time.sleep(20)", "time.sleep(4)").replace(
            "    assert scope['type'] == 'http'",
            "    import asyncio\n    if scope['type'] != 'http': return\n    if scope['path'] == '/slow': await asyncio.sleep(4)",
        );
        row
    };
    let psql = |query: &str| {
        format!(
            "{{ echo \"select 42; {query}\"; [ -n \"{query}\" ] || sleep 1000; }} | psql -h 127.0.0.1 -U postgres -At"
        )
    };
    let sleeping = format!("select pg_sleep(4); select '{DONE}';");
    let maria = format!(
        "echo \"select 42; select if(sleep(4) = 0, '{DONE}', 'cut');\" | mariadb --no-defaults -u root -h 127.0.0.1 -n -N"
    );
    let redis = format!("redis-cli set a b; redis-cli blpop none 4 && redis-cli get a | grep -q b && echo {DONE}");
    let mut node = like("node, no handler", curl("slow"));
    node.setup =
        node.setup.replace("answer.end(", "setTimeout(() => answer.end(").replace("ok'\\''))", "ok'\\''), 4000))");
    let ssh = crate::rows::all().into_iter().find(|row| row.name == "sshd, a session").expect("the row").client;
    let session = ssh.replace("exec bash --norc -i", &format!("sleep 4; echo {DONE}"));
    let mut celery = like(
        "celery, prefork",
        format!(
            "redis-server --port 6379 --save '' >/dev/null & until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done; \
         until grep -q ready $D/log; do sleep 0.2; done; cd $D; celery -A app call app.slow; until [ -e $D/began ]; do sleep 0.1; \
         done; for i in $(seq 70); do [ -e $D/{DONE} ] && exec echo {DONE}; sleep 0.1; done"
        ),
    );
    celery.setup = format!(
        "cat >$D/app.py <<'END'\nimport time\nfrom celery import Celery\napp = Celery('app', broker='redis://127.0.0.1:6379/0')\n\
         @app.task\ndef slow():\n    open('began', 'w').close()\n    time.sleep(4)\n    open('{DONE}', 'w').close()\nEND"
    );
    celery.ready = "true".to_owned();
    let mut supervisord = like("supervisord", String::new());
    supervisord.setup = supervisord.setup.replace("sub{exit}", "sub{sleep 1; exit}");
    let interactive = like("bash: interactive on a terminal", String::new());
    vec![
        server(nginx, "a download of 4 s", &["TERM", "QUIT", "INT"], "`-r TERM=QUIT`"),
        server(
            apache,
            "a download of 4 s",
            &["TERM", "WINCH", "INT"],
            "`-r TERM=WINCH -r WINCH=`: the second rule keeps a terminal's resize from it",
        ),
        server(
            php,
            "a script of 4 s",
            &["TERM", "QUIT", "INT"],
            "`-r TERM=QUIT`, and `process_control_timeout` in its configuration",
        ),
        server(patient, "a script of 4 s", &["TERM", "QUIT"], "`-r TERM=QUIT`"),
        server(haproxy, "a request of 4 s", &["TERM", "USR1", "INT"], "`-r TERM=USR1`"),
        server(
            slow("gunicorn"),
            "a request of 4 s",
            &["TERM", "INT", "QUIT"],
            "none; `--graceful-timeout` shorter than the stop's timeout",
        ),
        server(
            slow("uvicorn"),
            "a request of 4 s",
            &["TERM", "INT", "QUIT"],
            "none; `--timeout-graceful-shutdown` shorter than the stop's timeout",
        ),
        server(
            slow("uwsgi, master"),
            "a request of 4 s",
            &["TERM", "INT", "QUIT", "HUP"],
            "`die-on-term = true` in its configuration, or `-r TERM=INT`",
        ),
        server(
            node,
            "a request of 4 s",
            &["TERM", "INT", "HUP"],
            "an init, for it keeps running as PID 1, and a handler of the program's own",
        ),
        server(like("postgres", psql(&sleeping)), "a query of 4 s", &["TERM", "INT", "QUIT"], "`-r TERM=INT`"),
        server(
            like("postgres, an idle client", psql("")),
            "none: an idle client",
            &["TERM", "INT", "QUIT"],
            "`-r TERM=INT`",
        ),
        server(like("mariadb", maria.clone()), "a query of 4 s", &["TERM", "INT", "QUIT"], "none"),
        server(
            like("mariadb, mysqld_safe", maria),
            "a query of 4 s",
            &["TERM", "INT", "QUIT"],
            "start `mariadbd` itself",
        ),
        server(
            like("redis", redis),
            "a blocked client of 4 s",
            &["TERM", "INT", "QUIT"],
            "none; it saves before it exits where `save` is set",
        ),
        server(like("memcached", String::new()), "nothing", &["TERM", "INT", "QUIT", "USR1"], "none"),
        server(like("rabbitmq", String::new()), "nothing", &["TERM", "INT", "QUIT"], "none"),
        server(celery, "a task of 4 s", &["TERM", "INT", "QUIT"], "none; a stop timeout longer than the longest task"),
        server(like("sshd, a session", session), "a session of 4 s", &["TERM", "INT", "HUP"], "none"),
        server(like("cron", String::new()), "nothing", &["TERM", "INT", "HUP"], "an init: as PID 1 it loses TERM"),
        server(like("rsyslog", String::new()), "nothing", &["TERM", "INT", "HUP"], "none"),
        server(
            supervisord,
            "a program that needs 1 s",
            &["TERM", "INT", "QUIT", "HUP"],
            "none; `stopwaitsecs` shorter than the stop's timeout",
        ),
        server(
            like("runit: runsvdir", String::new()),
            "nothing",
            &["TERM", "HUP"],
            "`-r TERM=HUP`: on TERM it leaves its services to rinit",
        ),
        server(like("s6: s6-svscan", String::new()), "nothing", &["TERM", "INT", "HUP"], "none"),
        server(interactive, "nothing", &["TERM", "INT", "HUP"], "`-r TERM=HUP`"),
    ]
}

/// A FastCGI client: one request for `slow.php`.
const FASTCGI: &str = r#"import os, socket, struct
D = os.environ.get("D") or os.getcwd()
s = socket.create_connection(("127.0.0.1", 9000))
def record(kind, body): return struct.pack(">BBHHBB", 1, kind, 1, len(body), 0, 0) + body
def pair(a, b): return bytes([len(a), len(b)]) + a.encode() + b.encode()
params = pair("SCRIPT_FILENAME", D + "/slow.php") + pair("REQUEST_METHOD", "GET") + pair("SCRIPT_NAME", "/slow.php")
s.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
import time; time.sleep(0.5); print("asked", flush=True)
data = b""
while True:
    part = s.recv(4096)
    if not part: break
    data += part
print(data)"#;

const SLOW_BACKEND: &str = r#"
cat >$D/slow.py <<'END'
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != '/x': return
        time.sleep(4)
        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'ok')
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('127.0.0.1', 8081), Slow).serve_forever()
END"#;
