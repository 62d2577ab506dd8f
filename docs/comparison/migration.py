#!/usr/bin/env python3
"""Tries each line of docs/migrating.md: the old command and rinit's, both as PID 1, and compares what `app` sees.

    apt-get install tini dumb-init catatonit gosu && cargo build --release
    docs/comparison/migration.py

`app` is this script. It reports its user, groups and HOME, starts a helper in its process group, and then waits for a
signal. The init gets SIGTERM (SIGINT in pause mode). Compared are: user, groups and HOME; the signal that app gets;
whether the helper gets it at the same time; and the exit status. A row whose old program is not installed is skipped.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.abspath(__file__)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
PAGE = os.path.join(ROOT, "docs", "migrating.md")
STATUS = 143
BARRIER = signal.SIGRTMIN + 1


def say(log, line):
    os.write(log, (line + "\n").encode())


def helper(log):
    def got(number, _):
        say(log, "helper got %s" % signal.Signals(number).name)
        os._exit(0)

    for number in [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT]:
        signal.signal(number, got)
    signal.signal(BARRIER, lambda *_: say(log, "helper barrier"))
    say(log, "helper ready")
    while True:
        signal.pause()


def app():
    log = os.open(os.environ["MIGRATION_LOG"], os.O_WRONLY | os.O_APPEND)
    # gosu leaves the gid out of the supplementary groups; what the process may do is the same.
    groups = sorted({os.getgid(), *os.getgroups()})
    say(log, "user %s:%s groups %s home %s" % (os.getuid(), os.getgid(), groups, os.environ.get("HOME")))
    child = os.fork()
    if child == 0:
        helper(log)

    def got(number, _):
        say(log, "app got %s" % signal.Signals(number).name)
        # A signal to the whole group is pending in the helper by now, and is handled before the barrier, whose number is
        # higher. What the helper gets later comes from the init's cleanup.
        time.sleep(0.1)
        os.kill(child, BARRIER)
        answers = {"helper barrier", "helper got " + signal.Signals(number).name}
        until(lambda: answers & set(lines_of(os.environ["MIGRATION_LOG"])))
        say(log, "app exits")
        os._exit(STATUS)

    for number in [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT]:
        signal.signal(number, got)
    say(log, "app ready")
    while True:
        signal.pause()


def lines_of(path):
    with open(path) as file:
        return file.read().splitlines()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def observe(command, directory):
    """Runs the command as PID 1 of a namespace, stops it, and returns what happened."""
    handle, log = tempfile.mkstemp(dir=directory)
    os.close(handle)
    os.chmod(log, 0o666)
    environment = {"PATH": directory + ":" + os.environ["PATH"], "HOME": "/root", "MIGRATION_LOG": log}
    words = shlex.split(command)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    pause = "app" not in words
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *words]
    process = subprocess.Popen(unshare, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = "/proc/%d/task/%d/children" % (process.pid, process.pid)
    try:
        if not until(lambda: open(children).read().strip()):
            return "did not start"
        init = int(open(children).read().split()[0])
        name = os.path.basename(words[0])
        if pause:
            # unshare has executed the program when the command line is the program's.
            until(lambda: open("/proc/%d/cmdline" % init).read().split("\0")[0].endswith(name))
            time.sleep(0.2)
        elif not until(lambda: {"app ready", "helper ready"} <= set(lines_of(log))):
            return "did not start: %s" % lines_of(log)
        os.kill(init, signal.SIGINT if pause else signal.SIGTERM)
        try:
            status = process.wait(60)
        except subprocess.TimeoutExpired:
            return "does not stop"
    finally:
        process.kill()
        process.wait()
    lines = lines_of(log)
    end = lines.index("app exits") if "app exits" in lines else len(lines)
    return {
        "user": next((line for line in lines if line.startswith("user ")), None),
        "signal": next((line for line in lines if line.startswith("app got")), None),
        "group": any(line.startswith("helper got") for line in lines[:end]),
        "status": status,
    }


def rows():
    """Rows of tables whose first two cells are commands."""
    for line in lines_of(PAGE):
        found = re.match(r"\| `([^`]*)` \| `([^`]*)` \|", line)
        if found:
            yield found.groups()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rinit", help="rinit's path; default: target/release, target/debug")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root: it changes users and makes PID namespaces")
    candidates = [options.rinit] if options.rinit else ["target/release/rinit", "target/debug/rinit"]
    rinit = next((path for path in (os.path.join(ROOT, path) for path in candidates) if os.access(path, os.X_OK)), None)
    if rinit is None:
        sys.exit("no rinit: cargo build, or --rinit")
    same, different, skipped = 0, [], set()
    with tempfile.TemporaryDirectory(prefix="migration-") as directory:
        os.chmod(directory, 0o755)
        shutil.copy(rinit, os.path.join(directory, "rinit"))
        # Copied, because another user may not be able to read the repository.
        shutil.copy(HERE, os.path.join(directory, "app.py"))
        app_path = os.path.join(directory, "app")
        python = os.path.realpath("/usr/bin/python3")
        with open(app_path, "w") as file:
            file.write('#!/bin/sh\nexec %s -I -S %s/app.py play\n' % (python, directory))
        os.chmod(app_path, 0o755)
        # Four rows at a time: most of the time is waiting.
        pool = ThreadPoolExecutor(4)
        jobs = []
        for old, new in rows():
            program = next(word for word in shlex.split(old) if "=" not in word)
            if shutil.which(program) is None:
                skipped.add(program)
            else:
                jobs.append((old, new, pool.submit(observe, old, directory), pool.submit(observe, new, directory)))
        for old, new, before, after in jobs:
            before, after = before.result(), after.result()
            if before == after:
                same += 1
            else:
                different.append("%s\n    %s\n  %s\n    %s" % (old, before, new, after))
    for name in sorted(skipped):
        print("skipped: %s is not installed" % name)
    for text in different:
        print("different: " + text)
    print("%d lines do the same" % same)
    if different or same == 0:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:] == ["play"]:
        app()
    else:
        main()
