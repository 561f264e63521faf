#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fuzz targets until each has run 10^8 times: the target that has run least is next. The executions of earlier
runs count. A finding ends its target's turn and fails the run, and the next ones until its input fails no more."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fuzz"))

import run as fuzz  # noqa: E402
import soak  # noqa: E402

TOTAL = 10 ** 8


class Counts(soak.State):
    """Executions and findings by target, instead of what the other runs count."""

    def say(self):
        done = self.data["counts"]
        whole = sum(1 for number in done.values() if number >= self.total)
        print("fuzz: %d executions; %d of %d targets have run %d times, the least %d; %d findings" % (
            sum(done.values()), whole, len(done), self.total, min(done.values(), default=0), len(self.data["failed"])),
            flush=True)


def main():
    args = soak.arguments(__doc__, TOTAL)
    targets = fuzz.find_targets(args.build)
    if not targets:
        print("no fuzz targets in %s" % args.build)
        return 1
    state = Counts("fuzz", args)
    done = state.data["counts"]
    stop = fuzz.Stop()

    def counted(target, number, where):
        if number < 0:
            done.pop(target.name)
        if where and not stop.asked:
            state.data["failed"].append({"number": target.name, "why": where})
        state.save()

    programs = {target.name: target for target in targets}
    state.data["failed"] = [entry for entry in state.data["failed"]
                            if entry["number"] in programs and programs[entry["number"]].fails(entry["why"])]
    due = [target for target in targets if done.setdefault(target.name, 0) < args.total]
    if due and not stop.asked:
        fuzz.spread(due, (args.minutes or 1) * 60, done, args.total, stop, counted)
    state.data["done"] = sum(done.values())
    for name in sorted(done):
        print("%-16s %12d of %d" % (name, done[name], args.total))
    return state.end()


if __name__ == "__main__":
    sys.exit(main())
