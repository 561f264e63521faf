# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the long runs share: a state file, so that a run goes on where the last one was stopped, and the figures it prints."""

import argparse
import json
import os
import pathlib
import signal
import time


def arguments(description, total):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build folder")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--total", type=int, default=total, help="how many there are")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("GODWIT_SEED") or 20261130))
    parser.add_argument("--only", type=int, help="this one alone, without the state file")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs did")
    parser.add_argument("--sample", action="store_true", help="a run of its own, without the state file")
    return parser.parse_args()


class State:
    """The figures of all runs with one seed: done, and what a kind of run counts."""

    def __init__(self, name, args):
        self.name, self.total = name, args.total
        self.until = time.monotonic() + args.minutes * 60 if args.minutes else None
        self.path = None if args.sample or args.only is not None else args.build / "soak" / (name + ".json")
        self.said = time.monotonic()
        self.stopped = False
        self.data = {"seed": args.seed, "done": 0, "failed": [], "counts": {}}
        if self.path and self.path.exists() and not args.fresh:
            old = json.loads(self.path.read_text())
            self.data = old if old["seed"] == args.seed else self.data
        signal.signal(signal.SIGINT, self.stop)
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.stopped = True

    def goes_on(self):
        return not self.stopped and (self.until is None or time.monotonic() < self.until)

    def count(self, *what):
        for name in what:
            self.data["counts"][name] = self.data["counts"].get(name, 0) + 1

    def step(self, failure=None, number=None):
        """One more is done."""
        self.data["done"] += 1
        if failure:
            self.data["failed"].append({"number": number, "why": failure})
            print("FAILED %s %s: %s" % (self.name, number, failure), flush=True)
        self.save()
        if time.monotonic() - self.said > 60:
            self.said = time.monotonic()
            self.say()

    def save(self):
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.data, indent=1) + "\n")
        new.replace(self.path)

    def say(self):
        counts = ", ".join("%d %s" % (n, name) for name, n in sorted(self.data["counts"].items()))
        print("%s: %d/%d done, seed %d, %d failed; %s" % (self.name, self.data["done"], self.total, self.data["seed"],
                                                         len(self.data["failed"]), counts), flush=True)

    def end(self):
        """Prints the figures. The exit status."""
        self.save()
        self.say()
        return 1 if self.data["failed"] else 0
