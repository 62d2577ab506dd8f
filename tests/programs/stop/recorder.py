#!/usr/bin/python3
"""recorder.py FILE PROGRAM ARGUMENTS…: runs a program on a terminal of its own, and writes what it shows into a file.

TERM ends it, and then what the program shows is lost.
"""
import os
import pty
import sys

child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
while True:
    try:
        shown = os.read(terminal, 4096)
    except OSError:
        break
    if not shown:
        break
    os.write(log, shown)
os.waitpid(child, 0)
