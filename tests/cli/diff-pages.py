# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the page differences of "godwit diff --json" with the manifests of both images. diff-pages.py GODWIT NAME...
compares each NAME.image with itself and with the next one, and reads NAME.manifest.
Prints the total number of pages that differ."""
import hashlib
import json
import lzma
import subprocess
import sys

ZEROS = hashlib.sha256(bytes(4096)).hexdigest()[:16]
XALLOC, NOTAB = 0xe, 0


def load(path):
    pages = {}
    for line in lzma.open(path, "rt"):
        if line.startswith("#"):
            continue
        pfn, kind, digest = line.split()
        kind = int(kind, 16) >> 28
        if digest != "-" or kind == XALLOC:
            pages[int(pfn, 16)] = (NOTAB if kind == XALLOC else kind, ZEROS if digest == "-" else digest)
    return pages


def what(a, b):
    if not a or not b:
        return ["only_a"] if a else ["only_b"]
    return ["contents"] * (a[1] != b[1]) + ["type"] * (a[0] != b[0])


def check(said, a, b):
    expected = {pfn: what(a.get(pfn), b.get(pfn)) for pfn in a.keys() | b.keys()}
    expected = {pfn: how for pfn, how in expected.items() if how}
    found = {pfn: run["what"] for run in said["page_runs"] for pfn in range(run["first"], run["last"] + 1)}
    if found != expected:
        sys.exit("found %s, expected %s" % (sorted(found.items())[:20], sorted(expected.items())[:20]))
    counts = said["pages"]
    how = [word for words in expected.values() for word in words]
    for word in ("contents", "type", "only_a", "only_b"):
        assert counts[word] == how.count(word), counts
    assert (counts["a"], counts["b"], counts["differ"]) == (len(a), len(b), len(expected)), counts
    return len(expected)


def main():
    godwit, names = sys.argv[1], sys.argv[2:]
    manifests = {name: load(name + ".manifest") for name in names}
    total = 0
    for i, a in enumerate(names):
        for b in names[i:i + 2]:
            run = subprocess.run([godwit, "diff", "--json", a + ".image", b + ".image"], capture_output=True)
            if run.returncode > 1:
                sys.exit("%s and %s: %s" % (a, b, run.stderr.decode()))
            total += check(json.loads(run.stdout), manifests[a], manifests[b])
    print(total)


main()
