#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the save helpers under a real Xen: Xen's libxl-save-helper and godwit's, in turn, with the same guest.

usage: bench.py BUILD [--dir DIR] [--minutes N] [--instructions] [--list] [NAME...]
       bench.py --read FILE...

Boots the machine of matrix.py and repeats the rows of tests/xen/bench until N minutes (10) are over. NAME is the name of
a row or a pattern of names. What tests/xen/tap.c noted is collected in DIR/share/bench.jsonl; the tables that are printed
at the end can be made again with --read, also from the files of several runs together.

With --instructions the machine's clock counts them: a nanosecond is an instruction of dom0, Xen or the guest, and what else this
computer does makes no difference. An instruction is not a time, but the work of two helpers can be compared in one run.

Each number is the median of the runs, with the lowest and the highest; the ratio is godwit's median by Xen's. The ratio of
pairs is the median of the ratios of two measurements that followed each other."""
import argparse
import collections
import json
import pathlib
import shutil
import signal
import statistics
import sys
import threading

import matrix

SUSPEND, COMPLETE, ANSWER, PROGRESS = 3, 10, 0, 2  # numbers of messages, as tap.c notes them
HELPERS = ("stock", "godwit")
NAMES = {"stock": "Xen", "godwit": "godwit"}
OTHER = {"stock": "godwit", "godwit": "stock"}
STARTED = "Domain started"  # what the receiver of xl migrate prints once the domain runs


def waits(events, begin, end):
    """The nanoseconds in which the helper waited for answers of libxl."""
    total, asked = 0, None
    for ns, number, *_ in events:
        if number == ANSWER and asked is not None:
            total += max(0, min(ns, end) - max(asked, begin))
            asked = None
        elif number not in (ANSWER, PROGRESS):
            asked = ns
    return total


def first(events, number, after=0):
    return next((ns for ns, n, *_ in events if n == number and ns >= after), None)


def suspended_at(record):
    """When libxl answered that the domain is suspended."""
    return first(record["events"], ANSWER, first(record["events"], SUSPEND))


def cpu(record):
    return (record["user_us"] + record["system_us"]) * 1000


def of_helper(record, side):
    """What one run of a helper took, in nanoseconds but for the sizes."""
    events = record["events"]
    done = first(events, COMPLETE)
    start = record["start"]
    found = {
        f"{side}: start to COMPLETE": done - start,
        f"{side}: the same without waits for libxl": done - start - waits(events, start, done),
        f"{side}: CPU time": cpu(record),
        f"{side}: memory (KiB)": record["rss_kib"],
    }
    if record["mode"] == "save":
        down = suspended_at(record)
        found["own downtime of the save"] = done - down - waits(events, down, done)
        found["suspended until the helper's exit"] = record["exit"] - down
        found["pages due in the last round"] = [0, *(e[2] for e in events if e[1] == PROGRESS and e[2])][-1]
    return found


def of_migration(save, restore, command):
    received = first(restore["events"], COMPLETE)
    sent = first(save["events"], COMPLETE)
    running = next(ns for ns, _, _, text in command["events"] if STARTED in text)
    down = suspended_at(save)
    return {
        "own downtime of the restore": received - sent,
        "own downtime of both": received - down,
        "whole downtime": running - down,
        "xl migrate": command["exit"] - command["start"],
        "CPU time of both helpers": cpu(save) + cpu(restore),
    }


def of_operation(records):
    """The numbers of one command of xl: of its helpers, and of the command."""
    by_mode = {record["mode"]: record for record in records}
    found = {}
    for side in ("save", "restore"):
        if side in by_mode:
            found |= of_helper(by_mode[side], side)
    if len(by_mode) == 3:
        found |= of_migration(by_mode["save"], by_mode["restore"], by_mode["xl"])
    return found


def of_save_and_restore(save, xl_save, xl_restore):
    """A command of xl saves, the next one restores."""
    return {
        "xl save": xl_save["exit"] - xl_save["start"],
        "xl restore": xl_restore["exit"] - xl_restore["start"],
        "whole downtime": xl_save["exit"] - suspended_at(save) + xl_restore["exit"] - xl_restore["start"],
    }


def numbers(paths):
    """By row, by number, by helper: the list of what was measured."""
    found = collections.defaultdict(lambda: collections.defaultdict(lambda: {helper: [] for helper in HELPERS}))
    for path in paths:
        add_numbers(found, path)
    return found


def add_numbers(found, path):
    records, saved = [], None
    for line in path.read_text().splitlines():
        record = json.loads(line)
        row, operation, helper = record["label"].split()
        if record["mode"] == "size":
            found[row]["size of the image (bytes)"][helper].append(record["bytes"])
            continue
        # The record of xl is the last one of a command.
        records.append(record)
        if record["mode"] != "xl":
            continue
        values = of_operation(records)
        if operation.startswith("restore"):
            saver = helper if operation == "restore" else OTHER[helper]
            both = {f"restore of {NAMES[saver]}'s image: CPU time": values["restore: CPU time"]}
            values = values | both if operation == "restore" else both
        if operation == "restore" and saved:
            values |= of_save_and_restore(*saved, record)
        for name, value in values.items():
            found[row][name][helper].append(value)
        saved = records if operation == "save" else None
        records = []


def shown(name, values):
    if name.endswith((")", "round")):
        return ["%d" % value for value in (statistics.median(values), min(values), max(values))]
    return ["%.1f" % (value / 1e6) for value in (statistics.median(values), min(values), max(values))]


def ratio_of_pairs(by_helper):
    """Both helpers' values of the same number were measured one after the other: what slows the machine slows both."""
    if len({len(values) for values in by_helper.values()}) > 1:
        return ""  # of the restores of one's own and of the other's image
    ratios = [godwit / stock for stock, godwit in zip(*(by_helper[helper] for helper in HELPERS)) if stock]
    if not ratios:
        return ""
    return "%.2f (%.2f to %.2f)" % (statistics.median(ratios), min(ratios), max(ratios))


def print_tables(found):
    for row, by_name in found.items():
        print("\n%s, ms\n" % row)
        print("| | runs | Xen's | godwit's | ratio | ratio of pairs |\n|---|---|---|---|---|---|")
        for name, by_helper in by_name.items():
            if not all(by_helper.values()):
                continue
            cells = ["%s (%s to %s)" % tuple(shown(name, by_helper[helper])) for helper in HELPERS]
            medians = [statistics.median(by_helper[helper]) for helper in HELPERS]
            ratio = "%.2f" % (medians[1] / medians[0]) if medians[0] else ""
            runs = "/".join(sorted({str(len(by_helper[helper])) for helper in HELPERS}))
            print("| %s | %s | %s | %s | %s |" % (name, runs, " | ".join(cells), ratio, ratio_of_pairs(by_helper)))


def measure(args):
    rows = matrix.all_rows("bench")
    if args.list:
        print("\n".join(rows))
        return 0
    wanted = [row for name in args.names or ["*"] for row in matrix.choose(rows, [name])]
    rig = (args.dir or args.build / "xen").resolve()
    # Room for the images of both helpers beside each other.
    matrix.MEMORY, matrix.DOM0_MEMORY = "2304", "1280M"
    matrix.SILENCE_LIMIT = 900
    if args.instructions:
        matrix.EMULATION = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    args.shadow = False

    def ready(share):
        (share / "bench").touch()
        timer = threading.Timer(args.minutes * 60, (share / "stop").touch)
        timer.daemon = True
        timer.start()

    try:
        if not shutil.which("qemu-system-x86_64"):
            raise matrix.Skip("qemu-system-x86_64 is not installed")
        rig.mkdir(parents=True, exist_ok=True)
        matrix.build(rig, "tap")
        _, why, share = matrix.run(args, rig, wanted * 100, matrix.HERE.parent.parent, ready)
    except matrix.Skip as skip:
        print("SKIP: the Xen rig cannot be had here: %s" % skip)
        return 77
    if why:
        print("%s (%s)" % (why, share / "serial.log"))
    if (share / "bench.jsonl").exists():
        print_tables(numbers([share / "bench.jsonl"]))
    return 1 if why else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][len("usage: "):])
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--read", type=pathlib.Path, nargs="+")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    # So that the machine ends with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if args.read:
        print_tables(numbers(args.read))
        return 0
    if not args.build:
        parser.error("BUILD is missing")
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
