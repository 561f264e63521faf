#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# lie.py KIND <image >image: puts a fault into a libxc image that only a restore can detect.
# Offsets are those of the recorded 64-bit PV and HVM images of tests/data/xen-code.
import struct
import sys

data = bytearray(sys.stdin.buffer.read())
PAGE_DATA, BASIC, P2M, PARAMS = 1, 4, 3, 10


def records():
    at = 40
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        yield at + 8, kind
        if kind == 0:
            return
        at += 8 + (length + 7 & ~7)


def first(kind):
    return next(at for at, k in records() if k == kind)


def copies(pfn):
    """Offsets of the entry and of the contents of each copy of a page."""
    for at, kind in records():
        if kind != PAGE_DATA:
            continue
        count = struct.unpack_from("<I", data, at)[0]
        page = at + 8 + 8 * count
        for i in range(count):
            entry = struct.unpack_from("<Q", data, at + 8 + 8 * i)[0]
            t = entry >> 60
            if entry & (1 << 52) - 1 == pfn:
                yield at + 8 + 8 * i, page
            page += 4096 if t <= 4 or 9 <= t <= 12 else 0


def put(at, value):
    struct.pack_into("<Q", data, at, value)


def pages(pfn, value, offset=0):
    for _, page in copies(pfn):
        put(page + offset, value)


def lie(kind):
    context = first(BASIC) + 8 if not kind.startswith("hvm") else 0
    if kind == "pte-above":
        pages(0x30, 1024 << 12 | 0x67)
    elif kind == "pte-superpage":
        pages(0x2C, 0x300E7)
    elif kind == "root-type":
        put(context + 4984 + 24, 5 << 12)
    elif kind == "user-root":
        put(context + 4984 + 8, 0x2A << 12 | 1)
    elif kind == "gdt-descriptor":
        pages(0x24, 0x890000000067, 5 * 8)  # a TSS
    elif kind == "gdt-table":
        put(context + 4832, 0x30)
    elif kind == "start-info":
        put(context + 616, 0x3FF)
    elif kind == "ring":
        pages(0x20, 0x3FF, 72)
    elif kind == "p2m-table":
        put(first(P2M) + 8, 0x2C)
    elif kind == "untyped-table":
        for entry, _ in list(copies(0x2A)):
            put(entry, 0x2A)
    elif kind == "hvm-store":
        put(first(PARAMS) + 16, 0x90000)
    elif kind == "hvm-ident":
        # A param that the image does not have comes last.
        at = first(PARAMS)
        count = struct.unpack_from("<I", data, at)[0]
        struct.pack_into("<I", data, at - 4, 8 + 16 * (count + 1))
        struct.pack_into("<I", data, at, count + 1)
        data[at + 8 + 16 * count:at + 8 + 16 * count] = struct.pack("<QQ", 12, 0x90000000)
    else:
        sys.exit("unknown lie " + kind)


lie(sys.argv[1])
sys.stdout.buffer.write(data)
