#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sparse.py [--full] SOURCE MIB OUT: a stored image with MIB MiB of memory, made of a real one. All
# layers and records of SOURCE (compressed with xz or not) are copied, but for those with pages:
# these are replaced by as many records of 1024 pages as that memory needs. Their contents are a
# hole in the file OUT; with --full they are 0xff bytes, which are invalid as page tables and records.
# The config of an xl file gives the domain that memory.
# A legacy image (of one round) is made in the same way, of batches of 1024 pages.
import lzma
import re
import struct
import sys

PAGE_DATA, P2M_FRAMES = 1, 3
XL_MAGIC = b"Xen saved domain, xl format\n \0 \r"
LIBXC_CONTEXT = 1
BATCH = 1024
NOTAB, L1TAB, PINNED = 0, 1, 8


def with_memory(data, mib):
    """The file with a config, if it has one, that gives the domain that memory."""
    if not data.startswith(XL_MAGIC):
        return data
    length, config = struct.unpack_from("<II", data, 44)
    text = re.sub(rb'"(max|target)_memkb": *\d+, *', b"", data[52:52 + config])
    given = b'"max_memkb": %d, "target_memkb": %d, ' % (mib << 10, mib << 10)
    text = re.sub(rb'"b_info": *{', lambda m: m[0] + given, text, count=1)
    length += len(text) - config
    return data[:44] + struct.pack("<II", length, len(text)) + text + data[52 + config:]


def image_at(data):
    """The offset of the libxc image, after any layers before it."""
    at = 0
    if data.startswith(XL_MAGIC):
        at = 48 + struct.unpack_from("<I", data, 44)[0]
    if data[at:at + 8] != b"LibxlFmt":
        return at
    at += 16
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        at += 8 + (length + 7 & ~7)
        if kind == LIBXC_CONTEXT:
            return at


def records(data, at):
    """Type, begin and end of each record of the image."""
    at += 40
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        end = at + 8 + (length + 7 & ~7)
        yield kind, at, end
        if kind == 0:
            return
        at = end


def p2m_frames(data, width, pages):
    """X86_PV_P2M_FRAMES of a guest of that size; any pfns will do as frames."""
    frames = range((pages - 1) // (4096 // width) + 1)
    body = struct.pack("<II", 0, pages - 1) + struct.pack(f"<{len(frames)}Q", *frames)
    return struct.pack("<II", P2M_FRAMES, len(body)) + body


def entry(pv, i):
    """The i-th page: some of a PV guest's are page tables, and an HVM guest has devices below 4 GiB."""
    if pv:
        return (PINNED | L1TAB if i % 512 == 511 else NOTAB) << 60 | i
    return i if i < 0xF0000 else i + 0x10000


def put_contents(out, n, full):
    if full:
        out.write(b"\xff" * (4096 * n))
    else:
        out.seek(4096 * n, 1)


def put_pages(out, pv, pages, full):
    for first in range(0, pages, BATCH):
        n = min(BATCH, pages - first)
        out.write(struct.pack("<IIII", PAGE_DATA, 8 + (8 + 4096) * n, n, 0))
        out.write(struct.pack(f"<{n}Q", *(entry(pv, first + i) for i in range(n))))
        put_contents(out, n, full)


class Legacy:
    """The offsets in a legacy image of the list of P2M frames, the pages and the tail."""

    def __init__(self, data, at):
        self.data, self.begin = data, at
        self.width = 4 if struct.unpack_from("<I", data, at + 4)[0] else 8
        self.long = "Q" if self.width == 8 else "I"
        at += self.width
        ones = struct.unpack_from("<" + self.long, data, at)[0] == (1 << 8 * self.width) - 1
        self.pv, self.guest = ones, 8
        if ones:
            at += self.width
            at += 4 + struct.unpack_from("<I", data, at)[0]
            if struct.unpack_from("<4sI", data, self.begin + 2 * self.width + 4)[1] == 0xAF0:
                self.guest = 4
        self.frames = at
        if ones:
            size = struct.unpack_from("<" + self.long, data, self.begin)[0]
            at += self.width * self.nr_frames(size)
        self.body = at
        self.batches = []
        while True:
            chunk = struct.unpack_from("<i", data, at)[0]
            if chunk > 0:
                end = at + 4 + self.width * chunk
                entries = struct.unpack_from(f"<{chunk}{self.long}", data, at + 4)
                end += 4096 * sum(e >> 28 not in (0xD, 0xE, 0xF) for e in entries)
                self.batches.append((at, end))
                at = end
            elif chunk == -7:
                at += 24
            else:
                break

    def nr_frames(self, pages):
        return (pages - 1) // (4096 // self.guest) + 1

    def put(self, out, pages, full):
        size = pages if self.pv else entry(False, pages - 1) + 1
        frames = range(1, self.nr_frames(size) + 1) if self.pv else []
        out.write(self.data[:self.begin] + struct.pack("<" + self.long, size))
        out.write(self.data[self.begin + self.width:self.frames])
        out.write(struct.pack(f"<{len(frames)}{self.long}", *frames))
        at = self.body
        for begin, end in self.batches:
            out.write(self.data[at:begin])
            if at == self.body:
                self.put_batches(out, pages, full)
            at = end
        out.write(self.data[at:])

    def put_batches(self, out, pages, full):
        for first in range(0, pages, BATCH):
            n = min(BATCH, pages - first)
            entries = (entry(self.pv, first + i) for i in range(n))
            out.write(struct.pack(f"<i{n}{self.long}", n,
                                  *((e >> 60) << 28 | e & 0xFFFFFFF for e in entries)))
            put_contents(out, n, full)


def main():
    full = "--full" in sys.argv
    source, mib, name = [arg for arg in sys.argv[1:] if arg != "--full"]
    with open(source, "rb") as f:
        data = f.read()
    if data.startswith(b"\xfd7zXZ"):
        data = lzma.decompress(data)
    data = with_memory(data, int(mib))
    begin, pages = image_at(data), int(mib) * 256
    if data[begin:begin + 8] != b"\xff" * 8:
        with open(name, "wb") as out:
            Legacy(data, begin).put(out, pages, full)
        return
    pv = struct.unpack_from("<I", data, begin + 24)[0] == 1
    width = 8
    done = False
    with open(name, "wb") as out:
        out.write(data[:begin + 40])
        for kind, at, end in records(data, begin):
            if kind == 2:
                width = data[at + 8]
            if kind == P2M_FRAMES:
                out.write(p2m_frames(data, width, pages))
            elif kind != PAGE_DATA:
                out.write(data[at:end])
            elif not done:
                put_pages(out, pv, pages, full)
                done = True
        out.write(data[end:])


main()
