#!/usr/bin/python3
"""saver.py SECONDS STATUS [FILE]: on TERM or HUP it saves for some time. What it says goes to FILE too."""
import os
import signal
import sys
import time

seconds, status = float(sys.argv[1]), int(sys.argv[2])
out = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if len(sys.argv) > 3 else 1
asked = False


def ask(number, frame):
    global asked
    asked = True


def say(line):
    os.write(out, (line + "\n").encode())


# As a C program: a pipe without a reader ends it.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, ask)
say("ready")
while not asked:
    time.sleep(0.05)
say("saving")
# In small steps: it is about time in which the program could run.
for step in range(int(seconds * 20)):
    time.sleep(0.05)
say("saved")
sys.exit(status)
