#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sparse_legacy.py [--full] [--live] SOURCE MIB OUT: a legacy image with MIB MiB of memory, made of a real
# one of an HVM guest that 64-bit tools saved (packed with xz or not). Its chunks and its tail are taken over,
# but for the pages: in their place come as many batches of 1024 as that memory needs, whose contents are a
# hole in the file OUT; with --full they are 0xff bytes. With --live they come first, before all that tells
# that nothing was live.
import lzma
import struct
import sys

BATCH = 1024
PAGE = 4096
NO_CONTENTS = 0xd  # types from here on
VCPU_INFO, TSC_INFO, TOOLSTACK = -2, -7, -18
EMPTY = (-1, -9, -13)


def length(data, at, kind):
    """Bytes of the chunk at this offset, its id included."""
    if kind > 0:
        entries = struct.unpack_from(f"<{kind}Q", data, at + 4)
        return 4 + 8 * kind + PAGE * sum(e >> 28 < NO_CONTENTS for e in entries)
    if kind in EMPTY:
        return 4
    if kind == VCPU_INFO:
        return 8 + 8 * (struct.unpack_from("<I", data, at + 4)[0] // 64 + 1)
    if kind == TSC_INFO:
        return 24
    if kind == TOOLSTACK:
        return 8 + struct.unpack_from("<I", data, at + 4)[0]
    return 16


def chunks(data):
    """All chunks that are no pages, and what begins with the end of the body."""
    at, others = 8, []
    while True:
        kind = struct.unpack_from("<i", data, at)[0]
        if kind == 0:
            return others, data[at:]
        end = at + length(data, at, kind)
        if kind < 0:
            others.append(data[at:end])
        at = end


def put_pages(out, pages, full):
    for first in range(0, pages, BATCH):
        n = min(BATCH, pages - first)
        out.write(struct.pack(f"<i{n}Q", n, *range(first, first + n)))
        if full:
            out.write(b"\xff" * (PAGE * n))
        else:
            out.seek(PAGE * n, 1)


def main():
    full, live = "--full" in sys.argv, "--live" in sys.argv
    source, mib, name = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    with open(source, "rb") as f:
        data = f.read()
    if data.startswith(b"\xfd7zXZ"):
        data = lzma.decompress(data)
    others, rest = chunks(data)
    early = [] if live else [c for c in others if struct.unpack_from("<i", c)[0] == TSC_INFO]
    pages = int(mib) * 256
    with open(name, "wb") as out:
        # A pfn more than there are pages: those that the tail names have to be some.
        out.write(struct.pack("<Q", max(pages, struct.unpack_from("<Q", data)[0])))
        out.write(b"".join(early))
        put_pages(out, pages, full)
        out.write(b"".join(c for c in others if c not in early))
        out.write(rest)


main()
