#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# counted.py FILE COMMAND [ARGUMENT...]: runs the command, and writes to FILE the bytes it read and
# the most memory it used, in KiB. Exits with its status, or with 77 if the system does not count.
import os
import sys

pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
# Not reaped yet, so its counters can still be read.
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
try:
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        read = dict(line.split(": ") for line in f.read().splitlines())["rchar"]
except OSError:
    read = None
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w", encoding="ascii") as f:
    f.write(f"{read} {usage.ru_maxrss}\n")
sys.exit(77 if read is None else os.waitstatus_to_exitcode(status))
