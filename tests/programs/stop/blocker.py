#!/usr/bin/python3
"""blocker.py SECONDS: blocks TERM. When one is pending it works on for some time, and only then takes it and saves."""
import os
import signal
import sys
import time


def say(line):
    os.write(1, (line + "\n").encode())


def save(number, frame):
    say("saved")
    os._exit(0)


signal.signal(signal.SIGTERM, save)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
say("ready")
while signal.SIGTERM not in signal.sigpending():
    time.sleep(0.05)
say("pending")
time.sleep(float(sys.argv[1]))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
