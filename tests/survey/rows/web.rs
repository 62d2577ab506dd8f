//! Web servers and proxies, and what runs applications behind them.

use crate::row::Row;

const FAMILY: &str = "web";

const NGINX: &str = r#"mkdir -p $D/ng; chmod 777 $D/ng; cat >$D/nginx.conf <<END
worker_processes 2; pid $D/ng/pid; error_log stderr; events { }
http { access_log off; client_body_temp_path $D/ng/a; proxy_temp_path $D/ng/b; fastcgi_temp_path $D/ng/c;
uwsgi_temp_path $D/ng/d; scgi_temp_path $D/ng/e; server { listen 127.0.0.1:8080; return 200 ok; } }
END"#;

const APACHE: &str = r#"mkdir -p $D/html /run/apache2 /run/lock/apache2; cat >$D/apache.conf <<END
ServerRoot $D
ServerName localhost
Listen 127.0.0.1:8080
PidFile $D/apache.pid
Mutex file:/run/lock/apache2 default
ErrorLog $D/apache.log
LoadModule mpm_MPM_module /usr/lib/apache2/modules/mod_mpm_MPM.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
DocumentRoot $D/html
END"#;

const PHP: &str = r#"cat >$D/fpm.conf <<END
[global]
error_log = $D/fpm.log
daemonize = no
[www]
listen = 127.0.0.1:9000
user = www-data
group = www-data
pm = static
pm.max_children = 2
END"#;

const HAPROXY: &str = r#"cat >$D/haproxy.cfg <<END
global
  maxconn 100
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend web
  bind 127.0.0.1:8080
  default_backend none
backend none
  server none 127.0.0.1:1
END"#;

const WSGI: &str = r#"cat >$D/app.py <<'END'
import time
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow':
        time.sleep(20)
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '2')])
    return [b'ok']
async def asgi(scope, receive, send):
    assert scope['type'] == 'http'
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'ok'})
END"#;

/// A client that has sent half of a request, and waits.
const HALF_A_REQUEST: &str = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET / HTTP/1.1\\r\\nHost: x\\r\\n\" >&3; \
                              echo connected; cat <&3; sleep 1000'";

/// A client whose request takes longer than a stop may.
const SLOW_REQUEST: &str = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET /slow HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\" \
                            >&3; sleep 0.5; echo connected; cat <&3; sleep 1000'";

/// A client that keeps its connection open after a request.
const KEPT_ALIVE: &str = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\" >&3; \
                          read x <&3; echo connected; cat <&3; sleep 1000'";

pub(crate) fn rows() -> Vec<Row> {
    let row = |name: &str, command: &str, program: &'static str, setup: &str| {
        Row::new(FAMILY, name, command).needs(&[program]).setup(setup).port(8080)
    };
    let nginx = |name: &str| row(name, "nginx -p $D -c $D/nginx.conf -g 'daemon off;'", "nginx", NGINX);
    let apache = |name: &str, mpm: &str| {
        row(name, "apache2 -f $D/apache.conf -DFOREGROUND", "apache2", &APACHE.replace("MPM", mpm))
    };
    let gunicorn = |name: &str, options: &str| {
        let command = format!("gunicorn -b 127.0.0.1:8080 -w 2 {options} --chdir $D app:application");
        row(name, &command, "gunicorn", WSGI)
    };
    let uvicorn = |name: &str, options: &str| {
        row(name, &format!("uvicorn --port 8080 --app-dir $D {options} app:asgi"), "uvicorn", WSGI)
    };
    let uwsgi = |name: &str, options: &str| {
        let command = format!("uwsgi --plugin python3 --http-socket 127.0.0.1:8080 --wsgi-file $D/app.py {options}");
        row(name, &command, "uwsgi", WSGI)
    };
    vec![
        nginx("nginx").gate(),
        nginx("nginx as an ordinary user").user("1000").gate(),
        nginx("nginx, half a request").client(HALF_A_REQUEST),
        apache("apache2, event", "event").gate(),
        apache("apache2, prefork", "prefork"),
        apache("apache2, worker, half a request", "worker").client(HALF_A_REQUEST),
        row(
            "apache2ctl",
            "env APACHE_ARGUMENTS= apache2ctl -f $D/apache.conf -DFOREGROUND",
            "apache2ctl",
            &APACHE.replace("MPM", "event"),
        )
        .culprit("apache2ctl"),
        Row::new(FAMILY, "php-fpm", "$(ls /usr/sbin/php-fpm* | head -n1) -F -y $D/fpm.conf")
            .needs(&["/usr/sbin/php-fpm*"])
            .setup(PHP)
            .port(9000),
        row("haproxy", "haproxy -f $D/haproxy.cfg -db", "haproxy", HAPROXY),
        row("haproxy, master and worker", "haproxy -W -db -f $D/haproxy.cfg", "haproxy", HAPROXY).gate(),
        row("haproxy, master and worker, half a request", "haproxy -W -db -f $D/haproxy.cfg", "haproxy", HAPROXY)
            .client(HALF_A_REQUEST),
        gunicorn("gunicorn", "").gate(),
        gunicorn("gunicorn, threads", "--threads 4"),
        gunicorn("gunicorn, a slow request", "").client(SLOW_REQUEST),
        gunicorn("gunicorn, preload, as an ordinary user", "--preload").user("1000"),
        uvicorn("uvicorn", ""),
        uvicorn("uvicorn, workers", "--workers 2"),
        uvicorn("uvicorn, reload", "--reload"),
        uvicorn("uvicorn, a connection kept alive", "").client(KEPT_ALIVE),
        uwsgi("uwsgi, master", "--master --processes 2").culprit("uwsgi"),
        uwsgi("uwsgi, master, die-on-term", "--master --processes 2 --die-on-term"),
        uwsgi("uwsgi, without a master", ""),
        row("busybox httpd", "busybox httpd -f -p 127.0.0.1:8080 -h $D", "busybox", "").gate(),
        row("python -m http.server", "python3 -m http.server -b 127.0.0.1 8080", "python3", "")
            .culprit("python3 -m http.server"),
        row(
            "python -m http.server below a shell with a trap",
            "bash -c 'trap \"kill \\$!; exit 0\" TERM; python3 -m http.server -b 127.0.0.1 8080 & wait'",
            "python3",
            "",
        )
        .gate(),
        row(
            "nginx below a shell with a trap",
            "bash -c 'trap \"kill \\$!; exit 0\" TERM; nginx -p $D -c $D/nginx.conf -g \"daemon off;\" & wait'",
            "nginx",
            NGINX,
        )
        .gate(),
        row(
            "gunicorn below a shell with a trap",
            "bash -c 'trap \"kill \\$!; wait; exit 0\" TERM; gunicorn -b 127.0.0.1:8080 --chdir $D app:application & wait'",
            "gunicorn",
            WSGI,
        ),
    ]
}
