#!/usr/bin/python3
"""service.py CONFIGURATION: a service with helpers that run as root.

HUP reads the configuration again. TERM ends the service with status 7 after the request that it serves, which takes half a
second. A helper is sudo's child, and sudo hands TERM on. A daemon has no parent, and nobody here may signal it.
"""
import os
import signal
import subprocess
import sys
import time

asked = False


def say(line):
    os.write(1, (line + "\n").encode())


def configure(number, frame):
    with open(sys.argv[1], encoding="utf-8") as file:
        say(("configured: " if number is None else "reloaded: ") + file.read().strip())


def stop(number, frame):
    global asked
    asked = True


signal.signal(signal.SIGHUP, configure)
signal.signal(signal.SIGTERM, stop)
configure(None, None)
subprocess.run(["sudo", "sh", "-c", "setsid --fork sleep 1001; echo daemon of uid $(id -u)"], check=True)
subprocess.Popen(["sudo", "sh", "-c", "echo helper of uid $(id -u); exec sleep 1000"])
say("serving as uid %d" % os.getuid())
while not asked:
    time.sleep(0.05)
say("stopping")
time.sleep(0.5)
say("stopped")
sys.exit(7)
