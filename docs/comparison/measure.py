#!/usr/bin/env python3
"""Runs the same stops under rinit, tini, dumb-init, catatonit and without an init, and prints what happened as Markdown.

It needs Linux, Python 3.9, util-linux (unshare, setpriv) and the inits to compare:

    apt-get install tini dumb-init catatonit && cargo build --release
    docs/comparison/measure.py --write docs/comparison.md

rinit prints at most 80 characters of a command, so that a python3 or a checkout with a long path cuts the players' names off: run it
as `PATH=/usr/bin:/bin docs/comparison/measure.py ...` if the first python3 in PATH is one of pyenv's.

Every run has its own PID namespace, so that no process outlives it. The programs under the inits are this script as well
(`measure.py play ROLE`). Each connects to a socket of the observer. What it writes there is an event, and the end of the
connection is its death, whatever the cause. No result is assumed: a cell says what was observed.
"""

import os
import signal
import socket
import sys
import time

HERE = os.path.abspath(__file__)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))


# ---------------------------------------------------------------------------------------------------------------------
# The players: the programs that run under the init.


class Line:
    """A player's connection to the observer."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["COMPARISON_SOCKET"])
        self.say("hello " + name)

    def say(self, what):
        self.socket.sendall((what + "\n").encode())


def child(play, *arguments, **options):
    """Plays a role in a forked process."""
    pid = os.fork()
    if pid == 0:
        try:
            play(*arguments, **options)
        finally:
            os._exit(0)
    return pid


def sleep_for_ever():
    while True:
        signal.pause()


def wait_for_term(line, tell=None):
    """Says that it is ready, and then blocks until TERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    line.say("ready")
    if tell is not None:
        os.write(tell, b"ready")
    signal.sigwait([signal.SIGTERM])
    line.say("TERM")


def play_cleaner(name="helper", milliseconds="500", tell=None):
    """Needs some time to clean up after TERM."""
    line = Line(name)
    wait_for_term(line, tell)
    time.sleep(int(milliseconds) / 1000)
    line.say("finished")


def play_orphan_of(play, *arguments):
    """Starts a role by a double fork, so that the init adopts it."""
    middle = child(lambda: child(lambda: (os.setsid(), play(*arguments))))
    os.waitpid(middle, 0)


def play_forker(name):
    """Forks and exits every 2 ms until one of the processes gets TERM. The processes share one connection."""
    line = Line(name)
    got = []
    signal.signal(signal.SIGTERM, lambda *_: got.append(True))
    line.say("ready")
    while not got:
        time.sleep(0.002)
        # A TERM between fork and exit reaches the parent alone and would be lost, so block it and check for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        if got or signal.SIGTERM in signal.sigpending():
            break
        if os.fork():
            if signal.SIGTERM in signal.sigpending():
                line.say("TERM")
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    line.say("TERM")
    line.say("finished")


def play_main(how, *helpers):
    """Main: starts helpers, and on TERM exits with status 7 (`quick`), is terminated by it (`default`), or ignores it."""
    for helper in helpers:
        kind, _, name = helper.partition(":")
        if kind == "cleaner":
            child(play_cleaner, name)
        elif kind == "session":
            child(lambda name=name: (os.setsid(), play_cleaner(name, "100")))
        elif kind == "orphan":
            play_orphan_of(play_cleaner, name, "100")
        elif kind == "forker":
            child(play_forker, name)
    line = Line("main")
    if how == "default":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        line.say("ready")
        sleep_for_ever()
    if how == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        line.say("ready")
        sleep_for_ever()
    wait_for_term(line)
    os._exit(7)


def play_master(workers):
    """A master that drains its own workers: on TERM it asks each over a pipe to finish, and exits after them."""
    started = []
    for number in range(int(workers)):
        reader, writer = os.pipe()
        started.append((child(play_worker, str(number), reader, writer, [writer for _, writer in started]), writer))
        os.close(reader)
    line = Line("main")
    wait_for_term(line)
    for _, writer in started:
        os.close(writer)
    for pid, _ in started:
        os.waitpid(pid, 0)
    line.say("drained")
    os._exit(7)


def play_worker(number, reader, writer, others):
    os.close(writer)
    for other in others:
        # Pipes of earlier workers: those workers see no end of file while a copy is open.
        os.close(other)
    line = Line("worker" + number)
    signal.signal(signal.SIGTERM, lambda *_: line.say("TERM"))
    line.say("ready")
    os.read(reader, 1)
    line.say("draining")
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        time.sleep(0.02)
    line.say("finished")


def play_orphans(count):
    """Makes orphans that exit at once, and keeps running."""
    for _ in range(int(count)):
        os.waitpid(child(lambda: child(lambda: None)), 0)
    line = Line("main")
    wait_for_term(line)
    os._exit(7)


def play_leave(code):
    """A main that exits at once."""
    Line("main").say("ready")
    os._exit(int(code))


def play_daemon():
    """A main that daemonises: it exits, and its child goes on as the service."""
    reader, writer = os.pipe()
    play_orphan_of(play_cleaner, "daemon", "100", writer)
    os.read(reader, 1)
    Line("main").say("ready")
    os._exit(0)


def play_script():
    """A start script as images have it: a worker in the background, and the application without `exec`.

    Descriptor 9 is the shell's connection to the observer. Its children close it, so that its end is the shell's death.
    """
    line = Line("main")
    line.say("ready")
    os.dup2(line.socket.fileno(), 9)
    os.set_inheritable(9, True)
    play = "%s -I -S %s play cleaner" % (sys.executable, HERE)
    script = "%s worker 600 9>&- & %s application 1200 9>&-; echo finished >&9" % (play, play)
    os.execvp("sh", ["sh", "-c", script])


PLAYS = {"cleaner": play_cleaner, "script": play_script, "daemon": play_daemon, "main": play_main, "master": play_master, "orphans": play_orphans, "leave": play_leave}


def launch(words):
    """`launch STATE… -- COMMAND…`: sets up a state, tells the observer its pid, and becomes the init."""
    Line("init").say("ready")
    end = words.index("--")
    for word in words[:end]:
        if word == "ignore-child-signal":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        elif word == "close-stderr":
            os.close(2)
        elif word == "full-stderr":
            # A full pipe without a reader.
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            try:
                while True:
                    os.write(writer, b"x" * 65536)
            except BlockingIOError:
                os.set_blocking(writer, True)
            os.dup2(writer, 2)
            # Keep the read end open, so that a write blocks instead of failing. No program here uses 9.
            os.dup2(reader, 9)
            os.set_inheritable(9, True)
            os.close(writer)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(words[end + 1], words[end + 1 :])


def host(words):
    """Stands in for the host's PID 1: starts the init as an ordinary process and counts the orphans that come past it."""
    line = Line("host")
    init = child(launch, words)
    unreaped = 0
    while True:
        pid, status = os.wait()
        if pid == init:
            break
        unreaped += 1
        line.say("unreaped %d" % unreaped)
    line.say("init-exited %d" % os.waitstatus_to_exitcode(status))
    sleep_for_ever()


# ---------------------------------------------------------------------------------------------------------------------
# The observer.


class Player:
    def __init__(self, pid):
        self.pid = pid
        self.name = None
        self.buffer = b""
        self.events = []  # (what, when)
        self.exited = None

    def when(self, what):
        return next((when for event, when in self.events if event == what), None)


class Run:
    """One init with one program in its own PID namespace. The `with` block ends both, whatever happened."""

    def __init__(self, init, play, state=(), outside=False, before=()):
        self.init, self.play, self.state, self.outside, self.before = init, list(play), list(state), outside, list(before)

    def __enter__(self):
        import selectors, subprocess, tempfile

        self.directory = tempfile.TemporaryDirectory(prefix="comparison-")
        os.chmod(self.directory.name, 0o755)
        path = os.path.join(self.directory.name, "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.players = {}
        self.stderr = tempfile.TemporaryFile()
        self.exited, self.status = None, None
        python = [sys.executable, "-I", "-S", HERE]
        command = ["unshare"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
        command += ["--pid", "--fork", "--kill-child", "--mount-proc"] + self.before
        command += python + ["host" if self.outside else "launch"] + self.state + ["--"]
        command += self.init + python_for(self.play[0]) + ["play"] + self.play[1:]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.stderr,
            env={"PATH": os.environ["PATH"], "COMPARISON_SOCKET": path},
            restore_signals=True,
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.selector.register(self.pidfd, selectors.EVENT_READ, "process")
        return self

    def __exit__(self, *_):
        # --kill-child: the namespace dies with unshare.
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)
        self.selector.close()
        self.listener.close()
        self.stderr.close()
        self.directory.cleanup()

    def step(self, timeout):
        """Reads the next events."""
        for key, _ in self.selector.select(timeout):
            now = time.monotonic()
            if key.data == "process":
                self.selector.unregister(self.pidfd)
                code = self.process.wait()
                if not self.outside:
                    self.exited, self.status = now, code if code >= 0 else 128 - code
                    if b"sigprocmask unblock failed" in self.printed_bytes():
                        # util-linux 2.38 fails to report a termination by signal.
                        self.status = "a signal"
            elif key.data == "listener":
                import struct

                connection, _ = self.listener.accept()
                credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                self.selector.register(connection, 1, Player(struct.unpack("3i", credentials)[0]))
            else:
                self.read(key.fileobj, key.data, now)

    def read(self, connection, player, now):
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            player.exited = now
            self.selector.unregister(connection)
            connection.close()
            return
        *lines, player.buffer = (player.buffer + data).split(b"\n")
        for line in lines:
            what = line.decode()
            if what.startswith("hello "):
                player.name = what[6:]
                self.players[player.name] = player
            elif what.startswith("init-exited "):
                code = int(what[11:])
                self.exited, self.status = now, code if code >= 0 else 128 - code
            else:
                player.events.append((what, now))

    def until(self, true, seconds):
        """True if the condition became true in time."""
        end = time.monotonic() + seconds
        while not true():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.step(min(left, 0.5))
        return True

    def said(self, name, what):
        return name in self.players and self.players[name].when(what) is not None

    def ready(self, *names):
        names = ("init", "main") + names
        if not self.until(lambda: all(self.said(name, "ready") for name in names), 60):
            raise Exception("did not start: " + self.printed())

    def send(self, name, number=signal.SIGTERM):
        """Sends a signal to a player and returns the time."""
        now = time.monotonic()
        os.kill(self.players[name].pid, number)
        return now

    def end(self, seconds):
        """True if the init exited within that time. Also reads the last events of the dead."""
        exited = self.until(lambda: self.exited is not None, seconds)
        if exited and not self.outside:
            self.until(lambda: all(player.exited for player in self.players.values()), 5)
        return exited

    def printed(self):
        """What the init printed to standard error."""
        return self.printed_bytes().decode(errors="replace").strip()

    def printed_bytes(self):
        self.stderr.seek(0)
        return self.stderr.read()


def python_for(uid):
    """The start of the command line; as another user if one is named."""
    user = ["setpriv", "--reuid", uid, "--clear-groups"] if uid else []
    return user + [sys.executable, "-I", "-S", HERE]


def ms(seconds):
    return "%d ms" % round(seconds * 1000) if seconds < 0.95 else "%.1f s" % seconds


def fate(run, name, since):
    """How a player ended, in a few words and in a sentence."""
    player = run.players[name]
    # A player that got TERM at the last moment may not have said so yet. A dead one will not say more.
    run.until(lambda: player.exited is not None or player.when("TERM") is not None, 1)
    asked, finished = player.when("TERM"), player.when("finished")
    if finished is not None:
        return "finished", "%s: got TERM after %s, finished %s later" % (name, ms(asked - since), ms(finished - asked))
    if player.exited is None and asked is None:
        return "left running", "%s: got no TERM, still running" % name
    if player.exited is None:
        # Outside the init's namespace the kernel does not kill it: it may finish by itself.
        if run.until(lambda: player.when("finished") is not None, 3):
            return "outlives the init", "%s: got TERM after %s, finished after the init had exited" % (name, ms(asked - since))
        return "left running", "%s: got TERM after %s, still running" % (name, ms(asked - since))
    if asked is None:
        return "killed without warning", "%s: killed after %s, before it got TERM" % (name, ms(player.exited - since))
    return "killed during cleanup", "%s: got TERM after %s, killed %s later" % (name, ms(asked - since), ms(player.exited - asked))


def words_of(init_said):
    """What the init printed, as one line for a table cell."""
    lines = [line for line in init_said.splitlines() if line.strip()]
    if not lines:
        return "prints nothing"
    text = " / ".join(line.strip() for line in lines[:4]) + (" / …" if len(lines) > 4 else "")
    # This machine's paths do not belong into the page.
    text = text.replace(sys.executable, "python3").replace(os.path.dirname(HERE) + "/", "")
    return "prints: `%s`" % text.replace("|", "\\|").replace("`", "'")


# ---------------------------------------------------------------------------------------------------------------------
# The scenarios. Each takes the init's command line and returns (short, sentence).


def helper_cleans(init, outside=False, number=signal.SIGTERM):
    with Run(init, ["", "main", "quick", "cleaner:helper"], outside=outside) as run:
        run.ready("helper")
        since = run.send("init" if number == signal.SIGTERM else "main", number)
        if not run.end(8):
            return "hangs", "still running after 8 s; " + words_of(run.printed())
        short, sentence = fate(run, "helper", since)
        left = run.players["helper"].exited
        after = " (%s after the helper)" % ms(run.exited - left) if left and short == "finished" else ""
        return short, "%s; init exits after %s%s with %s" % (sentence, ms(run.exited - since), after, run.status)


def main_killed(init):
    return helper_cleans(init, number=signal.SIGKILL)


def helper_cleans_outside(init):
    return helper_cleans(init, outside=True)


def master_drains(init):
    workers = ["worker%d" % number for number in range(3)]
    with Run(init, ["", "master", "3"]) as run:
        run.ready(*workers)
        since = run.send("init")
        if not run.end(8):
            return "hangs", "still running after 8 s"
        gone = run.players["main"].when("drained")
        if gone is None:
            return "master killed", "master was killed while it drained, after %s" % ms(run.exited - since)
        early = [run.players[name].when("TERM") for name in workers]
        early = [when for when in early if when is not None and when <= gone]
        if not early:
            return "left to the master", "no worker saw TERM; master done after %s, status %s" % (ms(gone - since), run.status)
        return (
            "%d of 3 workers get TERM" % len(early),
            "%d of 3 workers got TERM, the first %s before the master was done" % (len(early), ms(gone - min(early))),
        )


def far_helpers(init, outside=False):
    names = ["own session", "double-forked", "forking"]
    play = ["", "main", "quick", "session:own session", "orphan:double-forked", "forker:forking"]
    with Run(init, play, outside=outside) as run:
        run.ready(*names)
        since = run.send("init")
        if not run.end(15):
            return "hangs", "still running after 15 s"
        fates = [fate(run, name, since) for name in names]
        finished = sum(short == "finished" for short, _ in fates)
        sentence = "; ".join(sentence for _, sentence in fates)
        return "%d of 3 finish" % finished, "%s; init exits after %s" % (sentence, ms(run.exited - since))


def far_helpers_outside(init):
    return far_helpers(init, outside=True)


def ignores_term(init):
    with Run(init, ["", "main", "ignore"]) as run:
        run.ready()
        since = run.send("init")
        limit = 6.5
        exited = run.end(limit)
        said = words_of(run.printed())
        if not exited:
            return ("silent" if said == "prints nothing" else "prints why"), "still running after %s s; %s" % (limit, said)
        return "exited after %s" % ms(run.exited - since), "exited after %s with %s; %s" % (ms(run.exited - since), run.status, said)


def daemonises(init):
    with Run(init, ["", "daemon"]) as run:
        run.until(lambda: "main" in run.players and run.players["main"].exited is not None, 10)
        since = run.players["main"].exited
        exited = run.end(1)
        if exited or run.said("daemon", "TERM"):
            run.end(5)
            short, sentence = fate(run, "daemon", since)
            return short, "%s; init exits with %s" % (sentence, run.status)
        since = run.send("init")
        run.end(5)
        short, sentence = fate(run, "daemon", since)
        return "lives on", "daemon: lives on as long as it was watched (1 s); then, on TERM, %s" % sentence.partition(": ")[2]


# `docker stop` sends TERM and, after this time, KILL.
DOCKER_TIMEOUT = 10


def stop_script(init):
    """Stops the start script as `docker stop` does, and returns the run's facts, with times from TERM in seconds."""
    with Run(init, ["", "script"]) as run:
        run.ready("worker", "application")
        since = run.send("init")
        if not run.end(DOCKER_TIMEOUT):
            run.send("init", signal.SIGKILL)
            run.end(5)
            # As Docker reports it; some versions of unshare do not report a termination by signal.
            run.status = 137
        lanes = {}
        for name in ["main", "application", "worker"]:
            player = run.players[name]
            at = lambda when: None if when is None else when - since
            lanes[name] = {"asked": at(player.when("TERM")), "finished": at(player.when("finished")), "exited": at(player.exited)}
        return {"lanes": lanes, "exited": run.exited - since, "status": run.status}


def script_stops(init):
    facts = stop_script(init)
    lanes = facts["lanes"]
    done = sum(lanes[name]["finished"] is not None for name in ["application", "worker"])
    short = "%d of 2 finish, %s, status %s" % (done, ms(facts["exited"]), facts["status"])
    parts = []
    for name in ["application", "worker"]:
        lane = lanes[name]
        if lane["finished"] is not None:
            parts.append("%s: got TERM after %s, finished after %s" % (name, ms(lane["asked"]), ms(lane["finished"])))
        elif lane["asked"] is not None:
            parts.append("%s: got TERM after %s, killed after %s" % (name, ms(lane["asked"]), ms(lane["exited"])))
        else:
            parts.append("%s: killed after %s, before it got TERM" % (name, ms(lane["exited"])))
    return short, "; ".join(parts) + "; container exits after %s with %s" % (ms(facts["exited"]), facts["status"])


def zombies_of(pid):
    found = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as stat:
                    fields = stat.read().rpartition(")")[2].split()
                found += fields[0] == "Z" and int(fields[1]) == pid
            except OSError:
                pass
    return found


def orphans(init, outside=False):
    with Run(init, ["", "orphans", "50"], outside=outside) as run:
        run.ready()
        pid = run.players["init"].pid
        # Reaping takes a moment: wait up to two seconds.
        end = time.monotonic() + 2
        while zombies_of(pid) and time.monotonic() < end:
            run.step(0.05)
        left = zombies_of(pid)
        if outside:
            run.until(lambda: run.said("host", "unreaped 50"), 0.5)
        unreaped = len(run.players["host"].events) if outside else 0
        where = "; %d of the 50 went to the host's PID 1 instead" % unreaped if outside else ""
        return ("1 zombie" if left == 1 else "%d zombies" % left) + (", %d go to the host's PID 1" % unreaped if unreaped else ""), "%d of 50 zombies left%s" % (left, where)


def orphans_outside(init):
    return orphans(init, outside=True)


def statuses(init):
    cells = []
    for what, how, name, number in [
        ("exit 7 on TERM", "quick", "init", signal.SIGTERM),
        ("terminated by TERM", "default", "init", signal.SIGTERM),
        ("terminated by KILL", "default", "main", signal.SIGKILL),
    ]:
        with Run(init, ["", "main", how]) as run:
            run.ready()
            run.send(name, number)
            cells.append((what, str(run.status) if run.end(2) else "does not exit"))
    return ", ".join(code for _, code in cells), "; ".join("%s: %s" % cell for cell in cells)


def child_signal_ignored(init):
    with Run(init, ["", "leave", "3"], state=["ignore-child-signal"]) as run:
        run.ready()
        if run.end(3):
            return "status %s" % run.status, "exits with %s" % run.status
        return "hangs", "main has exited, init still running after 3 s"


def other_user(init):
    if os.geteuid() != 0:
        return "not run", "needs root"
    drop = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
    with Run(init, ["65534", "main", "quick"], before=drop) as run:
        run.ready()
        since = run.send("init")
        exited = run.end(9)
        said = words_of(run.printed())
        asked = run.players["main"].when("TERM") is not None
        main = "main got TERM" if asked else "main got no TERM"
        if exited:
            return "exits, %s" % main, "exits after %s with %s, %s; %s" % (ms(run.exited - since), run.status, main, said)
        # Can it be stopped at all? Send a second TERM.
        run.send("init")
        exited = "exits on a second TERM" if run.end(1) else "a second TERM changes nothing"
        return "runs on, " + main, "still running after 9 s, %s, %s; %s" % (main, exited, words_of(run.printed()))


def bad_stderr(init):
    cells = []
    for state in ["close-stderr", "full-stderr"]:
        with Run(init, ["", "main", "quick"], state=[state]) as run:
            try:
                run.ready()
            except Exception:
                cells.append("main not started" + ("" if run.exited is None else ", exits with %s" % run.status))
                continue
            run.send("init")
            cells.append("status %s" % run.status if run.end(3) else "hangs")
    return " / ".join(cells), "closed: %s; full pipe: %s" % tuple(cells)


# ---------------------------------------------------------------------------------------------------------------------
# The table.

VERBOSE = {"rinit": ["-vvv"], "tini": ["-vvv"], "dumb-init": ["-v"]}
OUTSIDE = {"tini": ["-s"]}

# Title, sentence, function, options for each init. "only": an option that the other inits lack.
SCENARIOS = [
    ("Main exits on TERM, its helper needs 0.5 s to clean up", "", helper_cleans, {}),
    ("The same, but SIGKILL terminates main", "", main_killed, {}),
    ("The same as 1, not as PID 1", "The init is an ordinary process, `tini -s`.", helper_cleans_outside, OUTSIDE),
    ("A master drains its own three workers in 0.3 s", "It asks them over pipes; TERM is not meant for them.", master_drains, {}),
    (
        "Helpers: one in its own session, one double-forked, one forking every 2 ms",
        "Main exits at once on TERM. Each helper needs 0.1 s; the forking one stops to fork when it gets TERM.",
        far_helpers,
        {},
    ),
    ("The same, not as PID 1", "", far_helpers_outside, OUTSIDE),
    ("Main ignores TERM", "Watched for 6.5 s.", ignores_term, {}),
    ("Main ignores TERM, rinit with `--grace 2s`", "", ignores_term, {"only": "rinit", "rinit": ["--grace", "2s"]}),
    ("Main daemonises: it starts a service and exits", "", daemonises, {}),
    (
        "Main daemonises, rinit with `--on-main-exit wait`",
        "",
        daemonises,
        {"only": "rinit", "rinit": ["--on-main-exit", "wait"]},
    ),
    ("50 orphans have exited, main runs on", "", orphans, {}),
    ("The same, not as PID 1", "", orphans_outside, OUTSIDE),
    ("Exit status", "Main exits 7 on TERM, is terminated by TERM, is terminated by KILL.", statuses, {}),
    ("SIGCHLD inherited as ignored, main exits 3", "", child_signal_ignored, {}),
    ("TERM, main runs as another user, no CAP_KILL", "Watched for 9 s.", other_user, {}),
    (
        "TERM, main runs as another user, no CAP_KILL, rinit with `--grace 2s`",
        "",
        other_user,
        {"only": "rinit", "rinit": ["--grace", "2s"]},
    ),
    ("Standard error is closed, or is a full pipe", "With the most messages (`-vvv`, `-v`). Main exits 7 on TERM.", bad_stderr, VERBOSE),
    (
        "`docker stop` of a start script that runs its application without `exec`",
        "The application needs 1.2 s to clean up, a worker 0.6 s. TERM, and after 10 s KILL, as Docker does it.",
        script_stops,
        {},
    ),
]

# Scenarios in which the init's exit races with a helper's reaction to TERM, and how often each runs.
RACES = {helper_cleans, main_killed, helper_cleans_outside, far_helpers, far_helpers_outside}
TIMES = 5

NONE = "no init"
PEERS = ["rinit", "tini", "tini -g", "dumb-init", "dumb-init -c", "catatonit", "catatonit -g", NONE]
# Without an init and without its own PID namespace there is nothing to observe.
NOT_WITHOUT = {helper_cleans_outside, far_helpers_outside, orphans_outside, bad_stderr, child_signal_ignored, other_user}


def find(name, rinit):
    import shutil

    if name == "rinit":
        for place in [rinit] if rinit else ["target/release/rinit", "target/debug/rinit"]:
            place = os.path.join(ROOT, place)
            if os.access(place, os.X_OK):
                return place
    return shutil.which(name)


def version(path):
    import subprocess

    got = subprocess.run([path, "--version"], capture_output=True, text=True)
    return (got.stdout + got.stderr).strip().splitlines()[0]


def observe(scenario, peer, rinit):
    _, _, function, options = scenario
    if options.get("only", peer) != peer:
        return "–", "–"
    if peer == NONE:
        if function in NOT_WITHOUT:
            return "–", "–"
        command = []
    else:
        name, *flags = peer.split()
        path = find(name, rinit)
        if path is None:
            return "not installed", "not installed"
        command = [path] + flags + options.get(name, []) + ["--"]
    seen = {}
    for _ in range(TIMES if function in RACES else 1):
        try:
            short, sentence = function(command)
        except Exception as error:
            short, sentence = "could not be observed", "could not be observed: %s" % error
        seen.setdefault(short, []).append(sentence)
    if len(seen) == 1:
        return short, sentence
    shorts = ", ".join("%s ×%d" % (short, len(sentences)) for short, sentences in seen.items())
    return shorts, " — ".join("%d of %d runs: %s" % (len(it), TIMES, it[0]) for it in seen.values())


def main():
    import argparse, platform
    from concurrent.futures import ThreadPoolExecutor

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE", help="put the table between the markers of FILE, or into a new FILE")
    parser.add_argument("--rinit", help="rinit's path; default: target/release, target/debug, PATH")
    parser.add_argument("--only", metavar="TEXT", default="", help="only scenarios whose title has TEXT")
    parser.add_argument("--peer", action="append", help="only this init (repeat)")
    options = parser.parse_args()
    peers = options.peer or PEERS
    scenarios = [scenario for scenario in SCENARIOS if options.only.lower() in scenario[0].lower()]
    # Four at a time: most of the time is waiting.
    with ThreadPoolExecutor(4) as pool:
        jobs = [[pool.submit(observe, scenario, peer, options.rinit) for peer in peers] for scenario in scenarios]
        cells = [[job.result() for job in row] for row in jobs]

    out = []
    versions = {name: find(name, options.rinit) for name in ["rinit", "tini", "dumb-init", "catatonit"]}
    said = ["%s: %s" % (name, "`%s`" % version(path) if path else "not installed") for name, path in versions.items()]
    out.append("Made on %s by `docs/comparison/measure.py%s`." % (time.strftime("%Y-%m-%d"), " --write " + options.write if options.write else ""))
    out.append("Linux %s on %s. %s.\n" % (platform.release(), platform.machine(), "; ".join(said)))
    out.append("| | " + " | ".join(peers) + " |")
    out.append("|---" * (len(peers) + 1) + "|")
    for number, (scenario, row) in enumerate(zip(scenarios, cells), 1):
        out.append("| %d. %s | " % (number, scenario[0]) + " | ".join(short for short, _ in row) + " |")
    for number, (scenario, row) in enumerate(zip(scenarios, cells), 1):
        out.append("\n### %d. %s\n" % (number, scenario[0]))
        if scenario[1]:
            out.append(scenario[1] + "\n")
        out.append("| init | observed |\n|---|---|")
        out += ["| %s | %s |" % (peer, sentence) for peer, (_, sentence) in zip(peers, row) if sentence != "–"]
    text = "\n".join(out) + "\n"
    if options.write:
        write(options.write, text)
    else:
        print(text)


BEGIN, END = "<!-- measure.py: begin -->\n", "<!-- measure.py: end -->\n"


def write(path, text):
    """Writes between the markers and keeps the text around them."""
    try:
        with open(path) as file:
            old = file.read()
    except FileNotFoundError:
        old = BEGIN + END
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(path, "w") as file:
        file.write(before + BEGIN + text + END + after)


if __name__ == "__main__":
    if sys.argv[1:2] == ["play"]:
        PLAYS[sys.argv[2]](*sys.argv[3:])
    elif sys.argv[1:2] == ["launch"]:
        launch(sys.argv[2:])
    elif sys.argv[1:2] == ["host"]:
        host(sys.argv[2:])
    else:
        main()
