//! Programs in Python, JavaScript and Java as people write them, and a browser.

use crate::row::{InitProgram, Row, quote};

const FAMILY: &str = "language";

const NODE: &str = "require('http').createServer((request, answer) => answer.end('ok')).listen(8080, '127.0.0.1');";

const CELERY: &str = "printf \"from celery import Celery\\napp = Celery('app', broker='memory://')\\n\" >$D/app.py";

const JAVA: &str = r#"flock $T/java.lock sh -c '[ -e $T/Main.class ] || { cat >$T/Main.java && javac -d $T $T/Main.java; }' <<'END'
public class Main {
    public static void main(String[] words) throws Exception {
        if (words.length > 0) Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { Thread.sleep(1000 * Integer.parseInt(words[0])); } catch (InterruptedException e) { }
        }));
        var socket = new java.net.ServerSocket(8080);
        while (true) socket.accept().close();
    }
}
END"#;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = node();
    rows.extend(python());
    let java = |name: &str, words: &str| {
        let command = format!("java -XX:TieredStopAtLevel=1 -Xshare:auto -cp $T Main {words}");
        Row::new(FAMILY, name, command).needs(&["java", "javac"]).setup(JAVA).port(8080).heavy()
    };
    rows.push(java("java", ""));
    rows.push(java("java, a hook of 2 s", "2"));
    rows.push(java("java, a hook of 60 s", "60").culprit("java"));
    rows.push(
        Row::new(
            FAMILY,
            "java below a shell with a trap",
            "bash -c 'trap \"kill \\$!; wait; exit 0\" TERM; java -cp $T Main & wait'",
        )
        .needs(&["java", "javac", "bash"])
        .setup(JAVA)
        .port(8080)
        .heavy(),
    );
    rows.push(
        Row::new(
            FAMILY,
            "chromium, headless",
            "chromium --headless --no-sandbox --disable-gpu --user-data-dir=$D/chromium --remote-debugging-port=9222 \
             about:blank",
        )
        .needs(&["chromium"])
        .port(9222)
        .heavy(),
    );
    rows
}

fn node() -> Vec<Row> {
    let files = format!(
        "printf %s {} >$D/server.js; printf %s {} >$D/handler.js; printf %s {} >$D/close.js; printf %s {} >$D/package.json",
        quote(NODE),
        quote(&format!("process.on('SIGTERM', () => process.exit(0)); {NODE}")),
        quote(&format!("let server; process.on('SIGTERM', () => server.close()); server = {NODE}")),
        quote(r#"{"name": "x", "version": "1.0.0", "scripts": {"start": "node server.js"}}"#),
    );
    let row =
        |name: &str, command: &str| Row::new(FAMILY, name, command).needs(&["node"]).setup(files.clone()).port(8080);
    let kept = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: \
                keep-alive\\r\\n\" >&3; echo connected; cat <&3; sleep 1000'";
    vec![
        row("node, no handler", "node $D/server.js").culprit("node"),
        row("node, a handler that exits", "node $D/handler.js"),
        row("node, server.close with half a request", "node $D/close.js").client(kept).culprit("node"),
        row("npm start", "env HOME=$D npm_config_update_notifier=false npm start").needs(&["npm"]),
        row("node --watch", "node --watch $D/handler.js"),
        row("node below a shell with a trap", "bash -c 'trap \"kill \\$!; exit 0\" TERM; node $D/server.js & wait'")
            .needs(&["bash"]),
    ]
}

fn python() -> Vec<Row> {
    let row = |name: &str, script: &str| {
        let command = format!("python3 -u -c {}", quote(script));
        Row::new(FAMILY, format!("python: {name}"), command).needs(&["python3"]).says("up")
    };
    let both = [InitProgram::Rinit, InitProgram::Tini];
    vec![
        row("no handler", "import time; print('up'); time.sleep(1000)").culprit("python3").certain(&[
            InitProgram::None,
            InitProgram::Rinit,
            InitProgram::Tini,
        ])
        .gate(),
        row("a handler that exits", "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up'); time.sleep(1000)"),
        row(
            "a handler that does nothing",
            "import signal, time; signal.signal(15, lambda *_: None); print('up')\nwhile True: time.sleep(100)",
        )
        .culprit("python3")
        .gate(),
        row("asyncio with a handler", "import asyncio, signal\nasync def main():\n stop = asyncio.Event()\n asyncio.get_running_loop().add_signal_handler(15, stop.set); print('up'); await stop.wait()\nasyncio.run(main())"),
        row("ignores TERM", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(1000)")
            .culprit("python3")
            .certain(&[InitProgram::None, InitProgram::Rinit, InitProgram::Tini])
            .gate(),
        row("blocks TERM, never takes it", "import signal, time; signal.pthread_sigmask(0, [15]); print('up'); time.sleep(1000)")
            .culprit("python3")
            .gate(),
        row("takes TERM by sigwait", "import signal; signal.pthread_sigmask(0, [15]); print('up'); signal.sigwait([15])").gate(),
        row("in sigwait for another signal", "import signal; signal.pthread_sigmask(0, [10]); print('up'); signal.sigwait([10])")
            .culprit("python3"),
        row(
            "takes TERM by a wake-up descriptor",
            "import os, signal, select; r, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w); \
             signal.signal(15, lambda *_: None); print('up')\nselect.select([r], [], [])",
        ),
        row(
            "multiprocessing pool",
            "import multiprocessing, time\nif __name__ == '__main__':\n multiprocessing.Pool(2); print('up'); time.sleep(1000)",
        )
        .culprit("python3"),
        row(
            "multiprocessing with a resource tracker and a handler",
            "import multiprocessing.shared_memory as m, signal, sys, time\n\
             signal.signal(15, lambda *_: sys.exit(0)); s = m.SharedMemory(create=True, size=8); print('up'); time.sleep(1000)",
        )
        .gate(),
        row(
            "children that it does not wait for",
            "import os, signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\n\
             for _ in range(30):\n if os.fork() == 0: os._exit(0)\nprint('up'); time.sleep(1000)",
        )
        .gate(),
        row(
            "a handler in a blocked write",
            "import os, signal, sys, time\nr, w = os.pipe()\ndef stop(*_): os.write(w, b'x' * 1000000); sys.exit(0)\n\
             signal.signal(15, stop); print('up'); time.sleep(1000)",
        )
        .culprit("python3"),
        row(
            "main is stopped",
            "import os, time; print('up'); os.kill(os.getpid(), 19); time.sleep(1000)",
        )
        .inits(&both)
        .culprit("python3")
        .gate(),
        row("main's first thread has exited", "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); print('up', flush=True); ctypes.CDLL(None).syscall(60, 0)")
            .inits(&both)
            .culprit("python3"),
        row("main's first thread has exited, and the others are stopped", "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); print('up', flush=True); ctypes.CDLL(None).syscall(60, 0)")
            .then("pkill -STOP python3")
            .inits(&both)
            .culprit("python3")
            .certain(&[InitProgram::Tini])
            .gate(),
        Row::new(FAMILY, "celery, prefork", "celery -A app worker -c 2 --without-mingle --without-gossip -l INFO")
            .needs(&["celery"])
            .setup(CELERY)
            .says("ready"),
        Row::new(FAMILY, "celery, solo, as an ordinary user", "celery -A app worker -P solo -l INFO")
            .needs(&["celery"])
            .setup(CELERY)
            .user("1000")
            .says("ready"),
        Row::new(FAMILY, "python: child in a frozen cgroup", "python3 -u -c 'import os, signal, subprocess\nfrozen = lambda: os.execlp(\"perl\", \"perl\", \"-e\", \"$SIG{TERM} = sub { exit }; sleep 1000\")\np = os.fork() or frozen()\nsignal.signal(15, lambda *_: (os.kill(p, 15), os.waitpid(p, 0), os._exit(0)))\nprint(\"up\")\nwhile 1: signal.pause()'")
            .then("mkdir $CG/inner; pgrep -x perl >$CG/inner/cgroup.procs; echo 1 >$CG/inner/cgroup.freeze")
            .needs(&["perl"])
            .culprit("perl -e")
            .needs(&["python3"])
            .says("up"),
        // Version 2 of the freezer: what terminates a process acts.
        Row::new(FAMILY, "main without a handler in a frozen cgroup", "sleep 1000")
            .then("mkdir $CG/inner; pgrep -x sleep >$CG/inner/cgroup.procs; echo 1 >$CG/inner/cgroup.freeze")
            .inits(&both)
            .certain(&both)
            .gate(),
    ]
}
