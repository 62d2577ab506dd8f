#!/bin/bash
# machine.sh WORD: what libvirt does with a virtual machine: a session and a control group of its own, away from the container's.
for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
    { echo $$ >"$procs"; } 2>/dev/null || true
done
exec -a "$1" sleep 1000 >/dev/null 2>&1 </dev/null
