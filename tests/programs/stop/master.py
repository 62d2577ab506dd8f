#!/usr/bin/python3
"""master.py SECONDS: a master whose worker has a job. At the stop the job takes SECONDS more.

On TERM the master waits for its worker. TERM would end the worker.
"""
import os
import signal
import sys
import time


def say(line):
    os.write(1, (line + "\n").encode())


asked, ask = os.pipe()
worker = os.fork()
if worker == 0:
    os.close(ask)
    os.read(asked, 1)
    time.sleep(float(sys.argv[1]))
    say("job done")
    os._exit(0)


def stop(number, frame):
    say("master: asked to stop")
    os.write(ask, b".")


signal.signal(signal.SIGTERM, stop)
say("master: ready")
status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
say("master: worker exited with %d" % status)
sys.exit(0 if status == 0 else 1)
