#!/usr/bin/env python3
"""The same stops under rinit, tini, dumb-init, catatonit and no init at all, as a Markdown table of what was observed.

Anyone can run it; it needs Linux, Python 3.9, util-linux (unshare, setpriv) and the inits that are to be compared:

    apt-get install tini dumb-init catatonit && cargo build --release && .ci/contrast.py --write docs/contrast.md

Every run has a PID namespace of its own, so that nothing outlives it. The programs that the inits run are this script too
(`contrast.py play ROLE`). Each connects to a socket of the observer: what it says is an event, and the end of the
connection is its death, whatever caused it. Nothing in the result is known beforehand: a cell says what was seen.
"""

import os
import signal
import socket
import sys
import time

HERE = os.path.abspath(__file__)


# ---------------------------------------------------------------------------------------------------------------------
# The players: what runs under the init.


class Line:
    """A player's connection to the observer."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["CONTRAST_SOCKET"])
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
    """Ready, and then blocked until TERM."""
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
    """Starts a role by double fork, so that it is adopted."""
    middle = child(lambda: child(lambda: (os.setsid(), play(*arguments))))
    os.waitpid(middle, 0)


def play_forker(name):
    """Never the same process for longer than 2 ms, until one of them hears TERM. The connection is handed down."""
    line = Line(name)
    heard = []
    signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
    line.say("ready")
    while not heard:
        time.sleep(0.002)
        # Not between fork and exit: a TERM to the parent alone must not get lost, so it is held back and looked for.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        if heard or signal.SIGTERM in signal.sigpending():
            break
        if os.fork():
            if signal.SIGTERM in signal.sigpending():
                line.say("TERM")
            os._exit(0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    line.say("TERM")
    line.say("finished")


def play_main(how, *helpers):
    """Main: starts helpers, and on TERM ends with status 7 (`quick`), is ended by it (`default`), or ignores it."""
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
    """A master that drains its own workers: on TERM it tells each over a pipe, and ends after them."""
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
        # Of workers that were started before: as long as one is open, they see no end of file.
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
    """Makes orphans that end at once, and stays."""
    for _ in range(int(count)):
        os.waitpid(child(lambda: child(lambda: None)), 0)
    line = Line("main")
    wait_for_term(line)
    os._exit(7)


def play_leave(code):
    """A main that ends at once."""
    Line("main").say("ready")
    os._exit(int(code))


def play_daemon():
    """A main that daemonises: it ends, and what it has started goes on as the service."""
    reader, writer = os.pipe()
    play_orphan_of(play_cleaner, "daemon", "100", writer)
    os.read(reader, 1)
    Line("main").say("ready")
    os._exit(0)


PLAYS = {"daemon": play_daemon, "main": play_main, "master": play_master, "orphans": play_orphans, "leave": play_leave}


def launch(words):
    """`launch STATE… -- COMMAND…`: enters a state and becomes the init, whose pid the observer learns here."""
    Line("init").say("ready")
    end = words.index("--")
    for word in words[:end]:
        if word == "ignore-child-signal":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        elif word == "close-stderr":
            os.close(2)
        elif word == "full-stderr":
            # A pipe that nobody reads, with no room in it.
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            try:
                while True:
                    os.write(writer, b"x" * 65536)
            except BlockingIOError:
                os.set_blocking(writer, True)
            os.dup2(writer, 2)
            # Held open, so that writing waits instead of failing; 9 is out of everybody's way.
            os.dup2(reader, 9)
            os.set_inheritable(9, True)
            os.close(writer)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(words[end + 1], words[end + 1 :])


def host(words):
    """A stand-in for the host's PID 1: starts the init as an ordinary process and looks at what is left after it."""
    line = Line("host")
    init = child(launch, words)
    strangers = 0
    while True:
        pid, status = os.wait()
        if pid == init:
            break
        strangers += 1
        line.say("stranger %d" % strangers)
    line.say("init-ended %d" % os.waitstatus_to_exitcode(status))
    sleep_for_ever()


# ---------------------------------------------------------------------------------------------------------------------
# The observer.


class Player:
    def __init__(self, pid):
        self.pid = pid
        self.name = None
        self.buffer = b""
        self.events = []  # (what, when)
        self.ended = None

    def when(self, what):
        return next((when for event, when in self.events if event == what), None)


class Run:
    """One init with one program in a PID namespace of its own; ends with the `with` block, whatever happened."""

    def __init__(self, init, play, state=(), outside=False, before=()):
        self.init, self.play, self.state, self.outside, self.before = init, list(play), list(state), outside, list(before)

    def __enter__(self):
        import selectors, subprocess, tempfile

        self.directory = tempfile.TemporaryDirectory(prefix="contrast-")
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
        self.ended, self.status = None, None
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
            env={"PATH": os.environ["PATH"], "CONTRAST_SOCKET": path},
            restore_signals=True,
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.selector.register(self.pidfd, selectors.EVENT_READ, "process")
        return self

    def __exit__(self, *_):
        # --kill-child: with unshare goes the namespace.
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)
        self.selector.close()
        self.listener.close()
        self.stderr.close()
        self.directory.cleanup()

    def step(self, timeout):
        """Takes in what happens next."""
        for key, _ in self.selector.select(timeout):
            now = time.monotonic()
            if key.data == "process":
                self.selector.unregister(self.pidfd)
                code = self.process.wait()
                if not self.outside:
                    self.ended, self.status = now, code if code >= 0 else 128 - code
                    if b"sigprocmask unblock failed" in self.heard_bytes():
                        # util-linux 2.38 fails to pass a signal's end on.
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
            player.ended = now
            self.selector.unregister(connection)
            connection.close()
            return
        *lines, player.buffer = (player.buffer + data).split(b"\n")
        for line in lines:
            what = line.decode()
            if what.startswith("hello "):
                player.name = what[6:]
                self.players[player.name] = player
            elif what.startswith("init-ended "):
                code = int(what[11:])
                self.ended, self.status = now, code if code >= 0 else 128 - code
            else:
                player.events.append((what, now))

    def until(self, true, seconds):
        """True if it came true in time."""
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
        if not self.until(lambda: all(self.said(name, "ready") for name in names), 10):
            raise Exception("did not start: " + self.heard())

    def tell(self, name, number=signal.SIGTERM):
        """Sends to a player and gives the time."""
        now = time.monotonic()
        os.kill(self.players[name].pid, number)
        return now

    def end(self, seconds):
        """True if the init has ended within that time. Also waits for the last words of the dead."""
        ended = self.until(lambda: self.ended is not None, seconds)
        if ended and not self.outside:
            self.until(lambda: all(player.ended for player in self.players.values()), 5)
        return ended

    def heard(self):
        """What the init has said on standard error."""
        return self.heard_bytes().decode(errors="replace").strip()

    def heard_bytes(self):
        self.stderr.seek(0)
        return self.stderr.read()


def python_for(uid):
    """The program's first words; as another user if one is named."""
    user = ["setpriv", "--reuid", uid, "--clear-groups"] if uid else []
    return user + [sys.executable, "-I", "-S", HERE]


def ms(seconds):
    return "%d ms" % round(seconds * 1000) if seconds < 0.95 else "%.1f s" % seconds


def fate(run, name, since):
    """What became of a player, in a short word and in a sentence."""
    player = run.players[name]
    # Told at the last moment, it may not have said so yet; and whoever was killed has said all it will.
    run.until(lambda: player.ended is not None or player.when("TERM") is not None, 1)
    told, finished = player.when("TERM"), player.when("finished")
    if finished is not None:
        return "finished", "%s: told after %s, finished %s later" % (name, ms(told - since), ms(finished - told))
    if player.ended is None and told is None:
        return "left running", "%s: told nothing, still running" % name
    if player.ended is None:
        # Outside a namespace of the init's own nobody takes it down: it may finish by itself.
        if run.until(lambda: player.when("finished") is not None, 3):
            return "outlives the init", "%s: told after %s, finished after the init had left" % (name, ms(told - since))
        return "left running", "%s: told after %s, still running" % (name, ms(told - since))
    if told is None:
        return "killed unheard", "%s: killed after %s, has not heard TERM" % (name, ms(player.ended - since))
    return "killed cleaning", "%s: told after %s, killed %s later" % (name, ms(told - since), ms(player.ended - told))


def words_of(init_said):
    """What the init has said, as one line for a table cell."""
    lines = [line for line in init_said.splitlines() if line.strip()]
    if not lines:
        return "says nothing"
    text = " / ".join(line.strip() for line in lines[:4]) + (" / …" if len(lines) > 4 else "")
    # Where this machine keeps things is nobody's business.
    text = text.replace(sys.executable, "python3").replace(os.path.dirname(HERE) + "/", "")
    return "says: `%s`" % text.replace("|", "\\|").replace("`", "'")


# ---------------------------------------------------------------------------------------------------------------------
# The scenarios. Each gets the init's command line and gives (short, sentence).


def helper_cleans(init, outside=False, number=signal.SIGTERM):
    with Run(init, ["", "main", "quick", "cleaner:helper"], outside=outside) as run:
        run.ready("helper")
        since = run.tell("init" if number == signal.SIGTERM else "main", number)
        if not run.end(8):
            return "hangs", "still running after 8 s; " + words_of(run.heard())
        short, sentence = fate(run, "helper", since)
        left = run.players["helper"].ended
        after = " (%s after the helper)" % ms(run.ended - left) if left and short == "finished" else ""
        return short, "%s; init ends after %s%s with %s" % (sentence, ms(run.ended - since), after, run.status)


def main_killed(init):
    return helper_cleans(init, number=signal.SIGKILL)


def helper_cleans_outside(init):
    return helper_cleans(init, outside=True)


def master_drains(init):
    workers = ["worker%d" % number for number in range(3)]
    with Run(init, ["", "master", "3"]) as run:
        run.ready(*workers)
        since = run.tell("init")
        if not run.end(8):
            return "hangs", "still running after 8 s"
        gone = run.players["main"].when("drained")
        if gone is None:
            return "master killed", "master was killed while it drained, after %s" % ms(run.ended - since)
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
        since = run.tell("init")
        if not run.end(15):
            return "hangs", "still running after 15 s"
        fates = [fate(run, name, since) for name in names]
        finished = sum(short == "finished" for short, _ in fates)
        sentence = "; ".join(sentence for _, sentence in fates)
        return "%d of 3 finish" % finished, "%s; init ends after %s" % (sentence, ms(run.ended - since))


def far_helpers_outside(init):
    return far_helpers(init, outside=True)


def ignores_term(init):
    with Run(init, ["", "main", "ignore"]) as run:
        run.ready()
        since = run.tell("init")
        limit = 6.5
        ended = run.end(limit)
        said = words_of(run.heard())
        if not ended:
            return ("silent" if said == "says nothing" else "says why"), "still running after %s s; %s" % (limit, said)
        return "ended after %s" % ms(run.ended - since), "ended after %s with %s; %s" % (ms(run.ended - since), run.status, said)


def daemonises(init):
    with Run(init, ["", "daemon"]) as run:
        run.until(lambda: "main" in run.players and run.players["main"].ended is not None, 10)
        since = run.players["main"].ended
        ended = run.end(1)
        if ended or run.said("daemon", "TERM"):
            run.end(5)
            short, sentence = fate(run, "daemon", since)
            return short, "%s; init ends with %s" % (sentence, run.status)
        since = run.tell("init")
        run.end(5)
        short, sentence = fate(run, "daemon", since)
        return "lives on", "daemon: lives on as long as it was watched (1 s); then, on TERM, %s" % sentence.partition(": ")[2]


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
        # Reaping is not instant: two seconds for it, less where it is done.
        end = time.monotonic() + 2
        while zombies_of(pid) and time.monotonic() < end:
            run.step(0.05)
        left = zombies_of(pid)
        if outside:
            run.until(lambda: run.said("host", "stranger 50"), 0.5)
        strangers = len(run.players["host"].events) if outside else 0
        where = "; %d of the 50 went past it to the host's PID 1" % strangers if outside else ""
        return ("%d zombies" % left) + (", %d escape" % strangers if strangers else ""), "%d of 50 zombies left%s" % (left, where)


def orphans_outside(init):
    return orphans(init, outside=True)


def statuses(init):
    cells = []
    for what, how, name, number in [
        ("exit 7 on TERM", "quick", "init", signal.SIGTERM),
        ("ended by TERM", "default", "init", signal.SIGTERM),
        ("ended by KILL", "default", "main", signal.SIGKILL),
    ]:
        with Run(init, ["", "main", how]) as run:
            run.ready()
            run.tell(name, number)
            cells.append((what, str(run.status) if run.end(2) else "does not end"))
    return ", ".join(code for _, code in cells), "; ".join("%s: %s" % cell for cell in cells)


def child_signal_ignored(init):
    with Run(init, ["", "leave", "3"], state=["ignore-child-signal"]) as run:
        run.ready()
        if run.end(3):
            return "status %s" % run.status, "ends with %s" % run.status
        return "hangs", "main has ended, init still there after 3 s"


def other_user(init):
    if os.geteuid() != 0:
        return "not run", "needs root"
    drop = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
    with Run(init, ["65534", "main", "quick"], before=drop) as run:
        run.ready()
        since = run.tell("init")
        ended = run.end(9)
        said = words_of(run.heard())
        told = run.players["main"].when("TERM") is not None
        main = "main told" if told else "main not told"
        if ended:
            return "ends, %s" % main, "ends after %s with %s, %s; %s" % (ms(run.ended - since), run.status, main, said)
        # Is it still an init that can be stopped at all: a second TERM?
        run.tell("init")
        ended = "ends on a second TERM" if run.end(1) else "a second TERM changes nothing"
        return "runs on, " + main, "still running after 9 s, %s, %s; %s" % (main, ended, words_of(run.heard()))


def bad_stderr(init):
    cells = []
    for state in ["close-stderr", "full-stderr"]:
        with Run(init, ["", "main", "quick"], state=[state]) as run:
            try:
                run.ready()
            except Exception:
                cells.append("main not started" + ("" if run.ended is None else ", ends with %s" % run.status))
                continue
            run.tell("init")
            cells.append("status %s" % run.status if run.end(3) else "hangs")
    return " / ".join(cells), "closed: %s; full pipe: %s" % tuple(cells)


# ---------------------------------------------------------------------------------------------------------------------
# The table.

TALKATIVE = {"rinit": ["-vvv"], "tini": ["-vvv"], "dumb-init": ["-v"]}
OUTSIDE = {"tini": ["-s"]}

# Title, sentence, function, options by init; "only": an option that the others do not have.
SCENARIOS = [
    ("Main ends on TERM, its helper needs 0.5 s to clean up", "", helper_cleans, {}),
    ("The same, main is killed by SIGKILL", "", main_killed, {}),
    ("The same, TERM, not as PID 1", "The init is an ordinary process, `tini -s`.", helper_cleans_outside, OUTSIDE),
    ("A master drains its own three workers in 0.3 s", "It tells them over pipes; TERM is not for them.", master_drains, {}),
    (
        "Helpers in a session of their own, double-forked, and forking every 2 ms",
        "Main ends at once on TERM; each helper needs 0.1 s, the forking one ends the line when it hears TERM.",
        far_helpers,
        {},
    ),
    ("The same, not as PID 1", "", far_helpers_outside, OUTSIDE),
    ("Main ignores TERM", "Watched for 6.5 s.", ignores_term, {}),
    ("Main ignores TERM, rinit with `--grace 2s`", "", ignores_term, {"only": "rinit", "rinit": ["--grace", "2s"]}),
    ("Main daemonises: starts a service and ends", "", daemonises, {}),
    (
        "Main daemonises, rinit with `--on-main-exit wait`",
        "",
        daemonises,
        {"only": "rinit", "rinit": ["--on-main-exit", "wait"]},
    ),
    ("50 orphans have ended, main runs on", "", orphans, {}),
    ("The same, not as PID 1", "", orphans_outside, OUTSIDE),
    ("Exit status", "Main exits 7 on TERM, is ended by TERM, is ended by KILL.", statuses, {}),
    ("SIGCHLD inherited as ignored, main exits 3", "", child_signal_ignored, {}),
    ("TERM, main is of another user, no CAP_KILL", "Watched for 9 s.", other_user, {}),
    (
        "TERM, main is of another user, no CAP_KILL, rinit with `--grace 2s`",
        "",
        other_user,
        {"only": "rinit", "rinit": ["--grace", "2s"]},
    ),
    ("Standard error closed, or a full pipe", "As talkative as it can be (`-vvv`, `-v`); main exits 7 on TERM.", bad_stderr, TALKATIVE),
]

# Scenarios in which the end of the init and a helper's answer to TERM may overtake one another, and how often they are run.
RACES = {helper_cleans, main_killed, helper_cleans_outside, far_helpers, far_helpers_outside}
TIMES = 5

NONE = "no init"
PEERS = ["rinit", "tini", "tini -g", "dumb-init", "dumb-init -c", "catatonit", "catatonit -g", NONE]
# Outside a PID namespace of its own a program without an init is not a scenario.
NOT_WITHOUT = {helper_cleans_outside, far_helpers_outside, orphans_outside, bad_stderr, child_signal_ignored, other_user}


def find(name, rinit):
    import shutil

    if name == "rinit":
        for place in [rinit] if rinit else ["target/release/rinit", "target/debug/rinit"]:
            place = os.path.join(os.path.dirname(os.path.dirname(HERE)), place)
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
    # Four at a time: most of it is waiting.
    with ThreadPoolExecutor(4) as pool:
        jobs = [[pool.submit(observe, scenario, peer, options.rinit) for peer in peers] for scenario in scenarios]
        cells = [[job.result() for job in row] for row in jobs]

    out = []
    versions = {name: find(name, options.rinit) for name in ["rinit", "tini", "dumb-init", "catatonit"]}
    said = ["%s: %s" % (name, "`%s`" % version(path) if path else "not installed") for name, path in versions.items()]
    out.append("Made on %s by `.ci/contrast.py%s`." % (time.strftime("%Y-%m-%d"), " --write " + options.write if options.write else ""))
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


BEGIN, END = "<!-- contrast.py: begin -->\n", "<!-- contrast.py: end -->\n"


def write(path, text):
    """Between the markers; what people wrote around them stays."""
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
