# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the long runs with real processes share: the view of one host, and several rounds at a time."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import soak

SKIPPED = 77
WAIT_S = 120


class Failure(Exception):
    """A promise that was not kept."""


def wait_until(what, condition, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure("still not true: " + what)
        time.sleep(0.02)


class Host:
    """A runtime folder: what one side sees."""

    def __init__(self, godwit, folder):
        self.godwit, self.folder = godwit, folder
        self.env = dict(os.environ, GODWIT_RUNTIME_DIR=str(folder), GODWIT_CONF="/dev/null", LC_ALL="C")

    def run(self, *args):
        done = subprocess.run([self.godwit, *args], env=self.env, capture_output=True, text=True, timeout=WAIT_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self, *args, errors=subprocess.PIPE):
        return subprocess.Popen([self.godwit, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=errors, text=True)

    def must(self, *args):
        status, text = self.run(*args)
        if status != 0:
            raise Failure("%s: exit status %d: %s" % (" ".join(args), status, text))
        return text

    def domain(self):
        """What list --json says of the domain g; {} if there is none."""
        status, text = self.run("list", "--json")
        if status != 0:
            raise Failure("list: " + text)
        return next((domain for domain in json.loads(text) if domain["name"] == "g"), {})


def work(lane, state, args, numbers):
    while state.goes_on():
        with state.lock:
            number = next(numbers, None)
        if number is None:
            return
        failure = None
        try:
            lane.one(args.seed, number, state)
        except (Failure, subprocess.TimeoutExpired, ValueError, OSError, IndexError) as problem:
            failure = "%s: %s" % (type(problem).__name__, problem)
            lane.end_all()
        with state.lock:
            state.step(failure, number)


def run(name, description, total, nr_lanes, lane_of):
    """Runs lane_of(args, folder).one(seed, number, state) for each number. The exit status."""
    args = soak.arguments(description, total)
    if not (args.build / "guests/godwit-guest64.elf").exists():
        print("SKIP: no guests were built for this machine")
        return SKIPPED
    state = soak.State(name, args)
    state.lock = threading.Lock()
    numbers = iter([args.only] if args.only is not None else range(state.data["done"], args.total))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="godwit-%s-" % name))
    lanes = []
    try:
        for i in range(nr_lanes):
            (folder / str(i)).mkdir()
            lanes.append(lane_of(args, folder / str(i)))
        threads = [threading.Thread(target=work, args=(lane, state, args, numbers)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for lane in lanes:
            lane.end_all()
        shutil.rmtree(folder, ignore_errors=True)
    return state.end()
