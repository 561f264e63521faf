# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the contents of pages lie in an xl save file: aligned.py FILE yes|no [RUNS]. yes: each page of every record but the
last begins at a multiple of 4096, and all do in the last one if RUNS is given. RUNS: how many aligned runs of 512 new
pages are whole within one record. It reads the file on its own."""
import struct
import sys


def records(data):
    """The PAGE_DATA records: the pfns, those of them that have contents, and where the contents begin."""
    at = 48 + struct.unpack_from("<I", data, 44)[0] + 16 + 8
    assert data[at:at + 8] == b"\xff" * 8, "no libxc image"
    at += 24 + 16
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        body = at + 8
        at = body + (length + 7) // 8 * 8
        if kind == 0:
            return
        if kind == 1:
            count = struct.unpack_from("<I", data, body)[0]
            entries = struct.unpack_from("<%dQ" % count, data, body + 8)
            pages = [e & (1 << 52) - 1 for e in entries if e >> 60 not in (0xd, 0xe, 0xf)]
            absent = {e & (1 << 52) - 1 for e in entries if e >> 60 == 0xf}
            yield pages, absent, body + 8 + 8 * count


def runs(pages):
    have = set(pages)
    return sum(all(first + i in have for i in range(512)) for first in have if first % 512 == 0)


def main():
    with open(sys.argv[1], "rb") as f:
        found = list(records(f.read()))
    odd = [n for n, (_, _, contents) in enumerate(found) if contents % 4096]
    sent = [pfn for pages, _, _ in found for pfn in pages]
    absent = {pfn for _, pfns, _ in found for pfn in pfns}
    if sys.argv[2] == "no":
        assert odd, "all pages are aligned"
        assert not absent, "%d entries of pfns without a page" % len(absent)
        return
    assert len(set(sent)) == len(sent), "a page is there twice"
    assert not absent & set(sent), "a pfn with a page has an entry that says it has none"
    last = len(found) - 1
    assert not odd or (odd == [last] and len(sys.argv) == 3), "of %d records, these are odd: %s" % (len(found), odd)
    if len(sys.argv) > 3:
        whole, wanted = sum(runs(pages) for pages, _, _ in found), runs(sent)
        assert whole == wanted >= int(sys.argv[3]), "%d of %d runs are whole" % (whole, wanted)


main()
