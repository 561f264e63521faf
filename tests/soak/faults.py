#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fault at every point of a save, a restore and each side of a migration: each call of a channel, a domain, its control
table and a toolstack, each allocation. After each: the domain has one owner, nothing is left mapped, open or switched on, no
file stays, and the guest of the built-in machine checks its memory for two more seconds."""

import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import soak  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "faults.points"
SECONDS = {"memory": 0, "emu": 2}
BATCH = {"memory": 40, "emu": 5}
SAMPLE = {"memory": 30, "emu": 2}  # points of each scenario in a sample
SKIPPED = 77


class Failure(Exception):
    """A run that is not to be trusted."""


def run(args, backend, scenario, *more, timeout=600):
    command = [args.build / "tests/soak/faults", backend, scenario, *map(str, more)]
    # What Meson sets for the tests in C.
    env = dict(os.environ, GODWIT_TEST_DATA=str(HERE.parent / "data"), GODWIT_GUESTS=str(args.build.resolve() / "guests"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=env)
    if done.returncode == SKIPPED:
        print("SKIP: " + done.stdout.strip())
        sys.exit(SKIPPED)
    return done


def expected():
    """(backend, scenario) -> the least number of points."""
    lines = (line.split() for line in EXPECTED.read_text().splitlines() if line and line[0] != "#")
    return {(backend, scenario): int(n) for backend, scenario, n in lines}


def count(args, backend, scenario, least):
    done = run(args, backend, scenario, "count")
    if done.returncode or not done.stdout.strip().isdigit():
        raise Failure("%s %s without a fault: %s%s" % (backend, scenario, done.stdout, done.stderr))
    points = int(done.stdout)
    if points < least:
        raise Failure("%s %s has %d points, at least %d are expected (%s): is a call no longer covered?"
                      % (backend, scenario, points, least, EXPECTED.name))
    return points


def report(state, done, backend, scenario, numbers):
    """Takes the lines of a batch; a number without a line is one that the program did not survive."""
    lines = {}
    for line in done.stdout.splitlines():
        words = line.split()
        place = 2 if line.startswith("not ok") else 1
        if len(words) > place and words[place].isdigit() and words[0] in ("ok", "not", "unused"):
            lines[int(words[place])] = line
    for number in numbers:
        line = lines.get(number)
        name = "%s %s %d" % (backend, scenario, number)
        if line is None:
            state.step("the program ends with status %d: %s" % (done.returncode, done.stderr[-500:]), name)
            break
        state.count("unused" if line.startswith("unused") else "faults")
        state.step(line if line.startswith("not ok") else None, name)


def main():
    args = soak.arguments(__doc__, 0)
    if not (args.build / "tests/soak/faults").exists():
        print("SKIP: this build has no built-in machine")
        return SKIPPED
    state = soak.State("faults", args)
    todo = []
    for (backend, scenario), least in expected().items():
        points = count(args, backend, scenario, least)
        print("%s %s: %d points" % (backend, scenario, points), flush=True)
        numbers = list(range(points))
        if args.sample:
            numbers = sorted(random.Random(args.seed).sample(numbers, min(SAMPLE[backend], points)))
        todo += [(backend, scenario, n) for n in numbers]
    if args.only is not None:
        todo = [todo[args.only]]
    state.total = len(todo)
    # A run that is over begins again.
    if state.data["done"] >= len(todo) and not args.sample:
        state.data.update(done=0, counts={}, failed=[])
    at = state.data["done"]
    while at < len(todo) and state.goes_on():
        backend, scenario, _ = todo[at]
        batch = [n for b, s, n in todo[at:at + BATCH[backend]] if (b, s) == (backend, scenario)]
        done = run(args, backend, scenario, SECONDS[backend], *batch)
        before = state.data["done"]
        report(state, done, backend, scenario, batch)
        at += state.data["done"] - before
    return state.end()


if __name__ == "__main__":
    sys.exit(main())
