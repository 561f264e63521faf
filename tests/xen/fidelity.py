#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Has a real Xen judge patched images, and records its verdicts for the test "fidelity".

usage: fidelity.py BUILD [--dir DIR] [--seeds A-B] [--again] [--tables DIR] [NAME...]

Boots the machine of matrix.py. There a generator (tests/fidelity) makes an image of each seed, and stock "xl restore -p"
takes or refuses it. NAME is a base (pv, pvh, hvm) or a kind of patch (config, cpu, ...); without names all are judged.
The verdicts go into DIR/BASE.tsv (tests/fidelity); seeds that are in there are skipped. --again judges them once more, and
lists those with another verdict than the recorded one. If Xen crashes or hangs, that is the verdict on the image, and the
machine boots again for the rest.

Exit status: 0 all were judged (with --again: as before), 1 not all, or not as before, 2 usage, 77 the rig cannot be had here."""
import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import matrix

BASES = ("pv", "pvh", "hvm")
DATA = matrix.HERE.parent / "data/xen417"
TABLES = matrix.HERE.parent / "fidelity"
HEAD = "seed\tkind\tchecksum\tverdict\treason\n"
BOOT_SIZE = 450  # images of one boot


def table_path(tables, base):
    return tables / (base + ".tsv")


def read_table(path):
    """By seed: kind, checksum, verdict, reason."""
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    return {int(line.split("\t")[0]): line.split("\t")[1:] for line in lines}


def write_table(path, rows):
    path.write_text(HEAD + "".join("\t".join([str(seed), *rows[seed]]) + "\n" for seed in sorted(rows)))


def listed(maker, base, seeds):
    """By seed: kind, checksum, patch."""
    out = subprocess.run([maker, DATA / ("tiny-%s.save.xz" % base), "%d-%d" % seeds], check=True, stdout=subprocess.PIPE, text=True)
    return {int(line.split("\t")[0]): line.split("\t")[1:] for line in out.stdout.splitlines()}


def chosen(args, maker):
    """The images to judge: base, seed."""
    bases = [name for name in args.names if name in BASES] or BASES
    kinds = [name for name in args.names if name not in BASES]
    known, images = set(), []
    for base in bases:
        table = read_table(table_path(args.tables, base))
        for seed, (kind, checksum, _) in listed(maker, base, args.seeds).items():
            known.add(kind)
            is_new = seed not in table or table[seed][1] != checksum
            if (not kinds or kind in kinds) and (is_new or args.again):
                images.append((base, seed))
    for kind in kinds:
        if kind not in known:
            print("there is no kind of patch %s: %s" % (kind, " ".join(sorted(known))), file=sys.stderr)
            sys.exit(2)
    return images


def reason(said):
    """The first error of xl, and the last line that Xen logged but for the names of a context's entries."""
    lines = [line for line in said.splitlines() if line.strip()]
    of_xen = [line for line in lines if line.startswith("(XEN)") and not re.search(r"HVM\d+ restore: \w+ \d+$", line)]
    errors = [line for line in lines if line.startswith("xc: error")] or [line for line in lines if "error" in line.lower()]
    others = [line for line in lines if not line.startswith("(XEN)")]
    return " ".join((errors or others[-1:] or ["nothing was said"])[:1] + of_xen[-1:])[:300].replace("\t", " ")


def verdicts(said, maker):
    """Of each image: base, seed, kind, checksum, verdict, reason, patch."""
    lines, made = [], {}
    seeds = [int(seed) for seed in re.findall(r"^== \w+ (\d+) ", said, flags=re.MULTILINE)]
    for block in re.split(r"^== ", said, flags=re.MULTILINE)[1:]:
        head, _, text = block.partition("\n")
        # A domain of the image before it, or a machine that was too slow: no verdict on this image.
        if re.search(r"already exists|timed? ?out", text):
            continue
        base, seed, status = head.split()[0], int(head.split()[1]), int(head.split()[2])
        if base not in made:
            made[base] = listed(maker, base, (min(seeds), max(seeds)))
        kind, checksum, patch = made[base][seed]
        verdict = {0: "taken", 137: "hung"}.get(status, "refused")
        lines.append([base, str(seed), kind, checksum, verdict, reason(text) if status else "", patch])
    return lines


def boot(args, rig, maker, images):
    """Judges images of one boot. Returns the lines of verdicts, and the image at which the machine ended, if it did."""
    bases = {base for base, _ in images}

    def ready(share):
        for base in bases:
            subprocess.run([maker, "--slim", DATA / ("tiny-%s.save.xz" % base), share / ("base-" + base)], check=True)
        (share / "fidelity").write_text("".join("%s %d\n" % image for image in images))

    # The name of a row brings the device model.
    rows = ["fidelity-hvm" if "hvm" in bases else "fidelity"]
    share, stopped = rig / "share", False
    try:
        _, why, _ = matrix.run(args, rig, rows, matrix.HERE.parent.parent, ready)
    except (SystemExit, KeyboardInterrupt):
        why, stopped = None, True
    said = (share / "said").read_text(errors="replace") if (share / "said").exists() else ""
    lines = verdicts(said, maker)
    lost = None
    if why:
        print("%s (%s)" % (why, share / "serial.log"), flush=True)
        now = (share / "now").read_text().split() if (share / "now").exists() else None
        lost = (now[0], int(now[1])) if now else None
        if lost is None or lost in {(line[0], int(line[1])) for line in lines}:
            lost = None
        shutil.copy(share / "serial.log", rig / "serial-of-lost.log")
    with open(rig / "fidelity-said", "a") as f:
        f.write(said)
    return lines, lost, why, stopped


def record(args, lines, changed):
    for base in BASES:
        rows = read_table(table_path(args.tables, base))
        for _, seed, kind, checksum, verdict, why, patch in (line for line in lines if line[0] == base):
            old = rows.get(int(seed))
            if old and old[1] == checksum and old[2] != verdict:
                changed.append("%s %s (%s): %s, was %s: %s" % (base, seed, patch, verdict, old[2], why))
            rows[int(seed)] = [kind, checksum, verdict, why]
        if any(line[0] == base for line in lines):
            write_table(table_path(args.tables, base), rows)


def judge(args, rig, maker):
    images, changed, tried = chosen(args, maker), [], 0
    print("%d images" % len(images), flush=True)
    while images:
        lines, lost, why, stopped = boot(args, rig, maker, images[:BOOT_SIZE])
        if lost:
            kind, checksum, patch = listed(maker, lost[0], (lost[1], lost[1]))[lost[1]]
            verdict = "hung" if "nothing came" in why else "crashed"
            lines.append([lost[0], str(lost[1]), kind, checksum, verdict, why, patch])
        record(args, lines, changed)
        if stopped:
            return 1
        done = {(line[0], int(line[1])) for line in lines}
        tried = tried + 1 if not done else 0
        if tried == 2:
            print("no image was judged in two boots; not judged: " + " ".join("%s-%d" % image for image in images[:20]))
            return 1
        images = [image for image in images if image not in done]
    for line in changed:
        print("another verdict: " + line)
    return 1 if changed else 0


def seeds(text):
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][len("usage: "):])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--dir", type=pathlib.Path)
    parser.add_argument("--seeds", type=seeds, default=(0, 450))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--tables", type=pathlib.Path, default=TABLES)
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    # So that the machine ends with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    matrix.SILENCE_LIMIT = 600
    # The machine's time is that of its instructions: its timeouts do not depend on what else this machine does.
    matrix.EMULATION = ["-accel", "tcg,thread=single", "-icount", "shift=0"]
    args.shadow = False
    maker = args.build.resolve() / "tests/fidelity/fidelity_make"
    began = time.monotonic()
    try:
        if not shutil.which("qemu-system-x86_64"):
            raise matrix.Skip("qemu-system-x86_64 is not installed")
        status = judge(args, (args.dir or args.build / "xen").resolve(), maker)
    except matrix.Skip as skip:
        print("SKIP: the Xen rig cannot be had here: %s" % skip)
        return 77
    print("%d s" % (time.monotonic() - began))
    return status


if __name__ == "__main__":
    sys.exit(main())
