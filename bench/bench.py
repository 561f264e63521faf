#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the engine's bench and prints each result beside the raw limit of the same sink in the same run;
then verify over images of 4 GiB whose page contents are holes, and diff of two images of 1 GiB beside cmp of the
same, warm: the best of many runs; convert, see convert.py; and protect, see protect.py.

usage: bench.py BUILDDIR [NAME...]    NAME: a part of a result's name, e.g. "pipe" or "restore-file"
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import convert
import protect

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VERIFY_RUNS = 30
DIFF_RUNS = 5
VERIFIED = {
    "verify-hvm": "xen417/tiny-hvm.save.xz",
    "verify-pv": "xen417/tiny-pv.save.xz",
}


def engine(build, is_wanted):
    out = subprocess.run([f"{build}/bench/engine"], check=True, stdout=subprocess.PIPE, text=True).stdout
    results = [json.loads(line) for line in out.splitlines()]
    rate = {r["name"]: r["bytes"] / r["seconds"] / 2**20 for r in results}
    for name, mib_per_s in rate.items():
        if not is_wanted(name):
            continue
        work, sink = name.rsplit("-", 1)
        raw = rate.get(f"raw-{'read' if work == 'restore' else 'write'}-{sink}")
        ratio = f"{mib_per_s / raw:6.2f} of raw" if raw and not work.startswith("raw") else ""
        print(f"{name:24} {mib_per_s:10.0f} MiB/s {ratio}")


def run_once(command):
    """Seconds, and the bytes that it read."""
    begin = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    seconds = time.perf_counter() - begin
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        read = int(f.readline().split()[1])
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(f"{' '.join(command)} failed")
    return seconds, read


def verify(build, is_wanted):
    with tempfile.TemporaryDirectory() as folder:
        image = f"{folder}/image"
        for name, source in VERIFIED.items():
            if not is_wanted(name):
                continue
            subprocess.run([sys.executable, f"{ROOT}/tests/cli/sparse.py", f"{ROOT}/tests/data/{source}", "4096",
                            image], check=True)
            runs = [run_once([f"{build}/godwit", "verify", image]) for _ in range(VERIFY_RUNS)]
            seconds, read = min(runs)
            print(f"{name:24} {seconds * 1000:10.1f} ms    {read / 2**20:6.1f} MiB read of 4 GiB")


def diff(build, is_wanted):
    if not is_wanted("diff"):
        return
    with tempfile.TemporaryDirectory() as folder:
        one, other = f"{folder}/one", f"{folder}/other"
        subprocess.run([sys.executable, f"{ROOT}/tests/cli/sparse.py", "--full",
                        f"{ROOT}/tests/data/xen417/tiny-pvh.save.xz", "1024", one], check=True)
        subprocess.run(["cp", "--sparse=never", "--reflink=never", one, other], check=True)
        for name, command in (("diff", [f"{build}/godwit", "diff", one, other]), ("cmp", ["/usr/bin/cmp", one, other])):
            seconds = min(run_once(command)[0] for _ in range(DIFF_RUNS))
            print(f"{name:24} {seconds * 1000:10.1f} ms    two of 1 GiB")


def main():
    build, wanted = sys.argv[1], sys.argv[2:]

    def is_wanted(name):
        return not wanted or any(part in name for part in wanted)

    if not wanted or any(not part.startswith(("verify", "diff", "convert", "protect")) for part in wanted):
        engine(build, is_wanted)
    verify(build, is_wanted)
    diff(build, is_wanted)
    convert.run(build, is_wanted)
    protect.run(build, is_wanted)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
