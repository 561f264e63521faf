#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the engine's bench and prints each result beside the raw limit of the same sink in the same run.

usage: bench.py BUILDDIR [NAME...]    NAME: a part of a result's name, e.g. "pipe" or "restore-file"
"""
import json
import subprocess
import sys


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    out = subprocess.run([f"{build}/bench/engine"], check=True, stdout=subprocess.PIPE, text=True).stdout
    results = [json.loads(line) for line in out.splitlines()]
    rate = {r["name"]: r["bytes"] / r["seconds"] / 2**20 for r in results}
    for name, mib_per_s in rate.items():
        if wanted and not any(part in name for part in wanted):
            continue
        work, sink = name.rsplit("-", 1)
        raw = rate.get(f"raw-{'read' if work == 'restore' else 'write'}-{sink}")
        ratio = f"{mib_per_s / raw:6.2f} of raw" if raw and not work.startswith("raw") else ""
        print(f"{name:24} {mib_per_s:10.0f} MiB/s {ratio}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
