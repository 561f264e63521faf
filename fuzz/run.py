#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs fuzz targets in turn and says for each how often it ran and what it found. What ./dev fuzz and ./dev soak fuzz
call. Inputs that reach something new stay in BUILD/corpus/TARGET, so that the next run begins with them; the input of
a finding is in BUILD/findings."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

SLICE_S = 60       # longest time of one target before the next has its turn
INPUT_MAX = 65536  # bytes of an input
INPUT_S = 20       # an input that takes longer hangs
MEMORY_MB = 2048   # of the whole process
BLOCK_MB = 600     # of one allocation: a decompressor's window is the largest
SKIPPED = 77


class Target:
    def __init__(self, build, program):
        self.name = program.name.removeprefix("fuzz_")
        self.program = program
        self.corpus = build / "corpus" / self.name
        self.findings = build / "findings"
        self.seeds = pathlib.Path("fuzz/corpus") / self.name

    def command(self, seconds):
        return [str(self.program), "-max_total_time=%d" % seconds, "-timeout=%d" % INPUT_S, "-print_final_stats=1",
                "-max_len=%d" % INPUT_MAX, "-rss_limit_mb=%d" % MEMORY_MB, "-malloc_limit_mb=%d" % BLOCK_MB,
                "-artifact_prefix=%s/%s-" % (self.findings, self.name), str(self.corpus), str(self.seeds)]

    def run(self, seconds):
        """Returns the number of executions and the path of the input that fails, or None. (-1, None): skipped."""
        self.corpus.mkdir(parents=True, exist_ok=True)
        self.findings.mkdir(parents=True, exist_ok=True)
        log = self.findings / (self.name + ".log")
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1",
                           UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
        with open(log, "wb") as out:
            status = subprocess.run(self.command(seconds), stdout=out, stderr=subprocess.STDOUT, env=environment).returncode
        text = log.read_text(errors="replace")
        if status == 0:
            log.unlink()
        if "skipped:" in text and status == SKIPPED:
            return -1, None
        done = re.findall(r"stat::number_of_executed_units:\s+(\d+)", text) or re.findall(r"^#(\d+)\s", text, re.M) or ["0"]
        where = re.findall(r"Test unit written to (\S+)", text)
        return int(done[-1]), None if status == 0 else (where[-1] if where else str(log))

    def fails(self, path):
        """True if this input still fails."""
        return subprocess.run([str(self.program), path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0


def find_targets(build, wanted=None):
    programs = sorted(path for path in (build / "fuzz").glob("fuzz_*") if path.is_file() and os.access(path, os.X_OK))
    return [Target(build, path) for path in programs if wanted in (None, path.name, path.name.removeprefix("fuzz_"))]


class Stop:
    """Ctrl-C and SIGTERM: the target at hand ends, and the figures are printed."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.ask)

    def ask(self, *_):
        self.asked = True


def spread(targets, seconds, done, total, stop, counted):
    """Shares the time among the targets, those first that have run least, until each has run total times; done maps
    names to executions. counted is called after each turn."""
    end = time.monotonic() + seconds
    part = max(1, min(SLICE_S, int(seconds / max(1, len(targets)))))
    left = list(targets)
    while left and not stop.asked and time.monotonic() < end:
        target = min(left, key=lambda t: done.get(t.name, 0))
        number, where = target.run(max(1, min(part, int(end - time.monotonic()))))
        done[target.name] = done.get(target.name, 0) + max(0, number)
        if number < 0 or where or done[target.name] >= total:
            left.remove(target)
        print("%-16s %12d executions%s" % (target.name, done[target.name],
                                           "; skipped" if number < 0 else "; FOUND " + where if where else ""), flush=True)
        counted(target, number, where)


def in_turn(targets, seconds, stop):
    """Each target once, for its part of the time."""
    found, total = {}, 0
    for target in targets:
        if stop.asked:
            break
        number, where = target.run(max(1, int(seconds / len(targets))))
        total += max(0, number)
        if where and not stop.asked:
            found[target.name] = where
        print("%-16s %12d executions, %s" % (target.name, max(0, number), "skipped: it cannot run here" if number < 0 else
                                             "1 finding: " + where if where else "0 findings"), flush=True)
    print("%d targets, %d executions, %d findings" % (len(targets), total, len(found)))
    return found


def main():
    parser = argparse.ArgumentParser(usage="./dev fuzz [MINUTES | TARGET [SECONDS]]")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("what", nargs="*", help="MINUTES, or TARGET [SECONDS]")
    args = parser.parse_args()
    what = args.what or ["10"]
    if len(what) == 1 and what[0].isdigit():
        targets, seconds = find_targets(args.build), int(what[0]) * 60
    elif len(what) == 1 or (len(what) == 2 and what[1].isdigit()):
        targets, seconds = find_targets(args.build, what[0]), int(what[1]) if len(what) == 2 else 60
    else:
        parser.error("give MINUTES, or TARGET [SECONDS]")
    if not targets:
        parser.error("there is no target " + what[0])
    return 1 if in_turn(targets, seconds, Stop()) else 0


if __name__ == "__main__":
    sys.exit(main())
